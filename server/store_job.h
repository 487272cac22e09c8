// What a Replica asks of the store of checkpoints (server/storage/state_folder.h), and what it is told. Jobs
// run one after the other, in order, beside the loop; each is answered by one step(StoreDone).
//
// Thread safety: plain values; a job and its answer are handed from one thread to the other.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "base/bytes.h"
#include "base/ids.h"
#include "base/result.h"
#include "kv/record_list.h"
#include "kv/state_machine.h"

namespace quorate::server {

// Which state it is: everything up to an index.
struct StateName {
  ClusterId cluster;
  Index index;
  Term term;            // of the entry with that index
  Bytes configuration;  // encoded (raft/configuration.h), as of index
  uint64_t state_hash = 0;
};

inline constexpr char kStateNameKey[] = "a";
std::string encode_state_name(const StateName& name);
// Errors: kMalformed, kUnsupported for a later version.
Result<StateName> decode_state_name(std::string_view bytes);

// ---- jobs

// Makes one checkpoint of what changed, atomically; durable when it is answered.
struct WriteCheckpoint {
  StateName name;
  kv::RecordList records;
};
// A part of a consistent snapshot of the store: the records behind `after`, in ascending order of key, about
// `bytes_max` of them but at least one. The first read with an id opens a snapshot of the newest checkpoint;
// it stays as it is until it is closed.
struct ReadSnapshot {
  uint64_t snapshot = 0;
  std::string after;  // "": from the beginning
  size_t bytes_max = 0;
};
struct CloseSnapshot {
  uint64_t snapshot = 0;
};
// A new, empty folder beside the state in use; one that was begun before is dropped.
struct BeginReceive {
  StateName name;
};
struct ReceiveRecords {
  Bytes records;  // as kv::append_record() makes them, in ascending order of key, behind those before
};
// All was received: made durable, loaded, its hash compared, and then the pointer to the state in use is
// switched. Errors: kCorruption, and the old state stays in use.
struct FinishReceive {};
struct AbandonReceive {};

struct StoreJob {
  uint64_t id = 0;
  std::variant<WriteCheckpoint, ReadSnapshot, CloseSnapshot, BeginReceive, ReceiveRecords, FinishReceive,
               AbandonReceive>
      body;
};

// ---- answers

struct SnapshotPart {
  StateName name;
  Bytes records;         // as kv::append_record() makes them
  std::string last_key;  // of these: `after` of the next read
  bool complete = false;
};
struct ReceivedState {
  StateName name;
  std::shared_ptr<kv::StateMachine> state;
};

// `error` is kOk, or why there is no result. kIo and kNoSpace of anything but ReadSnapshot are for the shell
// to act on (the process ends, or tries again) and never reach the Replica.
struct StoreDone {
  uint64_t id = 0;
  Error error;
  std::variant<std::monostate, SnapshotPart, ReceivedState> result;
};

}  // namespace quorate::server
