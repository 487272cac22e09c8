#include "server/shell/store_thread.h"

#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdint>
#include <utility>

#include <boost/asio/post.hpp>

namespace quorate::server {

namespace {

// Where cores are few, the loops of servers and clients go before a checkpoint: while it is written, a
// request waits for neither its work nor the end of its turn on a core. Not the lowest priority there is: on
// a machine that is never idle a checkpoint must end some time, or applying would wait for it. (Measured: in
// the fifth of a second in which the records are written, p99 of writes was 8 to 12 ms so, 6 to 8 with
// SCHED_IDLE, from which a process without privileges cannot come back, and 8 to 12 with nice 19, or with
// 100 ms for a slice.)
constexpr int kStoreNice = 10;
constexpr uint64_t kStoreSliceNs = 100'000;

// The first version of the kernel's own struct, which the C library does not have.
struct ThreadAttributes {
  uint32_t size = 48;
  uint32_t policy = SCHED_BATCH;
  uint64_t flags = 0;
  int32_t nice = kStoreNice;
  uint32_t priority = 0;
  uint64_t slice_ns = kStoreSliceNs;  // heeded since Linux 6.12
  uint64_t deadline_ns = 0, period_ns = 0;
};
static_assert(sizeof(ThreadAttributes) == 48);

// Of this thread alone. Where it is not allowed, all go on with the same priority.
void give_way() {
  const ThreadAttributes attributes;
  ::syscall(SYS_sched_setattr, 0, &attributes, 0);
}

}  // namespace

StoreThread::StoreThread(boost::asio::io_context& loop, std::unique_ptr<StateFolder> folder,
                         Duration no_space_retry, Handlers handlers)
    : loop_(loop),
      no_space_retry_(no_space_retry),
      handlers_(std::make_shared<Handlers>(std::move(handlers))),
      folder_(std::move(folder)),
      thread_([this] { work(); }) {}

StoreThread::~StoreThread() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_one();
  thread_.join();
  *handlers_ = {};
}

void StoreThread::run(StoreJob job) {
  {
    const std::lock_guard lock(mutex_);
    jobs_.push_back(std::move(job));
  }
  changed_.notify_one();
}

void StoreThread::work() {
  give_way();
  for (;;) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return stopping_ || !jobs_.empty(); });
    if (stopping_) return;
    StoreJob job = std::move(jobs_.front());
    jobs_.pop_front();
    lock.unlock();
    run_one(job);
  }
}

void StoreThread::run_one(StoreJob& job) {
  for (bool waited = false;;) {
    Result<StoreDone> done = folder_->run(job);
    full_ = done.code() == ErrorCode::kNoSpace;
    if (done.ok()) {
      if (waited) {
        post([](Handlers& to) { to.log({LogLevel::kInfo, "there is room again, the checkpoints go on"}); });
      }
      post([done = std::move(*done)](Handlers& to) mutable { to.done(std::move(done)); });
      return;
    }
    if (done.code() != ErrorCode::kNoSpace) {
      post([error = done.error()](Handlers& to) { to.failed(error); });
      const std::lock_guard lock(mutex_);
      stopping_ = true;
      return;
    }
    if (!std::exchange(waited, true)) {
      post([message = done.error().message](Handlers& to) {
        to.log({LogLevel::kWarning, "no checkpoint can be written until there is room again: " + message});
      });
    }
    std::unique_lock lock(mutex_);
    if (changed_.wait_for(lock, no_space_retry_, [this] { return stopping_; })) return;
  }
}

template <class Call>
void StoreThread::post(Call call) {
  boost::asio::post(loop_, [handlers = handlers_, call = std::move(call)]() mutable {
    if (handlers->done) call(*handlers);
  });
}

}  // namespace quorate::server
