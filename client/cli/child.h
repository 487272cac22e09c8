// A command that runs in a process group of its own, and does not outlive us: whatever ends this process,
// even SIGKILL, ends the whole group.
//
// Thread safety: signal_group() for any thread; the rest for the thread that started it (the kernel ties the
// child's life to it).
#pragma once

#include <csignal>
#include <optional>
#include <string>
#include <vector>

#include <sys/types.h>

#include "base/result.h"

namespace quorate::cli {

// Waits beside us, in a process of its own, for our end. Make it before any thread is started.
class Guardian {
 public:
  Guardian();
  ~Guardian();  // nothing is left to watch over
  Guardian(const Guardian&) = delete;
  Guardian& operator=(const Guardian&) = delete;
  // From now on: our end kills this process group.
  void watch_over(pid_t group);

 private:
  int pipe_ = -1;
  pid_t pid_ = -1;
};

struct ChildStart {
  std::vector<std::string> command;
  std::vector<std::string> environment;  // NAME=VALUE, each in place of ours of that name
  sigset_t signal_mask{};                // the child's
};

class Child {
 public:
  // Returns when the command runs. Errors: kNoNode (not found) and kIo (cannot be run), with the system's
  // reason.
  static Result<Child> start(const ChildStart& start, Guardian& guardian);

  // Looks without waiting. The exit code as a shell gives it (128 + signal), when it has ended. A stopped
  // command is woken: its lock would not wait for it.
  std::optional<int> ended();
  void signal_group(int signal) const;

 private:
  explicit Child(pid_t pid) : pid_(pid) {}
  pid_t pid_;
};

// The terminal belongs to the command while it runs, if it was ours; back to us at the end.
class TerminalLoan {
 public:
  TerminalLoan();
  ~TerminalLoan();
  TerminalLoan(const TerminalLoan&) = delete;
  TerminalLoan& operator=(const TerminalLoan&) = delete;
  bool ours() const { return ours_; }

 private:
  bool ours_;
};

}  // namespace quorate::cli
