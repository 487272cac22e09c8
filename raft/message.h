// What Raft servers say to each other: one struct a message, joined in a variant.
#pragma once

#include <cstdint>
#include <variant>
#include <vector>

#include "base/bytes.h"
#include "base/ids.h"
#include "base/one_of.h"
#include "raft/entry.h"

namespace quorate::raft {

// Term and vote: what must be durable before any message that rests on it leaves (Figure 2, "persistent
// state").
struct HardState {
  Term term;
  ServerId vote;  // 0: nobody yet in this term

  friend bool operator==(const HardState&, const HardState&) = default;
};

// Asks for a vote, or (pre) whether one would be given (Ongaro 9.6). In a pre-vote the envelope's term is the
// term that the sender would stand in, which is not yet its own.
struct VoteRequest {
  bool pre = false;
  // The candidate was told to stand by the leader of the term before (TimeoutNow): no lease protects that
  // leader.
  bool transfer = false;
  Index last_index;
  Term last_term;
};

struct VoteResponse {
  bool pre = false;
  bool granted = false;
};

struct AppendRequest {
  Index prev_index;
  Term prev_term;
  Index commit;
  uint64_t round = 0;  // the leader's newest confirmation round, echoed in the answer
  std::vector<Entry> entries;
};

// On success `match` is the last index known to equal the leader's log *and durable* at the sender. On
// refusal the pair (hint_index, hint_term) lets the leader skip back a term at a time (Ongaro 3.5, end).
struct AppendResponse {
  bool success = false;
  Index match;
  Index rejected_prev;
  Index hint_index;
  Term hint_term;
  uint64_t round = 0;
};

// Keeps the followers quiet, carries the commit index and confirms leadership. Says nothing about the
// follower's log beyond `commit`, which the leader bounds by what that follower is known to hold. Round 0
// only tells the commit index and is not answered.
struct Heartbeat {
  Index commit;
  uint64_t round = 0;
};

// Needs no sync of entries, only a durable term. Round 0 confirms nothing: its term tells a deposed leader
// the news.
struct HeartbeatResponse {
  uint64_t round = 0;
};

// The leader's log begins behind this entry, and the follower needs what was before. The state itself travels
// outside, as the follower asks for it; it answers this when it has everything up to here.
struct SnapshotRequest {
  Index last_index;
  Term last_term;
};

struct SnapshotResponse {
  Index last_index;  // all up to here is durable: in the log, or in the state
};

// Leadership transfer: stand now (Ongaro 3.10).
struct TimeoutNow {};

struct Body : std::variant<VoteRequest, VoteResponse, AppendRequest, AppendResponse, Heartbeat,
                           HeartbeatResponse, SnapshotRequest, SnapshotResponse, TimeoutNow> {
  QUORATE_ONE_OF(Body);
};

struct Message {
  ServerId from;
  ServerId to;
  Term term;
  // The sender's run. An acknowledgement counts for the run that gave it and for no other.
  BootNonce boot;
  // False when the sender must not be counted towards any quorum: a wiped or recovering folder.
  bool counts = true;
  Body body;
  // The sender is not to be handed leadership: it has no state, or would rather not lead.
  bool declines = false;
};

}  // namespace quorate::raft
