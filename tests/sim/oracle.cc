#include "tests/sim/oracle.h"

#include <string>

#include "tests/sim/sim_server.h"

namespace quorate::sim {
namespace {

void demand(const SimServer& server, const std::optional<std::string>& wrong) {
  if (wrong) throw Violation(server.name() + ": " + *wrong);
}

}  // namespace

void Oracle::before_step(const SimServer& server) {
  const raft::Raft* raft = server.replica()->raft();
  before_.reset();
  if (raft != nullptr) before_ = raft::facts(*raft);
}

void Oracle::after_step(const SimServer& server) {
  const raft::Raft* raft = server.replica()->raft();
  if (raft == nullptr) return;
  demand(server, raft::check_state(*raft));
  if (before_) demand(server, raft::check_step(*before_, *raft));
}

void Oracle::after_drain(const SimServer& server) {
  const raft::Raft* raft = server.replica()->raft();
  if (raft == nullptr) return;
  demand(server, raft::check_state(*raft));
  demand(server, invariants_.observe(*raft));
  see_leader(server, *raft);
  see_committed(*raft);
  see_state(server, server.replica()->state());
}

void Oracle::see_leader(const SimServer& server, const raft::Raft& raft) {
  if (!raft.is_leader() || raft.term() <= leader_term_) return;
  const bool first = leader_term_.value() == 0;
  leader_term_ = raft.term();
  context_.say(server.name(), [&] { return "leads term " + std::to_string(leader_term_.value()); });
  if (first) return;
  ++context_.statistics.leader_changes;
  if (!hooks_.requests_in_flight()) return;
  ++context_.statistics.leader_changes_in_flight;
  if (!seed_has_change_in_flight_) ++context_.statistics.seeds_with_change_in_flight;
  seed_has_change_in_flight_ = true;
}

void Oracle::see_committed(const raft::Raft& raft) {
  while (committed_ < raft.committed()) {
    committed_ = committed_.next();
    ++context_.statistics.entries_committed;
    // Whoever commits an entry holds it, and is looked at before it can cut it off.
    if (committed_ < raft.log().first_index())
      throw Violation("nobody showed entry " + std::to_string(committed_.value()) + " when it was committed");
    const kv::Applied applied = context_.model.apply(raft.log().at(committed_));
    hashes_.push_back(context_.model.state().state_hash());
    hooks_.committed(applied, context_.model.state().last_stamp().cluster_ms);
    for (const kv::SessionEnd& end : applied.sessions_ended) {
      if (end.expired) hooks_.expiry_committed(end.session);
    }
  }
}

void Oracle::state_loaded(const SimServer& server, const server::StateName& name,
                          const kv::StateMachine& state) {
  if (name.index != state.applied())
    throw Violation(server.name() + ": a state that is called index " + std::to_string(name.index.value()) +
                    " ends with " + std::to_string(state.applied().value()));
  if (name.index > committed_) throw Violation(server.name() + ": its state holds what was never committed");
  demand(server, state.check_consistency());
  see_state(server, state);
}

void Oracle::see_state(const SimServer& server, const kv::StateMachine& state) {
  const size_t index = state.applied().value();
  if (index == 0) return;
  if (index >= hashes_.size()) throw Violation(server.name() + ": has applied what was never committed");
  if (hashes_[index] != state.state_hash())
    throw Violation(server.name() + ": its state at index " + std::to_string(index) +
                    " is not the one that the committed entries give");
}

void Oracle::check_consistency(const SimServer& server) const {
  if (server.replica() == nullptr || server.replica()->raft() == nullptr) return;
  demand(server, server.replica()->state().check_consistency());
}

}  // namespace quorate::sim
