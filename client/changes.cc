#include "client/quorate/changes.h"

#include <utility>

#include "client/client_impl.h"
#include "kv/path.h"

namespace quorate::client {

// The callback runs on the loop's thread, whose engine forgets the feed there: no call comes behind that.
struct FeedState {
  uint64_t id = 0;
  std::weak_ptr<Client::Impl> client;
  OnChanges on_changes;  // constant
  Zxid floor;            // constant from when the owner has it

  std::mutex mutex;
  Zxid complete;       // guarded by mutex
  bool ended = false;  // guarded by mutex; the owner has gone
};

namespace {

void end_feed(const std::shared_ptr<FeedState>& state) {
  if (!state) return;
  {
    const std::lock_guard lock(state->mutex);
    state->ended = true;
  }
  const std::shared_ptr<Client::Impl> client = state->client.lock();
  if (!client || !client->loop) return;
  client->loop->post([id = state->id](Engine& engine, Instant now) { engine.remove_feed(now, id); });
}

void tell(FeedState& state, const Result<Changes>& changes) {
  {
    const std::lock_guard lock(state.mutex);
    if (state.ended) return;
  }
  if (state.on_changes) state.on_changes(changes);
  if (!changes.ok()) return;
  const std::lock_guard lock(state.mutex);
  state.complete = changes->complete;
}

}  // namespace

ChangeFeed::ChangeFeed(std::shared_ptr<FeedState> state) : state_(std::move(state)) {}
ChangeFeed::~ChangeFeed() { end_feed(state_); }
ChangeFeed::ChangeFeed(ChangeFeed&&) noexcept = default;
ChangeFeed& ChangeFeed::operator=(ChangeFeed&& other) noexcept {
  if (this != &other) {
    end_feed(state_);
    state_ = std::move(other.state_);
  }
  return *this;
}

Zxid ChangeFeed::complete() const {
  const std::lock_guard lock(state_->mutex);
  return state_->complete;
}

Zxid ChangeFeed::history_floor() const { return state_->floor; }

Call<Result<ChangeFeed>> AsyncClient::watch_changes(std::string_view root, WatchChangesOptions options,
                                                    OnChanges on_changes) {
  if (Status status = kv::validate_path(root); !status.ok())
    return refused_call<Result<ChangeFeed>>(impl_, status.error());
  auto state = std::make_shared<FeedState>();
  state->client = impl_;
  state->on_changes = std::move(on_changes);
  state->complete = options.since;  // what is told begins behind that
  {
    const std::lock_guard lock(impl_->mutex);
    state->id = ++impl_->last_watch;
  }
  api::WatchSince request;
  request.set_watch(state->id);
  request.set_root(std::string(root));
  request.set_since(options.since.value());
  request.set_recursive(options.recursive);
  const Start start = [state, request](Engine& engine, Instant now, const std::stop_token&, Done done) {
    engine.watch_changes(now, request, behind_step(engine, std::move(done)),
                         [state](const Result<Changes>& changes) { tell(*state, changes); });
  };
  return make_call<Result<ChangeFeed>>(impl_, start, [state](Outcome& reply) -> Result<ChangeFeed> {
    if (!reply.ok()) return reply.error();
    state->floor = Zxid(reply->changes().floor());
    return ChangeFeed(state);
  });
}

}  // namespace quorate::client
