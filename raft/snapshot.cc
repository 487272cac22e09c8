// The bookkeeping of snapshots: which state a follower needs, and what the log is once it is in place. The
// state itself travels elsewhere.
#include <algorithm>
#include <utility>

#include "base/check.h"
#include "raft/raft.h"

namespace quorate::raft {

void Raft::compact(Index index) {
  CHECK_MSG(index <= applied_, "a checkpoint covers only what was applied");
  CHECK_MSG(index <= durable_index_, "a checkpoint covers only what is durable");
  if (index <= log_.snapshot_index()) return;
  log_.compact(index);
  // The newest configuration up to there stays, as what the log begins with.
  while (configurations_.size() > 1 && configurations_[1].index <= index) {
    configurations_.erase(configurations_.begin());
  }
}

void Raft::to_snapshot(ServerId to, Progress& progress) {
  progress.state = Progress::State::kSnapshot;
  progress.probe_sent = false;
  progress.inflight.clear();
  progress.inflight_bytes = 0;
  output_.snapshots_needed.push_back(to);
  send_snapshot_request(to);
}

void Raft::send_snapshot_request(ServerId to) {
  CHECK(configurations_.front().index <= log_.snapshot_index());
  send(to, SnapshotRequest{log_.snapshot_index(), log_.snapshot_term(),
                           Bytes(encode_configuration(configurations_.front().configuration))});
}

void Raft::handle(const Message& message, const SnapshotRequest& request) {
  Result<Configuration> configuration = decode_configuration(request.configuration.view());
  if (!configuration.ok() || request.last_term > message.term || !heard_from_leader(message)) return;
  if (request.last_index <= committed_) {
    // All of it is here. What is committed equals the leader's log, but only what is durable may be told.
    matched_ = std::max(matched_, committed_);
    if (durable_index_ >= request.last_index) send(message.from, SnapshotResponse{true, request.last_index});
    return;
  }
  if (pending_snapshot_ && pending_snapshot_->last_index >= request.last_index) return;
  pending_snapshot_ =
      PendingSnapshot{request.last_index, request.last_term, std::move(configuration).value(), message.from};
}

void Raft::snapshot_installed(Instant now, Index index, bool ok) {
  observe(now);
  if (!pending_snapshot_ || pending_snapshot_->last_index != index) return;
  PendingSnapshot snapshot = std::move(*pending_snapshot_);
  pending_snapshot_.reset();
  if (!ok) {
    send(snapshot.leader, SnapshotResponse{false, index});
    return;
  }
  if (log_.matches(index, snapshot.last_term)) {
    // Figure 13, InstallSnapshot 6: what follows the snapshot in the log stays.
    log_.compact(index);
    while (configurations_.size() > 1 && configurations_[1].index <= index) {
      configurations_.erase(configurations_.begin());
    }
    next_to_hand_ = std::max(next_to_hand_, index.next());
  } else {
    CHECK_MSG(index > committed_, "a snapshot contradicts entries that are committed here");
    clamp_durable(index);
    log_.reset(index, snapshot.last_term);
    configurations_.clear();
    configurations_.push_back({index, std::move(snapshot.configuration)});
    next_to_hand_ = index.next();
  }
  adopt_configuration();
  durable_index_ = std::max(durable_index_, index);
  committed_ = std::max(committed_, index);
  applied_ = std::max(applied_, index);
  matched_ = std::max(matched_, index);
  send(snapshot.leader, SnapshotResponse{true, index});
}

void Raft::handle(const Message& message, const SnapshotResponse& response) {
  auto* leader = std::get_if<Leader>(&role_);
  if (leader == nullptr || response.last_index > log_.last_index()) return;
  Progress* progress = progress_of_run(*leader, message);
  if (progress == nullptr || progress->state != Progress::State::kSnapshot) return;
  if (response.installed) {
    progress->match = std::max(progress->match, response.last_index);
    to_probe(*progress, progress->match.next());
    maybe_commit(*leader);
    return;
  }
  to_probe(*progress, progress->match.next());
}

// Delivered: the follower answers when it is in place. Failed: asking again shows what it needs.
void Raft::snapshot_sent(Instant now, ServerId peer, bool ok) {
  observe(now);
  auto* leader = std::get_if<Leader>(&role_);
  if (leader == nullptr || ok) return;
  const auto found = leader->progress.find(peer);
  if (found == leader->progress.end() || found->second.state != Progress::State::kSnapshot) return;
  to_probe(found->second, found->second.match.next());
}

}  // namespace quorate::raft
