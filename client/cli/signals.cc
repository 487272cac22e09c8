#include "client/cli/signals.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <array>
#include <cstdint>

#include "base/check.h"

namespace quorate::cli {

Signals::Signals() {
  sigset_t waited;
  sigemptyset(&waited);
  for (const int each : {SIGINT, SIGTERM, SIGHUP, SIGCHLD}) sigaddset(&waited, each);
  CHECK(sigprocmask(SIG_BLOCK, &waited, &before_) == 0);
  signals_ = signalfd(-1, &waited, SFD_CLOEXEC | SFD_NONBLOCK);
  wakes_ = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  CHECK_MSG(signals_ >= 0 && wakes_ >= 0, "no file descriptors are left");
}

Signals::~Signals() {
  close(signals_);
  close(wakes_);
}

int Signals::next(int timeout_ms) {
  std::array<pollfd, 2> ready{pollfd{signals_, POLLIN, 0}, pollfd{wakes_, POLLIN, 0}};
  if (poll(ready.data(), ready.size(), timeout_ms) <= 0) return 0;
  signalfd_siginfo info{};
  if (read(signals_, &info, sizeof(info)) == sizeof(info)) return static_cast<int>(info.ssi_signo);
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
