// What stands between the command line and the loop: opening the data folder and its log, and refusing one
// that is not ours.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "server/shell/config.h"
#include "server/shell/driver.h"
#include "server/storage/data_folder.h"
#include "server/storage/posix_file_system.h"
#include "server/storage/state_folder.h"
#include "server/storage/wal.h"

namespace quorate::server {

// A data folder that was opened for a server's run.
struct OpenFolder {
  std::unique_ptr<FileSystem> fs;
  std::unique_ptr<DataFolder> folder;
  ClusterId cluster;  // 0: no log yet
  std::unique_ptr<Wal> wal;
  std::unique_ptr<StateStores> stores;
  std::unique_ptr<StateFolder> state;
  ReplicaRecovered recovered;
  std::optional<raft::Configuration> members;  // the newest in log or state
  uint64_t torn_bytes = 0;
  Driver::CreateLog create_log;
  Driver::Founded founded;
};

// Errors, each naming the folder and what to do: kInUse, kWrongServer, kWrongCluster (the members are not
// those of --cluster), kCorruption, kIo. Nothing that was there is changed then.
//
// State and log fit together when the log begins at or before the state's end. What it holds up to there
// stays, for followers that lag. A log that ends before it, or has another entry there, is one of a server
// that died after a received state was put in place and before the log was cut: it is cut there.
Result<OpenFolder> open_folder(const ServerConfig& config, Incarnation fresh);

// Throws the state away and keeps who the server is, its term, its vote and its log: the next start gets the
// state from the other members. The line that says so. Errors: kInUse, kNoNode (no data folder), kCorruption
// (of the folder's identity), kInvalidArgument where there is nobody else to get it from; kIo.
Result<std::string> rebuild_state(const ServerConfig& config);

DriverOptions driver_options(const ServerConfig& config, const OpenFolder& folder, BootNonce boot,
                             uint64_t seed);

// The line that says who starts, and warnings about what was found.
std::vector<LogLine> describe_start(const ServerConfig& config, const OpenFolder& folder);

}  // namespace quorate::server
