#include "server/storage/backup_file.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/random.h"
#include "server/storage/files.h"
#include "tests/sim/sim_file_system.h"

namespace quorate::server {
namespace {

std::string records(int first, int count) {
  std::string bytes;
  for (int i = first; i < first + count; ++i) kv::append_record(bytes, "n/" + std::to_string(i), "value");
  return bytes;
}

std::string write_backup(FileSystem& fs, const std::string& path) {
  auto writer = BackupWriter::create(fs, path);
  EXPECT_TRUE(writer.ok());
  EXPECT_TRUE(writer->add(records(10, 3)).ok());
  EXPECT_TRUE(writer->add(records(20, 2)).ok());
  EXPECT_TRUE(writer->finish().ok());
  auto file = fs.open(path);
  return *(*file)->read_at(0, 10'000);
}

// All records, or the error.
Result<std::string> read_all(FileSystem& fs, const std::string& path) {
  auto reader = BackupReader::open(fs, path);
  if (!reader.ok()) return reader.error();
  std::string all;
  for (;;) {
    auto part = reader->next();
    if (!part.ok()) return part.error();
    if (!part->has_value()) return all;
    all += **part;
  }
}

void put_file(FileSystem& fs, const std::string& path, const std::string& bytes) {
  auto file = fs.create(path);
  ASSERT_TRUE(file.ok());
  ASSERT_TRUE((*file)->write_at(0, bytes).ok());
}

TEST(BackupFile, GivesBackWhatWasPutIn) {
  sim::SimFileSystem fs;
  ASSERT_TRUE(fs.make_directory("d").ok());
  write_backup(fs, "d/backup");
  const auto all = read_all(fs, "d/backup");
  ASSERT_TRUE(all.ok()) << all.error().message;
  EXPECT_EQ(*all, records(10, 3) + records(20, 2));
  EXPECT_FALSE(fs.exists("d/backup.part"));
}

TEST(BackupFile, EveryFlippedByteIsNoticed) {
  sim::SimFileSystem fs;
  ASSERT_TRUE(fs.make_directory("d").ok());
  const std::string good = write_backup(fs, "d/backup");
  for (size_t i = 0; i < good.size(); ++i) {
    std::string bad = good;
    bad[i] = static_cast<char>(bad[i] ^ 0x10);
    put_file(fs, "d/bad", bad);
    EXPECT_FALSE(read_all(fs, "d/bad").ok()) << "the byte at " << i;
  }
}

TEST(BackupFile, EveryShorterOrLongerFileIsNoticed) {
  sim::SimFileSystem fs;
  ASSERT_TRUE(fs.make_directory("d").ok());
  const std::string good = write_backup(fs, "d/backup");
  for (size_t size = 0; size < good.size(); ++size) {
    put_file(fs, "d/bad", good.substr(0, size));
    const auto all = read_all(fs, "d/bad");
    ASSERT_FALSE(all.ok()) << size << " bytes of " << good.size();
    EXPECT_EQ(all.code(), ErrorCode::kCorruption);
  }
  put_file(fs, "d/bad", good + "x");
  EXPECT_EQ(read_all(fs, "d/bad").code(), ErrorCode::kCorruption);
}

TEST(BackupFile, PartsThatChangedPlacesAreNoticed) {
  sim::SimFileSystem fs;
  ASSERT_TRUE(fs.make_directory("d").ok());
  write_backup(fs, "d/one");
  auto writer = BackupWriter::create(fs, "d/two");
  ASSERT_TRUE(writer.ok());
  ASSERT_TRUE(writer->add(records(20, 2)).ok());
  ASSERT_TRUE(writer->add(records(10, 3)).ok());
  ASSERT_TRUE(writer->finish().ok());
  const std::string one = *(*fs.open("d/one")).get()->read_at(0, 10'000);
  const std::string two = *(*fs.open("d/two")).get()->read_at(0, 10'000);
  const size_t first = 12 + 12 + records(10, 3).size(), second = 12 + records(20, 2).size();
  put_file(fs, "d/mixed",
           one.substr(0, 12) + one.substr(first, second) + one.substr(12, first - 12) +
               one.substr(first + second));
  EXPECT_FALSE(read_all(fs, "d/mixed").ok());
  EXPECT_NE(one, two);
}

TEST(BackupFile, IsNeverWrittenOverAnotherAndLeavesNothingHalfDone) {
  sim::SimFileSystem fs;
  ASSERT_TRUE(fs.make_directory("d").ok());
  write_backup(fs, "d/backup");
  EXPECT_EQ(BackupWriter::create(fs, "d/backup").code(), ErrorCode::kInUse);
  {
    auto writer = BackupWriter::create(fs, "d/given-up");
    ASSERT_TRUE(writer.ok());
    ASSERT_TRUE(writer->add(records(1, 1)).ok());
  }
  EXPECT_FALSE(fs.exists("d/given-up"));
  EXPECT_FALSE(fs.exists("d/given-up.part"));
}

TEST(BackupFile, ANewNameOutlivesAPowerLoss) {
  sim::SimFileSystem fs;
  ASSERT_TRUE(fs.make_directory("d").ok());
  write_backup(fs, "d/unverified");
  ASSERT_TRUE(rename_durably(fs, "d/unverified", "d/backup").ok());
  for (uint64_t seed = 1; seed <= 50; ++seed) {
    Random random(seed);
    const auto other = fs.clone();
    other->power_loss(random);
    EXPECT_TRUE(other->exists("d/backup")) << seed;
    EXPECT_FALSE(other->exists("d/unverified")) << seed;
  }
}

TEST(BackupFile, IsWrittenByOneAtATime) {
  sim::SimFileSystem fs;
  ASSERT_TRUE(fs.make_directory("d").ok());
  {
    auto first = BackupWriter::create(fs, "d/backup");
    ASSERT_TRUE(first.ok());
    ASSERT_TRUE(first->add(records(10, 3)).ok());
    EXPECT_EQ(BackupWriter::create(fs, "d/backup").code(), ErrorCode::kInUse);
    ASSERT_TRUE(first->add(records(20, 2)).ok());
    ASSERT_TRUE(first->finish().ok());
  }
  EXPECT_EQ(*read_all(fs, "d/backup"), records(10, 3) + records(20, 2));
  // Whoever finds one at the end, where there was none, leaves it as it is.
  ASSERT_TRUE(fs.rename("d/backup", "d/other").ok());
  auto late = BackupWriter::create(fs, "d/backup");
  ASSERT_TRUE(late.ok());
  ASSERT_TRUE(fs.rename("d/other", "d/backup").ok());
  EXPECT_EQ(late->finish().code(), ErrorCode::kInUse);
  EXPECT_EQ(*read_all(fs, "d/backup"), records(10, 3) + records(20, 2));
}

TEST(BackupFile, RefusesWhatIsNoBackup) {
  sim::SimFileSystem fs;
  ASSERT_TRUE(fs.make_directory("d").ok());
  EXPECT_EQ(BackupReader::open(fs, "d/missing").code(), ErrorCode::kNoNode);
  put_file(fs, "d/other", "a shopping list, not a backup");
  EXPECT_EQ(BackupReader::open(fs, "d/other").code(), ErrorCode::kCorruption);
  put_file(fs, "d/later", std::string("QUORBKUP\x02\0\0\0", 12));
  EXPECT_EQ(BackupReader::open(fs, "d/later").code(), ErrorCode::kUnsupported);
  auto writer = BackupWriter::create(fs, "d/b");
  ASSERT_TRUE(writer.ok());
  EXPECT_EQ(writer->add("\xff\xff\xff").code(), ErrorCode::kMalformed);
  EXPECT_EQ(writer->add(std::string(kBackupFrameBytesMax + 1, 'x')).code(), ErrorCode::kTooLarge);
}

}  // namespace
}  // namespace quorate::server
