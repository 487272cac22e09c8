// Checks that run beside an instance of a service: it is in the registry only while they succeed.
#pragma once

#include <csignal>
#include <functional>
#include <memory>
#include <string>

#include "base/result.h"
#include "client/cli/command.h"

namespace quorate::cli {

// Of `every` and `patience`: a process may be started for each, and nothing answers in no time.
inline constexpr milliseconds kCheckTimeMin{100};

struct CheckWish {
  // http://HOST[:PORT][/PATH]: answered with 2xx; tcp://HOST:PORT: accepts a connection; exec:COMMAND: a
  // shell's command that exits with 0. Empty: no check.
  std::string what;
  milliseconds every{5'000};
  milliseconds patience{2'000};  // of one try
  uint32_t failures = 3;         // so many in a row make it unhealthy; one success makes it healthy
};

// Errors: kInvalidArgument.
Status validate_check(const std::string& what);

// What is sent for an http://...; nothing for another check. Errors: kInvalidArgument.
Result<std::string> check_request(const std::string& what);

// Once, on this thread. `mask`: the signal mask of a command. Errors: kUnavailable, with the reason.
Status try_check(const CheckWish& wish, const sigset_t& mask);

// Tries in the background, and tells of every change on its own thread. Unhealthy until the first success;
// without a check it is healthy.
//
// Thread safety: all members.
class HealthChecker {
 public:
  HealthChecker(CheckWish wish, const sigset_t& mask, std::function<void()> changed);
  ~HealthChecker();
  HealthChecker(const HealthChecker&) = delete;
  HealthChecker& operator=(const HealthChecker&) = delete;
  bool healthy() const;
  // It has failed so often in a row as makes an instance unhealthy; of one that never was healthy, too.
  bool failing() const;
  // Of the last failure.
  std::string reason() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace quorate::cli
