// The bookkeeping of snapshots: which state a follower needs, and what the log is once it is in place. The
// state itself travels elsewhere.
#include <algorithm>
#include <utility>

#include "base/check.h"
#include "raft/raft.h"

namespace quorate::raft {
namespace {
// Requests for snapshots that are kept until one is in place; the oldest is dropped first.
constexpr size_t kPendingSnapshotsMax = 16;
}  // namespace

void Raft::compact(Index index) {
  CHECK_MSG(index <= applied_, "a checkpoint covers only what was applied");
  CHECK_MSG(index <= durable_index_, "a checkpoint covers only what is durable");
  if (index <= log_.snapshot_index()) return;
  log_.compact(index);
  forget_configurations(index);
}

// The newest configuration up to there stays, as what the log begins with.
void Raft::forget_configurations(Index index) {
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
  pending_snapshots_.try_emplace(request.last_index,
                                 PendingSnapshot{request.last_term, std::move(configuration).value()});
  if (pending_snapshots_.size() > kPendingSnapshotsMax) pending_snapshots_.erase(pending_snapshots_.begin());
}

void Raft::snapshot_installed(Instant now, Index index, bool ok) {
  observe(now);
  const auto found = pending_snapshots_.find(index);
  if (found == pending_snapshots_.end()) return;
  PendingSnapshot snapshot = std::move(found->second);
  pending_snapshots_.erase(found);
  if (ok) install(index, std::move(snapshot));
  const auto* follower = std::get_if<Follower>(&role_);
  if (follower != nullptr && follower->leader != ServerId{})
    send(follower->leader, SnapshotResponse{ok, index});
}

void Raft::install(Index index, PendingSnapshot snapshot) {
  if (index <= committed_) return;
  if (log_.matches(index, snapshot.last_term)) {
    // Figure 5.3 (InstallSnapshot, 6): what follows the snapshot in the log stays.
    advance_commit_to(index);
    log_.compact(index);
    forget_configurations(index);
    next_to_hand_ = std::max(next_to_hand_, index.next());
  } else {
    CHECK_MSG(!is_leader(), "a leader's log contradicts a snapshot of committed entries");
    clamp_durable(index);
    log_.reset(index, snapshot.last_term);
    configurations_.clear();
    configurations_.push_back({index, std::move(snapshot.configuration)});
    next_to_hand_ = index.next();
    matched_ = Index{};
  }
  adopt_configuration();
  durable_index_ = std::max(durable_index_, index);
  committed_ = index;
  applied_ = index;
  matched_ = std::max(matched_, index);
  pending_snapshots_.erase(pending_snapshots_.begin(), pending_snapshots_.upper_bound(index));
}

void Raft::handle(const Message& message, const SnapshotResponse& response) {
  auto* leader = std::get_if<Leader>(&role_);
  if (leader == nullptr || response.last_index > log_.last_index()) return;
  Progress* progress = progress_of_run(*leader, message, 0);
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
