// Backups of a stopped server's folder, and new folders out of backups.
//
// Thread safety: none.
#pragma once

#include <string>

#include "base/ids.h"
#include "base/result.h"
#include "server/storage/backup_file.h"
#include "server/storage/file_system.h"
#include "server/storage/state_store.h"

namespace quorate::server {

// How far above the backup's last zxid a restored cluster begins: what the old cluster gave out after the
// backup was made stays below, at a hundred thousand writes a second for more than five years.
inline constexpr uint64_t kRestoredZxidGap = uint64_t{1} << 44;

// Writes all of a state. Errors: as BackupWriter's.
Status save_backup(FileSystem& fs, const std::string& path, const StateName& name, kv::StateMachine& state);

// The state of a stopped server: its newest checkpoint and, on top, what its log holds. The end of the log
// may not be committed: what was written there but never acknowledged counts as done here. Errors: kInUse
// while the server runs, kNoNode when the folder is no server's, kCorruption.
Result<LoadedBackup> load_stopped_server(FileSystem& fs, StateStores& stores, const std::string& directory,
                                         const kv::Limits& limits);

struct RestoreTarget {
  std::string directory;  // made; an empty one may be there
  ServerId server;
  Incarnation incarnation;  // drawn at random
  ClusterId cluster;        // the same for all servers that are restored from one backup
};
// Makes a data folder that begins a new cluster with the backup's state: sessions closed, zxids and tokens
// far above what the backup can have seen. Gives the new state. Errors: kInUse where the folder holds
// anything; kIo, kNoSpace.
Result<StateName> restore_backup(FileSystem& fs, StateStores& stores, const RestoreTarget& target,
                                 kv::StateMachine& state);

}  // namespace quorate::server
