// How recipes wait: they look, and look again behind every change at a path or below it. Not public.
#pragma once

#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

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
  bool wait(std::optional<std::chrono::steady_clock::time_point> until);
  // The feed behind it has ended: it rings no more.
  bool broken() const;

 private:
  struct State {
    std::mutex mutex;
    std::condition_variable rung;
    bool ringing = false, broken = false;  // guarded by mutex
  };
  Bell(std::shared_ptr<State> state, ChangeFeed feed) : state_(std::move(state)), feed_(std::move(feed)) {}

  std::shared_ptr<State> state_;
  ChangeFeed feed_;
};

inline std::optional<std::chrono::steady_clock::time_point> deadline_of(std::optional<milliseconds> wait) {
  if (!wait) return std::nullopt;
  return std::chrono::steady_clock::now() + *wait;
}

// Calls `look` until it gives a value or an error: at once, and behind each change at `root` or below it.
// Errors: kTimeout with `late`, and what `look` and the feed say.
template <class T, class Look>
Result<T> wait_for(Client& client, const std::string& root, std::optional<milliseconds> wait,
                   const char* late, Look look) {
  const auto until = deadline_of(wait);
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

}  // namespace quorate::client
