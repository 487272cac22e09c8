#include "tests/sim/durable.h"

#include <algorithm>
#include <string>

namespace quorate::sim {

std::optional<Term> Durable::term_at(Index index) const {
  if (index == snapshot) return snapshot_term;
  if (index < snapshot || index > last()) return std::nullopt;
  return terms[index.value() - snapshot.value() - 1];
}

void Durable::add(const WriteGroup& group) {
  if (group.cut) cut(group.cut->index, group.cut->term);
  if (group.hard_state) hard_state = *group.hard_state;
  for (const raft::Entry& entry : group.entries) {
    terms.resize(entry.index.value() - snapshot.value() - 1);
    terms.push_back(entry.term);
  }
}

void Durable::cut(Index index, Term term) {
  if (index <= snapshot) return;
  if (term_at(index) == term) {
    terms.erase(terms.begin(), terms.begin() + static_cast<ptrdiff_t>(index.value() - snapshot.value()));
  } else {
    terms.clear();
  }
  snapshot = index;
  snapshot_term = term;
}

Verdict check_leaving(const Durable& durable, ServerId self, bool wiped, const raft::Message& m) {
  const raft::HardState& hard = durable.hard_state;
  const auto* request = std::get_if<raft::VoteRequest>(&m.body);
  const auto* response = std::get_if<raft::VoteResponse>(&m.body);
  const auto* append = std::get_if<raft::AppendResponse>(&m.body);
  // Pre-votes speak of a term that nobody has yet (Ongaro 9.6).
  const bool pre = (request != nullptr && request->pre) || (response != nullptr && response->pre);
  if (!pre && m.term > hard.term) return "sends a message of a term that is not durable";
  if (request != nullptr && !pre && hard != raft::HardState{m.term, self}) {
    return "asks for votes before its own is durable";
  }
  if (response != nullptr && !pre && response->granted && hard != raft::HardState{m.term, m.to}) {
    return "gives a vote that is not durable";
  }
  if (response != nullptr && response->granted && wiped) return "votes although its folder was wiped";
  if (append != nullptr && append->success && append->match > std::max(durable.last(), durable.state)) {
    return "acknowledges entries that are not durable";
  }
  const auto* snapshot = std::get_if<raft::SnapshotResponse>(&m.body);
  if (snapshot != nullptr && snapshot->last_index > std::max(durable.last(), durable.state)) {
    return "acknowledges a state that is not durable";
  }
  if (append != nullptr && wiped && m.counts) return "wants to be counted although its folder was wiped";
  return std::nullopt;
}

Verdict check_recovered(const Durable& durable, const std::vector<WriteGroup>& unfinished,
                        const server::WalRecovered& found) {
  const raft::HardState& hard = durable.hard_state;
  if (found.hard_state.term < hard.term) return "has forgotten a term that was durable";
  if (found.hard_state.term == hard.term && hard.vote.value() != 0 && found.hard_state.vote != hard.vote) {
    return "has forgotten a vote that was durable";
  }
  const Index begins = found.snapshot_index;
  if (begins < durable.snapshot) return "brings back what was cut from its log";
  if (begins > durable.state) return "has cut its log beyond its state";
  Index surely = durable.last();
  bool asked = begins == durable.snapshot, forgotten = false;
  Durable then = durable;
  for (const WriteGroup& group : unfinished) {
    if (group.cut && group.cut->index == begins) {
      asked = true;
      forgotten = forgotten || then.term_at(begins) != group.cut->term;
    }
    if (!group.entries.empty()) surely = std::min(surely, Index(group.entries.front().index.value() - 1));
    then.add(group);
  }
  if (!asked) return "has cut its log where nobody asked for it";
  if (forgotten) return std::nullopt;
  const Index last(begins.value() + found.entries.size());
  if (last < surely) {
    return "has lost entries: " + std::to_string(last.value()) + " are left of " +
           std::to_string(surely.value());
  }
  for (Index i = begins.next(); i <= surely; i = i.next()) {
    if (found.entries[i.value() - begins.value() - 1].term != durable.term_at(i))
      return "has another entry " + std::to_string(i.value());
  }
  if (unfinished.empty() && last > durable.last()) return "brings back entries that were replaced";
  return std::nullopt;
}

}  // namespace quorate::sim
