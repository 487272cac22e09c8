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
  std::vector<std::weak_ptr<LockState>> more;
  {
    const std::lock_guard lock(place->mutex);
    place->lost = true;
    more.swap(place->more);
  }
  tell_lost();
  for (const std::weak_ptr<LockState>& each : more)
    if (const std::shared_ptr<LockState> guard = each.lock()) guard->tell_lost();
}

void LockState::tell_lost() {
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

enum class GivenUp { kNothing, kOneOfSeveral, kPlace };

// kNothing for all but the first call, and of a lock that is lost.
GivenUp give_up(LockState& state) {
  const std::lock_guard lock(state.mutex);
  state.callbacks.clear();
  if (std::exchange(state.released, true)) return GivenUp::kNothing;
  const std::lock_guard place_lock(state.place->mutex);
  const bool last = --state.place->guards == 0;
  if (state.lost || state.place->lost) return GivenUp::kNothing;
  return last ? GivenUp::kPlace : GivenUp::kOneOfSeveral;
}

// From here on there are no more guards, until end_change().
Status begin_change(LockState& state) {
  const std::lock_guard state_lock(state.mutex);
  if (state.released) return Error{ErrorCode::kNoNode, "the lock was released by this guard"};
  const std::lock_guard lock(state.place->mutex);
  if (state.place->changing) return Error{ErrorCode::kNoNode, "the lock is being changed"};
  if (state.place->guards > 1)
    return Error{ErrorCode::kContended, "this client holds the lock " + state.path + " with " +
                                            std::to_string(state.place->guards) +
                                            " guards; release the others first"};
  state.place->changing = true;
  return {};
}

void end_change(const LockState& state) {
  const std::lock_guard lock(state.place->mutex);
  state.place->changing = false;
}

void release_in_background(const std::shared_ptr<LockState>& state) {
  if (!state || give_up(*state) != GivenUp::kPlace) return;
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
  return !client || client->host.now() >= client->loop->lease_until();
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
  const Instant now = client->host.now();
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
    const GivenUp given_up = give_up(*state);
    const Start start = [given_up, id = state->id](Engine& engine, Instant now, const std::stop_token&,
                                                   Done done) {
      const OnReply answered = behind_step(engine, std::move(done));
      if (given_up == GivenUp::kOneOfSeveral) return answered(now, api::Reply());
      if (given_up == GivenUp::kNothing)
        return answered(now, Error{ErrorCode::kNoNode, "the lock was not held any more"});
      engine.release(now, id, answered);
    };
    // Refused, it could not be asked for again; and who holds what the others wait for makes room.
    client->begin(Proof::kNotNeeded, how, start, told_to(*client, std::move(handler), status_in),
                  Room::kAlways);
  });
}

Result<std::shared_ptr<LockState>> HeldLock::another() const {
  if (lost()) return Error{ErrorCode::kNoNode, "the lock is lost"};
  auto made = std::make_shared<LockState>();
  const std::lock_guard lock(state_->mutex);
  if (state_->released) return Error{ErrorCode::kNoNode, "the lock was released by this guard"};
  made->path = state_->path;
  made->node = state_->node;
  made->token = state_->token;
  made->session = state_->session;
  made->id = state_->id;
  made->client = state_->client;
  made->place = state_->place;
  HeldPlace& place = *state_->place;
  const std::lock_guard place_lock(place.mutex);
  if (place.lost) return Error{ErrorCode::kNoNode, "the lock is lost"};
  if (place.changing) return Error{ErrorCode::kNoNode, "the lock is being changed"};
  ++place.guards;
  std::erase_if(place.more, [](const std::weak_ptr<LockState>& each) { return each.expired(); });
  place.more.push_back(made);
  return made;
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
    const Status alone = begin_change(*state);
    if (!alone.ok()) {
      engine.tell([done, error = alone.error()] {
        Outcome outcome(error);
        done(outcome);
      });
      return;
    }
    const auto answered = [state, changed, done](const Result<GrantedLock>& granted) {
      end_change(*state);
      Outcome outcome = granted.ok() ? Outcome(api::Reply()) : Outcome(granted.error());
      if (granted.ok()) {
        changed->take(*granted);
        // Who gave the guard up while the answer was on its way here has the place released behind this.
        if (give_up(*state) == GivenUp::kNothing)
          outcome = Error{ErrorCode::kNoNode, "the lock was released while it was being changed"};
      }
      done(outcome);
    };
    engine.change(now, state->id, operation, answered, [changed] { changed->set_lost(); });
  };
  return make_call<R>(client, std::move(start), [changed](Outcome& outcome) -> R {
    if (!outcome.ok()) return outcome.error();
    return Guard(changed);
  });
}

Result<Lock> Lock::again() const {
  const auto made = another();
  if (!made.ok()) return made.error();
  return Lock(*made);
}
Result<SharedLock> SharedLock::again() const {
  const auto made = another();
  if (!made.ok()) return made.error();
  return SharedLock(*made);
}

Call<Result<SharedLock>> Lock::async_downgrade() { return change<SharedLock>(false); }
Call<Result<Lock>> SharedLock::async_upgrade() { return change<Lock>(true); }

Status HeldLock::release() { return async_release().wait(); }
Result<SharedLock> Lock::downgrade() { return async_downgrade().wait(); }
Result<Lock> SharedLock::upgrade() { return async_upgrade().wait(); }

}  // namespace quorate::client
