// How recipes wait: they look, and look again behind every change at a path or below it. Not public.
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

#include "client/host.h"
#include "client/quorate/client.h"

namespace quorate::client {

// Rings at every change at `root` and below it. To be hung before the first look: then nothing that changes
// behind that look is missed.
//
// Thread safety: for one thread that waits.
class Bell {
 public:
  // Errors: those of Client::watch_changes().
  static Result<Bell> hang(Client& client, const std::string& root);
  // False: it did not ring until then. Forgets how often it did.
  bool wait(Instant until);
  // From any thread.
  void ring() const;
  // The feed behind it has ended: it rings no more.
  bool broken() const;

 private:
  struct State {
    std::mutex mutex;
    std::condition_variable rung;
    bool ringing = false, broken = false;  // guarded by mutex
  };
  Bell(Host& host, std::shared_ptr<State> state, ChangeFeed feed)
      : host_(&host), state_(std::move(state)), feed_(std::move(feed)) {}

  Host* host_;
  std::shared_ptr<State> state_;
  ChangeFeed feed_;
};

// Calls `look` until it gives a value or an error: at once, and behind each change at `root` or below it.
// Errors: kTimeout with `late`, and what `look` and the feed say.
template <class T, class Look>
Result<T> wait_until(Client& client, const std::string& root, Instant until, const char* late, Look look) {
  while (true) {
    Result<Bell> bell = Bell::hang(client, root);
    if (!bell.ok()) return bell.error();
    while (!bell->broken()) {
      Result<std::optional<T>> seen = look();
      if (!seen.ok()) return seen.error();
      if (*seen) return std::move(**seen);
      if (!bell->wait(until)) return Error{ErrorCode::kTimeout, late};
    }
  }
}
template <class T, class Look>
Result<T> wait_for(Client& client, const std::string& root, std::optional<milliseconds> wait,
                   const char* late, Look look) {
  return wait_until<T>(client, root, Host::of(client).in(wait), late, std::move(look));
}

}  // namespace quorate::client
