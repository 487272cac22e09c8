// The simulated disk does what a real one may do, and no more: otherwise what is proved on it is worth
// nothing.
#include "tests/sim/sim_file_system.h"

#include <gtest/gtest.h>

#include <set>

#include "base/random.h"

namespace quorate::storage_test {
namespace {

using sim::SimFileSystem;
using sim::SimStep;

constexpr size_t kSector = SimFileSystem::kSectorBytes;

struct SimDisk : testing::Test {
  SimFileSystem disk;

  void SetUp() override { ASSERT_TRUE(disk.make_directory("d").ok()); }
  // A synced file with a synced name.
  std::unique_ptr<server::File> file(const std::string& path, const std::string& content) {
    auto made = disk.create(path).value();
    EXPECT_TRUE(made->write_at(0, content).ok());
    EXPECT_TRUE(made->sync().ok());
    EXPECT_TRUE(disk.sync_directory("d").ok());
    return made;
  }
};

TEST_F(SimDisk, WhatIsSyncedSurvivesEveryPowerLoss) {
  auto f = file("d/f", std::string(2000, 'a'));
  ASSERT_TRUE(f->write_at(100, "bcd").ok());
  ASSERT_TRUE(f->sync().ok());
  const std::string before = disk.content("d/f");
  for (uint64_t seed = 1; seed <= 50; ++seed) {
    Random random(seed);
    disk.power_loss(random);
    EXPECT_EQ(disk.content("d/f"), before);
  }
}

TEST_F(SimDisk, AnUnsyncedWriteIsKeptLostOrTornAtSectors) {
  file("d/f", std::string(4 * kSector, 'a'));
  std::set<std::string> seen;
  for (uint64_t seed = 1; seed <= 500; ++seed) {
    auto copy = disk.clone();
    auto f = copy->open("d/f").value();
    ASSERT_TRUE(f->write_at(0, std::string(4 * kSector, 'b')).ok());
    Random random(seed);
    copy->power_loss(random);
    std::string sectors;
    const std::string content = copy->content("d/f");
    for (size_t i = 0; i < 4; ++i) {
      const char first = content[i * kSector];
      ASSERT_EQ(content.substr(i * kSector, kSector), std::string(kSector, first));
      sectors.push_back(first);
    }
    seen.insert(sectors);
  }
  EXPECT_EQ(seen.size(), 16U);
}

TEST_F(SimDisk, WritesToDifferentSectorsReachTheDiskInAnyOrder) {
  file("d/f", std::string(2 * kSector, 'a'));
  std::set<std::string> seen;
  for (uint64_t seed = 1; seed <= 200; ++seed) {
    auto copy = disk.clone();
    auto f = copy->open("d/f").value();
    ASSERT_TRUE(f->write_at(0, "1").ok());
    ASSERT_TRUE(f->write_at(kSector, "2").ok());
    Random random(seed);
    copy->power_loss(random);
    seen.insert({copy->content("d/f")[0], copy->content("d/f")[kSector]});
  }
  EXPECT_EQ(seen, (std::set<std::string>{"aa", "1a", "a2", "12"}));
}

TEST_F(SimDisk, ASectorNeverHoldsALaterWriteWithoutAnEarlierOne) {
  file("d/f", std::string(kSector, 'a'));
  std::set<std::string> seen;
  for (uint64_t seed = 1; seed <= 200; ++seed) {
    auto copy = disk.clone();
    auto f = copy->open("d/f").value();
    ASSERT_TRUE(f->write_at(0, "1").ok());
    ASSERT_TRUE(f->write_at(1, "2").ok());
    Random random(seed);
    copy->power_loss(random);
    seen.insert(copy->content("d/f").substr(0, 2));
  }
  EXPECT_EQ(seen, (std::set<std::string>{"aa", "1a", "12"}));
}

TEST_F(SimDisk, ANameThatIsNotSyncedMayBeLost) {
  std::set<bool> seen;
  for (uint64_t seed = 1; seed <= 50; ++seed) {
    auto copy = disk.clone();
    ASSERT_TRUE(copy->create("d/new").ok());
    Random random(seed);
    copy->power_loss(random);
    seen.insert(copy->exists("d/new"));
  }
  EXPECT_EQ(seen.size(), 2U);
}

TEST_F(SimDisk, ARenameIsSeenWholeOrNotAtAll) {
  file("d/old", "content");
  std::set<std::string> seen;
  for (uint64_t seed = 1; seed <= 50; ++seed) {
    auto copy = disk.clone();
    ASSERT_TRUE(copy->rename("d/old", "d/new").ok());
    Random random(seed);
    copy->power_loss(random);
    const auto names = copy->list("d").value();
    ASSERT_EQ(names.size(), 1U);
    EXPECT_EQ(copy->content("d/" + names[0]), "content");
    seen.insert(names[0]);
  }
  EXPECT_EQ(seen.size(), 2U);
}

TEST_F(SimDisk, AKilledProcessLosesNothingButItsFilesAndLocks) {
  auto f = file("d/f", "synced");
  ASSERT_TRUE(f->write_at(0, "SYNCED, NOT").ok());
  auto lock = disk.lock("d/LOCK");
  ASSERT_TRUE(lock.ok());
  EXPECT_EQ(disk.lock("d/LOCK").code(), ErrorCode::kInUse);
  disk.process_restart();
  EXPECT_EQ(f->read_at(0, 1).code(), ErrorCode::kIo);
  EXPECT_EQ(f->write_at(0, "x").code(), ErrorCode::kIo);
  EXPECT_EQ(f->sync().code(), ErrorCode::kIo);
  EXPECT_EQ(disk.content("d/f"), "SYNCED, NOT");
  EXPECT_TRUE(disk.lock("d/LOCK").ok());
}

TEST_F(SimDisk, AFailedSyncForgetsWhatItHadToDo) {
  auto f = file("d/f", "aaaa");
  ASSERT_TRUE(f->write_at(0, "b").ok());
  disk.fail_step(1, SimStep::kSync, ErrorCode::kIo);
  EXPECT_EQ(f->sync().code(), ErrorCode::kIo);
  EXPECT_TRUE(f->sync().ok());  // "succeeds", and means nothing
  EXPECT_EQ(disk.content("d/f"), "baaa");
  Random random(1);
  disk.power_loss(random);
  EXPECT_EQ(disk.content("d/f"), "aaaa");
}

TEST_F(SimDisk, FaultsComeAtTheirStepAndOnce) {
  auto f = file("d/f", "aaaa");
  disk.fail_step(2, SimStep::kWrite, ErrorCode::kNoSpace);
  EXPECT_TRUE(f->write_at(0, "b").ok());
  EXPECT_TRUE(f->sync().ok());
  EXPECT_EQ(f->write_at(0, "c").code(), ErrorCode::kNoSpace);
  EXPECT_TRUE(f->write_at(0, "d").ok());
  disk.crash_at_step(2);
  EXPECT_TRUE(f->sync().ok());
  EXPECT_FALSE(f->write_at(0, "e").ok());
  EXPECT_TRUE(disk.crashed());
  EXPECT_FALSE(f->sync().ok());
  EXPECT_FALSE(disk.create("d/g").ok());
  Random random(1);
  disk.power_loss(random);
  EXPECT_FALSE(disk.crashed());
  EXPECT_TRUE(disk.open("d/f").ok());
}

TEST_F(SimDisk, AFullDiskTakesOverwritesButNoGrowth) {
  auto f = file("d/f", "aaaa");
  disk.set_capacity(6);
  EXPECT_TRUE(f->write_at(0, "bbbb").ok());
  EXPECT_TRUE(f->write_at(4, "cc").ok());
  EXPECT_EQ(f->write_at(6, "d").code(), ErrorCode::kNoSpace);
  EXPECT_EQ(disk.used_bytes(), 6U);
  ASSERT_TRUE(disk.create("d/g").ok());
  ASSERT_TRUE(disk.remove("d/f").ok());
  EXPECT_EQ(disk.used_bytes(), 0U);
}

TEST_F(SimDisk, WhatIsRemovedInPartsMayComeBackShorter) {
  file("d/f", std::string(10 * kSector, 'a'));
  size_t came_back = 0;
  for (uint64_t seed = 0; seed < 50; ++seed) {
    auto twin = disk.clone();
    Random random(seed);
    twin->fail_step(1, SimStep::kRemove, ErrorCode::kIo);
    EXPECT_EQ(twin->remove_in_parts("d/f").code(), ErrorCode::kIo);
    ASSERT_TRUE(twin->remove_in_parts("d/f").ok());
    EXPECT_FALSE(twin->exists("d/f"));
    EXPECT_EQ(twin->remove_in_parts("d/f").code(), ErrorCode::kNoNode);
    twin->power_loss(random);
    if (!twin->exists("d/f")) continue;
    ++came_back;
    EXPECT_LT(twin->content("d/f").size(), 10 * kSector);
  }
  EXPECT_GT(came_back, 0U);
}

TEST_F(SimDisk, TheSameSeedGivesTheSameBytes) {
  auto f = file("d/f", std::string(20 * kSector, 'a'));
  ASSERT_TRUE(f->write_at(10, std::string(15 * kSector, 'b')).ok());
  ASSERT_TRUE(disk.create("d/g").ok());
  auto one = disk.clone();
  auto two = disk.clone();
  Random first(5);
  Random second(5);
  one->power_loss(first);
  two->power_loss(second);
  EXPECT_EQ(one->image(), two->image());
  EXPECT_EQ(first.next(), second.next());
}

TEST_F(SimDisk, DamageIsDurable) {
  file("d/f", "aaaa");
  disk.flip_bit("d/f", 1, 0);
  disk.overwrite("d/f", 2, "xy");
  Random random(1);
  disk.power_loss(random);
  EXPECT_EQ(disk.content("d/f"), "a`xy");
  disk.lose_file("d/f");
  disk.power_loss(random);
  EXPECT_FALSE(disk.exists("d/f"));
}

}  // namespace
}  // namespace quorate::storage_test
