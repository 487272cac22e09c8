#include "tests/sim/workloads.h"

namespace quorate::sim {

using std::chrono::milliseconds;

namespace {
constexpr Duration kTryAgain = milliseconds(50);
}

// What was acknowledged to anybody before it was asked must be in the state that the answer shows; and of
// that state the answer must be true.
void PeriodicClient::verify(const std::string& lock, Token token) {
  read(server::LockVerifyRequest{lock, token},
       [this, lock, token, floor = context_.acknowledged](const server::ClientReply& reply) {
         const ErrorCode code = reply.error.code;
         if (code != ErrorCode::kOk && code != ErrorCode::kNotHolder && code != ErrorCode::kNoNode)
           throw Violation(name() + ": whether a lock is held is refused: " + reply.error.message);
         if (reply.zxid < floor) {
           throw Violation(name() + ": was told of token " + std::to_string(token.value()) + " as of zxid " +
                           std::to_string(reply.zxid.value()) + ", and had asked behind " +
                           std::to_string(floor.value()));
         }
         const bool held = code == ErrorCode::kOk;
         require(histories_.places.told_held(lock, token, held, reply.zxid));
         ++(held ? context_.statistics.tokens_verified : context_.statistics.tokens_not_verified);
       });
}

void LockClient::act() {
  if (state_ != State::kIdle) return;
  // As a resource would that is shown a token: of whoever was the last to use it.
  const std::string lock = lock_path(static_cast<uint32_t>(random_.below(context_.plan.locks)));
  if (random_.chance(kVerifyChance)) return verify(lock, histories_.resources[lock].highest());
  state_ = State::kAcquiring;
  ++round_;
  lock_ = lock;
  node_.clear();
  early_grants_.clear();
  waiting_on_ = connection();
  write(kv::AcquireOp{lock_, name()}, [this](const kv::Outcome* outcome) {
    if (outcome == nullptr) {
      state_ = State::kIdle;
      return;
    }
    if (outcome->code != ErrorCode::kOk)
      throw Violation(name() + ": an acquire was refused: " + outcome->message);
    acquired(*outcome);
  });
}

void LockClient::acquired(const kv::Outcome& outcome) {
  node_ = outcome.path;
  token_ = outcome.token;
  if (outcome.held) require(histories_.places.told_begins(node_, token_, outcome.zxid));
  if (outcome.held || early_grants_.contains(node_)) {
    hold();
    return;
  }
  state_ = State::kWaiting;
  // A stored outcome is older than this connection: the grant may have gone to the one before.
  if (waiting_on_ != connection()) {
    waiting_on_ = ConnectionId();
    ask_place(false);
  }
  in(random_.between(milliseconds(500), milliseconds(6000)), [this, round = round_] { stop_waiting(round); });
}

void LockClient::on_ready(bool fresh) {
  PeriodicClient::on_ready(fresh);
  if (state_ != State::kWaiting) return;
  waiting_on_ = ConnectionId();
  ask_place(false);
}

void LockClient::on_session_lost() {
  if (state_ == State::kHolding) histories_.locks.hold_ends(lock_, number());
  state_ = State::kIdle;
  ++round_;
}

void LockClient::on_grant(const lock::Grant& grant) {
  if (grant.session != session()) throw Violation(name() + ": was told of a grant to another session");
  require(histories_.places.told_begins(grant.node, grant.token, grant.zxid));
  if (state_ == State::kAcquiring) early_grants_.insert(grant.node);
  if (grant.node != node_ || state_ != State::kWaiting) return;
  if (grant.token != token_) throw Violation(name() + ": its token changed while it waited");
  hold();
}

// Where does our node stand? If this connection has been open since we knew that we wait, a grant would have
// come before this answer.
void LockClient::ask_place(bool give_up) {
  const ConnectionId asked_on = connection();
  ask_once(server::LockPlaceRequest{node_},
           [this, round = round_, asked_on, give_up](const server::ClientReply& reply) {
             if (round != round_ || state_ != State::kWaiting) return;
             const auto* place = std::get_if<lock::Place>(&reply.body);
             if (!reply.error.ok() || place == nullptr) {
               if (reply.error.code == ErrorCode::kNoNode)
                 state_ = State::kIdle;  // the session is about to be told its end
               return;
             }
             require(histories_.places.told_place(node_, place->token, place->held, reply.zxid));
             if (place->token != token_) throw Violation(name() + ": its token changed while it waited");
             if (place->held) {
               if (waiting_on_ == asked_on)
                 throw Violation(name() + ": " + node_ + " holds, but it was never told");
               hold();
               return;
             }
             waiting_on_ = asked_on;
             if (give_up) release(round);
           });
}

void LockClient::stop_waiting(uint64_t round) {
  if (round != round_ || state_ != State::kWaiting) return;
  if (session_ready()) ask_place(true);
  in(milliseconds(500), [this, round] { stop_waiting(round); });
}

void LockClient::hold() {
  state_ = State::kHolding;
  if (!lease_valid()) {
    release(round_);
    return;
  }
  ++context_.statistics.lock_grants;
  require(histories_.locks.hold_begins(lock_, number(), node_, token_));
  work(round_, 1 + static_cast<uint32_t>(random_.below(4)));
}

// The lease is asked first and the resource is written a little later, as programs do: a pause fits between.
void LockClient::work(uint64_t round, uint32_t left) {
  if (round != round_ || state_ != State::kHolding) return;
  if (left == 0 || !lease_valid()) {
    release(round);
    return;
  }
  const std::string path = lock_;
  const Token token = token_;
  if (random_.chance(kVerifyChance)) verify(path, token);
  const bool stuck = random_.chance(0.06);  // a garbage collection, a suspended laptop: longer than any lease
  const Duration later = random_.between(milliseconds(1), milliseconds(stuck ? 12'000 : 40));
  in(later, [this, round, left, path, token] {
    const bool accepted = histories_.resources[path].write(token);
    if (!accepted) ++context_.statistics.stale_tokens_refused;
    require(histories_.locks.resource_written(path, number(), token, accepted));
    in(random_.between(milliseconds(1), milliseconds(120)), [this, round, left] { work(round, left - 1); });
  });
}

void LockClient::release(uint64_t round) {
  if (round != round_) return;
  if (state_ == State::kHolding) histories_.locks.hold_ends(lock_, number());
  state_ = State::kReleasing;
  if (!session_ready()) {
    in(kTryAgain, [this, round] { release(round); });
    return;
  }
  write(kv::ReleaseOp{node_}, [this](const kv::Outcome*) {
    state_ = State::kIdle;
    ++round_;
  });
}

}  // namespace quorate::sim
