// The real file system. Descriptors are closed on exec; reads and writes go on after signals and short
// counts; data is synced with fdatasync, names with fsync of their directory.
//
// Thread safety: as FileSystem says; it has no state of its own.
//
// Errors: one sentence with the operation, the path and the system's reason; kNoSpace also for a quota.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "server/storage/file_system.h"

namespace quorate::server {

class PosixFileSystem final : public FileSystem {
 public:
  Result<std::unique_ptr<File>> open(const std::string& path) override;
  Result<std::unique_ptr<File>> create(const std::string& path) override;
  Status rename(const std::string& from, const std::string& to) override;
  Status remove(const std::string& path) override;
  Status remove_in_parts(const std::string& path) override;
  Status make_directory(const std::string& path) override;
  Status remove_directory(const std::string& path) override;
  Status sync_directory(const std::string& path) override;
  Result<std::vector<std::string>> list(const std::string& path) override;
  bool exists(const std::string& path) override;
  Result<std::unique_ptr<FileLock>> lock(const std::string& path) override;
};

}  // namespace quorate::server
