// Whose folder it is, on a simulated and on the real disk.
#include "server/storage/data_folder.h"

#include <gtest/gtest.h>

#include "server/storage/posix_file_system.h"
#include "server/storage/wal.h"
#include "tests/sim/sim_file_system.h"
#include "tests/storage/temporary_directory.h"

namespace quorate::storage_test {
namespace {

using server::DataFolder;
using server::PosixFileSystem;
using server::Wal;
using sim::SimFileSystem;

constexpr ServerId kOne(1);
constexpr ServerId kTwo(2);

TEST(DataFolder, AnEmptyFolderGetsAnIdentityAndKeepsIt) {
  SimFileSystem disk;
  auto first = DataFolder::open(disk, "d", kOne, Incarnation(7));
  ASSERT_TRUE(first.ok()) << first.error().message;
  EXPECT_TRUE(first->is_new());
  EXPECT_EQ(first->incarnation(), Incarnation(7));
  EXPECT_EQ(first->wal_directory(), "d/wal");
  Random random(1);
  disk.power_loss(random);
  auto second = DataFolder::open(disk, "d", kOne, Incarnation(8));
  ASSERT_TRUE(second.ok()) << second.error().message;
  EXPECT_FALSE(second->is_new());
  EXPECT_EQ(second->incarnation(), Incarnation(7));
}

TEST(DataFolder, APowerLossAtAnyStepLeavesNoIdentityOrAWholeOne) {
  for (uint64_t step = 1; step <= 8; ++step) {
    for (uint64_t seed = 1; seed <= 20; ++seed) {
      SimFileSystem disk;
      Random random(seed);
      disk.crash_at_step(step);
      const bool opened = DataFolder::open(disk, "d", kOne, Incarnation(7)).ok();
      disk.power_loss(random);
      auto again = DataFolder::open(disk, "d", kOne, Incarnation(8));
      ASSERT_TRUE(again.ok()) << again.error().message;
      if (opened) {
        EXPECT_EQ(again->incarnation(), Incarnation(7));
      }
      EXPECT_EQ(again->is_new(), again->incarnation() == Incarnation(8));
    }
  }
}

TEST(DataFolder, AMembersFolderIsNothingWithoutItsLog) {
  SimFileSystem disk;
  const server::WalIdentity identity{kOne, Incarnation(7), ClusterId(99)};
  {
    auto folder = DataFolder::open(disk, "d", kOne, Incarnation(7));
    ASSERT_TRUE(folder.ok());
    EXPECT_EQ(folder->cluster(), ClusterId());
    ASSERT_TRUE(Wal::create(disk, folder->wal_directory(), identity, {.segment_bytes = 64 << 10}).ok());
    ASSERT_TRUE(folder->remember_cluster(ClusterId(99)).ok());
    ASSERT_TRUE(folder->remember_cluster(ClusterId(99)).ok());
  }
  Random random(1);
  disk.power_loss(random);
  {
    auto whole = DataFolder::open(disk, "d", kOne, Incarnation(8));
    ASSERT_TRUE(whole.ok()) << whole.error().message;
    EXPECT_EQ(whole->cluster(), ClusterId(99));
    EXPECT_EQ(whole->incarnation(), Incarnation(7));
  }
  auto names = disk.list("d/wal");
  ASSERT_TRUE(names.ok());
  for (const std::string& name : *names) ASSERT_TRUE(disk.remove("d/wal/" + name).ok());
  const auto before = disk.image();
  auto emptied = DataFolder::open(disk, "d", kOne, Incarnation(8));
  ASSERT_EQ(emptied.code(), ErrorCode::kCorruption);
  EXPECT_NE(emptied.error().message.find("d/wal holds no log"), std::string::npos);
  EXPECT_EQ(disk.image(), before);
}

TEST(DataFolder, AnotherServersFolderIsRefused) {
  SimFileSystem disk;
  ASSERT_TRUE(DataFolder::open(disk, "d", kOne, Incarnation(7)).ok());
  const auto before = disk.image();
  auto other = DataFolder::open(disk, "d", kTwo, Incarnation(8));
  ASSERT_EQ(other.code(), ErrorCode::kWrongServer);
  EXPECT_EQ(other.error().message,
            "the data folder d belongs to server 1, not to server 2; start that server here, or give this "
            "one its own "
            "folder");
  EXPECT_EQ(disk.image(), before);
}

TEST(DataFolder, AFolderInUseIsRefused) {
  SimFileSystem disk;
  {
    auto first = DataFolder::open(disk, "d", kOne, Incarnation(7));
    ASSERT_TRUE(first.ok());
    auto second = DataFolder::open(disk, "d", kOne, Incarnation(7));
    ASSERT_EQ(second.code(), ErrorCode::kInUse);
    EXPECT_NE(second.error().message.find("the data folder d is in use"), std::string::npos);
  }
  EXPECT_TRUE(DataFolder::open(disk, "d", kOne, Incarnation(7)).ok());
}

TEST(DataFolder, EveryFlippedBitOfTheIdentityIsFound) {
  SimFileSystem disk;
  ASSERT_TRUE(DataFolder::open(disk, "d", kOne, Incarnation(7)).ok());
  const size_t size = disk.content("d/identity").size();
  for (size_t offset = 0; offset < size; ++offset) {
    for (unsigned bit = 0; bit < 8; ++bit) {
      disk.flip_bit("d/identity", offset, bit);
      EXPECT_EQ(DataFolder::open(disk, "d", kOne, Incarnation(8)).code(), ErrorCode::kCorruption);
      disk.flip_bit("d/identity", offset, bit);
    }
  }
  EXPECT_TRUE(DataFolder::open(disk, "d", kOne, Incarnation(8)).ok());
}

TEST(DataFolder, ALostIdentityBesideALogIsDamage) {
  SimFileSystem disk;
  {
    auto folder = DataFolder::open(disk, "d", kOne, Incarnation(7));
    ASSERT_TRUE(folder.ok());
    ASSERT_TRUE(Wal::create(disk, folder->wal_directory(), {kOne, Incarnation(7), ClusterId(9)}, {}).ok());
  }
  disk.lose_file("d/identity");
  EXPECT_EQ(DataFolder::open(disk, "d", kOne, Incarnation(8)).code(), ErrorCode::kCorruption);
}

TEST(DataFolder, AFullDiskIsSaid) {
  SimFileSystem disk;
  disk.set_capacity(8);
  EXPECT_EQ(DataFolder::open(disk, "d", kOne, Incarnation(7)).code(), ErrorCode::kNoSpace);
  disk.set_capacity(0);
  EXPECT_TRUE(DataFolder::open(disk, "d", kOne, Incarnation(7)).ok());
}

TEST(DataFolder, OnTheRealDiskItIsLockedAndKept) {
  TemporaryDirectory directory;
  PosixFileSystem disk;
  const std::string path = directory.path() + "/a/b";
  {
    auto first = DataFolder::open(disk, path, kOne, Incarnation(7));
    ASSERT_TRUE(first.ok()) << first.error().message;
    EXPECT_EQ(DataFolder::open(disk, path, kOne, Incarnation(7)).code(), ErrorCode::kInUse);
  }
  EXPECT_EQ(DataFolder::open(disk, path, kTwo, Incarnation(7)).code(), ErrorCode::kWrongServer);
  auto again = DataFolder::open(disk, path, kOne, Incarnation(8));
  ASSERT_TRUE(again.ok()) << again.error().message;
  EXPECT_EQ(again->incarnation(), Incarnation(7));
}

}  // namespace
}  // namespace quorate::storage_test
