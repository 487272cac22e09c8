// Handing leadership to another server: Ongaro 3.10.
#include <string>

#include "raft/raft.h"

namespace quorate::raft {

Status Raft::transfer_leadership(Instant now, ServerId target) {
  observe(now);
  auto* leader = std::get_if<Leader>(&role_);
  if (leader == nullptr) return Error{ErrorCode::kNotLeader, "this server does not lead; ask the leader"};
  if (target != ServerId{} && (target == options_.id || !configuration_.is_voter(target))) {
    return Error{ErrorCode::kInvalidArgument,
                 "server " + std::to_string(target.value()) + " is no other voter of this cluster"};
  }
  ServerId best;
  Index best_match;
  for (const auto& [id, progress] : leader->progress) {
    if (!configuration_.is_voter(id) || !progress.counts || progress.boot == BootNonce{}) continue;
    if (progress.declines) continue;
    if (target != ServerId{} && id != target) continue;
    if (now_ - progress.last_answer > options_.election_timeout_max) continue;
    if (best == ServerId{} || progress.match > best_match) {
      best = id;
      best_match = progress.match;
    }
  }
  if (best == ServerId{}) return Error{ErrorCode::kUnavailable, "no voter that could take over answers"};
  leader->transfer_target = best;
  leader->transfer_sent = false;
  leader->transfer_deadline = now_ + options_.transfer_timeout;
  maybe_finish_transfer(*leader);
  return {};
}

void Raft::maybe_finish_transfer(Leader& leader) {
  if (leader.transfer_target == ServerId{} || leader.transfer_sent) return;
  const auto found = leader.progress.find(leader.transfer_target);
  if (found == leader.progress.end() || found->second.match != log_.last_index()) return;
  leader.transfer_sent = true;
  send(leader.transfer_target, TimeoutNow{});
}

}  // namespace quorate::raft
