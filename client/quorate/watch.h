// A one-shot watch: tells the first change after the read that set it, also over a change of server.
//
//   Watch watch;
//   Result<Node> node = client.get("/config", &watch);
//   Result<Event> event = watch.wait();      // or: Watch watch([](const Event& e) { ... });
//
// A read of a node that does not exist answers kNoNode, and sets the watch all the same: it fires when the
// node is made. One that is made and deleted again while the connection is down is not told of: a feed
// (changes.h) tells that, too.
//
// Thread safety: all members. Dropping a Watch ends it; so does the end of its Client.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>

#include "client/quorate/types.h"

namespace quorate::client {

struct WatchState;

class Watch {
 public:
  // To be waited for.
  Watch();
  // Called once, on the client's own thread: it must not wait for the client there. What it captures outlives
  // the Watch.
  explicit Watch(std::function<void(const Event&)> on_event);
  ~Watch();
  Watch(Watch&&) noexcept;
  Watch& operator=(Watch&&) noexcept;

  // Waits for the event. Errors: kTimeout; kShuttingDown when the client was closed; kInvalidArgument when no
  // read has set it.
  Result<Event> wait(std::optional<std::chrono::milliseconds> timeout = std::nullopt);
  // The event, if it has come.
  std::optional<Event> event() const;
  // A read has set it and it has not fired.
  bool armed() const;

 private:
  friend class AsyncClient;
  std::shared_ptr<WatchState> state_;
};

}  // namespace quorate::client
