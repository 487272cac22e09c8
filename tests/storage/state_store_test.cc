// Both stores against a plain map, and LevelDB's over a disk that tears, fails and fills up.
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "base/checksum.h"
#include "tests/storage/store_fixture.h"

namespace quorate::storage_test {
namespace {

using server::IfMissing;
using server::LevelDbStores;
using server::MemoryStores;
using server::StateSnapshot;
using server::StateStore;
using server::StateStores;
using sim::SimFileSystem;
using sim::SimStep;

constexpr char kStore[] = "d/state/1";
constexpr char kHashKey[] = "hash";  // of everything else

uint64_t hash_of(const Content& content) {
  uint64_t hash = 0;
  for (const auto& [key, value] : content) {
    if (key != kHashKey) hash += checksum64(value, checksum64(key));
  }
  return hash;
}

enum class Kind { kLevelDb, kMemory };

class BothStores : public testing::TestWithParam<Kind> {
 protected:
  BothStores() {
    if (GetParam() == Kind::kLevelDb) {
      stores_ = std::make_unique<LevelDbStores>(disk_, small_store());
    } else {
      stores_ = std::make_unique<MemoryStores>();
    }
  }
  void open(IfMissing if_missing = IfMissing::kMake) {
    store_.reset();
    auto opened = stores_->open(kStore, if_missing);
    ASSERT_TRUE(opened.ok()) << opened.error().message;
    store_ = std::move(*opened);
  }

