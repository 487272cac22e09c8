// What LevelDB itself writes, cut and damaged at every place.
#include "server/storage/leveldb_log_tail.h"

#include <gtest/gtest.h>

#include <vector>

#include "server/storage/leveldb_env.h"
#include "tests/storage/store_fixture.h"

namespace quorate::storage_test {
namespace {

using server::judge_leveldb_log;

// The log of a store after writes of these sizes, and where each record ends.
struct Log {
  std::string content;
  std::vector<uint64_t> ends;
};

Log log_of(const std::vector<size_t>& sizes) {
  sim::SimFileSystem disk;
  server::LevelDbStores stores(disk, server::LevelDbOptions{8 << 20, 64 << 10, false});
  auto store = stores.open("d", server::IfMissing::kMake);
  EXPECT_TRUE(store.ok());
  Log log;
  for (const size_t size : sizes) {
    EXPECT_TRUE((*store)->write(Batch{{"k", std::string(size, 'v')}}).ok());
    for (const auto& [path, content] : disk.image()) {
      if (path.ends_with(".log")) log.content = content;
    }
    log.ends.push_back(log.content.size());
  }
  return log;
}

TEST(LevelDbLogTail, AWholeLogIsIntactToItsEnd) {
  for (const std::vector<size_t>& sizes :
       {std::vector<size_t>{}, {1}, {100, 200, 32'700, 5}, {70'000, 1, 100'000}, {32'734, 1}, {32'741, 1}}) {
    const Log log = log_of(sizes);
    const auto tail = judge_leveldb_log(log.content);
    EXPECT_FALSE(tail.damaged);
    EXPECT_EQ(tail.intact_bytes, log.content.size());
  }
}

TEST(LevelDbLogTail, ACutLogEndsWithItsLastWholeRecord) {
  const Log log = log_of({100, 40'000, 300, 33'000});
  for (size_t size = 0; size < log.content.size(); size += 1 + size % 97) {
    const auto tail = judge_leveldb_log(std::string_view(log.content).substr(0, size));
    uint64_t expected = 0;
    for (const uint64_t end : log.ends) {
      if (end <= size) expected = end;
    }
    ASSERT_FALSE(tail.damaged) << size;
    ASSERT_EQ(tail.intact_bytes, expected) << size;
  }
}

TEST(LevelDbLogTail, DamageBeforeTheLastRecordIsDamageAndInItATornEnd) {
  const Log log = log_of({100, 40'000, 300, 70'000});
  const uint64_t last = log.ends[2];
  for (size_t at = 0; at < log.content.size(); at += 1 + at % 41) {
    std::string damaged = log.content;
    damaged[at] = static_cast<char>(damaged[at] ^ 4);
    const auto tail = judge_leveldb_log(damaged);
    ASSERT_LT(tail.intact_bytes, log.content.size()) << at;
    if (at >= last) {
      ASSERT_FALSE(tail.damaged) << at;
      ASSERT_EQ(tail.intact_bytes, last) << at;
    } else if (at != log.ends[1] + 4 && at != log.ends[1] + 5) {
      // With its size, the third record's end is lost, and the fourth begins in the same block.
      ASSERT_TRUE(tail.damaged) << at;
    }
  }
}

TEST(LevelDbLogTail, SectorsThatAreMissingFromTheLastRecordAreATornEnd) {
  const Log log = log_of({100, 300, 70'000});
  for (uint64_t sector = log.ends[1] / 512 + 1; sector < log.content.size() / 512; sector += 7) {
    std::string torn = log.content;
    torn.replace(sector * 512, 512, 512, '\0');
    const auto tail = judge_leveldb_log(torn);
    ASSERT_FALSE(tail.damaged);
    ASSERT_EQ(tail.intact_bytes, log.ends[1]);
  }
}

}  // namespace
}  // namespace quorate::storage_test
