#include "tests/sim/zookeeper_lock_client.h"

#include <utility>

#include "kv/path.h"

namespace quorate::sim {

namespace zk = zookeeper;
using std::chrono::milliseconds;

namespace {

constexpr int32_t kEphemeralSequential = static_cast<int32_t>(zk::CreateMode::kEphemeralSequential);
constexpr double kFallsSilent = 0.05;

}  // namespace

// Names of both recipes would let two hold: only where the servers keep them apart is there more than one.
ZookeeperLockClient::ZookeeperLockClient(Context& context, Connections& connections, uint32_t number,
                                         uint32_t servers, Histories& histories)
    : ZookeeperSession(context, connections, number, servers, "/nothing-below"),
      histories_(histories),
      kazoo_(context.plan.refuse_mixed_locks && random_.chance(0.5)),
      queue_(kazoo_) {}

void ZookeeperLockClient::act() {
  if (state_ != State::kIdle) return;
  ++round_;
  lock_ = lock_path(static_cast<uint32_t>(random_.below(context_.plan.locks)));
  gives_up_ = false;
  take();
}

void ZookeeperLockClient::on_ready(bool fresh) {
  if (fresh) return;
  switch (state_) {
    case State::kTaking:
    case State::kFinding:
      return find();
    case State::kLooking:
    case State::kWatching:
      return look();
    case State::kLeaving:
      return leave();
    case State::kIdle:
    case State::kWaiting:
    case State::kHolding:
      return;
  }
}

void ZookeeperLockClient::on_unanswered(const zk::RequestBody&) {}

void ZookeeperLockClient::on_session_over() {
  if (state_ == State::kWaiting || state_ == State::kWatching || state_ == State::kLooking)
    ++context_.statistics.foreign_waiters_over;
  over();
}

void ZookeeperLockClient::over() {
  if (state_ == State::kHolding) histories_.locks.hold_ends(lock_, number());
  state_ = State::kIdle;
  queue_.watch_told();
  ++round_;
}

void ZookeeperLockClient::on_answer(const zk::RequestBody& body, const zk::Reply& reply) {
  if (const auto* create = std::get_if<zk::Create>(&body)) return taken(*create, reply);
  if (const auto* get = std::get_if<zk::GetData>(&body)) return watched(get->path, reply);
  if (const auto* list = std::get_if<zk::GetChildren>(&body)) {
    check_list(list->path, reply);
    if (state_ == State::kFinding) return found(reply);
    if (state_ == State::kLooking) return looked(reply);
    return;
  }
  if (const auto* exists = std::get_if<zk::Exists>(&body)) {
    if (exists->watch) return watched(exists->path, reply);
    // Its own place, found again.
    if (state_ != State::kFinding) return;
    if (reply.error != zk::ErrorCode::kOk) return over();
    token_ = Token(static_cast<uint64_t>(std::get<zk::StatReply>(reply.body).stat.czxid));
    return at_place();
  }
  if (std::holds_alternative<zk::Delete>(body) && state_ == State::kLeaving) {
    if (reply.error != zk::ErrorCode::kOk && reply.error != zk::ErrorCode::kNoNode)
      violate("may not leave its place " + node_);
    require(histories_.places.told_gone(node_, zxid_of(reply.zxid)));
    over();
  }
}

// ---- a place in the queue

void ZookeeperLockClient::take() {
  state_ = State::kTaking;
  std::string unique;
  for (int i = 0; i < 32; ++i) unique.push_back("0123456789abcdef"[random_.below(16)]);
  id_ = queue_.id(unique);
  ask(zk::Create{zk::OpCode::kCreate2, kv::join_path(lock_, id_), name(), kOpenToAll, kEphemeralSequential,
                 0});
}

void ZookeeperLockClient::taken(const zk::Create& create, const zk::Reply& reply) {
  if (state_ != State::kTaking) return;
  if (create.path == lock_) {
    if (reply.error != zk::ErrorCode::kOk && reply.error != zk::ErrorCode::kNodeExists)
      violate("may not make " + lock_);
    return take();
  }
  if (reply.error == zk::ErrorCode::kNoNode)
    return ask(zk::Create{zk::OpCode::kCreate, lock_, "", kOpenToAll, 0, 0});
  if (reply.error == zk::ErrorCode::kBadArguments && context_.plan.refuse_mixed_locks) {
    ++context_.statistics.foreign_places_refused;
    return over();
  }
  if (reply.error != zk::ErrorCode::kOk) violate("may not stand in the queue of " + lock_);
  const auto& made = std::get<zk::CreateReply>(reply.body);
  node_ = made.path;
  token_ = Token(static_cast<uint64_t>(made.stat->czxid));
  at_place();
}

void ZookeeperLockClient::find() {
  state_ = State::kFinding;
  ask(zk::GetChildren{lock_, false, true});
}

// What the session asked for over an earlier connection is done by now, or never.
void ZookeeperLockClient::found(const zk::Reply& reply) {
  if (reply.error == zk::ErrorCode::kOk) {
    const std::vector<std::string>& names = std::get<zk::ChildrenReply>(reply.body).names;
    if (const Verdict wrong = queue_.shown(names)) violate(*wrong);
    for (const std::string& each : names) {
      if (!each.starts_with(id_)) continue;
      ++context_.statistics.foreign_places_found;
      node_ = kv::join_path(lock_, each);
      return ask(zk::Exists{node_, false});
    }
  }
  queue_.never_made(id_);
  take();
}

void ZookeeperLockClient::at_place() {
  in(random_.between(milliseconds(500), milliseconds(8'000)),
     [this, round = round_] { stop_waiting(round); });
  look();
}

// ---- waiting

void ZookeeperLockClient::look() {
  state_ = State::kLooking;
  ask(zk::GetChildren{lock_, false, true});
}

void ZookeeperLockClient::looked(const zk::Reply& reply) {
  const Zxid zxid = zxid_of(reply.zxid);
  if (reply.error != zk::ErrorCode::kOk) violate("finds no " + lock_ + ", where it stands");
  const std::vector<std::string>& names = std::get<zk::ChildrenReply>(reply.body).names;
  if (const Verdict wrong = queue_.shown(names)) violate(*wrong);
  const ForeignQueue::Look look = queue_.look(std::string(kv::name_of(node_)), names);
  if (!look.there) {
    require(histories_.places.told_gone(node_, zxid));
    if (context_.model.state().session(session()))
      violate(node_ + " left the queue, and its session goes on");
    return over();
  }
  require(histories_.places.told_place(node_, token_, look.before.empty(), zxid));
  if (look.before.empty()) return hold();
  if (gives_up_) return leave();
  watch(look.before);
}

void ZookeeperLockClient::watch(const std::string& before) {
  before_ = before;
  state_ = State::kWatching;
  const std::string path = kv::join_path(lock_, before_);
  kazoo_ ? ask(zk::Exists{path, true}) : ask(zk::GetData{path, true});
}

void ZookeeperLockClient::watched(const std::string& path, const zk::Reply& reply) {
  const bool there = reply.error == zk::ErrorCode::kOk;
  if (!there && reply.error != zk::ErrorCode::kNoNode) violate("may not watch " + path);
  kv::Stat stat;
  if (there) {
    const auto* data = std::get_if<zk::DataReply>(&reply.body);
    stat = stat_of(data != nullptr ? data->stat : std::get<zk::StatReply>(reply.body).stat);
  }
  if (there || kazoo_)
    require(watches_.read(path, {zxid_of(reply.zxid), there, stat.czxid, stat.mzxid}, true));
  if (state_ != State::kWatching || path != kv::join_path(lock_, before_)) return;
  if (!there) return look();
  queue_.watch_set(before_);
  state_ = State::kWaiting;
  if (!random_.chance(kFallsSilent)) return;
  disconnect("it falls silent", milliseconds(timeout_ms()) * 2);
}

void ZookeeperLockClient::on_event(const kv::WatchEvent& event) {
  if (event.path != kv::join_path(lock_, before_) || !queue_.watches(before_)) return;
  queue_.watch_told();
  if (state_ != State::kWaiting) return;
  ++context_.statistics.foreign_wakes;
  // Told over a connection whose session may be used: a set of watches is answered behind its events.
  look();
}

void ZookeeperLockClient::stop_waiting(uint64_t round) {
  if (round != round_) return;
  if (state_ == State::kHolding || state_ == State::kLeaving || state_ == State::kIdle) return;
  gives_up_ = true;
  if (state_ == State::kWaiting && ready()) return look();
  in(milliseconds(300), [this, round] { stop_waiting(round); });
}

// ---- holding

void ZookeeperLockClient::hold() {
  state_ = State::kHolding;
  if (!lease_valid()) return leave();
  ++context_.statistics.lock_grants;
  ++context_.statistics.foreign_grants;
  require(histories_.locks.hold_begins(lock_, number(), node_, token_));
  work(round_, 1 + static_cast<uint32_t>(random_.below(4)));
}

// As LockClient does it: the token is shown a little later than the lease was asked.
void ZookeeperLockClient::work(uint64_t round, uint32_t left) {
  if (round != round_ || state_ != State::kHolding) return;
  if (left == 0 || !lease_valid()) return leave();
  const bool stuck = random_.chance(0.05);
  const Duration later = random_.between(milliseconds(1), milliseconds(stuck ? 12'000 : 40));
  in(later, [this, round, left, path = lock_, token = token_] {
    const bool accepted = histories_.resources[path].write(token);
    if (!accepted) ++context_.statistics.stale_tokens_refused;
    require(histories_.locks.resource_written(path, number(), token, accepted));
    in(random_.between(milliseconds(1), milliseconds(120)), [this, round, left] { work(round, left - 1); });
  });
}

// Asked for again over every connection until it is answered.
void ZookeeperLockClient::leave() {
  if (state_ == State::kHolding) histories_.locks.hold_ends(lock_, number());
  state_ = State::kLeaving;
  if (ready()) ask(zk::Delete{node_, -1});
}

}  // namespace quorate::sim
