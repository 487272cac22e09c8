// What servers say to each other beside Raft: forming the cluster, forwarding writes to the leader, and
// asking the leader for a read barrier. proto/peer.proto and server/shell's codec carry them.
#pragma once

#include <cstdint>
#include <variant>
#include <vector>

#include "base/bytes.h"
#include "base/ids.h"
#include "base/one_of.h"
#include "base/result.h"
#include "raft/message.h"

namespace quorate::server {

// ---- forming: until a server has a log, it speaks only these

// "Who are you?" from a server without a log. `plan` is a digest of the list of members it was started with.
struct Probe {
  Incarnation incarnation;
  uint64_t plan = 0;
};
// "Empty too." A server that has a log answers a Probe with its Founding instead.
struct ProbeReply {
  Incarnation incarnation;
  uint64_t plan = 0;
};
// The encoded entry 1: the configuration that the cluster was formed with.
struct Founding {
  Bytes entry;
};

// ---- service

// Commands (kv/command.h bodies, without stamp) that clients of the sender asked for, in their order.
struct Forward {
  std::vector<Bytes> commands;
  uint64_t sending = 0;  // of the sender's run; a command that goes again goes in another one
};
// The leader did not take these; nothing of that sending of them is in its log.
struct ForwardRefused {
  struct Item {
    SessionId session;  // with number, or
    uint64_t number = 0;
    uint64_t counter = 0;  // the counter of an Origin
  };
  BootNonce asker;  // the run of the server that forwarded them
  uint64_t sending = 0;
  ErrorCode code = ErrorCode::kOverloaded;
  std::vector<Item> items;
};
// Asks the leader of `term` for a read index, once for all reads that wait at the sender; the sessions have
// given a sign of life since the last one.
struct Barrier {
  Term term;
  uint64_t counter = 0;
  std::vector<SessionId> alive;
};
// Answered only after leadership was confirmed later than the barrier's arrival.
struct BarrierReply {
  BootNonce asker;  // the run that asked: a later run of the same server counts from 1 again
  Term term;
  uint64_t counter = 0;
  Index index;
  std::vector<SessionId> gone;  // of `alive`: expired or about to be
};

// ---- the state itself, for a follower that the log does not reach: it asks, part by part, and goes on where
// it was when a connection broke

// `snapshot` 0 asks for a new one; else it names the one that the parts before came from.
struct SnapshotFetch {
  BootNonce asker;
  uint64_t snapshot = 0;
  std::string after;  // the last key that the asker has
  Index at_least;     // a state that ends before this is of no use to the asker
};
struct SnapshotChunk {
  BootNonce asker;
  Term term;  // the sender's: all that the state holds was committed by then
  uint64_t snapshot = 0;
  std::string after;      // as it was asked for
  Error error;            // kUnavailable: there is no such snapshot (any more), or it cannot be read
  Bytes name;             // encode_state_name()
  Bytes records;          // as kv::append_record() makes them
  uint64_t checksum = 0;  // checksum64 of records
  std::string last_key;
  bool complete = false;
  uint64_t name_checksum = 0;  // checksum64 of name; 0: the sender does not know of it
};

// ---- agreement

// The state hash after an entry whose index is a multiple of kStateHashStep.
struct StateHash {
  uint32_t format = 0;  // hashes of different formats are not compared
  Index index;
  uint64_t hash = 0;
};

struct PeerBody : std::variant<raft::Message, Probe, ProbeReply, Founding, Forward, ForwardRefused, Barrier,
                               BarrierReply, SnapshotFetch, SnapshotChunk, StateHash> {
  QUORATE_ONE_OF(PeerBody);
};

struct PeerMessage {
  ServerId from;
  ServerId to;
  BootNonce boot;  // the sender's run
  PeerBody body;
};

}  // namespace quorate::server
