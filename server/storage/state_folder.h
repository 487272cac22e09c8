// The state on disk: which of a data folder's stores is in use, and the jobs that a Replica asks of it.
//
//   DIR/state/CURRENT    the name of the store in use; replaced by rename, synced with its directory
//   DIR/state/N/         a store; one that CURRENT does not name is left over and is removed at the next open
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

  // Opens it, or makes it. Loads the newest checkpoint and compares its hash. Errors: kCorruption, naming the
  // folder and what to do, when what is there is not a state or not the one it says; nothing was changed
  // then.
  static Result<Opened> open(FileSystem& fs, StateStores& stores, const std::string& directory,
                             const kv::Limits& limits);
  // Forgets the state, so that the next open finds none: for a server whose state is to be replaced from the
  // others'.
  static Status discard(FileSystem& fs, StateStores& stores, const std::string& directory);

  virtual ~StateFolder() = default;
  // Errors of the disk are this call's own (the process ends on kIo; after kNoSpace the same job may run
  // again); what the Replica is to know is in the answer.
  virtual Result<StoreDone> run(const StoreJob& job) = 0;
  virtual StateStore& store() = 0;
};

struct StateFolder::Opened {
  std::unique_ptr<StateFolder> folder;
  std::optional<ReceivedState> state;  // nothing: no checkpoint was ever made here
};

}  // namespace quorate::server
