// The state on disk: which of a data folder's stores is in use, and the jobs that a Replica asks of it.
//
//   DIR/state/CURRENT    the number of the store in use, 0 for none; replaced by rename, synced with its
//                        directory
//   DIR/state/N/         a store; one that CURRENT does not name is left over and is removed at the next open
//   DIR/state/MEMBERS    the name of the first state with the newest configuration: without a state, and with
//                        a log that was cut, nothing else would say who the members are
//
// CURRENT is written before the first store is made: stores without it are damage, and nothing is taken for a
// new folder that once held a state.
//
// Thread safety: one thread at a time.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "base/result.h"
#include "kv/state_machine.h"
#include "server/storage/file_system.h"
#include "server/storage/state_store.h"
#include "server/store_job.h"

namespace quorate::server {

class StateFolder {
 public:
  struct Opened;

  // Snapshots that may be open at once.
  static constexpr size_t kOpenSnapshotsMax = 16;

  // Opens it, or makes it. Loads the newest checkpoint and compares its hash. `fs` and `stores` outlive it.
  // Errors: kCorruption, naming the folder and what to do, when what is there is not a state or not the one
  // it says; kUnsupported for one of a later version. What is there is as it was then.
  static Result<Opened> open(FileSystem& fs, StateStores& stores, const std::string& directory,
                             const kv::Limits& limits);
  // Forgets the state, so that the next open finds none: for a server whose state is to be replaced from the
  // others'. MEMBERS stays.
  static Status discard(FileSystem& fs, StateStores& stores, const std::string& directory);

  // What MEMBERS says, if it is there and intact.
  static std::optional<StateName> members(FileSystem& fs, const std::string& directory);

  virtual ~StateFolder() = default;
  // Errors of the disk are this call's own: on kIo and kCorruption the process ends, after kNoSpace the same
  // job may be run again. What the Replica is to know is in the answer:
  //   ReadSnapshot     all its errors; kUnavailable also when there is no checkpoint, or when a snapshot that
  //                    had been begun is open no more (begin again); kOverloaded beyond kOpenSnapshotsMax
  //   ReceiveRecords   kCorruption for what is no records or out of order: what was received is dropped
  //   FinishReceive    kCorruption when it is not the state that it was called
  //   these two        kUnavailable when nothing is being received
  // A checkpoint's name is added to the job's records.
  virtual Result<StoreDone> run(StoreJob& job) = 0;
  // To files, by all its stores since open().
  virtual uint64_t bytes_written() const = 0;
};

struct StateFolder::Opened {
  std::unique_ptr<StateFolder> folder;
  std::optional<ReceivedState> state;  // nothing: no checkpoint was ever made here, or it was discarded
  std::optional<StateName> members;    // of MEMBERS; not newer than `state`
};

}  // namespace quorate::server
