// The folder of the state: checkpoints, snapshots, a received state and the pointer, over a disk that fails
// at every step.
#include "server/storage/state_folder.h"

#include "tests/storage/state_fixture.h"

namespace quorate::storage_test {
namespace {

using namespace server;
using sim::SimFileSystem;
using sim::SimStep;

class StateFolderTest : public testing::TestWithParam<bool> {
 protected:
  void SetUp() override { open(); }
  void open() {
    const Status opened = folder_.open();
    ASSERT_TRUE(opened.ok()) << opened.error().message;
  }
  void make_checkpoint() {
    const Status told = folder_.told(state_.checkpoint());
    ASSERT_TRUE(told.ok()) << told.error().message;
  }
  // Everything of a snapshot, received by the folder itself as if it came from a peer.
  void receive(const std::vector<SnapshotPart>& parts) {
    ASSERT_FALSE(parts.empty());
    ASSERT_TRUE(folder_.told(BeginReceive{parts[0].name}).ok());
    for (const SnapshotPart& part : parts) ASSERT_TRUE(folder_.told(ReceiveRecords{part.records}).ok());
  }

  SimFileSystem disk_;
  TestFolder folder_{disk_, GetParam()};
  TestState state_{1};
};

TEST_P(StateFolderTest, ANewOneHasNoState) {
  EXPECT_FALSE(folder_.found.has_value());
  EXPECT_FALSE(folder_.members.has_value());
  open();
  EXPECT_FALSE(folder_.found.has_value());
  EXPECT_EQ(folder_.told(ReadSnapshot{1, "", 100}).code(), ErrorCode::kUnavailable) << "of no checkpoint";
}

TEST_P(StateFolderTest, EachCheckpointComesBack) {
  for (int i = 0; i < 12; ++i) {
    state_.change(20);
    make_checkpoint();
    open();
    ASSERT_EQ(mark_of(folder_.found), state_.mark());
    EXPECT_EQ(folder_.found->name.cluster, ClusterId(9));
    EXPECT_EQ(folder_.found->name.configuration.view(), "members");
  }
  ASSERT_TRUE(folder_.members.has_value());
  EXPECT_EQ(folder_.members->configuration.view(), "members");
}

TEST_P(StateFolderTest, ASnapshotStaysAsItWasAndBecomesTheStateOfAnother) {
  state_.change(100);
  make_checkpoint();
  const StateMark first = state_.mark();
  auto done = folder_.run(ReadSnapshot{7, "", 1});
  ASSERT_TRUE(done.ok() && done->error.ok());
  state_.change(100);
  make_checkpoint();
  const auto old = folder_.read_snapshot(7, 3'000);
  const auto recent = folder_.read_snapshot(8, 3'000);
  ASSERT_GT(old.size(), 3U);
  EXPECT_EQ(old.back().name.index, first.index);
  EXPECT_EQ(recent.back().name.index, state_.mark().index);

  SimFileSystem other_disk;
  TestFolder other(other_disk, GetParam());
  ASSERT_TRUE(other.open().ok());
  for (const auto* parts : {&old, &recent}) {
    ASSERT_TRUE(other.told(BeginReceive{parts->front().name}).ok());
    for (const SnapshotPart& part : *parts) ASSERT_TRUE(other.told(ReceiveRecords{part.records}).ok());
    auto finished = other.run(FinishReceive{});
    ASSERT_TRUE(finished.ok() && finished->error.ok());
    const auto& received = std::get<ReceivedState>(finished->result);
    EXPECT_EQ(mark_of(received).index, parts->front().name.index);
    ASSERT_TRUE(other.open().ok());
    EXPECT_EQ(mark_of(other.found), mark_of(received));
  }
  // And goes on from there, with what changed since.
  state_.change(30);
  ASSERT_TRUE(other.told(state_.checkpoint()).ok());
  ASSERT_TRUE(other.open().ok());
  EXPECT_EQ(mark_of(other.found), state_.mark());
}

TEST_P(StateFolderTest, AReceivedStateThatIsNotWhatItWasCalledIsRefused) {
  state_.change(100);
  make_checkpoint();
  const StateMark mark = state_.mark();
  const auto parts = folder_.read_snapshot(1, 2'000);
  ASSERT_GT(parts.size(), 4U);

  auto missing = parts;
  missing.erase(missing.begin() + 2);
  receive(missing);
  EXPECT_EQ(folder_.told(FinishReceive{}).code(), ErrorCode::kCorruption) << "a part is missing";
  EXPECT_EQ(folder_.told(FinishReceive{}).code(), ErrorCode::kUnavailable) << "it was dropped";

  auto renamed = parts;
  renamed[0].name.state_hash ^= 1;
  receive(renamed);
  EXPECT_EQ(folder_.told(FinishReceive{}).code(), ErrorCode::kCorruption) << "another hash";

  ASSERT_TRUE(folder_.told(BeginReceive{parts[0].name}).ok());
  ASSERT_TRUE(folder_.told(ReceiveRecords{parts[1].records}).ok());
  EXPECT_EQ(folder_.told(ReceiveRecords{parts[0].records}).code(), ErrorCode::kCorruption) << "out of order";
  EXPECT_EQ(folder_.told(ReceiveRecords{parts[2].records}).code(), ErrorCode::kUnavailable);

  ASSERT_TRUE(folder_.told(BeginReceive{parts[0].name}).ok());
  const Bytes cut = parts[0].records.slice(0, parts[0].records.size() - 1);
  EXPECT_EQ(folder_.told(ReceiveRecords{cut}).code(), ErrorCode::kCorruption) << "no records";

  open();
  EXPECT_EQ(mark_of(folder_.found), mark) << "the old state is in use all the time";
}

TEST_P(StateFolderTest, WhatWasBegunCanBeAbandonedOrBegunAgain) {
  state_.change(60);
  make_checkpoint();
  const auto parts = folder_.read_snapshot(1, 2'000);
  ASSERT_TRUE(folder_.told(AbandonReceive{}).ok()) << "of nothing";
  EXPECT_EQ(folder_.told(ReceiveRecords{parts[0].records}).code(), ErrorCode::kUnavailable);
  receive({parts[0]});
  ASSERT_TRUE(folder_.told(AbandonReceive{}).ok());
  EXPECT_EQ(folder_.told(FinishReceive{}).code(), ErrorCode::kUnavailable);
  receive({parts[0], parts[1]});
  receive(parts);
  EXPECT_TRUE(folder_.told(FinishReceive{}).ok());
  open();
  EXPECT_EQ(mark_of(folder_.found), state_.mark());
}

TEST_P(StateFolderTest, SnapshotsHaveALimitAndEndWithTheirStore) {
  state_.change(60);
  make_checkpoint();
  for (uint64_t id = 1; id <= StateFolder::kOpenSnapshotsMax; ++id) {
    ASSERT_TRUE(folder_.told(ReadSnapshot{id, "", 1}).ok());
  }
  EXPECT_EQ(folder_.told(ReadSnapshot{99, "", 1}).code(), ErrorCode::kOverloaded);
  ASSERT_TRUE(folder_.told(CloseSnapshot{1}).ok());
  EXPECT_TRUE(folder_.told(ReadSnapshot{99, "", 1}).ok());
  EXPECT_EQ(folder_.told(ReadSnapshot{1, "n", 1}).code(), ErrorCode::kUnavailable) << "it was closed";
  const auto parts = folder_.read_snapshot(2, 5'000);
  receive(parts);
  ASSERT_TRUE(folder_.told(FinishReceive{}).ok());
  EXPECT_EQ(folder_.told(ReadSnapshot{3, "n", 1}).code(), ErrorCode::kUnavailable) << "its store is gone";
  EXPECT_TRUE(folder_.told(ReadSnapshot{3, "", 1}).ok()) << "and is begun again";
}

TEST_P(StateFolderTest, AWrongHashIsFoundWhenItIsOpened) {
  state_.change(60);
  auto job = state_.checkpoint();
  job.name.state_hash ^= 4;
  ASSERT_TRUE(folder_.told(std::move(job)).ok());
  const Status opened = folder_.open();
  EXPECT_EQ(opened.code(), ErrorCode::kCorruption);
  EXPECT_NE(opened.error().message.find("quorated --rebuild-state --data d "), std::string::npos)
      << opened.error().message;
}

TEST_P(StateFolderTest, ADiscardedStateIsGoneAndItsMembersAreNot) {
  state_.change(60);
  make_checkpoint();
  folder_.folder.reset();
  ASSERT_TRUE(StateFolder::discard(disk_, *folder_.stores, kStateDirectory).ok());
  open();
  EXPECT_FALSE(folder_.found.has_value());
  ASSERT_TRUE(folder_.members.has_value());
  EXPECT_EQ(folder_.members->configuration.view(), "members");
  ASSERT_TRUE(StateFolder::discard(disk_, *folder_.stores, "d/nothing").ok());
}

INSTANTIATE_TEST_SUITE_P(Stores, StateFolderTest, testing::Values(false, true),
                         [](const auto& memory) { return memory.param ? "Memory" : "LevelDb"; });

// ---- a bad disk

// Checkpoints, a state received from another server, and checkpoints on top of that.
struct FolderStory {
  explicit FolderStory(SimFileSystem& disk) : folder(disk) {
    TestState other(2);
    other.change(150);
    SimFileSystem other_disk;
    TestFolder sender(other_disk, true);
    EXPECT_TRUE(sender.open().ok());
    EXPECT_TRUE(sender.told(other.checkpoint()).ok());
    parts = sender.read_snapshot(1, 9'000);
    received = other.mark();
    ours.change(30);
    first = {ours.checkpoint(), ours.mark()};
    ours.change(30);
    second = {ours.checkpoint(), ours.mark()};
    other.change(30);
    third = {other.checkpoint(), other.mark()};
  }

  // Up to the first error. A full disk is waited out if that is asked for.
  Status run() {
    if (Status opened = folder.open(); !opened.ok()) return opened;
    for (const auto* checkpoint : {&first, &second}) {
      if (Status done = step(checkpoint->first, checkpoint->second); !done.ok()) return done;
    }
    if (Status done = step(BeginReceive{parts[0].name}, second.second); !done.ok()) return done;
    for (const SnapshotPart& part : parts) {
      if (Status done = step(ReceiveRecords{part.records}, second.second); !done.ok()) return done;
    }
    if (Status done = step(FinishReceive{}, received); !done.ok()) return done;
    return step(third.first, third.second);
  }
  template <class Body>
  Status step(Body body, StateMark after) {
    next = after;
    StoreJob job{++folder.last_id, std::move(body)};
    for (;;) {
      const auto done = folder.folder->run(job);
      if (done.code() == ErrorCode::kNoSpace && waits) {
        ++waited;
        continue;
      }
      if (!done.ok()) return done.error();
      EXPECT_TRUE(done->error.ok()) << done->error.message;
      last = after;
      return {};
    }
  }
  // What is found is the state whose job was answered last, or the one that was being written.
  void come_back() {
    const Status opened = folder.open();
    ASSERT_TRUE(opened.ok()) << opened.error().message;
    const StateMark found = mark_of(folder.found);
    ASSERT_TRUE(found == last || found == next)
        << "found " << found.index.value() << ", written " << last.index.value();
    if (last.index != Index()) {
      ASSERT_TRUE(folder.members.has_value());
    }
    // One store is in use, and nothing is left over.
    size_t stores = 0;
    const auto names = folder.disk.list(kStateDirectory);
    for (const std::string& name : *names)
      stores += name.find_first_not_of("0123456789") == name.npos ? 1 : 0;
    ASSERT_EQ(stores, 1U);
    TestState fresh(3);
    fresh.change(10);
    auto job = fresh.checkpoint();
    ASSERT_TRUE(folder.told(BeginReceive{job.name}).ok());
    ASSERT_TRUE(folder.told(AbandonReceive{}).ok());
  }

  TestFolder folder;
  TestState ours{1};
  std::vector<SnapshotPart> parts;
  StateMark received;
  std::pair<WriteCheckpoint, StateMark> first, second, third;
  StateMark last, next;  // of what was answered, of what was asked for
  bool waits = false;
  int waited = 0;
};

TEST(StateFolder, ACrashAtEveryStepLeavesTheOldStateOrTheNewOne) {
  for (uint64_t step = 1;; ++step) {
    SimFileSystem disk;
    FolderStory story(disk);
    disk.crash_at_step(step);
    const Status told = story.run();
    if (!disk.crashed()) {
      ASSERT_TRUE(told.ok());
      EXPECT_GT(step, 60U);
      return;
    }
    ASSERT_EQ(told.code(), ErrorCode::kIo);
    story.folder.folder.reset();
    end_and_begin_again(disk, step, 3);
    story.come_back();
    ASSERT_FALSE(testing::Test::HasFatalFailure()) << "step " << step;
  }
}

TEST(StateFolder, AnErrorAtEveryStepIsTold) {
  for (uint64_t step = 1;; ++step) {
    SimFileSystem disk;
    FolderStory story(disk);
    disk.fail_step(step, SimStep::kAny, ErrorCode::kIo);
    const Status told = story.run();
    if (told.ok()) {
      EXPECT_GE(step, disk.stats().steps);
      return;
    }
    ASSERT_EQ(told.code(), ErrorCode::kIo);
    story.folder.folder.reset();
    end_and_begin_again(disk, step, 2);
    story.come_back();
    ASSERT_FALSE(testing::Test::HasFatalFailure()) << "step " << step;
  }
}

TEST(StateFolder, AFullDiskIsWaitedOutAtEveryWrite) {
  int waited = 0;
  for (uint64_t step = 1;; ++step) {
    SimFileSystem disk;
    FolderStory story(disk);
    story.waits = true;
    disk.fail_step(step, SimStep::kWrite, ErrorCode::kNoSpace);
    const Status told = story.run();
    waited += story.waited;
    if (!told.ok()) {
      ASSERT_EQ(told.code(), ErrorCode::kNoSpace);
      ASSERT_EQ(story.folder.folder, nullptr) << "only opening it says so";
      continue;
    }
    const bool beyond = step > disk.stats().writes;
    disk.forget_plans();
    story.folder.folder.reset();
    story.come_back();
    ASSERT_FALSE(testing::Test::HasFatalFailure()) << "write " << step;
    ASSERT_EQ(mark_of(story.folder.found), story.third.second);
    if (beyond) break;
  }
  EXPECT_GT(waited, 10);
}

TEST(StateFolder, ALostOrDamagedPointerIsNotTakenForANewFolder) {
  SimFileSystem disk;
  FolderStory story(disk);
  ASSERT_TRUE(story.run().ok());
  story.folder.folder.reset();
  const std::string pointer = std::string(kStateDirectory) + "/CURRENT";
  const auto lost = disk.clone();
  lost->lose_file(pointer);
  TestFolder without(*lost);
  EXPECT_EQ(without.open().code(), ErrorCode::kCorruption);
  for (size_t at = 0; at < disk.content(pointer).size(); ++at) {
    const auto damaged = disk.clone();
    damaged->flip_bit(pointer, at, static_cast<unsigned>(at % 8));
    TestFolder with(*damaged);
    const auto before = damaged->image();
    const Status opened = with.open();
    ASSERT_EQ(opened.code(), ErrorCode::kCorruption) << at;
    ASSERT_EQ(damaged->image(), before) << "a refused folder was changed";
    ASSERT_TRUE(StateFolder::discard(*damaged, *with.stores, kStateDirectory).ok());
    ASSERT_TRUE(with.open().ok());
    ASSERT_FALSE(with.found.has_value());
  }
}

TEST(StateFolder, ACrashWhileItIsDiscardedLeavesTheStateOrNone) {
  for (uint64_t step = 1;; ++step) {
    SimFileSystem disk;
    FolderStory story(disk);
    ASSERT_TRUE(story.run().ok());
    story.folder.folder.reset();
    disk.crash_at_step(step);
    const Status discarded = StateFolder::discard(disk, *story.folder.stores, kStateDirectory);
    if (!disk.crashed()) {
      ASSERT_TRUE(discarded.ok());
      EXPECT_GT(step, 4U);
      return;
    }
    ASSERT_FALSE(discarded.ok());
    Random random(step);
    disk.power_loss(random);
    ASSERT_TRUE(story.folder.open().ok());
    if (story.folder.found) {
      ASSERT_EQ(mark_of(story.folder.found), story.third.second);
    }
  }
}

}  // namespace
}  // namespace quorate::storage_test
