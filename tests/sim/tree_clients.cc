#include "tests/sim/tree_clients.h"

#include <utility>

namespace quorate::sim {

using std::chrono::milliseconds;

// ---- trees

std::string TreeClient::folder() {
  return std::string(kTreeParent) + "/f" + std::to_string(random_.below(3));
}
std::string TreeClient::leaf() { return folder() + "/n" + std::to_string(random_.below(4)); }

kv::CreateOp TreeClient::create_folder() {
  kv::CreateOp operation;
  operation.path = folder();
  operation.container = random_.chance(0.7);
  return operation;
}

kv::CreateOp TreeClient::create_leaf() {
  kv::CreateOp operation;
  operation.path = leaf();
  operation.data = name() + "." + std::to_string(next_value_++);
  operation.sequential = random_.chance(0.3);
  const uint64_t dice = random_.below(4);
  if (dice < 2) operation.ttl_ms = random_.between(int64_t{100}, int64_t{5000});
  operation.ephemeral = dice == 2;
  return operation;
}

void TreeClient::act() {
  if (has_writes_in_flight()) return;
  const uint64_t dice = random_.below(100);
  if (dice < 15) {
    look();
  } else if (dice < 35) {
    kv::CreateOp operation = create_folder();
    operation.parents = true;
    change(operation, operation.container ? &Statistics::containers : nullptr);
  } else if (dice < 60) {
    const kv::CreateOp operation = create_leaf();
    change(operation, operation.ttl_ms ? &Statistics::ttl_nodes : nullptr);
  } else if (dice < 68) {
    change(kv::SetOp{leaf(), name() + "." + std::to_string(next_value_++)});
  } else if (dice < 75) {
    change(kv::DeleteOp{leaf()});
  } else if (dice < 82) {
    change(kv::DeleteOp{random_.chance(0.1) ? kTreeParent : folder(), -1, true},
           &Statistics::recursive_deletes);
  } else {
    several();
  }
}

void TreeClient::change(kv::Operation operation, uint64_t Statistics::*counter) {
  write(std::move(operation), [this, counter](const kv::Outcome* outcome) {
    if (counter != nullptr && outcome != nullptr && outcome->code == ErrorCode::kOk)
      ++(context_.statistics.*counter);
  });
}

kv::MultiOp::Part TreeClient::part() {
  switch (random_.below(6)) {
    case 0:
      return kv::CheckOp{folder()};
    case 1:
      return kv::CheckAbsentOp{leaf()};
    case 2:
      return kv::SetOp{leaf(), name() + "." + std::to_string(next_value_++)};
    case 3:
      return kv::DeleteOp{random_.chance(0.2) ? folder() : leaf(), -1, true};
    case 4:
      return create_folder();
    default:
      return create_leaf();
  }
}

void TreeClient::several() {
  kv::MultiOp multi;
  for (uint64_t left = 2 + random_.below(3); left > 0; --left) multi.operations.push_back(part());
  write(std::move(multi), [this](const kv::Outcome* outcome) {
    if (outcome == nullptr) return;
    ++(outcome->code == ErrorCode::kOk ? context_.statistics.multis : context_.statistics.multis_refused);
  });
}

// The model looks at what is read.
void TreeClient::look() {
  const auto done = [this](const server::ClientReply&) { ++context_.statistics.reads_checked; };
  switch (random_.below(3)) {
    case 0:
      return read(server::GetRequest{leaf(), true, 0}, done);
    case 1:
      return read(server::ChildrenRequest{folder(), 0}, done);
    default:
      return read(
          server::MultiReadRequest{{server::GetRequest{leaf(), true, 0}, server::ChildrenRequest{folder(), 0},
                                    server::ChildrenRequest{kTreeParent, 0}}},
          done);
  }
}

// ---- feeds

void FeedClient::on_ready(bool fresh) {
  PeriodicClient::on_ready(fresh);
  stopped_.clear();
  for (auto& [id, feed] : feeds_) {
    feed.live = feed.asked = false;
    if (feed.complete != Zxid()) ++context_.statistics.feeds_resumed;
    ask(id);
  }
}

void FeedClient::act() {
  const uint64_t dice = random_.below(100);
  if (dice < 12 && feeds_.size() < kFeedsMax) {
    open();
  } else if (dice < 18 && !feeds_.empty()) {
    stop();
  } else if (dice < 30) {
    look();
  }
}

void FeedClient::open() {
  Feed feed;
  if (!left_.empty() && random_.chance(0.6)) {
    feed = left_[random_.below(left_.size())];
    ++context_.statistics.feeds_resumed;
  } else {
    const std::string roots[] = {"/", kTreeParent, kSequenceParent, kChurnParent, key_path(0), lock_path(0)};
    feed.root = roots[random_.below(std::size(roots))];
    feed.kind = random_.chance(0.6) ? kv::WatchKind::kTreeFeed : kv::WatchKind::kNodeFeed;
    ++context_.statistics.feeds;
  }
  feed.live = feed.asked = false;
  const uint64_t id = next_id_++;
  feeds_[id] = std::move(feed);
  ask(id);
}

void FeedClient::ask(uint64_t id) {
  if (!session_ready()) return;  // on_ready asks
  Feed& feed = feeds_.at(id);
  if (std::exchange(feed.asked, true)) return;
  const bool recursive = feed.kind == kv::WatchKind::kTreeFeed;
  ask_once(server::WatchSinceRequest{id, feed.root, feed.complete, recursive},
           [this, id, since = feed.complete, floor = histories_.order.begin()](
               const server::ClientReply& reply) { answered(id, since, floor, reply); });
}

void FeedClient::answered(uint64_t id, Zxid since, Zxid floor, const server::ClientReply& reply) {
  const auto at = feeds_.find(id);
  if (at == feeds_.end()) return;
  Feed& feed = at->second;
  feed.asked = false;
  if (reply.error.code == ErrorCode::kHistoryGone) {
    if (!context_.model.forgotten(since))
      throw Violation(name() + ": a feed cannot be resumed from zxid " + std::to_string(since.value()) +
                      ", which the history holds");
    ++context_.statistics.feeds_forgotten;
    feeds_.erase(at);
    return;
  }
  if (reply.error.code == ErrorCode::kInvalidArgument)
    throw Violation(name() + ": a feed was refused: " + reply.error.message);
  const auto* changes = std::get_if<server::ChangesReply>(&reply.body);
  if (changes == nullptr) {
    in(milliseconds(100), [this, id] {
      if (feeds_.contains(id) && !feeds_.at(id).live) ask(id);
    });
    return;
  }
  if (since == Zxid()) {
    // From now on: what was answered before it was asked for is no part of it.
    if (!changes->live || !changes->changes.empty() || changes->up_to < floor)
      throw Violation(name() + ": a feed from now on begins at zxid " +
                      std::to_string(changes->up_to.value()));
    feed.complete = changes->up_to;
  }
  told(feed, changes->up_to, changes->changes);
  feed.live = changes->live;
  if (!feed.live) ask(id);
}

void FeedClient::told(Feed& feed, Zxid up_to, const std::vector<Model::PastChange>& changes) {
  require(context_.model.check_feed(feed.kind, feed.root, feed.complete, up_to, changes));
  context_.statistics.feed_changes += changes.size();
  feed.complete = up_to;
}

void FeedClient::on_feed(const kv::FeedBatch& batch) {
  const auto at = feeds_.find(batch.watch);
  if (at == feeds_.end()) {
    if (stopped_.contains(batch.watch)) return;
    throw Violation(name() + ": is told of changes by a feed that it does not have");
  }
  if (!at->second.live) throw Violation(name() + ": a feed tells of changes before it is live");
  if (batch.changes.empty()) throw Violation(name() + ": a feed tells of nothing");
  told(at->second, batch.zxid, batch.changes);
}

void FeedClient::on_progress(Zxid zxid) {
  for (auto& [id, feed] : feeds_) {
    if (feed.live && zxid > feed.complete) told(feed, zxid, {});
  }
}

void FeedClient::stop() {
  auto at = feeds_.begin();
  std::advance(at, random_.below(feeds_.size()));
  const auto [id, feed] = *at;
  if (feed.complete != Zxid()) left_.push_back(feed);
  feeds_.erase(at);
  stopped_.insert(id);
  ask_once(server::RemoveWatchRequest{id}, [](const server::ClientReply&) {});
}

// Feeds that are live have told all that an answer behind them shows.
void FeedClient::look() {
  read(server::GetRequest{key_path(0), true, 0}, [this](const server::ClientReply& reply) {
    ++context_.statistics.reads_checked;
    if (reply.zxid == Zxid()) return;
    for (auto& [id, feed] : feeds_) {
      if (feed.live && reply.zxid > feed.complete) told(feed, reply.zxid, {});
    }
  });
}

Verdict FeedClient::at_end() const {
  for (const auto& [id, feed] : feeds_) {
    if (!feed.live) return name() + ": a feed is not live although all is healed";
    const Zxid end = context_.model.state().zxid();
    if (const Verdict wrong = context_.model.check_feed(feed.kind, feed.root, feed.complete, end, {}))
      return name() + ": at the end " + *wrong;
  }
  return std::nullopt;
}

}  // namespace quorate::sim
