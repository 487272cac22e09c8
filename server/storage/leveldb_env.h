// What LevelDB 1.23 sees of the world: our file system, and no thread of its own.
//
// Background work (flushes and compactions) is queued by LevelDB and run by the owner, run_scheduled(), right
// after each write and before closing: in lockstep, so that a simulated disk sees the same steps each time.
// This cannot block: LevelDB waits for background work only when its second write buffer is still full or
// level 0 has twelve files, and neither is ever left after run_scheduled() (a failure ends the waiting).
//
// Nothing is changed any more after the first change that failed, as if the machine had gone down there; but
// after kNoSpace files may still be removed. LevelDB would tidy up on the strength of what the failed call
// seemed to say: it removes the manifest that CURRENT already names if that rename's sync failed.
//
// Names are durable before anything relies on them: a file's Sync() syncs the directory first if a name was
// made there since, and a rename is followed by a sync of its own. Removals become durable with the next of
// these.
//
// Log files and manifests are read up to where they can be believed (leveldb_log_tail.h).
//
// Thread safety: one thread at a time.
#pragma once

#include <leveldb/env.h>

#include <deque>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "server/storage/file_system.h"

namespace quorate::server {

class LevelDbEnv final : public leveldb::Env {
 public:
  // Everything is in `directory`, which is there. `fs` outlives the environment.
  LevelDbEnv(FileSystem& fs, std::string directory);
  ~LevelDbEnv() override;

  void run_scheduled();
  uint64_t bytes_written() const { return bytes_written_; }
  // The first change that failed, or the first read that did.
  const std::optional<Error>& failure() const { return failure_; }
  const std::optional<Error>& read_failure() const { return read_failure_; }

  leveldb::Status NewSequentialFile(const std::string& path, leveldb::SequentialFile** file) override;
  leveldb::Status NewRandomAccessFile(const std::string& path, leveldb::RandomAccessFile** file) override;
  leveldb::Status NewWritableFile(const std::string& path, leveldb::WritableFile** file) override;
  bool FileExists(const std::string& path) override;
  leveldb::Status GetChildren(const std::string& path, std::vector<std::string>* names) override;
  leveldb::Status RemoveFile(const std::string& path) override;
  leveldb::Status CreateDir(const std::string& path) override;
  leveldb::Status RemoveDir(const std::string& path) override;
  leveldb::Status GetFileSize(const std::string& path, uint64_t* size) override;
  leveldb::Status RenameFile(const std::string& from, const std::string& to) override;
  leveldb::Status LockFile(const std::string& path, leveldb::FileLock** lock) override;
  leveldb::Status UnlockFile(leveldb::FileLock* lock) override;
  void Schedule(void (*work)(void*), void* argument) override;
  void StartThread(void (*work)(void*), void* argument) override;
  leveldb::Status GetTestDirectory(std::string* path) override;
  leveldb::Status NewLogger(const std::string& path, leveldb::Logger** logger) override;
  // Only for LevelDB's statistics: time stands still here.
  uint64_t NowMicros() override { return 0; }
  void SleepForMicroseconds(int) override {}

 private:
  friend class LevelDbWritableFile;
  friend class LevelDbRandomAccessFile;

  // A change is refused after an earlier one failed.
  leveldb::Status may_change() const;
  leveldb::Status changed(const Status& status);
  leveldb::Status not_read(const Error& error);
  leveldb::Status sync_names();

  FileSystem& fs_;
  const std::string directory_;
  std::deque<std::pair<void (*)(void*), void*>> scheduled_;
  std::optional<Error> failure_, read_failure_;
  // A name may have been made by a process that was killed before it synced it.
  bool names_unsynced_ = true;
  uint64_t bytes_written_ = 0;
};

}  // namespace quorate::server
