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
milliseconds grace(const client::HeldLock& lock) { return lock.time_left() * 3 / 4; }

int not_acquired(const std::string& path, const Error& error) {
  switch (error.code) {
    case ErrorCode::kTimeout:
    case ErrorCode::kContended:
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

// Those that are held together; lost is the first that is.
using Held = std::vector<client::HeldLock>;

template <class T>
Result<Held> held(Result<T> lock) {
  if (!lock.ok()) return lock.error();
  Held all;
  all.push_back(std::move(*lock));
  return all;
}

Result<Held> acquire(Client& client, const LockWish& wish) {
  const client::AcquireOptions options{.wait = wish.wait, .delay = wish.delay, .data = wish.data};
  if (wish.mode == client::LockMode::kShared) return held(client.acquire_shared(wish.path, options));
  if (wish.mode == client::LockMode::kPermit)
    return held(client.acquire_permit(wish.path, wish.permits, options));
  if (wish.more.empty()) return held(client.acquire(wish.path, options));
  std::vector<std::string> paths{wish.path};
  paths.insert(paths.end(), wish.more.begin(), wish.more.end());
  Result<std::vector<client::Lock>> locks = client.acquire_all(paths, options);
  if (!locks.ok()) return locks.error();
  Held all;
  for (client::Lock& lock : *locks) all.push_back(std::move(lock));
  return all;
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

int run_under_lock(const Globals& globals, const LockWish& wish, const std::vector<std::string>& command) {
  const std::string& path = wish.path;
  Guardian guardian;  // before the client's thread
  Signals signals;
  client::Options options = globals.client_options();
  options.lost_margin = globals.session_timeout / 5;
  Client client(options);

  // The wait for the lock can take for ever, and a signal must end it.
  std::optional<Result<Held>> acquired;
  std::atomic<bool> done = false;
  std::thread waiter([&] {
    acquired.emplace(acquire(client, wish));
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
  Held locks = std::move(**acquired);

  ChildStart start;
  start.command = command;
  start.environment = {"QUORATE_LOCK_TOKEN=" + std::to_string(locks.front().token().value()),
                       "QUORATE_LOCK_PATH=" + path};
  start.signal_mask = signals.original_mask();
  const TerminalLoan terminal;
  Result<Child> child = Child::start(start, guardian);
  if (child.code() == ErrorCode::kNoNode)
    return fail(kExitNotFound, child.error().message + " (the command)");
  if (!child.ok()) return fail(kExitCannotRun, child.error().message + " (the command)");

  for (client::HeldLock& lock : locks) lock.on_lost([&signals] { signals.wake(); });
  while (true) {
    for (const client::HeldLock& lock : locks)
      if (lock.lost()) return end_lost(*child, signals, lock.path(), grace(lock));
    if (const std::optional<int> code = child->ended()) {
      // What it left in its group must not run without the lock.
      child->signal_group(SIGKILL);
      for (client::HeldLock& lock : locks) (void)lock.release();
      return *code;
    }
    const int signal = signals.next();
    if (signal == SIGINT || signal == SIGTERM || signal == SIGHUP) child->signal_group(signal);
  }
}

}  // namespace quorate::cli
