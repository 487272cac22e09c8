// Containers and nodes with a time to live: the leader looks which are due, and asks for their removal by an
// entry. Apply looks again, so that what was used meanwhile stays.
#include <algorithm>

#include "server/replica_impl.h"

namespace quorate::server {

// When there may be something to propose; kNever if nothing is due ever. What apply waits to remove is still
// here, and was proposed already.
Instant Replica::Impl::reap_deadline() const {
  const auto due = leading && !hands_over() && !apply_waits() ? state.next_reap() : std::nullopt;
  if (!due) return kNever;
  return std::max(next_reap, stamp_base + std::chrono::milliseconds(*due - stamp_floor.cluster_ms));
}

void Replica::Impl::reap_nodes() {
  if (reap_deadline() > now.instant) return;
  std::vector<std::string> paths =
      state.reapable(next_stamp().cluster_ms, kv::kReapedNodesMax, kProposalBytesMax);
  next_reap = now.instant + kReapInterval;
  if (paths.empty()) return;
  proposals.push_back({Bytes(kv::encode_command(kv::ReapNodes{std::move(paths)})),
                       options.raft.id,
                       options.raft.boot,
                       SessionId(),
                       0,
                       0,
                       0,
                       {}});
}

}  // namespace quorate::server
