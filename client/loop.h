// The background thread of a Client: runs the engine on a real socket, a real clock and a real timer.
// Everything that decides is in the engine; this only waits.
//
// Thread safety: post() and what is named below it are for any thread, ask() for the loop's own. stop() and
// the destructor: one thread, not the loop's own.
//
// Time is CLOCK_BOOTTIME, which goes on while the machine sleeps: a lease must not outlive a suspended
// laptop's lid.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>

#include "client/connection.h"
#include "client/engine.h"

namespace quorate::client {

Instant boot_time();

class Loop {
 public:
  using Task = std::function<void(Engine&, Instant)>;

  // REQUIRES: as many places as the options have endpoints. `resolve` looks up their names, on the loop's
  // thread; none: the system does.
  Loop(EngineOptions options, std::vector<HostPort> places, Resolve resolve = {});
  ~Loop();
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  // Runs on the loop's thread, in the order of the calls of one thread. False after stop(): it will not run.
  bool post(Task task);
  // One question to one server over a connection of its own. `done` runs on the loop's thread, once.
  void ask(const HostPort& where, api::ClientFrame frame, Duration timeout,
           std::function<void(Result<api::Reply>)> done);
  // Ends the thread; all that was asked is answered.
  void stop();

  bool on_this_thread() const { return std::this_thread::get_id() == thread_.get_id(); }
  // As the engine saw them last.
  Instant lease_until() const { return Instant(Duration(lease_until_.load(std::memory_order_acquire))); }
  Instant session_until() const { return Instant(Duration(session_until_.load(std::memory_order_acquire))); }
  SessionId session() const { return SessionId(session_.load(std::memory_order_acquire)); }
  bool session_lost() const { return lost_.load(std::memory_order_acquire); }

 private:
  struct Question;
  void run_tasks();
  void obey();
  void connect(size_t endpoint);
  void drop();
  void arm_timer();
  void wait_for_timer();

  const std::vector<HostPort> places_;
  const Resolve resolve_;
  boost::asio::io_context io_{1};
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_;
  boost::asio::posix::stream_descriptor timer_;
  uint64_t timer_ticks_ = 0;
  Instant armed_ = kNever;
  Engine engine_;
  std::shared_ptr<Connection> connection_;
  std::vector<std::weak_ptr<Question>> questions_;

  std::atomic<int64_t> lease_until_, session_until_;
  std::atomic<uint64_t> session_{0};
  std::atomic<bool> lost_{false};

  std::mutex mutex_;
  std::vector<Task> tasks_;  // guarded by mutex_
  bool stopped_ = false;     // guarded by mutex_
  std::thread thread_;
};

}  // namespace quorate::client
