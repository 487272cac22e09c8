#include "raft/quorum.h"

namespace quorate::raft {

VoteOutcome vote_outcome(std::span<const ServerId> voters, const std::set<ServerId>& granted,
                         const std::set<ServerId>& refused) {
  size_t yes = 0;
  size_t no = 0;
  for (const ServerId voter : voters) {
    if (granted.contains(voter)) {
      ++yes;
    } else if (refused.contains(voter)) {
      ++no;
    }
  }
  if (yes >= majority(voters.size())) return VoteOutcome::kWon;
  if (voters.size() - no < majority(voters.size())) return VoteOutcome::kLost;
  return VoteOutcome::kPending;
}

}  // namespace quorate::raft
