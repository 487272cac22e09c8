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
#include "server/storage/wal.h"

namespace quorate::server {

// A data folder that was opened for a server's run.
struct OpenFolder {
  std::unique_ptr<FileSystem> fs;
  std::unique_ptr<DataFolder> folder;
  ClusterId cluster;  // 0: no log yet
  std::unique_ptr<Wal> wal;
  ReplicaRecovered recovered;
  std::optional<raft::Configuration> members;  // of the log
  uint64_t torn_bytes = 0;
  Driver::CreateLog create_log;
  Driver::Founded founded;
};

// Errors, each naming the folder and what to do: kInUse, kWrongServer, kWrongCluster (the log's members are
// not those of
// --cluster), kCorruption, kIo. Nothing that was there is changed then.
Result<OpenFolder> open_folder(const ServerConfig& config, Incarnation fresh);

DriverOptions driver_options(const ServerConfig& config, const OpenFolder& folder, BootNonce boot,
                             uint64_t seed);

// The line that says who starts, and warnings about what was found.
std::vector<LogLine> describe_start(const ServerConfig& config, const OpenFolder& folder);

}  // namespace quorate::server
