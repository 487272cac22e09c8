// A state store on LevelDB 1.23. docs/storage-format.md says what is assumed of it.
//
// Thread safety and errors: as StateStore says. kCorruption says how a server gets a new state.
#pragma once

#include <memory>
#include <string>

#include "server/storage/file_system.h"
#include "server/storage/state_store.h"

namespace quorate::server {

struct LevelDbOptions {
  // What is written is kept in memory, too, until there is so much of it.
  size_t write_buffer_bytes = 8 << 20;
  size_t block_cache_bytes = 1 << 20;
  bool compress = true;      // by Snappy
  int files_open_max = 200;  // of one store
};

class LevelDbStores final : public StateStores {
 public:
  // `fs` outlives this and every store of it.
  explicit LevelDbStores(FileSystem& fs, const LevelDbOptions& options = {}) : fs_(fs), options_(options) {}

  Result<std::unique_ptr<StateStore>> open(const std::string& directory, IfMissing if_missing) override;
  Status remove(const std::string& directory) override;

 private:
  FileSystem& fs_;
  const LevelDbOptions options_;
};

}  // namespace quorate::server
