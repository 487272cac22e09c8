// What runs the engine of a Client, and is the one way to it. The library's own has a background thread and a
// socket (client/thread_loop.h); the simulator's has neither.
//
// Thread safety: post() and what is named below it are for any thread, ask() for the loop's own. stop() and
// the destructor: one thread, not the loop's own.
#pragma once

#include <atomic>
#include <functional>

#include "client/endpoint.h"
#include "client/engine.h"

namespace quorate::client {

class Loop {
 public:
  using Task = std::function<void(Engine&, Instant)>;

  Loop() = default;
  virtual ~Loop() = default;
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  // Runs on the loop's thread, in the order of the calls of one thread. False after stop(): it will not run.
  virtual bool post(Task task) = 0;
  // One question to one server over a connection of its own. `done` runs on the loop's thread, once.
  virtual void ask(const HostPort& where, api::ClientFrame frame, Duration timeout,
                   std::function<void(Result<api::Reply>)> done) = 0;
  // Ends the thread; all that was asked is answered.
  virtual void stop() = 0;

  virtual bool on_this_thread() const = 0;
  // As the engine saw them last.
  Instant lease_until() const { return Instant(Duration(lease_until_.load(std::memory_order_acquire))); }
  Instant session_until() const { return Instant(Duration(session_until_.load(std::memory_order_acquire))); }
  SessionId session() const { return SessionId(session_.load(std::memory_order_acquire)); }
  bool session_lost() const { return lost_.load(std::memory_order_acquire); }

 protected:
  // Before the callers hear anything: whoever is told that a lock is held may ask at once until when.
  void publish(const Engine& engine) {
    lease_until_.store(engine.lease_until().time_since_epoch().count(), std::memory_order_release);
    session_until_.store(engine.session_until().time_since_epoch().count(), std::memory_order_release);
    session_.store(engine.session().value(), std::memory_order_release);
    lost_.store(engine.session_lost(), std::memory_order_release);
  }

 private:
  std::atomic<int64_t> lease_until_{kNever.time_since_epoch().count()};
  std::atomic<int64_t> session_until_{kNever.time_since_epoch().count()};
  std::atomic<uint64_t> session_{0};
  std::atomic<bool> lost_{false};
};

}  // namespace quorate::client
