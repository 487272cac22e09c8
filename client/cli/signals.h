// Signals, and what other threads have to say, as things to wait for.
#pragma once

#include <csignal>
#include <optional>

namespace quorate::cli {

// SIGINT, SIGTERM, SIGHUP and SIGCHLD wait for next() from construction on, in this thread and those it
// starts.
//
// Thread safety: next() for the thread that made it; wake() for any.
class Signals {
 public:
  Signals();
  ~Signals();
  Signals(const Signals&) = delete;
  Signals& operator=(const Signals&) = delete;

  // Waits for a signal; 0: wake() was called, or the time is over (negative: none is set).
  int next(int timeout_ms = -1);
  void wake();
  // As it was before: for a child before exec.
  const sigset_t& original_mask() const { return before_; }

 private:
  int signals_ = -1, wakes_ = -1;
  sigset_t before_{};
};

}  // namespace quorate::cli
