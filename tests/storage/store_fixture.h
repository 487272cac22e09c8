// Stores on a simulated disk beside a plain map.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/codec.h"
#include "base/random.h"
#include "server/storage/leveldb_store.h"
#include "server/storage/memory_store.h"
#include "tests/sim/sim_file_system.h"

namespace quorate::storage_test {

using Content = std::map<std::string, std::string>;
using Batch = kv::RecordList;

// Small, so that a short story has flushes and compactions in it.
inline server::LevelDbOptions small_store() { return {64 << 10, 64 << 10, true}; }

inline void apply_batch(Content& content, const Batch& batch) {
  for (const kv::RecordView& record : batch) {
    if (record.value) {
      content[std::string(record.key)] = *record.value;
    } else {
      content.erase(std::string(record.key));
    }
  }
}

inline Batch random_batch(Random& random, size_t records, size_t value_bytes_max) {
  Batch batch;
  for (size_t i = 0; i < records; ++i) {
    const std::string key = "n/" + std::to_string(random.below(400));
    if (random.chance(0.2)) {
      batch.push_back({key, std::nullopt});
      continue;
    }
    std::string value(random.below(value_bytes_max), '\0');
    for (char& c : value) c = static_cast<char>(random.below(256));
    batch.push_back({key, std::move(value)});
  }
  return batch;
}

// What went down at that step is back: the machine, or, with every `process_every`-th step, only the process.
inline void end_and_begin_again(sim::SimFileSystem& disk, uint64_t step, uint64_t process_every) {
  if (step % process_every == 0) return disk.process_restart();
  Random random(step);
  disk.power_loss(random);
}

// Everything from one snapshot, in parts. Errors: the store's own.
inline Result<Content> read_all(server::StateSnapshot& snapshot, size_t bytes_max) {
  Content content;
  std::string last_key, before;
  for (bool more = true; more;) {
    std::string part;
    const Result<bool> read = snapshot.read(last_key, bytes_max, part, last_key);
    if (!read.ok()) return read.error();
    more = *read;
    ByteReader in(part);
    while (in.remaining() > 0) {
      const std::string key(in.string());
      EXPECT_TRUE(before.empty() || before < key);
      before = key;
      content[key] = std::string(in.string());
    }
    EXPECT_TRUE(in.done());
  }
  return content;
}

inline Result<Content> read_all(server::StateStore& store) {
  auto snapshot = store.snapshot();
  if (!snapshot.ok()) return snapshot.error();
  return read_all(**snapshot, 5'000);
}

}  // namespace quorate::storage_test
