#include "client/quorate/lock.h"

#include <utility>

#include "client/client_impl.h"

namespace quorate::client {

void LockState::take(const GrantedLock& granted) {
  id = granted.id;
  path = granted.path;
  node = granted.node;
  token = granted.token;
  session = granted.session;
}

void LockState::set_lost() {
  std::vector<std::function<void()>> due;
  {
    const std::lock_guard lock(mutex);
    if (lost || released) return;
    lost = true;
    due.swap(callbacks);
  }
  stop.request_stop();
  for (const auto& callback : due) callback();
}

namespace {

// True for the first call on a lock that is not lost.
bool give_up(LockState& state) {
  const std::lock_guard lock(state.mutex);
  state.callbacks.clear();
  return !std::exchange(state.released, true) && !state.lost;
}

void release_in_background(const std::shared_ptr<LockState>& state) {
  if (!state || !give_up(*state)) return;
  const std::shared_ptr<Client::Impl> client = state->client.lock();
  if (!client || !client->loop) return;
  client->loop->post([id = state->id](Engine& engine, Instant now) {
    engine.release(now, id, [](Instant, const Result<api::Reply>&) {});
  });
}

Status gone() { return Error{ErrorCode::kShuttingDown, "the client was closed, and the lock went with it"}; }

}  // namespace

HeldLock::HeldLock(std::shared_ptr<LockState> state) : state_(std::move(state)) {}
HeldLock::~HeldLock() { release_in_background(state_); }
HeldLock::HeldLock(HeldLock&&) noexcept = default;
HeldLock& HeldLock::operator=(HeldLock&& other) noexcept {
  if (this != &other) {
    release_in_background(state_);
    state_ = std::move(other.state_);
  }
  return *this;
}

Token HeldLock::token() const { return state_->token; }
SessionId HeldLock::session() const { return state_->session; }
const std::string& HeldLock::path() const { return state_->path; }
const std::string& HeldLock::node() const { return state_->node; }

bool HeldLock::lost() const {
  {
    const std::lock_guard lock(state_->mutex);
    if (state_->lost) return true;
    if (state_->released) return false;
  }
  const std::shared_ptr<Client::Impl> client = state_->client.lock();
  return !client || boot_time() >= client->loop->lease_until();
}

milliseconds HeldLock::time_left() const {
  bool lost = false;
  {
    const std::lock_guard lock(state_->mutex);
    if (state_->released) return {};
    lost = state_->lost;
  }
  const std::shared_ptr<Client::Impl> client = state_->client.lock();
  if (!client) return {};
  const Instant now = boot_time();
  // Lost while the session lives: the node was deleted, and the next one has the lock.
  if (lost && now < client->loop->lease_until()) return {};
  const Instant until = client->loop->session_until();
  return until <= now ? milliseconds(0) : std::chrono::duration_cast<milliseconds>(until - now);
}

void HeldLock::on_lost(std::function<void()> callback) {
  {
    const std::lock_guard lock(state_->mutex);
    if (state_->released) return;
    if (!state_->lost) {
      state_->callbacks.push_back(std::move(callback));
      return;
    }
  }
  callback();
}

std::stop_token HeldLock::stop_token() const { return state_->stop.get_token(); }

Call<Status> HeldLock::async_release() {
  return Call<Status>([state = state_](Handler<Status> handler, const How& how) {
    const std::shared_ptr<Client::Impl> client = state->client.lock();
    const Status refused = client ? client->refusal(how) : gone();
    if (!refused.ok()) return handler(refused);
    // From here on it tells nobody that it is lost.
    const bool held = give_up(*state);
    const Start start = [held, id = state->id](Engine& engine, Instant now, const std::stop_token&,
                                               Done done) {
      const OnReply answered = behind_step(engine, std::move(done));
      if (!held) return answered(now, Error{ErrorCode::kNoNode, "the lock was not held any more"});
      engine.release(now, id, answered);
    };
    client->begin(Proof::kNotNeeded, how, start, told_to(*client, std::move(handler), status_in));
  });
}

template <class Guard>
Call<Result<Guard>> HeldLock::change(bool upgrade) {
  using R = Result<Guard>;
  const std::shared_ptr<Client::Impl> client = state_->client.lock();
  if (!client) return Call<R>([](const Handler<R>& handler, const How&) { handler(gone().error()); });
  if (lost()) return refused_call<R>(client, {ErrorCode::kNoNode, "the lock is lost"});
  auto changed = std::make_shared<LockState>();
  changed->client = client;
  api::Write operation;
  (upgrade ? *operation.mutable_upgrade()->mutable_node() : *operation.mutable_downgrade()->mutable_node()) =
      state_->node;
  Start start = [state = state_, changed, operation](Engine& engine, Instant now, const std::stop_token&,
                                                     const Done& done) {
    const auto answered = [state, changed, done](const Result<GrantedLock>& granted) {
      if (granted.ok()) {
        give_up(*state);
        changed->take(*granted);
      }
      Outcome outcome = granted.ok() ? Outcome(api::Reply()) : Outcome(granted.error());
      done(outcome);
    };
    engine.change(now, state->id, operation, answered, [changed] { changed->set_lost(); });
  };
  return make_call<R>(client, std::move(start), [changed](Outcome& outcome) -> R {
    if (!outcome.ok()) return outcome.error();
    return Guard(changed);
  });
}

Call<Result<SharedLock>> Lock::async_downgrade() { return change<SharedLock>(false); }
Call<Result<Lock>> SharedLock::async_upgrade() { return change<Lock>(true); }

Status HeldLock::release() { return async_release().wait(); }
Result<SharedLock> Lock::downgrade() { return async_downgrade().wait(); }
Result<Lock> SharedLock::upgrade() { return async_upgrade().wait(); }

}  // namespace quorate::client
