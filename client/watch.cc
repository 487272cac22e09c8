#include "client/quorate/watch.h"

#include <utility>

#include "client/client_impl.h"

namespace quorate::client {

namespace {

void end_watch(const std::shared_ptr<WatchState>& state) {
  if (!state) return;
  uint64_t id = 0;
  {
    const std::lock_guard lock(state->mutex);
    state->on_event = nullptr;
    state->dropped = true;
    if (!std::exchange(state->armed, false)) return;
    id = state->id;
  }
  const std::shared_ptr<Client::Impl> client = state->client.lock();
  if (!client || !client->loop) return;
  client->loop->post([id](Engine& engine, Instant now) { engine.remove_watch(now, id); });
}

}  // namespace

Watch::Watch() : state_(std::make_shared<WatchState>()) {}
Watch::Watch(std::function<void(const Event&)> on_event) : Watch() { state_->on_event = std::move(on_event); }
Watch::~Watch() { end_watch(state_); }
Watch::Watch(Watch&&) noexcept = default;
Watch& Watch::operator=(Watch&& other) noexcept {
  if (this != &other) {
    end_watch(state_);
    state_ = std::move(other.state_);
  }
  return *this;
}

Result<Event> Watch::wait(std::optional<std::chrono::milliseconds> timeout) {
  std::unique_lock lock(state_->mutex);
  // Without a client it is not armed.
  if (const std::shared_ptr<Client::Impl> client = state_->client.lock()) {
    client->host.wait(lock, state_->changed, client->host.in(timeout), [this] { return !state_->armed; });
  }
  if (state_->event) return *state_->event;
  if (state_->ended) return Error{ErrorCode::kShuttingDown, "the client was closed"};
  if (state_->armed) return Error{ErrorCode::kTimeout, "nothing has changed yet"};
  return Error{ErrorCode::kInvalidArgument, "no read has set this watch"};
}

std::optional<Event> Watch::event() const {
  const std::lock_guard lock(state_->mutex);
  return state_->event;
}

bool Watch::armed() const {
  const std::lock_guard lock(state_->mutex);
  return state_->armed;
}

}  // namespace quorate::client
