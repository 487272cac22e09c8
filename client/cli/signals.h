// Signals, and what other threads have to say, as things to wait for.
#pragma once

#include <csignal>
#include <optional>

namespace quorate::cli {

// Those that ask a command to end: SIGINT, SIGTERM, SIGHUP and SIGQUIT. What it holds is given back first.
bool ends_a_command(int signal);

// These and SIGCHLD wait for next() from construction on, in this thread and those it
// starts. One that nobody waited for is gone with it.
//
// Thread safety: next() for the thread that made it; wake() for any.
class Signals {
 public:
  Signals();
  ~Signals();
  Signals(const Signals&) = delete;
  Signals& operator=(const Signals&) = delete;

  // Waits for a signal; 0: wake() was called, or the time is over (negative: none is set), or something can
  // be read from `input`.
  int next(int timeout_ms = -1, int input = -1);
  void wake();
  // As it was before: for a child before exec.
  const sigset_t& original_mask() const { return before_; }

 private:
  int signals_ = -1, wakes_ = -1;
  sigset_t before_{};
};

// ---- for a shell, which outlives the commands that signals end
//
// Thread safety: none; these are the main thread's.

// From here on SIGINT, SIGTERM and SIGHUP do not end the program, but the command that runs.
void remember_signals();
// The last of these three that came, or that a Signals has handed out; 0: none since forget_signal().
int remembered_signal();
void forget_signal();

struct Interrupted {
  int signal = 0;
};
// Throws Interrupted if one came that no Signals has handed out, and they are remembered.
void throw_if_interrupted();
// Until there is something to read, or the end; throws Interrupted as above.
void wait_for_input(int fd);

}  // namespace quorate::cli
