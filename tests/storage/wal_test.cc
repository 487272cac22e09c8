// What the log promises when nothing goes wrong, and what it refuses.
#include <gtest/gtest.h>

#include "base/random.h"
#include "tests/storage/wal_fixture.h"

namespace quorate::storage_test {
namespace {

class WalTest : public testing::Test, public LogAndTwin {
 protected:
  void SetUp() override { create(); }
};

TEST_F(WalTest, AnEmptyLogIsThereAndEmpty) {
  EXPECT_TRUE(Wal::exists(disk, kDirectory));
  reopen();
  EXPECT_TRUE(twin.promised.same_as(TwinState()));
}

TEST_F(WalTest, AFolderWithoutALogSaysSo) {
  SimFileSystem empty;
  EXPECT_FALSE(Wal::exists(empty, kDirectory));
  EXPECT_EQ(open_on(empty).code(), ErrorCode::kNoNode);
  EXPECT_EQ(Wal::identity(empty, kDirectory).code(), ErrorCode::kNoNode);
  ASSERT_TRUE(empty.make_directory(kDirectory).ok());
  EXPECT_FALSE(Wal::exists(empty, kDirectory));
  EXPECT_EQ(open_on(empty).code(), ErrorCode::kNoNode);
  EXPECT_EQ(Wal::identity(empty, kDirectory).code(), ErrorCode::kNoNode);
}

TEST_F(WalTest, ALogIsNotMadeOverAnother) {
  group(1, 3);
  const auto before = disk.image();
  EXPECT_EQ(Wal::create(disk, kDirectory, test_identity(), options).code(), ErrorCode::kInvalidArgument);
  disk.lose_file(state_path());
  EXPECT_EQ(Wal::create(disk, kDirectory, test_identity(), options).code(), ErrorCode::kInvalidArgument);
  EXPECT_EQ(disk.content(log_path(1)), before.at(log_path(1)));
}

TEST_F(WalTest, OneGroupIsOneWriteAndOneSync) {
  ASSERT_TRUE(vote(1, 1).ok());
  group(1, 1);
  const auto before = disk.stats();
  for (int i = 0; i < 10; ++i) {
    ASSERT_TRUE(append(1, twin.wanted.last().value() + 1, 3).ok());
    ASSERT_TRUE(append(1, twin.wanted.last().value() + 1, 2).ok());
    ASSERT_TRUE(sync().ok());
    ASSERT_TRUE(sync().ok());  // nothing to do
  }
  EXPECT_EQ(disk.stats().writes - before.writes, 10U);
  EXPECT_EQ(disk.stats().syncs - before.syncs, 10U);
  reopen();
}

// A server that writes little does not pay for a second segment at each start, nor the first one step by
// step.
TEST(WalSpare, IsFilledTwiceAsFarAsTheNewestSegmentIsUsed) {
  constexpr uint64_t kMiB = 1 << 20;
  LogAndTwin log;
  log.options.segment_bytes = 16 * kMiB;
  log.create();
  EXPECT_LE(log.wal->stats().syncs, 8U) << "one for the whole first segment, not one for each step";
  const auto written = [&log] {
    log.settle();
    return log.wal->stats().bytes_written / kMiB;
  };
  const auto spares = [&log] { return server::wal::Listing::read(log.disk, kDirectory)->fresh.size(); };
  EXPECT_EQ(written(), 16U);
  log.group(1, 1, kMiB);
  EXPECT_EQ(written(), 16U + 1 + 3) << "the step in which it comes to twice as far is done whole";
  EXPECT_EQ(spares(), 0U);
  for (int i = 0; i < 7; ++i) log.group(1, 1, kMiB);
  EXPECT_EQ(written(), 16U + 8 + 16);
  EXPECT_EQ(spares(), 1U);
  log.group(1, 1, kMiB);
  EXPECT_EQ(written(), 16U + 9 + 16) << "and no further one";
}

TEST_F(WalTest, EntriesComeBackByteForByte) {
  const auto entries = entries_of(3, 1, 4, 333);
  ASSERT_TRUE(wal->append(raft::HardState{Term(3), ServerId(1)}, entries).ok());
  ASSERT_TRUE(wal->sync().ok());
  auto opened = open_on(disk);
  ASSERT_TRUE(opened.ok());
  EXPECT_TRUE(same_entries(opened->recovered.entries, entries));
  EXPECT_EQ(opened->recovered.hard_state, (raft::HardState{Term(3), ServerId(1)}));
  EXPECT_EQ(opened->recovered.torn_bytes, 0U);
}

TEST_F(WalTest, WhatWasNotSyncedIsNotThere) {
  group(1, 2);
  ASSERT_TRUE(append(1, 3, 5).ok());
  Random random(3);
  wal.reset();
  disk.power_loss(random);
  auto opened = open_on(disk);
  ASSERT_TRUE(opened.ok());
  EXPECT_TRUE(TwinState::of(opened->recovered).same_as(twin.promised));
}

TEST_F(WalTest, ReplacedEntriesNeverComeBack) {
  group(1, 10, 900);
  group(1, 10, 900);
  ASSERT_GT(wal->stats().segments, 1U);
  ASSERT_TRUE(append(2, 4, 1).ok());
  ASSERT_TRUE(sync().ok());
  for (uint64_t seed = 1; seed < 5; ++seed) {
    Random random(seed);
    disk.power_loss(random);
    reopen();
    ASSERT_EQ(twin.promised.entries.size(), 4U);
    EXPECT_EQ(twin.promised.entries.back().term, Term(2 * seed));
    group(1 + 2 * seed, 1);
    ASSERT_TRUE(append(1 + 2 * seed, 5, 1).ok());
    ASSERT_TRUE(append(2 + 2 * seed, 4, 1).ok());
    ASSERT_TRUE(sync().ok());
  }
}

TEST_F(WalTest, AGroupLargerThanASegmentGoesIntoSeveral) {
  group(1, 60, 1000);
  EXPECT_GE(wal->stats().segments, 6U);
  reopen();
  EXPECT_EQ(twin.promised.entries.size(), 60U);
}

TEST_F(WalTest, TheLargestEntryFitsAndALargerOneIsRefused) {
  const size_t largest = Wal::entry_bytes_max(options) - raft::kEntryHeaderBytes;
  group(1, 1, largest);
  group(1, 1, largest);
  const auto too_large = entries_of(1, 3, 1, largest + 1);
  EXPECT_EQ(wal->append(std::nullopt, too_large).code(), ErrorCode::kTooLarge);
  group(1, 1);  // the log is none the worse for it
  reopen();
  EXPECT_EQ(twin.promised.entries.size(), 3U);
}

TEST_F(WalTest, ACutRecyclesSegmentsAndKeepsTheRest) {
  for (int i = 0; i < 12; ++i) group(1, 5, 800);
  const uint64_t segments = wal->stats().segments;
  ASSERT_GT(segments, 3U);
  ASSERT_TRUE(cut(40).ok());
  EXPECT_LT(wal->stats().segments, segments);
  reopen();
  EXPECT_EQ(twin.promised.snapshot_index, Index(40));
  EXPECT_EQ(twin.promised.entries.front().index, Index(41));
  ASSERT_TRUE(cut(40).ok());
  ASSERT_TRUE(cut(30 + 10).ok());
}

TEST_F(WalTest, FramesOfARecycledSegmentNeverComeBack) {
  for (int i = 0; i < 6; ++i) group(1, 5, 800);
  ASSERT_TRUE(cut(30).ok());
  // Until a recycled segment is the newest one.
  auto newest = [this] {
    return disk.content(log_path(server::wal::Listing::read(disk, kDirectory)->logs.rbegin()->first));
  };
  for (int i = 0; i < 12 && !server::wal::decode_segment_header(newest())->header.recycled; ++i)
    group(1, 5, 800);
  ASSERT_TRUE(server::wal::decode_segment_header(newest())->header.recycled);
  EXPECT_NE(newest().find_last_not_of('\0'), std::string::npos);
  reopen();
  // With every one of its own frames gone, those of before must not be read.
  const uint64_t generation = server::wal::decode_segment_header(newest())->header.generation;
  const auto frames = frames_in(newest());
  ASSERT_FALSE(frames.empty());
  auto damaged = open_damaged([&](SimFileSystem& d) {
    d.overwrite(log_path(generation), frames.front().offset,
                disk.content(log_path(generation - 1)).substr(frames.front().offset, 2000));
  });
  if (damaged.ok()) {
    EXPECT_LT(damaged->recovered.entries.size(), twin.promised.entries.size());
  } else {
    EXPECT_EQ(damaged.code(), ErrorCode::kCorruption);
  }
}

TEST_F(WalTest, ACutBeyondTheEndStartsTheLogAnew) {
  group(1, 5);
  ASSERT_TRUE(append(1, 6, 2).ok());
  ASSERT_TRUE(wal->cut(Index(100), Term(4)).ok());
  auto opened = open_on(disk);
  ASSERT_TRUE(opened.ok()) << opened.error().message;
  EXPECT_EQ(opened->recovered.snapshot_index, Index(100));
  EXPECT_EQ(opened->recovered.snapshot_term, Term(4));
  EXPECT_TRUE(opened->recovered.entries.empty());
  ASSERT_TRUE(opened->wal->append(std::nullopt, entries_of(4, 101, 2)).ok());
  ASSERT_TRUE(opened->wal->sync().ok());
  EXPECT_EQ(open_on(disk)->recovered.entries.size(), 2U);
}

TEST_F(WalTest, ACutWithAnotherTermDropsWhatFollows) {
  group(1, 10);
  ASSERT_TRUE(wal->cut(Index(5), Term(2)).ok());
  auto opened = open_on(disk);
  ASSERT_TRUE(opened.ok()) << opened.error().message;
  EXPECT_EQ(opened->recovered.snapshot_index, Index(5));
  EXPECT_TRUE(opened->recovered.entries.empty());
}

TEST_F(WalTest, AnotherServersLogIsRefused) {
  group(1, 2);
  const auto before = disk.image();
  WalIdentity other = test_identity();
  other.server = ServerId(2);
  EXPECT_EQ(Wal::open(disk, kDirectory, other, options).code(), ErrorCode::kWrongServer);
  other = test_identity();
  other.incarnation = Incarnation(5);
  EXPECT_EQ(Wal::open(disk, kDirectory, other, options).code(), ErrorCode::kWrongServer);
  other = test_identity();
  other.cluster = ClusterId(5);
  EXPECT_EQ(Wal::open(disk, kDirectory, other, options).code(), ErrorCode::kWrongCluster);
  EXPECT_EQ(disk.image(), before);
}

TEST_F(WalTest, ItSaysWhoseItIs) {
  const auto found = Wal::identity(disk, kDirectory);
  ASSERT_TRUE(found.ok());
  EXPECT_EQ(found->server, test_identity().server);
  EXPECT_EQ(found->incarnation, test_identity().incarnation);
  EXPECT_EQ(found->cluster, test_identity().cluster);
  disk.flip_bit(log_path(1), 20, 1);
  EXPECT_EQ(Wal::identity(disk, kDirectory).code(), ErrorCode::kCorruption);
}

TEST_F(WalTest, SparesAreReadyBeforeTheyAreNeeded) {
  settle();
  const auto before = disk.stats();
  group(1, 5, 1000);
  group(1, 5, 1000);
  ASSERT_EQ(wal->stats().segments, 2U);
  EXPECT_LT(disk.stats().bytes_written - before.bytes_written, 2 * kSmallSegment);
  EXPECT_LE(disk.stats().syncs - before.syncs, 8U);
}

TEST_F(WalTest, SegmentsOfAnotherSizeAreReadAndReplaced) {
  settle();
  group(1, 5, 1000);
  options.segment_bytes = 2 * kSmallSegment;
  reopen();
  for (int i = 0; i < 10; ++i) group(1, 5, 1000);
  EXPECT_EQ(disk.content(log_path(3)).size(), 2 * kSmallSegment);
  ASSERT_TRUE(cut(50).ok());
  reopen();
}

TEST_F(WalTest, UnfinishedFilesAreRemoved) {
  const std::string fill = std::string(kDirectory) + "/" + server::wal::kFillFile;
  const std::string fresh = std::string(kDirectory) + "/" + server::wal::fresh_name(9);
  ASSERT_TRUE(disk.create(fill).ok());
  ASSERT_TRUE(disk.create(fresh).ok());
  reopen();
  EXPECT_FALSE(disk.exists(fill));
  EXPECT_FALSE(disk.exists(fresh));
}

}  // namespace
}  // namespace quorate::storage_test
