#include "client/cli/child.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <string_view>

#include "base/check.h"

namespace quorate::cli {

namespace {

// Reads all of `size` bytes; false at the end of the pipe.
bool read_all(int fd, void* to, size_t size) {
  size_t have = 0;
  while (have < size) {
    const ssize_t got = read(fd, static_cast<char*>(to) + have, size - have);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return false;
    have += static_cast<size_t>(got);
  }
  return true;
}

void write_all(int fd, const void* from, size_t size) {
  while (write(fd, from, size) < 0 && errno == EINTR) continue;
}

[[noreturn]] void guard(int fd) {
  setpgid(0, 0);  // a signal to our group is not for it
  sigset_t all;
  sigfillset(&all);
  sigprocmask(SIG_BLOCK, &all, nullptr);
  // It must not hold open what the command's readers wait for the end of.
  for (const int each : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) close(each);
  pid_t group = 0, next = 0;
  while (read_all(fd, &next, sizeof(next))) group = next;
  if (group > 0) kill(-group, SIGKILL);
  _exit(0);
}

}  // namespace

Guardian::Guardian() {
  std::array<int, 2> ends{};
  CHECK_MSG(pipe2(ends.data(), O_CLOEXEC) == 0, "no file descriptors are left");
  pid_ = fork();
  CHECK_MSG(pid_ >= 0, "no process can be started");
  if (pid_ == 0) {
    close(ends[1]);
    guard(ends[0]);
  }
  close(ends[0]);
  pipe_ = ends[1];
}

Guardian::~Guardian() {
  const pid_t nobody = 0;
  write_all(pipe_, &nobody, sizeof(nobody));
  close(pipe_);
  while (waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) continue;
}

void Guardian::watch_over(pid_t group) { write_all(pipe_, &group, sizeof(group)); }

Result<Child> Child::start(const ChildStart& start, Guardian& guardian) {
  std::vector<char*> arguments;
  for (const std::string& each : start.command) arguments.push_back(const_cast<char*>(each.c_str()));
  arguments.push_back(nullptr);
  std::vector<char*> environment;
  for (const std::string& each : start.environment) environment.push_back(const_cast<char*>(each.c_str()));
  // A name that stands there already, of a command of ours that we run in, goes: of two values many programs,
  // shells among them, take the second.
  for (char** each = environ; *each != nullptr; ++each) {
    const std::string_view inherited(*each);
    const bool replaced = std::any_of(
        start.environment.begin(), start.environment.end(),
        [&](std::string_view own) { return inherited.starts_with(own.substr(0, own.find('=') + 1)); });
    if (!replaced) environment.push_back(*each);
  }
  environment.push_back(nullptr);

  // Closed by a successful exec; otherwise it brings the reason. A second one holds the child back until the
  // guardian knows it.
  std::array<int, 2> failure{}, go{};
  CHECK_MSG(pipe2(failure.data(), O_CLOEXEC) == 0 && pipe2(go.data(), O_CLOEXEC) == 0,
            "no file descriptors are left");
  const pid_t parent = getpid();
  const bool terminal = isatty(STDIN_FILENO) != 0 && tcgetpgrp(STDIN_FILENO) == getpgrp();
  const pid_t pid = fork();
  if (pid < 0)
    return Error{ErrorCode::kIo, std::string("no process can be started: ") + std::strerror(errno)};
  if (pid == 0) {
    // Only what is safe between fork and exec in a program with threads.
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(kill(getpid(), SIGKILL));
    close(go[1]);
    char byte = 0;
    if (!read_all(go[0], &byte, 1)) _exit(1);
    if (terminal) std::signal(SIGTTOU, SIG_DFL);  // what a TerminalLoan ignores, an exec would hand on
    sigprocmask(SIG_SETMASK, &start.signal_mask, nullptr);
    execvpe(arguments[0], arguments.data(), environment.data());
    const int reason = errno;
    write_all(failure[1], &reason, sizeof(reason));
    _exit(1);
  }
  setpgid(pid, pid);  // also here: whoever comes first
  close(failure[1]);
  close(go[0]);
  guardian.watch_over(pid);
  if (terminal) tcsetpgrp(STDIN_FILENO, pid);
  write_all(go[1], "", 1);
  close(go[1]);
  int reason = 0;
  const bool failed = read_all(failure[0], &reason, sizeof(reason));
  close(failure[0]);
  if (!failed) return Child(pid);
  while (waitpid(pid, nullptr, 0) < 0 && errno == EINTR) continue;
  return Error{reason == ENOENT ? ErrorCode::kNoNode : ErrorCode::kIo,
               start.command[0] + ": " + std::strerror(reason)};
}

std::optional<int> Child::ended() {
  int status = 0;
  while (waitpid(pid_, &status, WNOHANG | WUNTRACED) == pid_) {
    if (WIFEXITED(status)) return WEXITSTATUS(status);
    if (WIFSIGNALED(status)) return 128 + WTERMSIG(status);
    if (WIFSTOPPED(status)) signal_group(SIGCONT);
  }
  return std::nullopt;
}

void Child::signal_group(int signal) const { kill(-pid_, signal); }

TerminalLoan::TerminalLoan() : ours_(isatty(STDIN_FILENO) != 0 && tcgetpgrp(STDIN_FILENO) == getpgrp()) {
  // To take the terminal back from the background would stop us.
  if (ours_) std::signal(SIGTTOU, SIG_IGN);
}

TerminalLoan::~TerminalLoan() {
  if (ours_) tcsetpgrp(STDIN_FILENO, getpgrp());
}

}  // namespace quorate::cli
