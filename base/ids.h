// The names of things that more than one layer speaks of. 0 means "none" for each of them.
#pragma once

#include "base/strong_id.h"

namespace quorate {

// A Raft term: at most one leader each.
using Term = StrongId<struct TermTag>;
// A position in the replicated log; the first entry (the configuration) has index 1.
using Index = StrongId<struct IndexTag>;
// A server as the operator numbered it: 1..255.
using ServerId = StrongId<struct ServerIdTag, uint32_t>;
// One life of a server's data folder. A wiped folder draws a new one and so is known as a stranger to its own past.
using Incarnation = StrongId<struct IncarnationTag>;
// One run of a server's process. Acknowledgements of an earlier run are worth nothing.
using BootNonce = StrongId<struct BootNonceTag>;
// Drawn once, when the cluster is formed.
using ClusterId = StrongId<struct ClusterIdTag>;
// A log index plus a base that only an entry raises: one for each entry, the version of everything in the tree.
using Zxid = StrongId<struct ZxidTag>;
// A client's session: the zxid of the entry that opened it.
using SessionId = StrongId<struct SessionIdTag>;
// A fencing token: the creation zxid of the holder's node. Grows along a lock's queue, across leaders and restarts.
using Token = StrongId<struct TokenTag>;
// A request to make something durable. "Durable" is told by handing the ticket back; tickets only grow.
using Ticket = StrongId<struct TicketTag>;
// A client's connection to one server, numbered by that server.
using ConnectionId = StrongId<struct ConnectionIdTag>;

}  // namespace quorate
