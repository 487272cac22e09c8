// What is surely on a server's disk, and the rules that speak of it: nothing leaves that rests on more than
// this, a restart brings back all of it, and the log is never cut beyond the state.
//
// Thread safety: plain values.
#pragma once

#include <optional>
#include <vector>

#include "raft/message.h"
#include "server/replica.h"
#include "server/storage/wal.h"
#include "tests/sim/context.h"

namespace quorate::sim {

// One output's write, as the Replica asked for it: first the cut, then the rest.
struct WriteGroup {
  Ticket ticket;  // 0: only a cut
  std::optional<raft::HardState> hard_state;
  std::vector<raft::Entry> entries;
  std::optional<server::Output::LogCut> cut = std::nullopt;
  bool cut_done = false;
};

struct Durable {
  raft::HardState hard_state;
  std::vector<Term> terms;  // of the entries of the log, behind `snapshot`
  Index snapshot = Index();
  Term snapshot_term = Term();
  Index state = Index();  // the newest checkpoint holds everything up to here

  Index last() const { return Index(snapshot.value() + terms.size()); }
  // Nothing for an entry that is not in the log.
  std::optional<Term> term_at(Index index) const;
  // The group's sync has ended.
  void add(const WriteGroup& group);
  void cut(Index index, Term term);
};

// May `self` send this? (Ongaro, Figure 2: what a message promises is durable before it leaves.) `wiped`: its
// folder was lost once, so it must never count again.
Verdict check_leaving(const Durable& durable, ServerId self, bool wiped, const raft::Message& message);

// Was everything found that had been promised? `unfinished`: groups whose sync had not ended, which may be
// there or not.
Verdict check_recovered(const Durable& durable, const std::vector<WriteGroup>& unfinished,
                        const server::WalRecovered& found);

}  // namespace quorate::sim
