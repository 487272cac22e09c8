// The few things that the log and the checkpoints ask of a disk, so that a simulated disk can tear, lose,
// flip, fill up and stall.
//
// Two implementations: PosixFileSystem (posix_file_system.h) and the simulator's SimFileSystem
// (tests/sim/sim_file_system.h).
//
// Thread safety: a file belongs to one thread at a time; the file system itself may be used from several.
//
// Errors: kIo with the operation, the path and the reason; kNoSpace when the disk is full; kNoNode for a
// missing file. A failed write or sync leaves unknown bytes behind. A failed sync is never retried: the
// caller's process ends (docs/storage-format.md).
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace quorate::server {

class File {
 public:
  virtual ~File() = default;
  virtual Status write_at(uint64_t offset, std::string_view bytes) = 0;
  // Several pieces, one after the other, as one write.
  virtual Status write_pieces_at(uint64_t offset, const std::vector<std::string_view>& pieces) = 0;
  // Fewer bytes than asked for only at the end of the file.
  virtual Result<std::string> read_at(uint64_t offset, size_t size) = 0;
  // The same into `buffer`, which has room for `size` bytes; how many there were.
  virtual Result<size_t> read_into(uint64_t offset, size_t size, char* buffer) = 0;
  // Data that was written before is durable when this returns (fdatasync).
  virtual Status sync() = 0;
  // Asks for these bytes to be on their way to the disk before it returns; nothing is promised of them until
  // sync(). A long file that is written so leaves no burst to its sync, behind which others would wait.
  // An error is one that sync() may not tell again: it is to be taken as a failed sync.
  virtual Status settle(uint64_t offset, uint64_t size) = 0;
  virtual Result<uint64_t> size() = 0;
};

// Held as long as it lives.
class FileLock {
 public:
  virtual ~FileLock() = default;
};

class FileSystem {
 public:
  virtual ~FileSystem() = default;
  virtual Result<std::unique_ptr<File>> open(const std::string& path) = 0;
  // Empty, readable and writable; replaces a file of that name.
  virtual Result<std::unique_ptr<File>> create(const std::string& path) = 0;
  virtual Status rename(const std::string& from, const std::string& to) = 0;
  virtual Status remove(const std::string& path) = 0;
  // The same for a file, however large, that nothing durable needs any more: a disk that has to give its room
  // back at once makes the syncs of all other files wait for it, so it gives it back in parts. What fails or
  // crashes in between leaves the file there, and shorter.
  virtual Status remove_in_parts(const std::string& path) = 0;
  // With its parents, durable; no error if it is there.
  virtual Status make_directory(const std::string& path) = 0;
  // REQUIRES: it is empty, and no name in it is going to be made. Durable; kNoNode if there is none.
  virtual Status remove_directory(const std::string& path) = 0;
  // Names made, renamed and removed in the directory are durable when this returns.
  virtual Status sync_directory(const std::string& path) = 0;
  // Names, sorted; without "." and "..".
  virtual Result<std::vector<std::string>> list(const std::string& path) = 0;
  virtual bool exists(const std::string& path) = 0;
  // Makes the file if it is missing and locks it against every other process, and every other lock() of this
  // one. Ends with the process, however that ends. Errors: kInUse when somebody else has it.
  virtual Result<std::unique_ptr<FileLock>> lock(const std::string& path) = 0;
};

}  // namespace quorate::server
