// The real file system, and the log over it.
#include "server/storage/posix_file_system.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "server/storage/files.h"
#include "server/storage/wal.h"
#include "tests/storage/temporary_directory.h"
#include "tests/storage/wal_twin.h"

namespace quorate::storage_test {
namespace {

using server::PosixFileSystem;

class PosixFileSystemTest : public testing::Test {
 protected:
  std::string path(const std::string& name) const { return directory_.path() + "/" + name; }

  TemporaryDirectory directory_;
  PosixFileSystem disk_;
};

TEST_F(PosixFileSystemTest, BytesComeBack) {
  auto file = disk_.create(path("f"));
  ASSERT_TRUE(file.ok()) << file.error().message;
  EXPECT_TRUE((*file)->write_at(5, "hello").ok());
  EXPECT_TRUE((*file)->sync().ok());
  auto again = disk_.open(path("f"));
  ASSERT_TRUE(again.ok());
  EXPECT_EQ((*again)->size().value(), 10U);
  EXPECT_EQ((*again)->read_at(5, 100).value(), "hello");
  EXPECT_EQ((*again)->read_at(0, 5).value(), std::string(5, '\0'));
  EXPECT_EQ((*again)->read_at(10, 5).value(), "");
}

TEST_F(PosixFileSystemTest, ManyPiecesAreOneWrite) {
  std::vector<std::string> pieces;
  std::string all;
  for (int i = 0; i < 3000; ++i) {
    pieces.push_back(std::string(static_cast<size_t>(i % 5), static_cast<char>('a' + i % 26)));
    all += pieces.back();
  }
  auto file = disk_.create(path("f"));
  ASSERT_TRUE(file.ok());
  ASSERT_TRUE((*file)->write_pieces_at(3, {pieces.begin(), pieces.end()}).ok());
  EXPECT_EQ((*file)->read_at(3, all.size() + 10).value(), all);
}

TEST_F(PosixFileSystemTest, NamesAreMadeRenamedListedAndRemoved) {
  ASSERT_TRUE(disk_.make_directory(path("a/b/c")).ok());
  ASSERT_TRUE(disk_.make_directory(path("a/b/c")).ok());
  ASSERT_TRUE(disk_.create(path("a/y")).ok());
  ASSERT_TRUE(disk_.rename(path("a/y"), path("a/x")).ok());
  ASSERT_TRUE(disk_.sync_directory(path("a")).ok());
  EXPECT_EQ(disk_.list(path("a")).value(), (std::vector<std::string>{"b", "x"}));
  EXPECT_TRUE(disk_.exists(path("a/x")));
  ASSERT_TRUE(disk_.remove(path("a/x")).ok());
  EXPECT_FALSE(disk_.exists(path("a/x")));
}

TEST_F(PosixFileSystemTest, AFileIsRemovedInPartsAndACopyOfItStaysWhole) {
  const std::string bytes((1 << 20) + 1, 'x');
  for (const char* name : {"alone", "empty", "copied"}) ASSERT_TRUE(disk_.create(path(name)).ok());
  for (const char* name : {"alone", "copied"}) {
    auto file = disk_.open(path(name));
    ASSERT_TRUE(file.ok() && (*file)->write_at(0, bytes).ok());
  }
  std::filesystem::create_hard_link(path("copied"), path("copy"));
  for (const char* name : {"alone", "empty", "copied"}) {
    EXPECT_TRUE(disk_.remove_in_parts(path(name)).ok()) << name;
  }
  EXPECT_EQ(disk_.list(path("")).value(), std::vector<std::string>{"copy"});
  EXPECT_TRUE(read_file(disk_, path("copy")).value() == bytes);
}

TEST_F(PosixFileSystemTest, AFileThatIsRemovedInPartsGetsShorterFirst) {
  auto file = disk_.create(path("f"));
  ASSERT_TRUE(file.ok() && (*file)->write_at(0, std::string((1 << 20) + 1, 'x')).ok());
  ASSERT_TRUE(disk_.remove_in_parts(path("f")).ok());
  EXPECT_EQ((*file)->size().value(), 1U);  // what the unlink itself gave back
}

TEST_F(PosixFileSystemTest, ErrorsSayWhatAndWhere) {
  auto missing = disk_.open(path("no"));
  EXPECT_EQ(missing.code(), ErrorCode::kNoNode);
  EXPECT_EQ(missing.error().message, path("no") + ": cannot open: No such file or directory");
  EXPECT_EQ(disk_.list(path("no")).code(), ErrorCode::kNoNode);
  EXPECT_EQ(disk_.remove(path("no")).code(), ErrorCode::kNoNode);
  EXPECT_EQ(disk_.remove_in_parts(path("no")).code(), ErrorCode::kNoNode);
  EXPECT_EQ(disk_.rename(path("no"), path("yes")).code(), ErrorCode::kNoNode);
  EXPECT_EQ(disk_.sync_directory(path("no")).code(), ErrorCode::kNoNode);
  ASSERT_TRUE(disk_.create(path("file")).ok());
  EXPECT_EQ(disk_.make_directory(path("file")).code(), ErrorCode::kIo);
  EXPECT_EQ(disk_.make_directory(path("file/below")).code(), ErrorCode::kIo);
  EXPECT_EQ(disk_.create(path("file/below")).code(), ErrorCode::kIo);
}

TEST_F(PosixFileSystemTest, AFullDeviceIsNoSpace) {
  auto full = disk_.open("/dev/full");
  ASSERT_TRUE(full.ok()) << full.error().message;
  EXPECT_EQ((*full)->write_at(0, "x").code(), ErrorCode::kNoSpace);
  EXPECT_EQ((*full)->write_pieces_at(0, {"x", "y"}).code(), ErrorCode::kNoSpace);
}

TEST_F(PosixFileSystemTest, ALockIsHeldOnceAndEndsWithItsOwner) {
  {
    auto lock = disk_.lock(path("LOCK"));
    ASSERT_TRUE(lock.ok());
    EXPECT_EQ(disk_.lock(path("LOCK")).code(), ErrorCode::kInUse);
  }
  EXPECT_TRUE(disk_.lock(path("LOCK")).ok());
}

TEST_F(PosixFileSystemTest, TheLogComesBackAcrossManySegments) {
  Twin twin;
  for (uint64_t round = 0; round < 5; ++round) {
    std::unique_ptr<Wal> wal;
    if (Wal::exists(disk_, path("wal"))) {
      auto opened = Wal::open(disk_, path("wal"), test_identity(), small_segments());
      ASSERT_TRUE(opened.ok()) << opened.error().message;
      ASSERT_TRUE(TwinState::of(opened->recovered).same_as(twin.promised));
      wal = std::move(opened->wal);
    } else {
      wal = Wal::create(disk_, path("wal"), test_identity(), small_segments()).value();
    }
    for (uint64_t i = 0; i < 40; ++i) {
      const raft::HardState voted{Term(round + 1), ServerId(2)};
      const auto entries = entries_of(round + 1, twin.wanted.last().value() + 1, 3, 200);
      twin.set_hard_state(voted);
      twin.append(entries);
      ASSERT_TRUE(wal->append(voted, entries).ok());
      ASSERT_TRUE(wal->sync().ok());
      twin.synced();
      ASSERT_TRUE(wal->idle().ok());
    }
    EXPECT_GT(wal->stats().segments, 1U);
    const Index middle = twin.wanted.last() - 50;
    const Term term = twin.wanted.term_at(middle);
    ASSERT_TRUE(wal->cut(middle, term).ok());
    twin.wanted.cut(middle, term);
    twin.synced();
  }
}

}  // namespace
}  // namespace quorate::storage_test
