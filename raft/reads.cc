// Linearizable reads without log entries: Ongaro 6.4, many in one round of heartbeats.
#include <algorithm>

#include "base/check.h"
#include "raft/quorum.h"
#include "raft/raft.h"

namespace quorate::raft {

Status Raft::read_index(Instant now, uint64_t context) {
  observe(now);
  auto* leader = std::get_if<Leader>(&role_);
  if (leader == nullptr) return Error{ErrorCode::kNotLeader, "this server does not lead; ask the leader"};
  // Only a round that starts after the read came proves that nobody else led before it. Until an entry of its
  // own term is committed the leader does not know the cluster's commit index; that entry is behind all that
  // may be committed.
  leader->reads.push_back({context, leader->round + 1, std::max(committed_, leader->first_own_index)});
  leader->round_wanted = true;
  return {};
}

void Raft::start_round(Leader& leader) {
  ++leader.round;
  leader.round_wanted = false;
  leader.heartbeats = 0;
  send_heartbeats(leader, leader.round);
  confirm_reads(leader);
}

// Round 0 asks for no answer.
void Raft::send_heartbeats(Leader& leader, uint64_t round) {
  leader.next_heartbeat = now_ + options_.heartbeat_interval;
  for (auto& [id, progress] : leader.progress) {
    const Index commit = std::min(committed_, progress.match);
    progress.commit_sent = std::max(progress.commit_sent, commit);
    send(id, Heartbeat{commit, round});
  }
  // Also while reads start one round after the other and put the next heartbeat off for ever.
  if (now_ < leader.next_recheck) return;
  leader.next_recheck = now_ + options_.heartbeat_interval;
  for (auto& [id, progress] : leader.progress) recheck(id, progress);
}

void Raft::confirm_reads(Leader& leader) {
  if (leader.reads.empty() || committed_ < leader.first_own_index) return;
  std::vector<uint64_t> acked;
  for (const Member& member : configuration_.members) {
    if (member.role != MemberRole::kVoter) continue;
    const auto found = leader.progress.find(member.id);
    if (found == leader.progress.end()) {
      acked.push_back(leader.round);
    } else {
      acked.push_back(found->second.counts ? found->second.round_acked : 0);
    }
  }
  const uint64_t confirmed = reached_by_majority(std::span<uint64_t>(acked));
  while (!leader.reads.empty() && leader.reads.front().round <= confirmed) {
    output_.reads_ready.push_back({leader.reads.front().context, leader.reads.front().index});
    leader.reads.pop_front();
  }
}

}  // namespace quorate::raft
