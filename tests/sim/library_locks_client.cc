#include "tests/sim/library_locks_client.h"

#include <algorithm>
#include <type_traits>
#include <utility>

#include "client/quorate/client.h"
#include "client/quorate/multi.h"
#include "tests/sim/lock_kinds_client.h"

namespace quorate::sim {

using client::Lock;
using client::Permit;
using client::SharedLock;
using std::chrono::milliseconds;

namespace {

constexpr uint64_t kStepsMax = 4;  // while it holds

kv::PlaceMode shared() { return {kv::Mode::kShared}; }

}  // namespace

void LibraryLocksClient::act(client::Client& client) {
  look_at_heard();
  const uint64_t dice = random_.below(100);
  if (dice < 8) {
    take_from_somebody(client);
  } else if (dice < 55) {
    take_shared_lock(client);
  } else if (dice < 75) {
    take_permit(client);
  } else {
    take_several(client);
  }
}

// ---- asking

client::AcquireOptions LibraryLocksClient::draw_options() {
  client::AcquireOptions options;
  options.wait = random_.chance(0.15) ? milliseconds(0) : patience();
  if (random_.chance(0.3)) options.delay = milliseconds(random_.between(int64_t{400}, int64_t{2'400}));
  return options;
}

// Who gives up waiting for one lock does not hold it, and has not for long.
template <class R>
bool LibraryLocksClient::obtained(client::Client& client, const R& result, const Asked& asked) {
  if (result.code() == ErrorCode::kTimeout || result.code() == ErrorCode::kContended) {
    done_one();
    ++context_.statistics.locks_contended;
    const std::optional<SessionId> session = client.session();
    if (const auto able = able_since(asked.at); able && !asked.lock.empty() && session && goes_on(client))
      check(all_.places.told_too_late(asked.lock, *session, asked.from, *able));
    return false;
  }
  if (result.code() == ErrorCode::kNoNode) {
    done_one();
    const std::optional<SessionId> session = client.session();
    if (session && goes_on(client)) check(all_.places.told_taken_since(*session, asked.from));
    return false;
  }
  return served(result) && goes_on(client);
}

void LibraryLocksClient::take_shared_lock(client::Client& client) {
  const Asked asked{shared_lock_path(), past_.now(), context_.now()};
  if (random_.chance(0.6)) {
    use_if_obtained(client, client.acquire_shared(asked.lock, draw_options()), shared(), asked);
  } else {
    use_if_obtained(client, client.acquire(asked.lock, draw_options()), {}, asked);
  }
}

void LibraryLocksClient::take_permit(client::Client& client) {
  const Asked asked{semaphore_path(), past_.now(), context_.now()};
  use_if_obtained(client, client.acquire_permit(asked.lock, kPermits, draw_options()),
                  {kv::Mode::kPermit, kPermits}, asked);
}

template <class Guard>
void LibraryLocksClient::use_if_obtained(client::Client& client, Result<Guard> got, kv::PlaceMode mode,
                                         const Asked& asked) {
  if (!obtained(client, got, asked)) return;
  Held<Guard> held = listen(std::move(*got), mode);
  if (begins(held, asked.from)) use(client, std::move(held), random_.below(kStepsMax));
}

void LibraryLocksClient::take_several(client::Client& client) {
  std::vector<std::string> locks;
  const uint64_t first = random_.below(kSeveral), count = 2 + random_.below(kSeveral - 1);
  for (uint64_t i = 0; i < count; ++i) locks.push_back(one_of_several_path((first + i) % kSeveral));
  const Asked asked{"", past_.now(), context_.now()};
  Result<std::vector<Lock>> got = client.acquire_all(locks, draw_options());
  if (!obtained(client, got, asked)) return;
  if (got->size() != locks.size()) return check(std::string("has not as many locks as it asked for"));
  const Token token = got->front().token();
  std::vector<Held<Lock>> all;
  for (size_t i = 0; i < locks.size(); ++i) {
    if ((*got)[i].path() != locks[i] || (*got)[i].token() != token)
      check(std::string("has other locks than it asked for, or more than one token"));
    all.push_back(listen(std::move((*got)[i]), {}));
  }
  const auto relied_on = [](const Held<Lock>& held) { return !held.guard.lost(); };
  bool held_all = true;
  for (const Held<Lock>& held : all) held_all = begins(held, asked.from) && held_all;
  for (uint64_t left = random_.below(kStepsMax); held_all && left > 0; --left) {
    think();
    if (!goes_on(client) || !std::all_of(all.begin(), all.end(), relied_on)) break;
    work(client, all[random_.below(all.size())].guard, true);
  }
  for (Held<Lock>& held : all) let_go(client, std::move(held));
}

// ---- while it holds

template <class Guard>
auto LibraryLocksClient::listen(Guard guard, kv::PlaceMode mode) -> Held<Guard> {
  auto heard = std::make_shared<Heard>();
  guard.on_lost([heard] {
    ++heard->losses;
    heard->too_late = heard->too_late || heard->released;
  });
  heard_.push_back(heard);
  return {std::move(guard), mode, std::move(heard)};
}

void LibraryLocksClient::look_at_heard() {
  for (const std::shared_ptr<Heard>& each : heard_) {
    if (each->losses > 1) check(std::string("was told of one loss twice"));
    if (each->too_late) check(std::string("was told of the loss of what it had released"));
  }
  heard_.clear();
}

template <class Guard>
bool LibraryLocksClient::begins(const Held<Guard>& held, Zxid from) {
  const Guard& guard = held.guard;
  check(all_.places.told_held_since(guard.path(), guard.token(), true, from));
  if (guard.lost()) return false;
  ++context_.statistics.guards;
  check(all_.locks.hold_begins(guard.path(), number(), guard.node(), guard.token(), held.mode));
  return true;
}

template <class Guard>
void LibraryLocksClient::use(client::Client& client, Held<Guard> held, uint64_t left) {
  for (; left > 0; --left) {
    think();
    if (!goes_on(client) || held.guard.lost()) break;
    if constexpr (std::is_same_v<Guard, SharedLock>) {
      if (random_.chance(0.3)) return upgrade(client, std::move(held), left - 1);
    } else if constexpr (std::is_same_v<Guard, Lock>) {
      if (random_.chance(0.2)) return downgrade(client, std::move(held), left - 1);
    }
    if constexpr (!std::is_same_v<Guard, Permit>) {
      if (random_.chance(0.2)) hand_on(held);
    }
    work(client, held.guard, std::is_same_v<Guard, Lock>);
  }
  let_go(client, std::move(held));
}

void LibraryLocksClient::work(client::Client& client, const client::HeldLock& guard, bool outside) {
  if (random_.chance(0.3)) verify(client, guard);
  // As programs do: first one looks whether it holds, then one works.
  if (!goes_on(client) || guard.lost()) return;
  if (outside && random_.chance(0.5)) {
    write_outside(guard.path(), guard.token());
  } else {
    write_inside(client, guard);
  }
}

// Who was given another guard goes on when the first is released.
template <class Guard>
void LibraryLocksClient::hand_on(Held<Guard>& held) {
  Result<Guard> another = held.guard.again();
  if (!another.ok()) {
    if (another.code() != ErrorCode::kNoNode || !held.guard.lost())
      check("was refused another guard of what it holds: " + another.error().message);
    return;
  }
  ++context_.statistics.guards_handed_on;
  if (another->token() != held.guard.token() || another->node() != held.guard.node())
    check(std::string("was given a guard of another place"));
  Held<Guard> second = listen(std::move(*another), held.mode);
  if (random_.chance(0.5)) std::swap(held, second);
  second.heard->released = true;
  if (random_.chance(0.5)) {
    const bool was_lost = second.guard.lost();
    const Status released = second.guard.release();
    if (!was_lost && released.code() == ErrorCode::kNoNode && !held.guard.lost())
      check(std::string("could not release one of two guards"));
    if (released.code() != ErrorCode::kNoNode) served(released);
  }
}

void LibraryLocksClient::upgrade(client::Client& client, Held<SharedLock> held, uint64_t left) {
  const std::string lock = held.guard.path();
  const Token before = held.guard.token();
  // Until it knows which of the two tokens it has, it relies on neither.
  all_.locks.hold_ends(lock, number());
  const Zxid from = past_.now();
  Result<Lock> upgraded = held.guard.upgrade();
  if (upgraded.code() == ErrorCode::kContended) {
    done_one();
    ++context_.statistics.locks_contended;
    if (!goes_on(client) || held.guard.lost()) return let_go(client, std::move(held));
    check(all_.locks.hold_begins(lock, number(), held.guard.node(), before, held.mode));
    return use(client, std::move(held), left);
  }
  if (upgraded.code() == ErrorCode::kNoNode || !served(upgraded) || !goes_on(client)) return;
  held.heard->released = true;
  ++context_.statistics.upgrades;
  if (upgraded->token() <= before) check(std::string("an upgrade gave no higher token"));
  Held<Lock> exclusive = listen(std::move(*upgraded), {});
  if (begins(exclusive, from)) use(client, std::move(exclusive), left);
}

void LibraryLocksClient::downgrade(client::Client& client, Held<Lock> held, uint64_t left) {
  const std::string lock = held.guard.path(), node = held.guard.node();
  const Token token = held.guard.token();
  all_.locks.hold_is_shared(lock, number());
  Result<SharedLock> downgraded = held.guard.downgrade();
  if (downgraded.code() == ErrorCode::kNoNode || !served(downgraded) || !goes_on(client)) {
    all_.locks.hold_ends(lock, number());
    return;
  }
  held.heard->released = true;
  ++context_.statistics.downgrades;
  if (downgraded->token() != token || downgraded->node() != node)
    check(std::string("a downgrade changed place or token"));
  use(client, listen(std::move(*downgraded), shared()), left);
}

template <class Guard>
void LibraryLocksClient::let_go(client::Client& client, Held<Guard> held) {
  all_.locks.hold_ends(held.guard.path(), number());
  const std::string node = held.guard.node();
  const bool was_lost = held.guard.lost();
  if (was_lost) ++context_.statistics.guards_lost;
  held.heard->released = true;
  // Or the end of the guard does.
  if (random_.chance(0.5)) return;
  const Status released = held.guard.release();
  if (released.code() != ErrorCode::kNoNode) {
    served(released);
  } else if (!was_lost && goes_on(client) && !all_.places.was_taken(node)) {
    check("could not release " + node + ", and nobody took it away");
  }
}

// ---- under a lock

// Whoever asks again over the same connection has been told that his lock was taken away: over that
// connection, or as an answer to what was asked about his places when it was new.
void LibraryLocksClient::must_be_lost(client::Client& client, const client::HeldLock& guard) {
  const uint64_t link = links();
  const Status status = client.verify_lock(guard.path(), guard.token());
  const bool answered =
      status.ok() || status.code() == ErrorCode::kNotHolder || status.code() == ErrorCode::kNoNode;
  if (answered && link == links() && goes_on(client) && !guard.lost())
    check("was told that " + guard.node() + " does not hold, and its guard says that it is not lost");
}

void LibraryLocksClient::told_held(client::Client& client, const client::HeldLock& guard, bool held,
                                   Zxid from) {
  check(all_.places.told_held_since(guard.path(), guard.token(), held, from));
  if (!held && goes_on(client)) must_be_lost(client, guard);
}

void LibraryLocksClient::verify(client::Client& client, const client::HeldLock& guard) {
  const Zxid from = past_.now();
  const Status status = client.verify_lock(guard.path(), guard.token());
  const bool refused = status.code() == ErrorCode::kNotHolder || status.code() == ErrorCode::kNoNode;
  if (refused) done_one();
  if (!refused && !served(status)) return;
  ++(refused ? context_.statistics.tokens_not_verified : context_.statistics.tokens_verified);
  told_held(client, guard, !refused, from);
}

void LibraryLocksClient::write_inside(client::Client& client, const client::HeldLock& guard) {
  client::CreateOptions options;
  options.ttl = milliseconds(500);
  options.sequential = options.parents = true;
  client::Multi multi;
  multi.check_held(guard.path(), guard.token()).create(kWrittenInside, "", options);
  const Zxid from = past_.now();
  const client::MultiResult done = client.run(multi);
  const bool refused = done.error.code == ErrorCode::kNotHolder;
  if (refused) done_one();
  if (!refused && !served(done.error)) return;
  ++(refused ? context_.statistics.stale_tokens_refused : context_.statistics.writes_under_lock);
  told_held(client, guard, !refused, from);
}

// ---- others' locks

void LibraryLocksClient::take_from_somebody(client::Client& client) {
  const std::string lock = random_.chance(0.5) ? shared_lock_path() : semaphore_path();
  const Result<client::LockInfo> info = client.lock_show(lock);
  if (info.code() == ErrorCode::kNoNode || !served(info) || !info->holder || !goes_on(client)) return;
  const Token token = info->holder->token;
  all_.locks.taking_away(lock, token);
  const Zxid from = past_.now();
  const Status broken = client.break_lock(lock, token);
  const bool gone = broken.code() == ErrorCode::kNotHolder;
  if (gone) done_one();
  if (gone || served(broken)) check(all_.places.told_held_since(lock, token, false, from));
}

}  // namespace quorate::sim
