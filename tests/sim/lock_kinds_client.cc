#include "tests/sim/lock_kinds_client.h"

#include <algorithm>

namespace quorate::sim {

using std::chrono::milliseconds;

namespace {

constexpr Duration kTryAgain = milliseconds(50);
}  // namespace

std::string shared_lock_path() { return std::string(kLockPrefix) + "-shared"; }
std::string semaphore_path() { return std::string(kLockPrefix) + "-permits"; }
std::string one_of_several_path(uint64_t i) {
  return std::string(kLockPrefix) + "-several" + std::to_string(i);
}

LockKindsClient::Place* LockKindsClient::place_of(const std::string& node) {
  const auto at =
      std::find_if(places_.begin(), places_.end(), [&](const Place& place) { return place.node == node; });
  return at == places_.end() ? nullptr : &*at;
}

// ---- asking

void LockKindsClient::act() {
  if (state_ != State::kIdle) return;
  if (random_.chance(0.08)) {
    take_from_somebody();
  } else {
    draw_places();
    ask();
  }
}

void LockKindsClient::draw_places() {
  places_.clear();
  patient_ = true;
  const auto mode = [this](double shared) {
    kv::PlaceMode drawn;
    if (random_.chance(shared)) drawn.mode = kv::Mode::kShared;
    if (random_.chance(0.3)) drawn.delay_ms = 400 + static_cast<uint32_t>(random_.below(2'000));
    return drawn;
  };
  const uint64_t dice = random_.below(100);
  if (dice < 45) {
    places_.push_back({shared_lock_path(), "", mode(0.6)});
  } else if (dice < 70) {
    kv::PlaceMode permit = mode(0);
    permit.mode = kv::Mode::kPermit;
    permit.permits = kPermits;
    places_.push_back({semaphore_path(), "", permit});
  } else {
    const uint64_t first = random_.below(kSeveral), count = 2 + random_.below(kSeveral - 1);
    for (uint64_t i = 0; i < count; ++i)
      places_.push_back({one_of_several_path((first + i) % kSeveral), "", mode(0.4)});
    patient_ = random_.chance(0.75);
  }
}

void LockKindsClient::ask() {
  state_ = State::kAsking;
  ++round_;
  early_grants_.clear();
  told_lost_.clear();
  asked_on_ = connection();
  kv::Operation operation;
  if (places_.size() == 1) {
    operation = kv::AcquireOp{places_[0].lock, name(), places_[0].mode};
  } else {
    kv::AcquireManyOp several;
    several.wait = patient_;
    for (const Place& place : places_) several.locks.push_back({place.lock, name(), place.mode});
    operation = several;
  }
  write(std::move(operation), [this](const kv::Outcome* outcome) {
    if (outcome != nullptr) asked(*outcome);
  });
}

void LockKindsClient::asked(const kv::Outcome& outcome) {
  if (outcome.code == ErrorCode::kContended && !patient_) {
    ++context_.statistics.locks_contended;
    state_ = State::kIdle;
    return;
  }
  if (outcome.code != ErrorCode::kOk)
    throw Violation(name() + ": an acquire was refused: " + outcome.message);
  token_ = outcome.token;
  state_ = State::kWaiting;
  for (size_t i = 0; i < places_.size(); ++i) {
    Place& place = places_[i];
    place.node = outcome.results.empty() ? outcome.path : outcome.results[i].path;
    place.held = outcome.results.empty() ? outcome.held : outcome.results[i].held;
    require(place.held ? histories_.places.told_begins(place.node, token_, outcome.zxid)
                       : histories_.places.told_place(place.node, token_, false, outcome.zxid));
    place.held = place.held || early_grants_.contains(place.node);
  }
  for (const Place& place : places_) {
    if (told_lost_.contains(place.node)) return lose(std::string(place.node));
  }
  // A stored outcome is older than this connection: what came of it may have been told to the one before.
  known_on_ = asked_on_ == connection() ? asked_on_ : ConnectionId();
  hold_if_all_are();
  if (state_ != State::kWaiting) return;
  if (known_on_.value() == 0) ask_places(false);
  perhaps_fall_silent();
  in(random_.between(milliseconds(500), milliseconds(6000)), [this, round = round_] { stop_waiting(round); });
}

// For about as long as the cluster waits for it: who holds, or waits in the middle of a queue, expires.
void LockKindsClient::perhaps_fall_silent() {
  if (context_.healed || !random_.chance(0.04)) return;
  pause(milliseconds(timeout_ms()) * random_.between(int64_t{9}, int64_t{20}) / 10);
}

void LockKindsClient::stop_waiting(uint64_t round) {
  if (!is_current(round, State::kWaiting)) return;
  if (session_ready()) ask_places(true);
  in(milliseconds(500), [this, round] { stop_waiting(round); });
}

// ---- what becomes of the places

void LockKindsClient::on_ready(bool fresh) {
  PeriodicClient::on_ready(fresh);
  if (state_ != State::kWaiting && state_ != State::kHolding) return;
  known_on_ = ConnectionId();
  ask_places(false);
}

void LockKindsClient::on_session_lost() {
  end_holds();
  places_.clear();
  state_ = State::kIdle;
  ++round_;
}

void LockKindsClient::on_grant(const lock::Grant& grant) {
  if (grant.session != session()) throw Violation(name() + ": was told of a grant to another session");
  require(histories_.places.told_begins(grant.node, grant.token, grant.zxid));
  if (state_ == State::kAsking) early_grants_.insert(grant.node);
  Place* const place = place_of(grant.node);
  if (place == nullptr || state_ != State::kWaiting) return;
  if (grant.token != token_) throw Violation(name() + ": its token changed while it waited");
  place->held = true;
  hold_if_all_are();
}

void LockKindsClient::on_loss(const lock::Loss& loss) {
  if (loss.session != session()) throw Violation(name() + ": was told of a loss of another session's");
  require(histories_.places.told_taken(loss.node, loss.zxid));
  ++context_.statistics.locks_taken_away;
  told_lost_.insert(loss.node);
  if (state_ == State::kWaiting || state_ == State::kHolding) lose(loss.node);
}

void LockKindsClient::ask_places(bool give_up) {
  struct Answers {
    size_t missing;
    ConnectionId asked_on;
  };
  const auto answers = std::make_shared<Answers>(Answers{places_.size(), connection()});
  for (const Place& place : places_) {
    ask_once(server::LockPlaceRequest{place.node},
             [this, answers, give_up, round = round_, node = place.node](const server::ClientReply& reply) {
               if (round != round_ || (state_ != State::kWaiting && state_ != State::kHolding)) return;
               if (place_of(node) == nullptr) return;
               if (!reply.error.ok() && reply.error.code != ErrorCode::kNoNode) return;
               place_told(node, answers->asked_on, reply);
               if (--answers->missing > 0 || round != round_) return;
               known_on_ = answers->asked_on;
               hold_if_all_are();
               if (give_up && state_ == State::kWaiting) release(round);
             });
  }
}

void LockKindsClient::place_told(const std::string& node, ConnectionId asked_on,
                                 const server::ClientReply& reply) {
  Place& place = *place_of(node);
  if (reply.error.code == ErrorCode::kNoNode) {
    require(histories_.places.told_gone(node, reply.zxid));
    const bool taken = histories_.places.was_taken(node);
    if (taken && known_on_ == asked_on)
      throw Violation(name() + ": " + node + " was taken away, and it was never told");
    if (taken) lose(node);  // else the session is about to be told its end
    return;
  }
  const auto* told = std::get_if<lock::Place>(&reply.body);
  if (told == nullptr) throw Violation(name() + ": a question for a place was answered with something else");
  require(histories_.places.told_place(node, told->token, told->held, reply.zxid));
  if (place.held && !told->held) throw Violation(name() + ": " + node + " held, and does no more");
  if (told->held && !place.held && known_on_ == asked_on)
    throw Violation(name() + ": " + node + " holds, but it was never told");
  place.held = told->held;
}

void LockKindsClient::lose(const std::string& node) {
  if (place_of(node) == nullptr) return;
  end_holds();
  std::erase_if(places_, [&](const Place& place) { return place.node == node; });
  release(round_);
}

void LockKindsClient::hold_if_all_are() {
  if (state_ != State::kWaiting || known_on_ != connection() || connection().value() == 0) return;
  if (!std::all_of(places_.begin(), places_.end(), [](const Place& place) { return place.held; })) return;
  state_ = State::kHolding;
  if (!lease_valid()) return release(round_);
  for (const Place& place : places_) {
    require(histories_.locks.hold_begins(place.lock, number(), place.node, token_, place.mode));
    ++(place.mode.mode == kv::Mode::kShared   ? context_.statistics.shared_grants
       : place.mode.mode == kv::Mode::kPermit ? context_.statistics.permit_grants
                                              : context_.statistics.lock_grants);
  }
  perhaps_fall_silent();
  work(round_, 1 + static_cast<uint32_t>(random_.below(4)));
}

// ---- while it holds

void LockKindsClient::work(uint64_t round, uint32_t left) {
  if (!is_current(round, State::kHolding)) return;
  if (left == 0 || !lease_valid()) return release(round);
  if (!session_ready()) return go_on(round, left);
  const Place& place = places_.front();
  if (random_.chance(kVerifyChance)) verify(place.lock, token_);
  if (places_.size() == 1 && place.mode.mode == kv::Mode::kShared && random_.chance(0.3))
    return upgrade(round, left);
  if (places_.size() == 1 && place.mode.mode == kv::Mode::kExclusive && random_.chance(0.2))
    return downgrade(round, left);
  place.mode.mode == kv::Mode::kExclusive&& random_.chance(0.5) ? write_outside(round, left)
                                                                : write_inside(round, left);
}

void LockKindsClient::go_on(uint64_t round, uint32_t left) {
  in(random_.between(milliseconds(1), milliseconds(120)), [this, round, left] { work(round, left); });
}

// As LockClient does: a pause fits between the look at the lease and the write.
void LockKindsClient::write_outside(uint64_t round, uint32_t left) {
  const std::string lock = places_.front().lock;
  const Duration later = random_.between(milliseconds(1), milliseconds(random_.chance(0.06) ? 12'000 : 40));
  in(later, [this, round, left, lock, token = token_] {
    const bool accepted = histories_.resources[lock].write(token);
    if (!accepted) ++context_.statistics.stale_tokens_refused;
    require(histories_.locks.resource_written(lock, number(), token, accepted));
    go_on(round, left - 1);
  });
}

// What is written to the tree together with the condition is written only while the lock is held, however
// late it comes.
void LockKindsClient::write_inside(uint64_t round, uint32_t left) {
  const std::string lock = places_[random_.below(places_.size())].lock;
  kv::CreateOp create;
  create.path = kWrittenInside;
  create.ttl_ms = 500;
  create.sequential = create.parents = true;
  write(kv::MultiOp{{kv::CheckHeldOp{lock, token_}, create}},
        [this, round, left, lock, token = token_](const kv::Outcome* outcome) {
          if (outcome == nullptr) return;
          const bool held = outcome->code == ErrorCode::kOk;
          if (!held && outcome->code != ErrorCode::kNotHolder)
            throw Violation(name() + ": a write under a lock was refused: " + outcome->message);
          require(histories_.places.told_held(lock, token, held, outcome->zxid));
          ++(held ? context_.statistics.writes_under_lock : context_.statistics.stale_tokens_refused);
          go_on(round, left - 1);
        });
}

void LockKindsClient::upgrade(uint64_t round, uint32_t left) {
  state_ = State::kChanging;
  const Place before = places_.front();
  // Until it knows which of the two tokens it has, it relies on neither.
  histories_.locks.hold_ends(before.lock, number());
  write(kv::UpgradeOp{before.node}, [this, round, left, before](const kv::Outcome* outcome) {
    if (outcome == nullptr) return;
    state_ = State::kHolding;
    if (outcome->code == ErrorCode::kContended) {
      ++context_.statistics.locks_contended;
      require(histories_.places.told_contended(before.node, outcome->zxid));
      if (!lease_valid()) return release(round);
      require(histories_.locks.hold_begins(before.lock, number(), before.node, token_, before.mode));
    } else if (outcome->code == ErrorCode::kNoNode && histories_.places.was_taken(before.node)) {
      return lose(before.node);
    } else if (outcome->code != ErrorCode::kOk) {
      throw Violation(name() + ": an upgrade was refused: " + outcome->message);
    } else {
      ++context_.statistics.upgrades;
      require(histories_.places.told_begins(outcome->path, outcome->token, outcome->zxid));
      if (outcome->token <= token_) throw Violation(name() + ": an upgrade gave no higher token");
      token_ = outcome->token;
      places_.front() = {before.lock, outcome->path, {kv::Mode::kExclusive, 0, before.mode.delay_ms}, true};
      if (!lease_valid()) return release(round);
      require(histories_.locks.hold_begins(before.lock, number(), outcome->path, token_));
    }
    // What was told while it changed was not listened to.
    known_on_ = ConnectionId();
    if (session_ready()) ask_places(false);
    go_on(round, left - 1);
  });
}

void LockKindsClient::downgrade(uint64_t round, uint32_t left) {
  state_ = State::kChanging;
  Place& place = places_.front();
  place.mode.mode = kv::Mode::kShared;
  histories_.locks.hold_is_shared(place.lock, number());
  write(kv::DowngradeOp{place.node}, [this, round, left, node = place.node](const kv::Outcome* outcome) {
    if (outcome == nullptr) return;
    state_ = State::kHolding;
    if (outcome->code == ErrorCode::kNoNode && histories_.places.was_taken(node)) return lose(node);
    if (outcome->code != ErrorCode::kOk)
      throw Violation(name() + ": a downgrade was refused: " + outcome->message);
    ++context_.statistics.downgrades;
    if (outcome->token != token_ || outcome->path != node)
      throw Violation(name() + ": a downgrade changed place or token");
    known_on_ = ConnectionId();
    if (session_ready()) ask_places(false);
    go_on(round, left - 1);
  });
}

// ---- letting go

void LockKindsClient::end_holds() {
  for (const Place& place : places_) histories_.locks.hold_ends(place.lock, number());
}

void LockKindsClient::release(uint64_t round) {
  if (round != round_) return;
  end_holds();
  state_ = State::kReleasing;
  if (places_.empty()) {
    state_ = State::kIdle;
    ++round_;
    return;
  }
  if (!session_ready()) {
    in(kTryAgain, [this, round] {
      if (is_current(round, State::kReleasing)) release(round);
    });
    return;
  }
  const auto missing = std::make_shared<size_t>(places_.size());
  for (const Place& place : places_) {
    write(kv::ReleaseOp{place.node},
          [this, missing, node = place.node, known_on = known_on_](const kv::Outcome* outcome) {
            if (outcome == nullptr) return;
            const bool taken = outcome->code == ErrorCode::kNoNode && histories_.places.was_taken(node);
            // Who takes a lock away is told of before any answer shows it.
            if (taken && known_on == connection() && connection().value() != 0 && !told_lost_.contains(node))
              throw Violation(name() + ": " + node + " was taken away, and it was never told");
            if (outcome->code != ErrorCode::kOk && !taken)
              throw Violation(name() + ": a release was refused: " + outcome->message);
            if (--*missing > 0) return;
            state_ = State::kIdle;
            places_.clear();
            ++round_;
          });
  }
}

// ---- others' locks

void LockKindsClient::take_from_somebody() {
  state_ = State::kAsking;
  ++round_;
  const std::string lock = random_.chance(0.5) ? shared_lock_path() : semaphore_path();
  read(server::LockShowRequest{lock}, [this, lock, round = round_](const server::ClientReply& reply) {
    const auto* view = std::get_if<lock::LockView>(&reply.body);
    if (view != nullptr) require(histories_.places.told_queue(*view));
    if (!is_current(round, State::kAsking)) return;  // the session was lost meanwhile
    if (view == nullptr || !view->holder || !session_ready()) {
      state_ = State::kIdle;
      return;
    }
    const Token token = view->holder->token;
    histories_.locks.taking_away(lock, token);
    write(kv::BreakOp{lock, token}, [this, lock, token](const kv::Outcome* outcome) {
      if (outcome == nullptr) return;
      state_ = State::kIdle;
      require(histories_.places.told_held(lock, token, false, outcome->zxid));
      if (outcome->code != ErrorCode::kOk && outcome->code != ErrorCode::kNotHolder)
        throw Violation(name() + ": a lock could not be broken: " + outcome->message);
    });
  });
}

}  // namespace quorate::sim
