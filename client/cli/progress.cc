#include "client/cli/progress.h"

#include <unistd.h>

#include <csignal>
#include <iostream>
#include <utility>

namespace quorate::cli {

namespace {

using std::chrono::steady_clock;

constexpr std::chrono::milliseconds kInterval{200};

// There is one terminal, so there is one line.
std::mutex line_mutex;
const Progress* shown_by = nullptr;  // the line that is there; guarded by line_mutex

// REQUIRES: line_mutex is held.
void take_away() {
  if (std::exchange(shown_by, nullptr) != nullptr) std::cerr << "\r\033[K" << std::flush;
}

}  // namespace

Progress::Progress(std::chrono::milliseconds silence, Source source)
    : terminal_(isatty(STDERR_FILENO) != 0),
      first_(steady_clock::now() + silence),
      source_(source ? std::move(source) : [](const std::string& told) { return told; }) {
  if (!terminal_) return;
  // Signals are for the thread that does what takes so long.
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  thread_ = std::thread([this] { draw(); });
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

Progress::~Progress() {
  if (!terminal_) return;
  {
    const std::lock_guard lock(mutex_);
    over_ = true;
  }
  ended_.notify_all();
  thread_.join();
  (void)clear_progress();
}

void Progress::show(const std::function<std::string()>& text) {
  if (!terminal_) return;
  const auto now = steady_clock::now();
  const std::lock_guard lock(mutex_);
  if (!told_.empty() && now - told_at_ < kInterval) return;
  told_at_ = now;
  told_ = text();
}

void Progress::say(std::string text) {
  const std::lock_guard lock(mutex_);
  told_ = std::move(text);
}

void Progress::draw() {
  std::unique_lock lock(mutex_);
  for (auto next = first_; !ended_.wait_until(lock, next, [this] { return over_; });
       next = steady_clock::now() + kInterval) {
    const std::string told = told_;
    lock.unlock();
    const std::string text = source_(told);
    {
      const std::lock_guard line(line_mutex);
      if (text.empty()) {
        if (shown_by == this) take_away();  // not another's
      } else {
        std::cerr << "\r\033[K" + text << std::flush;
        shown_by = this;
      }
    }
    lock.lock();
  }
}

std::unique_lock<std::mutex> clear_progress() {
  std::unique_lock lock(line_mutex);
  take_away();
  return lock;
}

}  // namespace quorate::cli
