#include "tests/sim/durable.h"

#include <algorithm>
#include <string>

namespace quorate::sim {

void Durable::add(const WriteGroup& group) {
  if (group.hard_state) hard_state = *group.hard_state;
  for (const raft::Entry& entry : group.entries) {
    terms.resize(entry.index.value() - 1);
    terms.push_back(entry.term);
  }
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
  if (append != nullptr && append->success && append->match.value() > durable.terms.size()) {
    return "acknowledges entries that are not durable";
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
  size_t surely = durable.terms.size();
  for (const WriteGroup& group : unfinished) {
    if (!group.entries.empty()) surely = std::min<size_t>(surely, group.entries.front().index.value() - 1);
  }
  if (found.entries.size() < surely) {
    return "has lost entries: " + std::to_string(found.entries.size()) + " are left of " +
           std::to_string(surely);
  }
  for (size_t i = 0; i < surely; ++i) {
    if (found.entries[i].term != durable.terms[i]) return "has another entry " + std::to_string(i + 1);
  }
  if (unfinished.empty() && found.entries.size() > durable.terms.size())
    return "brings back entries that were replaced";
  return std::nullopt;
}

}  // namespace quorate::sim
