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
  send_snapshot_request(to);
}

void Raft::send_snapshot_request(ServerId to) {
  send(to, SnapshotRequest{log_.snapshot_index(), log_.snapshot_term()});
}

// What a leader's log begins behind is committed. Nothing stands in for it but the state, or a log that holds
// that very entry.
void Raft::handle(const Message& message, const SnapshotRequest& request) {
  if (request.last_term > message.term || !heard_from_leader(message)) return;
  if (request.last_index > committed_ && !log_.matches(request.last_index, request.last_term)) {
    output_.state_needed = std::max(output_.state_needed, request.last_index);
    return;
  }
  matched_ = std::max(matched_, std::max(request.last_index, committed_));
  advance_commit_to(request.last_index);
  // Only what is durable may be told.
  const Index held = std::min(committed_, durable_index_);
  if (held >= request.last_index) send(message.from, SnapshotResponse{held});
}

void Raft::install_snapshot(Instant now, Index index, Term term, const Configuration& configuration) {
  observe(now);
  CHECK_MSG(index >= applied_, "a state that is behind what was applied must not be put in its place");
  CHECK_MSG(term <= durable_hard_state_.term, "a state is installed in a term that a disk holds");
  if (log_.matches(index, term)) {
    // Figure 5.3 (InstallSnapshot, 6): what follows the snapshot in the log stays. What it holds of the log
    // goes as behind any checkpoint.
    advance_commit_to(index);
  } else {
    forget_log(index, term, configuration);
  }
  durable_index_ = std::max(durable_index_, index);
  applied_ = index;
  matched_ = std::max(matched_, index);
  output_.state_needed = Index{};
  const auto* follower = std::get_if<Follower>(&role_);
  if (follower != nullptr && follower->leader != ServerId{}) send(follower->leader, SnapshotResponse{index});
}

void Raft::forget_log(Index index, Term term, const Configuration& configuration) {
  CHECK_MSG(!is_leader() && index > committed_, "the log contradicts a snapshot of committed entries");
  clamp_durable(index);
  log_.reset(index, term);
  configurations_.clear();
  configurations_.push_back({index, configuration});
  adopt_configuration();
  next_to_hand_ = index.next();
  committed_ = index;
  matched_ = Index{};
}

void Raft::handle(const Message& message, const SnapshotResponse& response) {
  auto* leader = std::get_if<Leader>(&role_);
  if (leader == nullptr || response.last_index > log_.last_index()) return;
  Progress* progress = progress_of_run(*leader, message, 0);
  if (progress == nullptr || progress->state != Progress::State::kSnapshot) return;
  progress->match = std::max(progress->match, response.last_index);
  to_probe(*progress, progress->match.next());
  maybe_commit(*leader);
}

}  // namespace quorate::raft