  SimFileSystem disk_;
  std::unique_ptr<StateStores> stores_;
  std::unique_ptr<StateStore> store_;
};

TEST_P(BothStores, HoldsWhatAMapHoldsThroughSnapshotsAndRestarts) {
  Random random(7);
  Content wanted;
  std::vector<std::pair<std::unique_ptr<StateSnapshot>, Content>> snapshots;
  open();
  for (int round = 0; round < 60; ++round) {
    const Batch batch = random_batch(random, random.below(80), random.chance(0.1) ? 9'000 : 300);
    ASSERT_TRUE(store_->write(batch).ok());
    apply_batch(wanted, batch);
    if (random.chance(0.2)) {
      auto snapshot = store_->snapshot();
      ASSERT_TRUE(snapshot.ok());
      snapshots.emplace_back(std::move(*snapshot), wanted);
    }
    if (!snapshots.empty() && random.chance(0.3)) {
      const size_t which = random.below(snapshots.size());
      auto content = read_all(*snapshots[which].first, 1 + random.below(20'000));
      ASSERT_TRUE(content.ok());
      ASSERT_EQ(*content, snapshots[which].second) << "a snapshot moved";
      snapshots.erase(snapshots.begin() + static_cast<ptrdiff_t>(which));
    }
    if (random.chance(0.1)) {
      snapshots.clear();
      open(IfMissing::kRefuse);
    }
    auto content = read_all(*store_);
    ASSERT_TRUE(content.ok());
    ASSERT_EQ(*content, wanted);
  }
  EXPECT_GT(store_->bytes_written(), 0U);
}

TEST_P(BothStores, AnEmptyOneHasNothing) {
  open();
  auto snapshot = store_->snapshot();
  ASSERT_TRUE(snapshot.ok());
  std::string out, last_key;
  const Result<bool> more = (*snapshot)->read("", 100, out, last_key);
  ASSERT_TRUE(more.ok());
  EXPECT_FALSE(*more);
  EXPECT_EQ(out, "");
}

TEST_P(BothStores, GivesOneRecordHoweverSmallThePartMayBe) {
  open();
  ASSERT_TRUE(store_->write(Batch{{"a", "1"}, {"b", std::string(5'000, 'b')}, {"c", "3"}}).ok());
  auto snapshot = store_->snapshot();
  ASSERT_TRUE(snapshot.ok());
  std::string out, last_key;
  Result<bool> more = (*snapshot)->read("a", 1, out, last_key);
  ASSERT_TRUE(more.ok());
  EXPECT_TRUE(*more);
  EXPECT_EQ(last_key, "b");
  EXPECT_GT(out.size(), 5'000U);
  more = (*snapshot)->read("b", 1, out, last_key);
  ASSERT_TRUE(more.ok());
  EXPECT_FALSE(*more) << "nothing is behind the last";
  EXPECT_EQ(last_key, "c");
}

TEST_P(BothStores, ALaterRecordOfAKeyWins) {
  open();
  ASSERT_TRUE(store_->write(Batch{{"a", "1"}, {"a", std::nullopt}, {"b", std::nullopt}, {"b", "2"}}).ok());
  auto content = read_all(*store_);
  ASSERT_TRUE(content.ok());
  EXPECT_EQ(*content, (Content{{"b", "2"}}));
}

TEST_P(BothStores, ALaterRecordOfAKeyWinsAmongMany) {
  constexpr size_t kKeys = 1'000;
  open();
  Batch batch;
  Content wanted;
  for (size_t i = 0; i < kKeys; ++i) batch.push_back({std::to_string(i), std::nullopt});
  for (size_t i = 0; i < kKeys; ++i) {
    const std::string key = std::to_string(i * 7 % kKeys);
    batch.push_back({key, "made anew"});
    wanted[key] = "made anew";
  }
  ASSERT_TRUE(store_->write(batch).ok());
  auto content = read_all(*store_);
  ASSERT_TRUE(content.ok());
  EXPECT_EQ(*content, wanted);
}

TEST_P(BothStores, OneThatIsMissingIsRefusedWhereItMustBeThere) {
  const auto opened = stores_->open(kStore, IfMissing::kRefuse);
  EXPECT_EQ(opened.code(), ErrorCode::kCorruption);
  EXPECT_NE(opened.error().message.find(kStore), std::string::npos);
}

TEST_P(BothStores, OneThatWasRemovedIsEmptyAgain) {
  ASSERT_TRUE(stores_->remove(kStore).ok()) << "also when it was never there";
  open();
  ASSERT_TRUE(store_->write(Batch{{"a", "1"}}).ok());
  store_.reset();
  ASSERT_TRUE(stores_->remove(kStore).ok());
  open();
  auto content = read_all(*store_);
  ASSERT_TRUE(content.ok());
  EXPECT_TRUE(content->empty());
}

INSTANTIATE_TEST_SUITE_P(Stores, BothStores, testing::Values(Kind::kLevelDb, Kind::kMemory),
                         [](const auto& kind) { return kind.param == Kind::kMemory ? "Memory" : "LevelDb"; });

// ---- LevelDB over a bad disk

// One story with flushes, compactions and a batch that is larger than the write buffer in it.
struct StoreStory {
  explicit StoreStory(SimFileSystem& simulated) : disk(simulated), stores(simulated, small_store()) {}

  // Up to the first error.
  Status run() {
    Random random(11);
    for (size_t i = 0; i < kBatches; ++i) {
      batches.push_back(random_batch(random, i == 5 ? 300 : 40, 900));
      after.push_back(after.back());
      apply_batch(after.back(), batches.back());
      const kv::Record hash{kHashKey, std::to_string(hash_of(after.back()))};
      batches.back().push_back(hash);
      apply_batch(after.back(), {hash});
    }
    if (Status opened = open(IfMissing::kMake); !opened.ok()) return opened;
    return go_on();
  }
  Status open(IfMissing if_missing) {
    store.reset();
    auto opened = stores.open(kStore, if_missing);
    if (!opened.ok()) return opened.error();
    store = std::move(*opened);
    return {};
  }
  Status go_on() {
    while (returned < kBatches) {
      if (Status written = store->write(batches[returned]); !written.ok()) return written;
      ++returned;
    }
    return {};
  }
  // Comes back, expects a checkpoint that was written, not older than the last whose write returned, and
  // writes what is missing.
  void come_back() {
    const bool made = disk.exists(std::string(kStore) + "/CURRENT");
    ASSERT_TRUE(made || returned == 0);
    const Status opened = open(IfMissing::kMake);
    ASSERT_TRUE(opened.ok()) << opened.error().message;
    expect_a_checkpoint();
    ASSERT_TRUE(go_on().ok());
    auto content = read_all(*store);
    ASSERT_TRUE(content.ok());
    ASSERT_EQ(*content, after.back());
    const Status again = open(IfMissing::kRefuse);
    ASSERT_TRUE(again.ok()) << again.error().message;
    content = read_all(*store);
    ASSERT_TRUE(content.ok());
    ASSERT_EQ(*content, after.back());
  }
  void expect_a_checkpoint() {
    auto content = read_all(*store);
    ASSERT_TRUE(content.ok()) << content.error().message;
    if (returned < kBatches && *content == after[returned + 1]) ++returned;
    ASSERT_TRUE(*content == after[returned]) << "no checkpoint that was written, or one that is too old";
  }

  static constexpr size_t kBatches = 24;
  SimFileSystem& disk;
  LevelDbStores stores;
  std::unique_ptr<StateStore> store;
  std::vector<Batch> batches;
  std::vector<Content> after{{}};  // by number of batches
  size_t returned = 0;
};

TEST(LevelDbStore, TheStoryHasFlushesAndCompactionsInIt) {
  SimFileSystem disk;
  StoreStory story(disk);
  ASSERT_TRUE(story.run().ok());
  std::set<std::string> tables;
  for (const auto& [path, content] : disk.image()) {
    if (path.ends_with(".ldb")) tables.insert(path);
  }
  EXPECT_FALSE(tables.empty());
  size_t bytes = 0;
  for (const Batch& batch : story.batches) bytes += batch.bytes();
  EXPECT_GT(story.store->bytes_written(), 2 * bytes) << "log, flush, compaction";
  EXPECT_EQ(story.store->bytes_written(), disk.stats().bytes_written);
}

TEST(LevelDbStore, TheSameCallsMakeTheSameDisk) {
  SimFileSystem first, second;
  StoreStory one(first), other(second);
  ASSERT_TRUE(one.run().ok());
  ASSERT_TRUE(other.run().ok());
  EXPECT_EQ(first.image(), second.image());
}

TEST(LevelDbStore, ACrashAtEveryStepLeavesACheckpointThatWasWritten) {
  for (uint64_t step = 1;; ++step) {
    SimFileSystem disk;
    StoreStory story(disk);
    disk.crash_at_step(step);
    const Status told = story.run();
    if (told.ok() && !disk.crashed()) {
      EXPECT_GT(step, 100U);
      return;
    }
    ASSERT_FALSE(told.ok()) << "the machine went down at step " << step << " and nobody was told";
    story.store.reset();
    end_and_begin_again(disk, step, 4);
    story.come_back();
    ASSERT_FALSE(testing::Test::HasFatalFailure()) << "step " << step;
  }
}

TEST(LevelDbStore, AnErrorAtEveryStepIsToldAndHarmsNothingThatWasWritten) {
  for (uint64_t step = 1;; ++step) {
    SimFileSystem disk;
    StoreStory story(disk);
    disk.fail_step(step, SimStep::kAny, ErrorCode::kIo);
    const Status told = story.run();
    if (told.ok()) {
      EXPECT_GE(step, disk.stats().steps);
      EXPECT_GT(step, 100U);
      return;
    }
    ASSERT_EQ(told.code(), ErrorCode::kIo);
    ASSERT_NE(told.error().message.find("d/state"), std::string::npos);
    story.store.reset();
    end_and_begin_again(disk, step, 2);
    story.come_back();
    ASSERT_FALSE(testing::Test::HasFatalFailure()) << "step " << step;
  }
}

// A disk that cannot write what it was given, and says so once, at the first question.
class UnsettledDisk final : public server::FileSystem {
 public:
  class File final : public server::File {
   public:
    File(std::unique_ptr<server::File> file, const UnsettledDisk& disk)
        : file_(std::move(file)), disk_(disk) {}
    Status write_at(uint64_t offset, std::string_view bytes) override {
      return file_->write_at(offset, bytes);
    }
    Status write_pieces_at(uint64_t offset, const std::vector<std::string_view>& pieces) override {
      return file_->write_pieces_at(offset, pieces);
    }
    Result<std::string> read_at(uint64_t offset, size_t size) override {
      return file_->read_at(offset, size);
    }
    Result<size_t> read_into(uint64_t offset, size_t size, char* buffer) override {
      return file_->read_into(offset, size, buffer);
    }
    Status sync() override { return file_->sync(); }
    Status settle(uint64_t, uint64_t) override { return disk_.told; }
    Result<uint64_t> size() override { return file_->size(); }

   private:
    std::unique_ptr<server::File> file_;
    const UnsettledDisk& disk_;
  };

  Result<std::unique_ptr<server::File>> open(const std::string& path) override {
    return wrap(disk_.open(path));
  }
  Result<std::unique_ptr<server::File>> create(const std::string& path) override {
    return wrap(disk_.create(path));
  }
  Status rename(const std::string& from, const std::string& to) override { return disk_.rename(from, to); }
  Status remove(const std::string& path) override { return disk_.remove(path); }
  Status remove_in_parts(const std::string& path) override { return disk_.remove_in_parts(path); }
  Status make_directory(const std::string& path) override { return disk_.make_directory(path); }
  Status remove_directory(const std::string& path) override { return disk_.remove_directory(path); }
  Status sync_directory(const std::string& path) override { return disk_.sync_directory(path); }
  Result<std::vector<std::string>> list(const std::string& path) override { return disk_.list(path); }
  bool exists(const std::string& path) override { return disk_.exists(path); }
  Result<std::unique_ptr<server::FileLock>> lock(const std::string& path) override {
    return disk_.lock(path);
  }

  Status told;

 private:
  Result<std::unique_ptr<server::File>> wrap(Result<std::unique_ptr<server::File>> file) const {
    if (!file.ok()) return file.error();
    return std::unique_ptr<server::File>(std::make_unique<File>(std::move(*file), *this));
  }

  SimFileSystem disk_;
};

TEST(LevelDbStore, WhatWasNotWrittenOutIsAFailedSync) {
  for (const ErrorCode code : {ErrorCode::kIo, ErrorCode::kNoSpace}) {
    UnsettledDisk disk;
    LevelDbStores stores(disk, small_store());
    auto store = stores.open(kStore, IfMissing::kMake);
    ASSERT_TRUE(store.ok()) << store.error().message;
    Batch batch;
    batch.push_back({"n/1", "value"});
    disk.told = Error{code, "told once"};
    EXPECT_EQ((*store)->write(batch).code(), ErrorCode::kIo) << "not to be tried again";
    disk.told = {};
    EXPECT_EQ((*store)->write(batch).code(), ErrorCode::kIo);
  }
}

TEST(LevelDbStore, AFullDiskIsToldAndTheStoreGoesOnWhenItIsOpenedAgain) {
  for (uint64_t step = 1;; ++step) {
    SimFileSystem disk;
    StoreStory story(disk);
    disk.fail_step(step, SimStep::kWrite, ErrorCode::kNoSpace);
    const Status told = story.run();
    if (told.ok()) {
      EXPECT_GE(step, disk.stats().writes);
      return;
    }
    ASSERT_EQ(told.code(), ErrorCode::kNoSpace) << told.error().message;
    story.store.reset();
    story.come_back();
    ASSERT_FALSE(testing::Test::HasFatalFailure()) << "write " << step;
  }
}

TEST(LevelDbStore, ADiskThatStaysFullGivesItsRoomBack) {
  SimFileSystem disk;
  StoreStory story(disk);
  ASSERT_TRUE(story.run().ok());
  Random random(3);
  const Batch large = random_batch(random, 300, 900);
  uint64_t room = disk.used_bytes();
  for (int i = 0; i < 20; ++i) {
    disk.set_capacity(room = disk.used_bytes() + 20'000);
    ASSERT_EQ(story.store->write(large).code(), ErrorCode::kNoSpace);
    // Opening it again may need more than is left, too.
    for (Status opened = story.open(IfMissing::kRefuse); !opened.ok();) {
      ASSERT_EQ(opened.code(), ErrorCode::kNoSpace) << opened.error().message;
      disk.set_capacity(room += 20'000);
      opened = story.open(IfMissing::kRefuse);
    }
    ASSERT_LT(disk.used_bytes(), 1'500'000U) << "each attempt leaves something behind";
  }
  auto content = read_all(*story.store);
  ASSERT_TRUE(content.ok());
  disk.set_capacity(0);
  apply_batch(story.after.back(), large);
  ASSERT_TRUE(story.store->write(large).ok());
  content = read_all(*story.store);
  ASSERT_TRUE(content.ok());
  EXPECT_EQ(*content, story.after.back());
}

// A bit flips anywhere: refused, or what is read is a checkpoint that was written. Damage in the very last
// record of a manifest or a log looks like a torn one, which the hash of the whole tells apart.
TEST(LevelDbStore, DamageIsNeverServed) {
  SimFileSystem disk;
  StoreStory story(disk);
  ASSERT_TRUE(story.run().ok());
  story.store.reset();
  Random random(5);
  size_t refused = 0, untouched = 0;
  const auto image = disk.image();
  std::vector<std::string> paths;
  for (const auto& [path, content] : image) {
    if (!content.empty()) paths.push_back(path);
  }
  for (int i = 0; i < 400; ++i) {
    const auto damaged = disk.clone();
    const std::string& path = paths[random.below(paths.size())];
    damaged->flip_bit(path, random.below(image.at(path).size()), static_cast<unsigned>(random.below(8)));
    LevelDbStores stores(*damaged, small_store());
    auto opened = stores.open(kStore, IfMissing::kRefuse);
    auto content = opened.ok() ? read_all(**opened) : Result<Content>(opened.error());
    if (!content.ok()) {
      ++refused;
      ASSERT_EQ(content.code(), ErrorCode::kCorruption) << content.error().message;
      ASSERT_NE(content.error().message.find(kStore), std::string::npos);
      continue;
    }
    if (std::to_string(hash_of(*content)) != (*content)[kHashKey]) {
      ASSERT_TRUE(path.find("MANIFEST") != path.npos || path.ends_with(".log")) << path;
      ++refused;
      continue;
    }
    ++untouched;
    ASSERT_TRUE(std::find(story.after.begin(), story.after.end(), *content) != story.after.end())
        << "damage in " << path << " gave a content that was never written";
  }
  EXPECT_GT(refused, 100U);
  EXPECT_GT(untouched, 0U);
}

TEST(LevelDbStore, AFileThatIsGoneIsDamage) {
  SimFileSystem disk;
  StoreStory story(disk);
  ASSERT_TRUE(story.run().ok());
  story.store.reset();
  for (const auto& [path, content] : disk.image()) {
    const std::string name = path.substr(path.rfind('/') + 1);
    if (name == "LOCK") continue;
    const auto damaged = disk.clone();
    damaged->lose_file(path);
    LevelDbStores stores(*damaged, small_store());
    auto opened = stores.open(kStore, IfMissing::kRefuse);
    if (name.ends_with(".log")) continue;  // only what it was when it was last written can tell
    EXPECT_EQ(opened.code(), ErrorCode::kCorruption) << path;
  }
}

}  // namespace
}  // namespace quorate::storage_test
