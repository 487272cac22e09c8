// The engine's feeds of changes: asked for part by part until the server says that they are live, and again
// from where they were complete on every new connection.
#include <utility>

#include "client/engine.h"

namespace quorate::client {

namespace {

Changes changes_of(const google::protobuf::RepeatedPtrField<api::Change>& changes, Zxid complete) {
  Changes out;
  out.complete = complete;
  for (const api::Change& change : changes) {
    if (change.kind() < 1 || change.kind() > 3) continue;
    out.events.push_back({static_cast<EventKind>(change.kind()), change.path(), Zxid(change.zxid())});
  }
  return out;
}

}  // namespace

void Engine::watch_changes(Instant now, api::WatchSince request, OnReply on_started, OnChanges on_changes) {
  begin(now);
  const uint64_t id = request.watch();
  api::ClientFrame frame;
  *frame.mutable_watch_since() = request;
  feeds_[id] = FeedEntry{std::move(request), std::move(on_changes)};
  ask(
      now, std::move(frame), now + options_.request_timeout,
      [this, id, on_started = std::move(on_started)](Instant at, const Result<api::Reply>& reply) {
        on_started(at, reply);
        on_feed_part(at, id, reply);
      },
      false);
  pump(now);
}

void Engine::remove_feed(Instant now, uint64_t id) {
  begin(now);
  if (feeds_.erase(id) == 0) return;
  forget_feed(now, id);
  pump(now);
}

// The server may still have it.
void Engine::forget_feed(Instant now, uint64_t id) {
  if (link_ != Link::kReady) return;
  api::ClientFrame frame;
  frame.mutable_remove_watch()->set_watch(id);
  ask(
      now, std::move(frame), kNever, [](Instant, const Result<api::Reply>&) {}, true);
}

void Engine::ask_feed(Instant now, const FeedEntry& feed) {
  api::ClientFrame frame;
  *frame.mutable_watch_since() = feed.request;
  ask(
      now, std::move(frame), kNever,
      [this, id = feed.request.watch()](Instant at, const Result<api::Reply>& reply) {
        on_feed_part(at, id, reply);
      },
      true);
}

void Engine::on_feed_part(Instant now, uint64_t id, const Result<api::Reply>& reply) {
  const auto it = feeds_.find(id);
  if (it == feeds_.end()) {
    if (reply.ok()) forget_feed(now, id);  // it was set behind its removal
    return;
  }
  FeedEntry& feed = it->second;
  if (!reply.ok()) {
    // The first answer goes to the caller; there was nothing before it.
    if (feed.started)
      sink_.completions.push_back([tell = feed.on_changes, error = reply.error()] { tell(error); });
    feeds_.erase(it);
    return;
  }
  feed.started = true;
  feed.live = reply->changes().live();
  deliver_changes(feed, changes_of(reply->changes().changes(), Zxid(reply->changes().up_to())));
  if (!feed.live) ask_feed(now, feed);
}

void Engine::on_feed_batch(Instant now, const api::FeedBatch& batch) {
  const auto it = feeds_.find(batch.watch());
  if (it == feeds_.end()) return forget_feed(now, batch.watch());
  if (!it->second.live) return;  // of a registration that is being made anew: the answer will tell it
  deliver_changes(it->second, changes_of(batch.changes(), Zxid(batch.zxid())));
}

void Engine::on_progress(Zxid zxid) {
  for (auto& [id, feed] : feeds_) {
    if (feed.live) deliver_changes(feed, Changes{{}, zxid});
  }
}

// Nothing is told twice, and where it was complete only grows.
void Engine::deliver_changes(FeedEntry& feed, Changes changes) {
  if (changes.complete.value() <= feed.request.since()) return;
  feed.request.set_since(changes.complete.value());
  sink_.completions.push_back([tell = feed.on_changes, changes = std::move(changes)] { tell(changes); });
}

void Engine::resume_feeds(Instant now) {
  for (auto& [id, feed] : feeds_) {
    feed.live = false;
    if (feed.started) ask_feed(now, feed);
  }
}

void Engine::end_feeds(const Error& error) {
  for (auto& [id, feed] : std::exchange(feeds_, {}))
    if (feed.started) sink_.completions.push_back([tell = feed.on_changes, error] { tell(error); });
}

}  // namespace quorate::client
