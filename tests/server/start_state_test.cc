// How a start brings log and state together, and what it refuses.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "raft/entry.h"
#include "server/shell/start.h"
#include "server/storage/backup.h"
#include "server/storage/leveldb_store.h"
#include "tests/kv/machine.h"
#include "tests/storage/temporary_directory.h"

namespace quorate::server {
namespace {

constexpr ClusterId kCluster{77};
constexpr Incarnation kIncarnation{5};

// A data folder of server 1, filled by hand with a log and a state.
class StartTest : public testing::Test {
 protected:
  StartTest() {
    config_.data = directory_.path() + "/data";
    config_.cluster = {{ServerId(1), "a:1"}, {ServerId(2), "b:1"}};
    config_.wal.segment_bytes = 64 << 10;
    auto folder = DataFolder::open(fs_, config_.data, ServerId(1), kIncarnation);
    EXPECT_TRUE(folder.ok());
    auto wal = Wal::create(fs_, folder->wal_directory(), {ServerId(1), kIncarnation, kCluster}, config_.wal);
    EXPECT_TRUE(wal.ok());
    wal_ = std::move(*wal);
    const std::string configuration = members();
    const std::vector<raft::Proposal> founding = {{raft::EntryKind::kConfiguration, configuration}};
    write(raft::encode_entries(Term(1), Index(1), founding));
    EXPECT_TRUE(folder->remember_cluster(kCluster).ok());
    machine_.state.skip(Index(1));
  }

