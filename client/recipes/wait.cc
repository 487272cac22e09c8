#include "client/recipes/wait.h"

namespace quorate::client {

Result<Bell> Bell::hang(Client& client, const std::string& root) {
  auto state = std::make_shared<State>();
  Result<ChangeFeed> feed = client.watch_changes(root, {}, [state](const Result<Changes>& changes) {
    const std::lock_guard lock(state->mutex);
    state->broken = state->broken || !changes.ok();
    state->ringing = true;
    state->rung.notify_all();
  });
  if (!feed.ok()) return feed.error();
  return Bell(std::move(state), std::move(*feed));
}

bool Bell::wait(std::optional<std::chrono::steady_clock::time_point> until) {
  std::unique_lock lock(state_->mutex);
  const auto ringing = [&] { return state_->ringing; };
  if (!until) {
    state_->rung.wait(lock, ringing);
  } else if (!state_->rung.wait_until(lock, *until, ringing)) {
    return false;
  }
  state_->ringing = false;
  return true;
}

bool Bell::broken() const {
  const std::lock_guard lock(state_->mutex);
  return state_->broken;
}

}  // namespace quorate::client
