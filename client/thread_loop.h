// The background thread of a Client: runs the engine on a real socket, a real clock and a real timer.
// Everything that decides is in the engine; this only waits.
//
// Thread safety: that of Loop.
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
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>

#include "client/connection.h"
#include "client/loop.h"

namespace quorate::client {

Instant boot_time();

class ThreadLoop final : public Loop {
 public:
  // Throws std::system_error where there are no descriptors or no thread left.
  // REQUIRES: as many places as the options have endpoints. `resolve` looks up their names, on the loop's
  // thread; none: the system does.
  ThreadLoop(EngineOptions options, std::vector<HostPort> places, Resolve resolve = {});
  ~ThreadLoop() override;

  bool post(Task task) override;
  void ask(const HostPort& where, api::ClientFrame frame, Duration timeout,
           std::function<void(Result<api::Reply>)> done) override;
  void stop() override;
  bool on_this_thread() const override { return std::this_thread::get_id() == runs_on_; }

 private:
  struct Question;
  void run_tasks();
  void obey();
  void connect(size_t endpoint);
  void drop();
  void arm_timer();
  void wait_for_timer();

  const std::vector<HostPort> places_;
  std::vector<size_t> attempts_;  // to connect to each of the places
  boost::asio::io_context io_{1};
  NameLookups lookups_{[this](std::function<void()> task) { boost::asio::post(io_, std::move(task)); }};
  const Resolve resolve_;
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_;
  boost::asio::posix::stream_descriptor timer_;
  uint64_t timer_ticks_ = 0;
  Instant armed_ = kNever;
  Engine engine_;
  std::shared_ptr<Connection> connection_;
  std::vector<std::weak_ptr<Question>> questions_;

  std::mutex mutex_;
  std::vector<Task> tasks_;  // guarded by mutex_
  bool stopped_ = false;     // guarded by mutex_
  std::atomic<std::thread::id> runs_on_;
  std::thread thread_;
};

}  // namespace quorate::client
