// Processes that the benchmark starts: each ends when its owner does, and with the benchmark itself.
//
// Thread safety: none. Start children from the program's main thread: a child is killed when the thread that
// started it ends.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/result.h"

namespace quorate::bench {

class Child {
 public:
  Child() = default;
  explicit Child(pid_t pid) : pid_(pid) {}
  Child(Child&& other) noexcept : pid_(other.pid_) { other.pid_ = -1; }
  Child& operator=(Child&& other) noexcept;
  ~Child() { kill_and_wait(); }

  pid_t pid() const { return pid_; }
  bool running() const;
  // SIGKILL, without waiting: for whoever measures what follows.
  void kill_now() const;
  // SIGKILL if it still runs; then the process is gone, and its ports are free.
  void kill_and_wait();
  // SIGTERM, and up to `timeout_ms` for a clean end; then kill_and_wait(). True if it ended by itself with 0.
  bool stop(int timeout_ms);

 private:
  pid_t pid_ = -1;
};

// Runs `body` in a forked child; its return value is the exit code.
Result<Child> fork_child(const std::function<int()>& body);

// Runs a program; its output goes to `log_path` (appended).
Result<Child> spawn(const std::vector<std::string>& arguments, const std::string& log_path);

// User and system time of a process so far, from /proc/PID/stat, in seconds; its resolution is that of the
// kernel's ticks, 10 ms. Errors: kIo when the process is gone.
Result<double> cpu_seconds(pid_t pid);

}  // namespace quorate::bench
