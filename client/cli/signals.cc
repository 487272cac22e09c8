#include "client/cli/signals.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>

#include "base/check.h"

namespace quorate::cli {

namespace {

// Set by a handler, so: no locks, and one word each.
volatile std::sig_atomic_t last_signal = 0, interrupting = 0;

bool remembering = false;

extern "C" void remember(int signal) {
  last_signal = signal;
  interrupting = signal;
}

}  // namespace

bool ends_a_command(int signal) {
  return signal == SIGINT || signal == SIGTERM || signal == SIGHUP || signal == SIGQUIT;
}

void remember_signals() {
  remembering = true;
  struct sigaction action {};
  action.sa_handler = remember;  // without SA_RESTART: a read from the terminal is to end
  sigemptyset(&action.sa_mask);
  for (const int each : {SIGINT, SIGTERM, SIGHUP}) sigaction(each, &action, nullptr);
}

int remembered_signal() { return last_signal; }
void forget_signal() {
  last_signal = 0;
  interrupting = 0;
}
void throw_if_interrupted() {
  if (remembering && interrupting != 0) throw Interrupted{interrupting};
}

void wait_for_input(int fd) {
  sigset_t ending, before;
  sigemptyset(&ending);
  for (const int each : {SIGINT, SIGTERM, SIGHUP}) sigaddset(&ending, each);
  // One that comes behind the look, and before the wait, is to end the wait.
  sigprocmask(SIG_BLOCK, &ending, &before);
  pollfd input{fd, POLLIN, 0};
  while ((!remembering || interrupting == 0) && ppoll(&input, 1, nullptr, &before) < 0 && errno == EINTR)
    continue;
  sigprocmask(SIG_SETMASK, &before, nullptr);
  throw_if_interrupted();
}

Signals::Signals() {
  sigset_t waited;
  sigemptyset(&waited);
  for (const int each : {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGCHLD}) sigaddset(&waited, each);
  CHECK(sigprocmask(SIG_BLOCK, &waited, &before_) == 0);
  signals_ = signalfd(-1, &waited, SFD_CLOEXEC | SFD_NONBLOCK);
  wakes_ = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  CHECK_MSG(signals_ >= 0 && wakes_ >= 0, "no file descriptors are left");
}

Signals::~Signals() {
  // What came too late for who waited is for the command that follows, in a shell; elsewhere it is over.
  while (const int signal = next(0))
    if (ends_a_command(signal)) interrupting = signal;
  sigprocmask(SIG_SETMASK, &before_, nullptr);
  close(signals_);
  close(wakes_);
}

int Signals::next(int timeout_ms, int input) {
  std::array<pollfd, 3> ready{pollfd{signals_, POLLIN, 0}, pollfd{wakes_, POLLIN, 0},
                              pollfd{input, POLLIN, 0}};
  if (poll(ready.data(), ready.size(), timeout_ms) <= 0) return 0;
  signalfd_siginfo info{};
  if (read(signals_, &info, sizeof(info)) == sizeof(info)) {
    const int signal = static_cast<int>(info.ssi_signo);
    if (ends_a_command(signal)) last_signal = signal;
    return signal;
  }
  uint64_t count = 0;
  if (read(wakes_, &count, sizeof(count)) != sizeof(count)) return 0;
  return 0;
}

void Signals::wake() {
  const uint64_t one = 1;
  // Only a full counter refuses it, and then it wakes already.
  if (write(wakes_, &one, sizeof(one)) != sizeof(one)) return;
}

}  // namespace quorate::cli
