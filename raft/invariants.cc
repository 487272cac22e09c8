#include "raft/invariants.h"

#include <algorithm>
#include <cstring>

namespace quorate::raft {
namespace {

// The checksum that stands in the entry itself: it covers term, index, kind and payload.
uint64_t checksum_of(const Entry& entry) {
  uint64_t checksum = 0;
  std::memcpy(&checksum, entry.encoded.view().data() + 8, sizeof(checksum));
  return checksum;
}

std::string server(const Raft& raft) { return "server " + std::to_string(raft.id().value()); }
std::string text(Index index) { return std::to_string(index.value()); }
std::string text(Term term) { return std::to_string(term.value()); }

bool in_memory(const Log& log, Index index) {
  return index >= log.first_index() && index <= log.last_index();
}

std::optional<std::string> check_progress(const Raft& raft, ServerId id, const Progress& progress) {
  const std::string who = server(raft) + "'s progress of " + std::to_string(id.value());
  if (progress.match > raft.log().last_index()) return who + ": match is beyond the log";
  if (progress.next <= progress.match) return who + ": next is not behind match";
  if (progress.next > raft.log().last_index().next()) return who + ": next is beyond the log";
  if (progress.inflight.empty() && progress.inflight_bytes != 0)
    return who + ": bytes in flight without messages";
  if (progress.inflight.size() > raft.options().inflight_messages_max)
    return who + ": too many messages in flight";
  if (progress.state != Progress::State::kReplicate && !progress.inflight.empty()) {
    return who + ": messages in flight outside of replication";
  }
  if (progress.retired_boots.contains(progress.boot)) return who + ": it trusts a retired run";
  return std::nullopt;
}

}  // namespace

StepFacts facts(const Raft& raft) {
  const Log& log = raft.log();
  StepFacts found{HardState{raft.term(), raft.vote()},
                  raft.committed(),
                  raft.applied_index(),
                  log.snapshot_index(),
                  raft.is_leader(),
                  log.last_index(),
                  0};
  if (in_memory(log, found.last)) found.last_checksum = checksum_of(log.at(found.last));
  return found;
}

std::optional<std::string> check_state(const Raft& raft) {
  const Log& log = raft.log();
  if (log.snapshot_index() > raft.applied_index())
    return server(raft) + ": the snapshot is ahead of what was applied";
  if (raft.applied_index() > raft.committed()) return server(raft) + ": applied what is not committed";
  if (raft.committed() > log.last_index()) return server(raft) + ": committed what is not in its log";
  if (raft.durable_index() > log.last_index()) return server(raft) + ": calls durable what is not in its log";
  if (log.last_term() > raft.term()) return server(raft) + ": its log has a term that it has not reached";
  if (raft.durable_hard_state().term > raft.term()) return server(raft) + ": its disk is ahead of its term";
  if (!raft.is_leader()) return std::nullopt;
  const auto& leader = std::get<Leader>(raft.role());
  if (!raft.may_vote()) return server(raft) + ": leads and may not vote";
  if (raft.durable_hard_state() != HardState{raft.term(), raft.id()}) {
    return server(raft) + ": leads without a durable vote for itself";
  }
  if (leader.first_own_index > log.last_index()) return server(raft) + ": leads without an entry of its own";
  for (const auto& [id, progress] : leader.progress) {
    if (auto wrong = check_progress(raft, id, progress)) return wrong;
  }
  return std::nullopt;
}

std::optional<std::string> check_step(const StepFacts& before, const Raft& after) {
  const Log& log = after.log();
  const bool same_term = before.hard_state.term == after.term();
  if (after.term() < before.hard_state.term) return server(after) + ": its term fell";
  if (same_term && before.hard_state.vote != ServerId{} && after.vote() != before.hard_state.vote) {
    return server(after) + ": changed its vote within term " + text(after.term());
  }
  if (after.committed() < before.committed) return server(after) + ": its commit index fell";
  if (after.applied_index() < before.applied) return server(after) + ": its applied index fell";
  if (log.snapshot_index() < before.snapshot) return server(after) + ": its snapshot index fell";
  if (!before.leader || !after.is_leader() || !same_term) return std::nullopt;
  // Leader Append-Only.
  if (log.last_index() < before.last) return server(after) + ": cut its log while it led";
  if (before.last_checksum != 0 && in_memory(log, before.last) &&
      checksum_of(log.at(before.last)) != before.last_checksum) {
    return server(after) + ": overwrote entry " + text(before.last) + " while it led";
  }
  return std::nullopt;
}

std::optional<std::string> ClusterInvariants::observe(const Raft& raft) {
  if (auto wrong = check_vote(raft)) return wrong;
  if (auto wrong = check_leader(raft)) return wrong;
  return check_committed(raft);
}

// One vote a term, for the whole life of a data folder and through all its restarts.
std::optional<std::string> ClusterInvariants::check_vote(const Raft& raft) {
  HardState& known = votes_[{raft.id(), raft.options().incarnation}];
  const HardState& durable = raft.durable_hard_state();
  if (durable.term < known.term) return server(raft) + ": forgot term " + text(known.term);
  if (durable.term == known.term && known.vote != ServerId{} && durable.vote != known.vote) {
    return server(raft) + ": its durable vote of term " + text(known.term) + " changed";
  }
  known = durable;
  return std::nullopt;
}

// Election Safety, and Leader Completeness at the moment a leader is first seen: it has what was committed in
// terms before its own. Votes may reach a candidate late, when a later term has committed more: it leads its
// old term then without that, and commits nothing.
std::optional<std::string> ClusterInvariants::check_leader(const Raft& raft) {
  if (!raft.is_leader()) return std::nullopt;
  const auto [known, is_new] = leaders_.emplace(raft.term(), raft.id());
  if (known->second != raft.id()) {
    return "term " + text(raft.term()) + " has two leaders: " + std::to_string(known->second.value()) +
           " and " + std::to_string(raft.id().value());
  }
  if (!is_new) return std::nullopt;
  const Log& log = raft.log();
  for (Index index = log.first_index(); index.value() <= committed_.size(); index = index.next()) {
    const Committed& entry = committed_[index.value() - 1];
    if (entry.seen_in >= raft.term()) break;
    if (!in_memory(log, index) || checksum_of(log.at(index)) != entry.checksum) {
      return server(raft) + ": leads term " + text(raft.term()) + " without the committed entry " +
             text(index);
    }
  }
  return std::nullopt;
}

// Log Matching and State Machine Safety, of what is newly committed there.
std::optional<std::string> ClusterInvariants::check_committed(const Raft& raft) {
  const Log& log = raft.log();
  Index& checked = checked_[raft.id()];
  // After a restart a server proves itself again.
  checked = std::min(checked, raft.committed());
  checked = std::max(checked, log.snapshot_index());
  if (checked.value() > committed_.size()) {
    return server(raft) + ": has a snapshot of entries that nobody committed";
  }
  while (checked < raft.committed()) {
    checked = checked.next();
    const uint64_t checksum = checksum_of(log.at(checked));
    if (checked.value() > committed_.size()) {
      committed_.push_back({checksum, raft.term()});
    } else if (committed_[checked.value() - 1].checksum != checksum) {
      return server(raft) + ": committed another entry " + text(checked) + " than the cluster";
    }
  }
  return std::nullopt;
}

}  // namespace quorate::raft
