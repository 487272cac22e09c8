// A sorted key-value store that is written in atomic, durable batches and read through consistent snapshots:
// LevelDB (leveldb_store.h), and a twin in memory for most seeds of the simulator (memory_store.h).
//
// Thread safety: one thread at a time, snapshots included. A snapshot may outlive its store.
//
// Errors: kIo, kNoSpace, kCorruption with the folder's name. After any error the store is not to be used
// again.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "kv/record_list.h"

namespace quorate::server {

class StateSnapshot {
 public:
  virtual ~StateSnapshot() = default;
  // Goes on behind `after` ("": from the first key) in ascending order of key, and appends to `out` as
  // kv::append_record() does until that has about `bytes_max` bytes; at least one record if there is one.
  // `last_key` is the last one's. False when there is nothing behind it.
  virtual Result<bool> read(std::string_view after, size_t bytes_max, std::string& out,
                            std::string& last_key) = 0;
};

class StateStore {
 public:
  virtual ~StateStore() = default;
  // In this order, as one: a later record of a key wins. Durable when it returns. After an error it may have
  // happened or not, as a whole.
  virtual Status write(const kv::RecordList& records) = 0;
  virtual Result<std::unique_ptr<StateSnapshot>> snapshot() = 0;
  // All bytes written to files so far, compaction included.
  virtual uint64_t bytes_written() const = 0;
};

enum class IfMissing : uint8_t { kMake, kRefuse };

// Where stores are made and opened, so that the simulator can put its own in.
class StateStores {
 public:
  virtual ~StateStores() = default;
  // Makes it if it is missing, or says kCorruption.
  virtual Result<std::unique_ptr<StateStore>> open(const std::string& directory, IfMissing if_missing) = 0;
  // With everything in it. No error if it is missing. REQUIRES: not open.
  virtual Status remove(const std::string& directory) = 0;
};

}  // namespace quorate::server
