#include "client/recipes/wait.h"

namespace quorate::client {

Result<Bell> Bell::hang(Client& client, const std::string& root) {
  auto state = std::make_shared<State>();
  Result<ChangeFeed> feed = client.watch_changes(root, {}, [state](const Result<Changes>& changes) {
    // That nothing has changed up to some zxid is told as well, about once a second.
    if (changes.ok() && changes->events.empty()) return;
    const std::lock_guard lock(state->mutex);
    state->broken = state->broken || !changes.ok();
    state->ringing = true;
    state->rung.notify_all();
  });
  if (!feed.ok()) return feed.error();
  return Bell(Host::of(client), std::move(state), std::move(*feed));
}

bool Bell::wait(Instant until) {
  std::unique_lock lock(state_->mutex);
  if (!host_->wait(lock, state_->rung, until, [this] { return state_->ringing; })) return false;
  state_->ringing = false;
  return true;
}

void Bell::ring() const {
  const std::lock_guard lock(state_->mutex);
  state_->ringing = true;
  state_->rung.notify_all();
}

bool Bell::broken() const {
  const std::lock_guard lock(state_->mutex);
  return state_->broken;
}

}  // namespace quorate::client
