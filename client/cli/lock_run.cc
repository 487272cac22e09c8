// lock run: a command that runs while the lock is held, and not longer.
//
// The library reports the lock as lost `lost_margin` before it must. In that time the command's process group
// gets SIGTERM, and, with what is left of it running out, SIGKILL: nothing of it runs when the lock can be
// someone else's.
#include <atomic>
#include <chrono>
#include <thread>

#include "client/cli/child.h"
#include "client/cli/command.h"
#include "client/cli/signals.h"

namespace quorate::cli {

namespace {

// The command's time to end by itself: of what is left, what SIGKILL itself does not need.
milliseconds grace(const client::Lock& lock) { return lock.time_left() * 3 / 4; }

int not_acquired(const std::string& path, const Error& error) {
  switch (error.code) {
    case ErrorCode::kTimeout:
      return fail(kExitNotObtained,
                  error.message + " (see who holds it with: quorate lock show " + path + ")");
    case ErrorCode::kInvalidArgument:
    case ErrorCode::kBadPath:
    case ErrorCode::kTooLarge:
      return report(path, error);
    default:
      return fail(kExitLockFailed, path + ": " + error.message);
  }
}

int end_lost(Child& child, Signals& signals, const std::string& path, milliseconds time_to_end) {
  child.signal_group(SIGTERM);
  child.signal_group(SIGCONT);
  const auto until = std::chrono::steady_clock::now() + time_to_end;
  bool ended = false;
  while (!ended && std::chrono::steady_clock::now() < until) {
    const auto left = std::chrono::duration_cast<milliseconds>(until - std::chrono::steady_clock::now());
    signals.next(static_cast<int>(left.count()) + 1);
    ended = child.ended().has_value();
  }
  // Also when the command itself has ended: what it started may not have.
  child.signal_group(SIGKILL);
  while (!ended) {
    signals.next(100);
    ended = child.ended().has_value();
  }
  return fail(
      kExitLockFailed,
      path + ": the lock was lost, and the command was ended: check what it left behind, then run it again");
}

}  // namespace

int run_under_lock(const Globals& globals, const std::string& path, std::optional<milliseconds> wait,
                   const std::vector<std::string>& command) {
  Guardian guardian;  // before the client's thread
  Signals signals;
  client::Options options = globals.client_options();
  options.lost_margin = globals.session_timeout / 5;
  Client client(options);

  // The wait for the lock can take for ever, and a signal must end it.
  std::optional<Result<client::Lock>> acquired;
  std::atomic<bool> done = false;
  std::thread waiter([&] {
    acquired.emplace(client.acquire(path, {.wait = wait}));
    done = true;
    signals.wake();
  });
  while (!done) {
    const int signal = signals.next();
    if (signal == SIGINT || signal == SIGTERM || signal == SIGHUP) {
      // The session, and with it the place in the queue, must go at once, and the waiter hangs on the client.
      client.close();
      waiter.join();
      return kExitSignal + signal;
    }
  }
  waiter.join();
  if (!acquired->ok()) return not_acquired(path, acquired->error());
  client::Lock lock = std::move(**acquired);

  ChildStart start;
  start.command = command;
  start.environment = {"QUORATE_LOCK_TOKEN=" + std::to_string(lock.token().value()),
                       "QUORATE_LOCK_PATH=" + path};
  start.signal_mask = signals.original_mask();
  const TerminalLoan terminal;
  Result<Child> child = Child::start(start, guardian);
  if (child.code() == ErrorCode::kNoNode)
    return fail(kExitNotFound, child.error().message + " (the command)");
  if (!child.ok()) return fail(kExitCannotRun, child.error().message + " (the command)");

  lock.on_lost([&signals] { signals.wake(); });
  while (true) {
    if (lock.lost()) return end_lost(*child, signals, path, grace(lock));
    if (const std::optional<int> code = child->ended()) {
      // What it left in its group must not run without the lock.
      child->signal_group(SIGKILL);
      (void)lock.release();
      return *code;
    }
    const int signal = signals.next();
    if (signal == SIGINT || signal == SIGTERM || signal == SIGHUP) child->signal_group(signal);
  }
}

}  // namespace quorate::cli
