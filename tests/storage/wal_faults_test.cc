// Errors and crashes at every step of one story that has everything in it: votes, groups, a truncation across
// two segments, cuts, recycled segments, spares.
#include <gtest/gtest.h>

#include "base/random.h"
#include "tests/storage/wal_fixture.h"

namespace quorate::storage_test {
namespace {

struct Story : LogAndTwin {
  bool failed = false;
  ErrorCode code = ErrorCode::kOk;

  // False ends the story: the disk gave an error.
  bool note(const Status& status) {
    if (status.ok()) return true;
    failed = true;
    code = status.code();
    return false;
  }
  bool add(uint64_t term, uint64_t first, size_t count, size_t bytes) {
    return note(append(term, first, count, bytes)) && note(sync());
  }
  bool quiet() {
    const Result<bool> more = wal->idle();
    return more.ok() || note(more.error());
  }
  bool run() {
    auto created = Wal::create(disk, kDirectory, test_identity(), options);
    if (!created.ok()) return note(created.error());
    wal = std::move(*created);
    if (!note(vote(1, 1)) || !add(1, 1, 1, 10)) return false;
    for (uint64_t i = 0; i < 6; ++i) {
      if (!add(1, 2 + 5 * i, 5, 800) || !quiet()) return false;
    }
    // From here on in the third segment; what is replaced begins in the first.
    if (!note(vote(2, 3)) || !add(2, 5, 2, 50) || !quiet() || !quiet()) return false;
    if (!add(2, 7, 20, 100)) return false;
    if (!note(cut(20))) return false;
    for (uint64_t i = 0; i < 8; ++i) {
      if (!add(2, 27 + 5 * i, 5, 700)) return false;
    }
    if (!note(vote(3, 0)) || !note(sync()) || !note(cut(60))) return false;
    return add(3, 67, 5, 800) && add(3, 72, 5, 800) && add(3, 77, 1, 10);
  }
  // Comes back from what is on the disk. A folder in which nothing was ever promised may be as good as empty.
  void come_back() {
    wal.reset();
    if (!Wal::exists(disk, kDirectory)) {
      ASSERT_TRUE(twin.promised.same_as(TwinState()));
      create();
      twin = Twin();
      return;
    }
    reopen();
  }
  void go_on() {
    const uint64_t last = twin.wanted.last().value();
    ASSERT_TRUE(append(9, last + 1, 3, 900).ok());
    ASSERT_TRUE(vote(9, 2).ok());
    ASSERT_TRUE(sync().ok());
  }
};

uint64_t steps_of_the_story() {
  Story story;
  EXPECT_TRUE(story.run());
  EXPECT_EQ(story.twin.promised.last(), Index(77));
  return story.disk.stats().steps;
}

TEST(WalFaults, TheStoryHasEverythingInIt) {
  Story story;
  ASSERT_TRUE(story.run());
  EXPECT_GT(story.disk.stats().steps, 100U);
  bool recycled = false;
  for (const auto& [path, content] : story.disk.image()) {
    const auto header = server::wal::decode_segment_header(content);
    recycled = recycled || (header && header->header.recycled);
  }
  EXPECT_TRUE(recycled);
  story.reopen();
}

TEST(WalFaults, APowerLossAtEveryStepLosesNothingPromised) {
  const uint64_t steps = steps_of_the_story();
  for (uint64_t step = 1; step <= steps; ++step) {
    for (uint64_t seed = 1; seed <= 6; ++seed) {
      Story story;
      Random random(step * 1000 + seed);
      story.disk.crash_at_step(step);
      ASSERT_FALSE(story.run());
      story.disk.power_loss(random);
      ASSERT_NO_FATAL_FAILURE(story.come_back()) << "step " << step << " seed " << seed;
      ASSERT_NO_FATAL_FAILURE(story.go_on());
      story.disk.power_loss(random);
      ASSERT_NO_FATAL_FAILURE(story.reopen());
    }
  }
}

TEST(WalFaults, AKillAtEveryStepAndThenAPowerLossLosesNothingPromised) {
  const uint64_t steps = steps_of_the_story();
  for (uint64_t step = 1; step <= steps; ++step) {
    Story story;
    Random random(step);
    story.disk.crash_at_step(step);
    ASSERT_FALSE(story.run());
    // The log is opened on what the page cache holds, and goes on; only then the power goes.
    story.disk.process_restart();
    ASSERT_NO_FATAL_FAILURE(story.come_back()) << "step " << step;
    story.disk.power_loss(random);
    ASSERT_NO_FATAL_FAILURE(story.reopen()) << "step " << step;
  }
}

TEST(WalFaults, AnIoErrorAtAnyStepMakesTheLogUnusableAndIsNeverRetried) {
  const uint64_t steps = steps_of_the_story();
  for (const sim::SimStep kind : {sim::SimStep::kAny, sim::SimStep::kWrite, sim::SimStep::kSync}) {
    for (uint64_t n = 1; n <= steps; ++n) {
      Story story;
      Random random(n);
      story.disk.fail_step(n, kind, ErrorCode::kIo);
      if (story.run()) {
        // Fewer steps of this kind; one that failed and was tried again would look the same.
        ASSERT_EQ(story.disk.stats().failures, sim::SimStepCounts{}) << "n " << n;
        break;
      }
      ASSERT_EQ(story.code, ErrorCode::kIo);
      if (story.wal != nullptr) {
        const uint64_t before = story.disk.stats().steps;
        EXPECT_EQ(story.wal->sync().code(), ErrorCode::kIo);
        EXPECT_EQ(story.wal->append(raft::HardState{Term(99), ServerId(1)}, {}).code(), ErrorCode::kIo);
        EXPECT_EQ(story.wal->cut(Index(1), Term(1)).code(), ErrorCode::kIo);
        EXPECT_EQ(story.wal->idle().code(), ErrorCode::kIo);
        EXPECT_EQ(story.disk.stats().steps, before) << "the disk was touched again";
      }
      // The process is started again while the failed bytes are still in the page cache, and promises more.
      story.disk.process_restart();
      ASSERT_NO_FATAL_FAILURE(story.come_back()) << "n " << n;
      ASSERT_NO_FATAL_FAILURE(story.go_on());
      story.disk.power_loss(random);
      ASSERT_NO_FATAL_FAILURE(story.reopen()) << "n " << n;
    }
  }
}

TEST(WalFaults, AFailedSyncIsNeverNoSpace) {
  const uint64_t steps = steps_of_the_story();
  for (uint64_t n = 1; n <= steps; ++n) {
    Story story;
    story.disk.fail_step(n, sim::SimStep::kSync, ErrorCode::kNoSpace);
    if (story.run()) return;
    ASSERT_EQ(story.code, ErrorCode::kIo) << "n " << n;
  }
}

// The story again, in which every call is made again until there is room.
TEST(WalFaults, NoSpaceForAnyWriteCanBeTriedAgain) {
  size_t refused = 0;
  for (uint64_t n = 1;; ++n) {
    Story story;
    ASSERT_NO_FATAL_FAILURE(story.create());
    story.disk.fail_step(n, sim::SimStep::kWrite, ErrorCode::kNoSpace);
    const uint64_t writes = story.disk.stats().writes;
    for (uint64_t i = 0; i < 12; ++i) {
      ASSERT_TRUE(story.vote(1 + i, 1).ok());
      ASSERT_TRUE(story.append(1 + i, 1 + 3 * i, 5, 900).ok());
      Status synced = story.sync();
      if (!synced.ok()) {
        ASSERT_EQ(synced.code(), ErrorCode::kNoSpace);
        ++refused;
        // More may be appended before the next attempt, also what replaces a part of the refused group.
        if (n % 2 == 0) {
          ASSERT_TRUE(story.append(1 + i, 3 + 3 * i, 4, 300).ok());
        }
        synced = story.sync();
      }
      ASSERT_TRUE(synced.ok()) << synced.error().message;
      Result<bool> idle = story.wal->idle();
      if (!idle.ok()) {
        ASSERT_EQ(idle.code(), ErrorCode::kNoSpace);
        ++refused;
        idle = story.wal->idle();
      }
      ASSERT_TRUE(idle.ok());
      const uint64_t index = story.twin.wanted.last().value() - 3;
      const Term term = story.twin.wanted.term_at(Index(index));
      Status cut = story.cut(index);
      if (!cut.ok()) {
        ASSERT_EQ(cut.code(), ErrorCode::kNoSpace);
        ++refused;
        cut = story.wal->cut(Index(index), term);
        story.twin.synced();
      }
      ASSERT_TRUE(cut.ok()) << cut.error().message;
    }
    ASSERT_NO_FATAL_FAILURE(story.reopen()) << "n " << n;
    if (story.disk.stats().writes - writes < n) break;
  }
  EXPECT_GT(refused, 20U);
}

TEST(WalFaults, AFullDiskRefusesACutGivesRoomAndTheSameGroupGoesThrough) {
  LogAndTwin log;
  log.create();
  log.disk.set_capacity(4 * kSmallSegment);
  Status synced;
  while (synced.ok()) {
    ASSERT_TRUE(log.append(1, log.twin.wanted.last().value() + 1, 2, 500).ok());
    synced = log.sync();
  }
  ASSERT_EQ(synced.code(), ErrorCode::kNoSpace);
  ASSERT_EQ(log.sync().code(), ErrorCode::kNoSpace);
  // What was refused was not promised, and is not there after a restart.
  auto copy = log.disk.clone();
  auto found = log.open_on(*copy);
  ASSERT_TRUE(found.ok()) << found.error().message;
  EXPECT_FALSE(log.twin.judge(TwinState::of(found->recovered)).has_value());

  const Index promised = log.twin.promised.last();
  ASSERT_TRUE(log.wal->cut(promised, Term(1)).ok());
  ASSERT_TRUE(log.wal->sync().ok());
  log.twin.wanted.cut(promised, Term(1));
  log.twin.synced();
  log.reopen();
}

TEST(WalFaults, TermAndVoteNeedNoRoom) {
  LogAndTwin log;
  log.create();
  log.disk.set_capacity(log.disk.used_bytes());
  for (uint64_t term = 1; term <= 20; ++term) {
    ASSERT_TRUE(log.vote(term, 1).ok());
    ASSERT_TRUE(log.sync().ok());
  }
  log.reopen();
}

TEST(WalFaults, AReadErrorChangesNothingAndIsNoDamage) {
  LogAndTwin log;
  log.create();
  log.group(1, 3);
  log.disk.crash_at_step(1);
  EXPECT_FALSE(log.disk.make_directory("x").ok());
  const auto before = log.disk.image();
  EXPECT_EQ(log.open_on(log.disk).code(), ErrorCode::kIo);
  EXPECT_EQ(log.disk.image(), before);
}

}  // namespace
}  // namespace quorate::storage_test