  static std::string members(bool alone = false) {
    raft::Configuration configuration;
    configuration.cluster_id = kCluster;
    configuration.members = {{ServerId(1), kIncarnation, raft::MemberRole::kVoter, "a:1"},
                             {ServerId(2), Incarnation(6), raft::MemberRole::kVoter, "b:1"}};
    if (alone) configuration.members.pop_back();
    return raft::encode_configuration(configuration);
  }
  void write(const std::vector<raft::Entry>& entries) {
    ASSERT_TRUE(wal_->append(raft::HardState{Term(3), ServerId(2)}, entries).ok());
    ASSERT_TRUE(wal_->sync().ok());
  }
  // The log says that this server is the only member, of a cluster that began with that state.
  void alone_from(uint64_t base_state) {
    raft::Configuration alone = *raft::decode_configuration(members(true));
    alone.base_state = base_state;
    const std::string configuration = raft::encode_configuration(alone);
    const std::vector<raft::Proposal> founding = {{raft::EntryKind::kConfiguration, configuration}};
    write(raft::encode_entries(Term(1), Index(++logged_), founding));
    wal_.reset();
  }
  // Entries of that term up to `last`, which are in the state once it is brought there.
  void log_up_to(uint64_t last, Term term) {
    for (; logged_ < last; ++logged_) {
      const std::string payload = kv::payload_of(kv::OpenSession{{}, 10'000, {}}, kv::Stamp{1, 1});
      const std::vector<raft::Proposal> proposals = {{raft::EntryKind::kCommand, payload}};
      write(raft::encode_entries(term, Index(logged_ + 1), proposals));
    }
  }
  // A checkpoint of the state after `index` entries.
  void keep_state(uint64_t index, Term term, ClusterId cluster = kCluster, bool alone = false) {
    while (machine_.state.applied() < Index(index)) machine_.open();
    LevelDbStores stores(fs_);
    auto folder = StateFolder::open(fs_, stores, state_directory(), {});
    ASSERT_TRUE(folder.ok()) << folder.error().message;
    WriteCheckpoint checkpoint{
        {cluster, Index(index), term, Bytes(members(alone)), machine_.state.state_hash()}, {}};
    machine_.state.begin_capture();
    while (!machine_.state.capture(1 << 20, checkpoint.records)) {
    }
    StoreJob job{1, std::move(checkpoint)};
    ASSERT_TRUE(folder->folder->run(job).ok());
  }
  void cut(uint64_t index, Term term) { ASSERT_TRUE(wal_->cut(Index(index), term).ok()); }
  std::string state_directory() const { return config_.data + "/state"; }
  Result<OpenFolder> start() {
    wal_.reset();
    return open_folder(config_, Incarnation(99));
  }
  void expect_refused(ErrorCode code, const std::string& what) {
    const auto opened = start();
    ASSERT_EQ(opened.code(), code);
    EXPECT_NE(opened.error().message.find(what), std::string::npos) << opened.error().message;
    EXPECT_NE(opened.error().message.find(config_.data), std::string::npos) << opened.error().message;
  }

  storage_test::TemporaryDirectory directory_;
  PosixFileSystem fs_;
  ServerConfig config_;
  std::unique_ptr<Wal> wal_;
  uint64_t logged_ = 1;
  kv::Machine machine_;
};

TEST_F(StartTest, WithoutAStateTheWholeLogIsThere) {
  log_up_to(5, Term(2));
  const auto opened = start();
  ASSERT_TRUE(opened.ok()) << opened.error().message;
  EXPECT_FALSE(opened->recovered.state.has_value());
  EXPECT_EQ(opened->recovered.log->entries.size(), 5U);
  EXPECT_EQ(opened->members->members.size(), 2U);
}

TEST_F(StartTest, WhatTheLogHoldsUpToTheStateStays) {
  log_up_to(9, Term(2));
  keep_state(6, Term(2));
  cut(3, Term(2));
  const auto opened = start();
  ASSERT_TRUE(opened.ok()) << opened.error().message;
  EXPECT_EQ(opened->recovered.state->name.index, Index(6));
  EXPECT_EQ(opened->recovered.state->state->applied(), Index(6));
  EXPECT_EQ(opened->recovered.log->snapshot_index, Index(3));
  EXPECT_EQ(opened->recovered.log->entries.size(), 6U);
  EXPECT_EQ(opened->members->members.size(), 2U) << "from the state: the log has no configuration any more";
  ASSERT_TRUE(opened->recovered.log->snapshot_configuration.has_value());
}

TEST_F(StartTest, ALogThatDoesNotReachTheStateIsCutBehindIt) {
  log_up_to(4, Term(2));
  keep_state(8, Term(3));
  for (int times = 0; times < 2; ++times) {
    const auto opened = start();
    ASSERT_TRUE(opened.ok()) << opened.error().message;
    EXPECT_EQ(opened->recovered.log->snapshot_index, Index(8));
    EXPECT_EQ(opened->recovered.log->snapshot_term, Term(3));
    EXPECT_TRUE(opened->recovered.log->entries.empty());
    EXPECT_EQ(opened->recovered.log->hard_state.vote, ServerId(2)) << "term and vote are kept";
  }
}

TEST_F(StartTest, ALogWithAnotherEntryWhereTheStateEndsIsCutBehindIt) {
  log_up_to(9, Term(2));
  keep_state(6, Term(3));
  const auto opened = start();
  ASSERT_TRUE(opened.ok()) << opened.error().message;
  EXPECT_EQ(opened->recovered.log->snapshot_index, Index(6));
  EXPECT_TRUE(opened->recovered.log->entries.empty());
}

TEST_F(StartTest, ABackupOfTheFolderHoldsNothingOfALogThatAStartWouldCut) {
  log_up_to(9, Term(2));
  keep_state(6, Term(3));
  wal_.reset();
  LevelDbStores stores(fs_);
  const auto loaded = load_stopped_server(fs_, stores, config_.data, {});
  ASSERT_TRUE(loaded.ok()) << loaded.error().message;
  EXPECT_EQ(loaded->name.index, Index(6));
  EXPECT_EQ(loaded->name.term, Term(3));
  EXPECT_EQ(loaded->state->state_hash(), machine_.state.state_hash());
  EXPECT_EQ(loaded->name.state_hash, machine_.state.state_hash());
}

TEST_F(StartTest, ABackupOfTheFolderHoldsWhatTheLogAddsToTheState) {
  log_up_to(9, Term(2));
  keep_state(6, Term(2));
  wal_.reset();
  LevelDbStores stores(fs_);
  const auto loaded = load_stopped_server(fs_, stores, config_.data, {});
  ASSERT_TRUE(loaded.ok()) << loaded.error().message;
  EXPECT_EQ(loaded->name.index, Index(9));
}

// What was restored would be missing in it.
TEST_F(StartTest, ABackupOfTheFolderNeedsTheStateThatTheClusterBeganWith) {
  alone_from(77);
  LevelDbStores stores(fs_);
  const auto loaded = load_stopped_server(fs_, stores, config_.data, {});
  EXPECT_EQ(loaded.code(), ErrorCode::kUnavailable);
  EXPECT_NE(loaded.error().message.find("began with a backup"), std::string::npos) << loaded.error().message;
}

TEST_F(StartTest, AStateWithoutALogIsRefused) {
  log_up_to(9, Term(2));
  keep_state(6, Term(2));
  wal_.reset();
  std::filesystem::remove_all(config_.data + "/wal");
  std::filesystem::remove(config_.data + "/identity");
  for (int start = 0; start < 2; ++start) expect_refused(ErrorCode::kCorruption, "no log beside it");
}

// Whoever moves a sound folder away because it is said to hold no log loses a member.
TEST_F(StartTest, ALogThatCannotBeReadIsNotCalledMissing) {
  log_up_to(4, Term(2));
  std::filesystem::rename(config_.data + "/wal", config_.data + "/aside");
  std::ofstream(config_.data + "/wal") << "a file where a folder should be";
  expect_refused(ErrorCode::kIo, "cannot list");
}

TEST_F(StartTest, ALogThatBeginsBehindTheStateIsRefused) {
  log_up_to(9, Term(2));
  keep_state(4, Term(2));
  cut(7, Term(2));
  expect_refused(ErrorCode::kCorruption, "--rebuild-state");
}

TEST_F(StartTest, AStateOfAnotherClusterIsRefused) {
  log_up_to(9, Term(2));
  keep_state(6, Term(2), ClusterId(78));
  expect_refused(ErrorCode::kWrongCluster, "another cluster");
}

TEST_F(StartTest, ADamagedStateIsRefused) {
  log_up_to(9, Term(2));
  keep_state(6, Term(2));
  std::filesystem::resize_file(state_directory() + "/CURRENT", 3);
  expect_refused(ErrorCode::kCorruption, "--rebuild-state");
}

TEST_F(StartTest, ARebuiltServerKeepsAllButItsState) {
  log_up_to(9, Term(2));
  keep_state(6, Term(2));
  cut(5, Term(2));
  wal_.reset();
  const auto rebuilt = rebuild_state(config_);
  ASSERT_TRUE(rebuilt.ok()) << rebuilt.error().message;
  const auto opened = start();
  ASSERT_TRUE(opened.ok()) << opened.error().message;
  EXPECT_FALSE(opened->recovered.state.has_value());
  EXPECT_EQ(opened->recovered.log->snapshot_index, Index(5));
  EXPECT_EQ(opened->recovered.log->entries.size(), 4U);
  EXPECT_EQ(opened->recovered.log->hard_state.term, Term(3));
  EXPECT_EQ(opened->recovered.log->hard_state.vote, ServerId(2));
  EXPECT_EQ(opened->folder->incarnation(), kIncarnation);
  ASSERT_TRUE(opened->recovered.log->snapshot_configuration.has_value()) << "from MEMBERS";
  EXPECT_EQ(opened->recovered.log->snapshot_configuration->members.size(), 2U);
}

TEST_F(StartTest, RebuildingNeedsAFolderThatIsAMembers) {
  config_.data = directory_.path() + "/nothing";
  EXPECT_EQ(rebuild_state(config_).code(), ErrorCode::kNoNode);
  EXPECT_FALSE(std::filesystem::exists(config_.data));
  ASSERT_TRUE(DataFolder::open(fs_, config_.data, ServerId(1), kIncarnation).ok());
  EXPECT_EQ(rebuild_state(config_).code(), ErrorCode::kInvalidArgument);
}

TEST_F(StartTest, AServerAloneIsNotRebuiltFromALogThatWasCut) {
  log_up_to(9, Term(2));
  keep_state(6, Term(2), kCluster, true);
  cut(5, Term(2));
  wal_.reset();
  const auto rebuilt = rebuild_state(config_);
  EXPECT_EQ(rebuilt.code(), ErrorCode::kInvalidArgument);
  EXPECT_NE(rebuilt.error().message.find("backup"), std::string::npos);
  config_.cluster.pop_back();
  const auto opened = start();
  ASSERT_TRUE(opened.ok()) << opened.error().message;
  EXPECT_TRUE(opened->recovered.state.has_value()) << "nothing was thrown away";
}

TEST_F(StartTest, AServerAloneIsNotRebuiltWhereItBeganWithABackup) {
  alone_from(77);
  // There is no checkpoint yet, and so nothing beside the log says who the members are.
  EXPECT_EQ(rebuild_state(config_).code(), ErrorCode::kInvalidArgument);
}

TEST_F(StartTest, AServerAloneIsRebuiltFromAWholeLog) {
  alone_from(0);
  const auto rebuilt = rebuild_state(config_);
  EXPECT_TRUE(rebuilt.ok()) << rebuilt.error().message;
}

TEST_F(StartTest, ALogWithoutMembersAnywhereIsRefused) {
  log_up_to(9, Term(2));
  cut(7, Term(2));
  expect_refused(ErrorCode::kCorruption, "who the members are");
}

}  // namespace
}  // namespace quorate::server
