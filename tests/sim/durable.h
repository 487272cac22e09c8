// What is surely on a server's disk, and the two rules that speak of it: nothing leaves that rests on more
// than this, and a restart brings back all of it.
//
// Thread safety: plain values.
#pragma once

#include <optional>
#include <vector>

#include "raft/message.h"
#include "server/storage/wal.h"
#include "tests/sim/context.h"

namespace quorate::sim {

// One output's write, as the Replica asked for it.
struct WriteGroup {
  Ticket ticket;
  std::optional<raft::HardState> hard_state;
  std::vector<raft::Entry> entries;
};

struct Durable {
  raft::HardState hard_state;
  std::vector<Term> terms;  // of the entries from 1 on

  // The group's sync has ended.
  void add(const WriteGroup& group);
};

// May `self` send this? (Ongaro, Figure 2: what a message promises is durable before it leaves.) `wiped`: its
// folder was lost once, so it must never count again.
Verdict check_leaving(const Durable& durable, ServerId self, bool wiped, const raft::Message& message);

// Was everything found that had been promised? `unfinished`: groups whose sync had not ended, which may be
// there or not.
Verdict check_recovered(const Durable& durable, const std::vector<WriteGroup>& unfinished,
                        const server::WalRecovered& found);

}  // namespace quorate::sim
