// A backup: a state as records (kv/record.h) in one file, checked from the first byte to the last.
//
//   "QUORBKUP" | u32 version (1) | frames | u32 0, u64 count of the records, u64 checksum
//   frame: u32 size of the records | u64 checksum of the records, seeded with the frame's number | records
//
// The last checksum is that of all frames' checksums in their order, so none can be missing or out of place.
// The first record is the state's name (server/store_job.h).
//
// Thread safety: none.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/result.h"
#include "server/storage/file_system.h"
#include "server/store_job.h"

namespace quorate::server {

// A run of records in one frame; a writer keeps below it, a reader refuses more.
inline constexpr size_t kBackupFrameBytesMax = 16 << 20;

class BackupWriter {
 public:
  // Writes beside `path`, under its name with ".part", which is gone again unless finish() succeeds. Errors:
  // kIo, kNoSpace, kInUse where `path` exists: a backup is never overwritten; nor is one that another
  // writer has begun.
  static Result<BackupWriter> create(FileSystem& fs, const std::string& path);
  BackupWriter(BackupWriter&&) noexcept = default;
  ~BackupWriter();

  // As kv::append_record() makes them, in ascending order of key over all calls.
  Status add(std::string_view records);
  // Durable, under its own name, when it returns.
  Status finish();
  uint64_t bytes() const { return offset_; }

 private:
  BackupWriter(FileSystem& fs, const std::string& path, std::unique_ptr<File> file,
               std::unique_ptr<FileLock> lock)
      : fs_(&fs), path_(path), lock_(std::move(lock)), file_(std::move(file)) {}
  Status append(std::string_view bytes);

  FileSystem* fs_;
  std::string path_;
  std::unique_ptr<FileLock> lock_;
  std::unique_ptr<File> file_;
  uint64_t offset_ = 0;
  uint64_t frames_ = 0;
  uint64_t records_ = 0;
  std::string checksums_;
};

class BackupReader {
 public:
  // Errors: kNoNode, kIo, kCorruption for a file that is no backup, kUnsupported for one of a later version.
  static Result<BackupReader> open(FileSystem& fs, const std::string& path);

  // The records of the next frame, or nothing behind the last. Errors: kCorruption, naming the file and the
  // offset, also where the file ends too early.
  Result<std::optional<std::string>> next();
  uint64_t bytes() const { return size_; }
  uint64_t offset() const { return offset_; }

 private:
  BackupReader(const std::string& path, std::unique_ptr<File> file, uint64_t size)
      : path_(path), file_(std::move(file)), size_(size) {}
  Error damaged(const std::string& what) const;

  std::string path_;
  std::unique_ptr<File> file_;
  uint64_t size_ = 0;
  uint64_t offset_ = 0;
  uint64_t frames_ = 0;
  uint64_t records_ = 0;
  std::string checksums_;
  bool ended_ = false;
};

// A backup as a state in memory.
struct LoadedBackup {
  StateName name;
  std::shared_ptr<kv::StateMachine> state;
  uint64_t bytes = 0;
};
// Reads all of it and compares the state's hash. Errors: as BackupReader's, and kCorruption when the records
// are not those of the state that they say.
Result<LoadedBackup> load_backup(FileSystem& fs, const std::string& path, const kv::Limits& limits);

// Hands each record to `take`, until that fails. Errors: kMalformed where the bytes are not records, and
// those of `take`.
Status for_each_record(std::string_view records,
                       const std::function<Status(std::string_view key, std::string_view value)>& take);

}  // namespace quorate::server
