// A server's data folder: locked against other processes, and known to belong to one server and one life of
// the folder.
//
//   DIR/LOCK       held while the folder is open
//   DIR/identity   server id, incarnation and cluster; docs/storage-format.md has the bytes
//   DIR/wal/       the log
//   DIR/state/     the checkpoints of the state
//
// Thread safety: none.
#pragma once

#include <memory>
#include <string>

#include "base/ids.h"
#include "base/result.h"
#include "server/storage/file_system.h"

namespace quorate::server {

class DataFolder {
 public:
  // Opens the folder of server `id`, or makes it and gives it `fresh_incarnation`, which the caller drew at
  // random. Errors: kInUse when another process has it open; kWrongServer when it is another server's;
  // kCorruption when its identity is damaged, or missing while there is a log, or when the log is missing of
  // a folder that was a member of a cluster: without its log it would vote against what it had promised. Each
  // names the folder; nothing but LOCK was written then.
  static Result<DataFolder> open(FileSystem& fs, const std::string& directory, ServerId id,
                                 Incarnation fresh_incarnation);

  // Opens a folder that is there, whoever's it is. Errors: as above, and kNoNode where there is none.
  static Result<DataFolder> open_existing(FileSystem& fs, const std::string& directory);

  ServerId server() const { return server_; }
  Incarnation incarnation() const { return incarnation_; }
  // The cluster whose founding entry is durable in this folder's log; 0: none yet.
  ClusterId cluster() const { return cluster_; }
  // Call it when the founding entry is durable, before anybody is told; durable when it returns. From then on
  // the folder is nothing without its log.
  Status remember_cluster(ClusterId cluster);
  // The folder got its identity by this open().
  bool is_new() const { return is_new_; }
  const std::string& directory() const { return directory_; }
  std::string wal_directory() const { return directory_ + "/wal"; }
  std::string state_directory() const { return directory_ + "/state"; }

 private:
  DataFolder() = default;
  Status lock(FileSystem& fs, const std::string& directory);

  FileSystem* fs_ = nullptr;
  std::string directory_;
  ServerId server_;
  Incarnation incarnation_;
  ClusterId cluster_;
  bool is_new_ = false;
  std::unique_ptr<FileLock> lock_;
};

}  // namespace quorate::server
