// Sees all servers at once, as nobody in a real cluster can, and checks after every step what must hold
// between them.
//
// Thread safety: none.
#pragma once

#include <functional>
#include <map>
#include <vector>

#include "raft/invariants.h"
#include "server/store_job.h"
#include "tests/sim/context.h"

namespace quorate::sim {

class SimServer;

class Oracle {
 public:
  struct Hooks {
    std::function<bool()> requests_in_flight;
    // An entry was committed, for the first time anywhere, at that time of the cluster's.
    std::function<void(const kv::Applied&, int64_t cluster_ms)> committed;
    // An entry that expires this session was committed, for the first time anywhere.
    std::function<void(SessionId)> expiry_committed;
    // `machine_up`: its kernel lives and resets its connections.
    std::function<void(SimServer&, bool machine_up)> process_ended;
  };

  Oracle(Context& context, Hooks hooks) : context_(context), hooks_(std::move(hooks)) {}

  void before_step(const SimServer& server);
  void after_step(const SimServer& server);
  void after_drain(const SimServer& server);
  // A state came from a disk: its own, or (a snapshot) a peer's.
  void state_loaded(const SimServer& server, const server::StateName& name, const kv::StateMachine& state);
  void process_ended(SimServer& server, bool machine_up) { hooks_.process_ended(server, machine_up); }
  // Slow: recomputes every server's tree.
  void check_consistency(const SimServer& server) const;

  Index committed() const { return committed_; }
  Term newest_leader_term() const { return leader_term_; }

 private:
  void see_leader(const SimServer& server, const raft::Raft& raft);
  void see_committed(const raft::Raft& raft);
  void see_state(const SimServer& server, const kv::StateMachine& state);

  Context& context_;
  Hooks hooks_;
  raft::ClusterInvariants invariants_;
  std::optional<raft::StepFacts> before_;
  Term leader_term_;
  Index committed_;
  bool seed_has_change_in_flight_ = false;
  std::vector<uint64_t> hashes_{0};  // by index: the state's, as the committed entries give it
};

}  // namespace quorate::sim
