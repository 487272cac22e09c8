// The log's slow twin and what the tests of the log share: the whole log as a vector, and the rule for what
// may be found after a crash.
#pragma once

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "raft/entry.h"
#include "raft/message.h"
#include "server/storage/wal.h"
#include "tests/sim/sim_file_system.h"

namespace quorate::storage_test {

using server::Wal;
using server::WalIdentity;
using server::WalOptions;
using server::WalRecovered;
using sim::SimFileSystem;

inline constexpr char kDirectory[] = "data/wal";
inline constexpr uint64_t kSmallSegment = 16 << 10;

inline WalIdentity test_identity() { return {ServerId(1), Incarnation(77), ClusterId(99)}; }
inline WalOptions small_segments() {
  WalOptions options;
  options.segment_bytes = kSmallSegment;
  return options;
}

// Consecutive entries, each with a payload of that many bytes that depends on its term and index.
inline std::vector<raft::Entry> entries_of(uint64_t term, uint64_t first, size_t count,
                                           size_t payload_bytes = 20) {
  std::vector<std::string> payloads;
  for (size_t i = 0; i < count; ++i) {
    std::string payload = std::to_string(term) + "/" + std::to_string(first + i) + " ";
    while (payload.size() < payload_bytes) payload += payload;
    payload.resize(payload_bytes);
    payloads.push_back(payload);
  }
  std::vector<raft::Proposal> proposals;
  for (const std::string& payload : payloads) proposals.push_back({raft::EntryKind::kCommand, payload});
  return raft::encode_entries(Term(term), Index(first), proposals);
}

inline bool same_entries(const std::vector<raft::Entry>& a, const std::vector<raft::Entry>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const raft::Entry& x, const raft::Entry& y) {
    return x.term == y.term && x.index == y.index && x.kind == y.kind && x.encoded == y.encoded;
  });
}

// A log as one value.
struct TwinState {
  raft::HardState hard_state;
  Index snapshot_index;
  Term snapshot_term;
  std::vector<raft::Entry> entries;  // behind the snapshot

  Index last() const { return snapshot_index + entries.size(); }
  Term term_at(Index index) const {
    if (index == snapshot_index) return snapshot_term;
    return entries.at(index - snapshot_index - 1).term;
  }
  void append(const std::vector<raft::Entry>& added) {
    if (added.empty()) return;
    entries.resize(added.front().index - snapshot_index - 1);
    entries.insert(entries.end(), added.begin(), added.end());
  }
  void cut(Index index, Term term) {
    if (index <= snapshot_index) return;
    if (index <= last() && term_at(index) == term) {
      entries.erase(entries.begin(), entries.begin() + static_cast<ptrdiff_t>(index - snapshot_index));
    } else {
      entries.clear();
    }
    snapshot_index = index;
    snapshot_term = term;
  }
  static TwinState of(const WalRecovered& recovered) {
    return {recovered.hard_state, recovered.snapshot_index, recovered.snapshot_term, recovered.entries};
  }
  bool same_as(const TwinState& other) const {
    return hard_state == other.hard_state && snapshot_index == other.snapshot_index &&
           snapshot_term == other.snapshot_term && same_entries(entries, other.entries);
  }
};

// What was promised, and what was asked for since: appended, or a cut that has not returned (never both, the
// tests sync before they cut).
struct Twin {
  TwinState promised;
  TwinState wanted;
  std::optional<Index> replaced_from;  // the lowest first index appended since the promise

  void set_hard_state(const raft::HardState& hard_state) { wanted.hard_state = hard_state; }
  void append(const std::vector<raft::Entry>& entries) {
    if (entries.empty()) return;
    wanted.append(entries);
    const Index first = entries.front().index;
    replaced_from = replaced_from ? std::min(*replaced_from, first) : first;
  }
  void synced() {
    promised = wanted;
    replaced_from.reset();
  }
  void restart_from(const TwinState& found) {
    promised = wanted = found;
    replaced_from.reset();
  }

  // What is wrong with what was found, or nothing. It must be what was promised, or that with a beginning of
  // what was asked for since: nothing missing, and nothing come back.
  std::optional<std::string> judge(const TwinState& found) const {
    if (found.hard_state != promised.hard_state && found.hard_state != wanted.hard_state) {
      return "term or vote is neither the promised nor the newest one";
    }
    if (promised.snapshot_index != wanted.snapshot_index) {
      return found.same_as(promised) || found.same_as(wanted) ? std::nullopt
                                                              : std::optional("the cut was done by half");
    }
    if (found.snapshot_index != promised.snapshot_index || found.snapshot_term != promised.snapshot_term) {
      return "the snapshot is not the promised one";
    }
    if (same_entries(found.entries, promised.entries)) return std::nullopt;
    if (!replaced_from) return "entries differ though nothing was appended";
    if (found.hard_state != wanted.hard_state) return "new entries without the term they came with";
    if (found.last() < *replaced_from) return "entries are missing";
    const size_t count = found.entries.size();
    if (count > wanted.entries.size()) return "there are more entries than were ever appended";
    const std::vector<raft::Entry> beginning(wanted.entries.begin(),
                                             wanted.entries.begin() + static_cast<ptrdiff_t>(count));
    if (!same_entries(found.entries, beginning)) return "entries are neither the old ones nor the new ones";
    return std::nullopt;
  }
};

}  // namespace quorate::storage_test
