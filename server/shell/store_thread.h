// The thread beside the loop that keeps the checkpoints: it runs the jobs of Output::store in their order and
// hands each answer back to the loop.
//
// A full disk is waited out: the same job runs again until there is room; meanwhile the Replica sees a
// checkpoint that takes long. Every other failure of the disk is reported once, and ends the process.
//
// Why a thread of its own, where the log is synced in place: nobody waits for a checkpoint, and it writes
// megabytes. It has a lower priority than the loop.
//
// Thread safety: its functions are the loop's thread's; what it calls is called on that thread.
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>

#include "base/time.h"
#include "server/replica.h"
#include "server/shell/net.h"
#include "server/storage/state_folder.h"

namespace quorate::server {

class StoreThread {
 public:
  struct Handlers {
    std::function<void(StoreDone)> done;
    std::function<void(const Error&)> failed;  // nothing is run after that
    std::function<void(LogLine)> log;
  };
  // `loop` outlives it. The handlers are not called any more once it is destroyed.
  StoreThread(boost::asio::io_context& loop, std::unique_ptr<StateFolder> folder, Duration no_space_retry,
              Handlers handlers);
  // Waits for the job that is running, and drops those behind it.
  ~StoreThread();

  void run(StoreJob job);
  // The job that is running waits for room on the disk.
  bool is_full() const { return full_; }

 private:
  void work();
  // Until it succeeds, fails for good, or is to stop.
  void run_one(StoreJob& job);
  // Calls `call` with the handlers, on the loop.
  template <class Call>
  void post(Call call);

  boost::asio::io_context& loop_;
  const Duration no_space_retry_;
  // The loop's; what was posted finds it empty after the end.
  const std::shared_ptr<Handlers> handlers_;
  const std::unique_ptr<StateFolder> folder_;  // the thread's

  std::atomic<bool> full_ = false;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<StoreJob> jobs_;  // under mutex_
  bool stopping_ = false;      // under mutex_
  std::thread thread_;         // last: it uses all the others
};

}  // namespace quorate::server
