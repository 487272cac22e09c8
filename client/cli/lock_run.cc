// lock run: a command that runs while the lock is held, and not longer.
//
// The library reports the lock as lost `lost_margin` before it must. In that time the command's process group
// gets SIGTERM, and, with what is left of it running out, SIGKILL: nothing of it runs when the lock can be
// someone else's.
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <future>
#include <thread>

#include <nlohmann/json.hpp>

#include "client/cli/child.h"
#include "client/cli/command.h"
#include "client/cli/endpoints.h"
#include "client/cli/progress.h"
#include "client/cli/signals.h"
#include "client/quorate/async.h"

namespace quorate::cli {

namespace {

// The command's time to end by itself: of what is left, what SIGKILL itself does not need.
milliseconds grace(const client::HeldLock& lock) { return lock.time_left() * 3 / 4; }

int not_acquired(const std::string& path, const Error& error) {
  switch (error.code) {
    case ErrorCode::kTimeout:
    case ErrorCode::kContended:
      return fail(kExitNotObtained, error.code,
                  error.message + " (see who holds it with: quorate lock show " + path + ")");
    case ErrorCode::kInvalidArgument:
    case ErrorCode::kBadPath:
    case ErrorCode::kTooLarge:
      return report(path, error);
    default:
      return fail(kExitLockFailed, error.code, path + ": " + error.message);
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

// Beside what the command writes, which has standard output for itself.
void tell_end(const Held& locks, int code) {
  nlohmann::json held = nlohmann::json::array();
  for (const client::HeldLock& lock : locks)
    held.push_back({{"path", lock.path()}, {"token", lock.token().value()}});
  print_json_beside({{"locks", held}, {"exit_code", code}});
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

// What is told on a terminal while a lock is waited for. It looks at the queue now and then, without waiting
// for what it sees: a signal must not wait for it.
class QueueView {
 public:
  QueueView(Client& client, const LockWish& wish, std::shared_ptr<Endpoints> endpoints)
      : client_(client),
        path_(wish.path),
        paths_{wish.path},
        progress_(std::chrono::seconds(1), [told = std::move(endpoints)](const std::string& text) {
          return told->none_answers() ? "waiting for a server that answers" : text;
        }) {
    paths_.insert(paths_.end(), wish.more.begin(), wish.more.end());
    progress_.say("waiting for " + path_);
  }

  // Call it so often.
  static constexpr int kLookEveryMs = 500;
  void look() {
    if (asked_ && asked_->wait_for(milliseconds(0)) != std::future_status::ready) return;
    if (asked_) take(asked_->get());
    asked_ = client_.async().lock_show(paths_[at_]).future();
  }

 private:
  // Of several locks those are told that somebody else has, one after the other.
  void take(const Result<client::LockInfo>& lock) {
    const size_t before = lock.ok() ? before_us(*lock) : 0;
    if (before > 0)
      progress_.say("waiting for " + paths_[at_] + ", " + std::to_string(before) + " before us");
    at_ = (at_ + 1) % paths_.size();
  }
  // 0: nobody, or it cannot be told.
  size_t before_us(const client::LockInfo& lock) const {
    const std::optional<SessionId> us = client_.session();
    for (size_t i = 0; i < lock.waiters.size(); ++i)
      if (lock.waiters[i].session == us) return (lock.holder ? 1 : 0) + lock.sharing.size() + i;
    return 0;
  }

  Client& client_;
  const std::string path_;
  std::vector<std::string> paths_;
  size_t at_ = 0;
  std::optional<std::future<Result<client::LockInfo>>> asked_;
  Progress progress_;
};

}  // namespace

int run_under_lock(const Globals& globals, const LockWish& wish, const std::vector<std::string>& command) {
  const std::string& path = wish.path;
  Guardian guardian;  // before the client's thread
  Signals signals;
  const auto endpoints = std::make_shared<Endpoints>(globals.endpoints.size(), Endpoints::Tell::kAtOnce);
  client::Options options = globals.client_options(endpoints);
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
  const bool terminal = isatty(STDERR_FILENO) != 0;
  std::optional<QueueView> view;
  if (terminal) view.emplace(client, wish, endpoints);
  while (!done) {
    const int signal = signals.next(terminal ? QueueView::kLookEveryMs : -1);
    if (terminal && signal == 0 && !done) view->look();
    if (ends_a_command(signal)) {
      // The session, and with it the place in the queue, must go at once, and the waiter hangs on the client.
      client.close();
      waiter.join();
      view.reset();
      // A person who has typed Ctrl-C knows; a program may not.
      return globals.json ? fail(kExitSignal + signal, path + ": interrupted while it was waited for")
                          : kExitSignal + signal;
    }
  }
  waiter.join();
  view.reset();
  if (!acquired->ok()) return not_acquired(path, acquired->error());
  Held locks = std::move(**acquired);

  ChildStart start;
  start.command = command;
  start.environment = {"QUORATE_LOCK_TOKEN=" + std::to_string(locks.front().token().value()),
                       "QUORATE_LOCK_PATH=" + path};
  start.signal_mask = signals.original_mask();
  const TerminalLoan loan;
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
      if (globals.json) tell_end(locks, *code);
      for (client::HeldLock& lock : locks) (void)lock.release();
      return *code;
    }
    const int signal = signals.next();
    if (ends_a_command(signal)) child->signal_group(signal);
  }
}

}  // namespace quorate::cli
