// What must be true of a Raft server at rest, of each of its steps, and of all servers of a cluster together.
// Run after every simulated step, so each check looks only at what the step can have changed.
//
// Thread safety: none.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "raft/raft.h"

namespace quorate::raft {

// The few facts of a server that a step may only move forward.
struct StepFacts {
  HardState hard_state;
  Index committed;
  Index applied;
  Index snapshot;
  bool leader = false;
  Index last;
  uint64_t last_checksum = 0;  // of the entry at `last`; 0: it is not in memory
};
StepFacts facts(const Raft& raft);

// Each returns what is wrong, in a sentence, or nothing.
std::optional<std::string> check_state(const Raft& raft);
std::optional<std::string> check_step(const StepFacts& before, const Raft& after);

// Election safety, leader append-only, log matching of what is committed, leader completeness, state-machine
// safety (Figure 3), for the whole cluster and its whole life.
class ClusterInvariants {
 public:
  // After each step of any server.
  std::optional<std::string> observe(const Raft& raft);

 private:
  std::optional<std::string> check_vote(const Raft& raft);
  std::optional<std::string> check_leader(const Raft& raft);
  std::optional<std::string> check_committed(const Raft& raft);

  std::map<Term, ServerId> leaders_;
  // The newest durable vote of each life of a data folder.
  std::map<std::pair<ServerId, Incarnation>, HardState> votes_;
  struct Committed {
    uint64_t checksum;  // of the encoded entry
    Term seen_in;       // of the server that committed it first: the term of the leader that did
  };
  std::vector<Committed> committed_;  // by index - 1
  std::map<ServerId, Index> checked_;
};

}  // namespace quorate::raft
