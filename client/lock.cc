#include "client/quorate/lock.h"

#include <utility>

#include "client/client_impl.h"

namespace quorate::client {

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

Status HeldLock::release() {
  const std::shared_ptr<Client::Impl> client = state_->client.lock();
  if (!give_up(*state_)) return Error{ErrorCode::kNoNode, "the lock was not held any more"};
  if (!client) return Error{ErrorCode::kShuttingDown, "the client was closed, and the lock went with it"};
  const Result<api::Reply> reply =
      client->wait_for<api::Reply>([id = state_->id](Engine& engine, Instant now, auto done) {
        engine.release(now, id, [done](Instant, Result<api::Reply> result) { done(std::move(result)); });
      });
  if (!reply.ok()) return reply.error();
  return {};
}

Result<std::shared_ptr<LockState>> HeldLock::change(bool upgrade) {
  const std::shared_ptr<Client::Impl> client = state_->client.lock();
  if (lost()) return Error{ErrorCode::kNoNode, "the lock is lost"};
  if (!client) return Error{ErrorCode::kShuttingDown, "the client was closed, and the lock went with it"};
  auto changed = std::make_shared<LockState>();
  changed->client = client;
  api::Write operation;
  (upgrade ? *operation.mutable_upgrade()->mutable_node() : *operation.mutable_downgrade()->mutable_node()) =
      state_->node;
  const Result<GrantedLock> granted = client->wait_for<GrantedLock>(
      [id = state_->id, changed, operation](Engine& engine, Instant now, auto done) {
        engine.change(now, id, operation, done, [changed] { changed->set_lost(); });
      });
  if (!granted.ok()) return granted.error();
  give_up(*state_);
  changed->id = granted->id;
  changed->path = granted->path;
  changed->node = granted->node;
  changed->token = granted->token;
  changed->session = granted->session;
  return changed;
}

Result<SharedLock> Lock::downgrade() {
  Result<std::shared_ptr<LockState>> changed = change(false);
  if (!changed.ok()) return changed.error();
  return SharedLock(std::move(*changed));
}

Result<Lock> SharedLock::upgrade() {
  Result<std::shared_ptr<LockState>> changed = change(true);
  if (!changed.ok()) return changed.error();
  return Lock(std::move(*changed));
}

}  // namespace quorate::client
