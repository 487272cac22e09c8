// The whole state on its way to a client: who may have it, what it holds, and how it goes on.
#include "server/replica_backups.h"

#include <gtest/gtest.h>

#include "base/checksum.h"
#include "base/codec.h"
#include "tests/replica/state_cluster.h"

namespace quorate::server {
namespace {

using test::kMs;
using test::small_options;
using test::StateCluster;

const ConnectionId kSaver(1);
const ConnectionId kOther(2);

class BackupsOfACluster : public testing::Test {
 protected:
  explicit BackupsOfACluster(bool with_super = true) : cluster(3, options(with_super)) {
    cluster.fill(200);
    server = cluster.follower();
    session = cluster.open(server, kSaver, 60'000).session;
    cluster.open(server, kOther, 60'000);
    if (with_super) {
      EXPECT_EQ(prove(kSaver, "super:test"), ErrorCode::kOk);
    }
  }
  static ReplicaOptions options(bool with_super) {
    ReplicaOptions options = small_options();
    if (with_super) options.super_digest = kv::digest_id("super:test").value();
    return options;
  }
  ErrorCode prove(ConnectionId who, std::string proof) {
    return cluster.call(server, who, AddCredentialRequest{1, 1, "digest", std::move(proof)}).error.code;
  }
  ClientReply ask(ConnectionId who, uint64_t snapshot = 0, std::string after = {}) {
    return cluster.call(server, who, SnapshotPartRequest{snapshot, std::move(after)});
  }
  uint64_t begin(ConnectionId who) {
    const ClientReply reply = ask(who);
    EXPECT_EQ(reply.error.code, ErrorCode::kOk) << reply.error.message;
    const auto* part = std::get_if<SnapshotPartReply>(&reply.body);
    if (part == nullptr) return 0;
    EXPECT_TRUE(part->records.empty() && !part->complete) << "the first answer only names it";
    return part->snapshot;
  }
  // All parts behind `after`, each with a look between them.
  std::vector<SnapshotPartReply> read(ConnectionId who, uint64_t snapshot, std::string after = {}) {
    std::vector<SnapshotPartReply> parts;
    while (parts.empty() || !parts.back().complete) {
      const ClientReply reply = ask(who, snapshot, after);
      if (reply.error.code != ErrorCode::kOk) {
        ADD_FAILURE() << reply.error.message;
        break;
      }
      parts.push_back(std::get<SnapshotPartReply>(reply.body));
      EXPECT_EQ(parts.back().checksum, checksum64(parts.back().records.view()));
      EXPECT_TRUE(parts.back().complete || parts.back().last_key > after);
      after = parts.back().last_key;
      cluster.fill(1);  // the cluster goes on meanwhile
    }
    return parts;
  }
  // A state out of the parts; its name says what it is to be.
  void expect_whole(const std::vector<SnapshotPartReply>& parts, Index at_least) {
    ASSERT_FALSE(parts.empty());
    const StateName name = decode_state_name(parts.front().name).value();
    EXPECT_GE(name.index, at_least);
    kv::StateLoader loader{kv::Limits{}};
    for (const SnapshotPartReply& part : parts) {
      EXPECT_EQ(part.name, parts.front().name);
      ByteReader in(part.records.view());
      while (!in.failed() && !in.done()) {
        const std::string key(in.string());
        const std::string value(in.string());
        ASSERT_TRUE(loader.add(key, value).ok());
      }
    }
    auto state = loader.finish();
    ASSERT_TRUE(state.ok());
    EXPECT_EQ(state->state_hash(), name.state_hash);
    EXPECT_EQ(state->applied(), name.index);
  }

  StateCluster cluster;
  ServerId server;
  SessionId session;
};

TEST_F(BackupsOfACluster, HoldsWhatWasAcknowledgedBeforeWhileWritesGoOn) {
  cluster.fill(60);
  const Index acknowledged = cluster.replica(cluster.leader()).state().applied();
  const auto parts = read(kSaver, begin(kSaver));
  EXPECT_GT(parts.size(), 2u);
  expect_whole(parts, acknowledged);
}

TEST_F(BackupsOfACluster, OnlyForASuperUser) {
  EXPECT_EQ(ask(kOther).error.code, ErrorCode::kDenied);
  EXPECT_EQ(ask(ConnectionId(9)).error.code, ErrorCode::kDenied) << "without a session";
  const uint64_t snapshot = begin(kSaver);
  EXPECT_EQ(ask(kOther, snapshot).error.code, ErrorCode::kDenied) << "whoever knows its name";
  EXPECT_EQ(prove(kOther, "super:wrong"), ErrorCode::kOk);
  EXPECT_NE(ask(kOther).error.message.find("--credentials"), std::string::npos);
}

class BackupsWithoutASuperUser : public BackupsOfACluster {
 protected:
  BackupsWithoutASuperUser() : BackupsOfACluster(false) {}
};

TEST_F(BackupsWithoutASuperUser, AreRefusedWithWhatToDo) {
  EXPECT_EQ(prove(kSaver, "super:test"), ErrorCode::kOk);
  const ClientReply reply = ask(kSaver);
  EXPECT_EQ(reply.error.code, ErrorCode::kDenied);
  EXPECT_NE(reply.error.message.find("--super-digest"), std::string::npos);
}

TEST_F(BackupsOfACluster, GoOnOverANewConnectionToTheSameServer) {
  const uint64_t snapshot = begin(kSaver);
  const ClientReply first = ask(kSaver, snapshot);
  const std::string after = std::get<SnapshotPartReply>(first.body).last_key;
  cluster.replica(server).step(cluster.now(), ClientLost{kSaver});
  const ConnectionId again(3);
  kv::SessionPassword password{};
  password[0] = 1;
  EXPECT_EQ(cluster.call(server, again, AttachSessionRequest{session, password}).error.code, ErrorCode::kOk);
  auto parts = read(again, snapshot, after);
  parts.insert(parts.begin(), std::get<SnapshotPartReply>(first.body));
  expect_whole(parts, Index(1));
  const ServerId other = cluster.leader();
  EXPECT_EQ(cluster.call(other, again, SnapshotPartRequest{snapshot, after}).error.code, ErrorCode::kDenied);
}

TEST_F(BackupsOfACluster, AnotherServerHasNoSuchSnapshot) {
  EXPECT_EQ(ask(kSaver, 12345).error.code, ErrorCode::kSnapshotGone);
}

TEST_F(BackupsOfACluster, WaitForTheirCheckpointWithoutKeepingTheClientWaiting) {
  cluster.stall_store(server);
  cluster.fill(1);
  const uint64_t snapshot = begin(kSaver);
  const Instant asked = cluster.now().instant;
  const ClientReply reply = ask(kSaver, snapshot);
  ASSERT_EQ(reply.error.code, ErrorCode::kOk);
  const auto& nothing = std::get<SnapshotPartReply>(reply.body);
  EXPECT_TRUE(nothing.records.empty() && !nothing.complete);
  EXPECT_EQ(nothing.snapshot, snapshot);
  EXPECT_GE(cluster.now().instant - asked, kBackupAnswer);
  cluster.resume_store(server);
  expect_whole(read(kSaver, snapshot), Index(1));
}

TEST_F(BackupsOfACluster, SoManyAtOnceAndQuietOnesMakeRoom) {
  std::vector<uint64_t> open;
  for (size_t i = 0; i < kBackupsMax; ++i) open.push_back(begin(kSaver));
  EXPECT_EQ(ask(kSaver).error.code, ErrorCode::kLimitReached);
  cluster.advance(kBackupQuiet);
  (void)ask(kSaver, open.back());
  const uint64_t more = begin(kSaver);
  EXPECT_EQ(ask(kSaver, open.front()).error.code, ErrorCode::kSnapshotGone);
  EXPECT_EQ(ask(kSaver, open.back()).error.code, ErrorCode::kOk);
  EXPECT_EQ(ask(kSaver, more).error.code, ErrorCode::kOk);
}

TEST_F(BackupsOfACluster, ThatAreCompleteMakeRoomAtOnce) {
  for (size_t i = 0; i < 2 * kBackupsMax; ++i) expect_whole(read(kSaver, begin(kSaver)), Index(1));
  EXPECT_LE(cluster.node(server).store.snapshots_open(), kBackupsMax);
}

TEST_F(BackupsOfACluster, ThatNobodyAsksForAreClosed) {
  const uint64_t snapshot = begin(kSaver);
  (void)ask(kSaver, snapshot);
  EXPECT_EQ(cluster.node(server).store.snapshots_open(), 1u);
  cluster.advance(kBackupIdle + 10 * kMs);
  EXPECT_EQ(cluster.node(server).store.snapshots_open(), 0u);
}

// ---- by itself

constexpr Instant kNow{std::chrono::seconds(1000)};
const Asker kAsker{kSaver, 1};

TEST(Backups, APartThatCannotBeReadEndsTheSnapshot) {
  StoreJobs jobs;
  Backups backups(jobs, 1, 1000);
  const uint64_t id = backups.begin(Index(5), kNow).value().snapshot;
  EXPECT_EQ(backups.wanted(), Index(5));
  backups.ask(kAsker, {id, ""}, kNow);
  backups.advance(Index(4));
  EXPECT_TRUE(jobs.take().empty()) << "the checkpoint does not hold all of it";
  backups.advance(Index(5));
  const auto reading = jobs.take();
  ASSERT_EQ(reading.size(), 1u);
  EXPECT_FALSE(backups.wanted());
  EXPECT_TRUE(backups.done({reading[0].id, {ErrorCode::kUnavailable, "gone"}, {}}));
  const auto answers = backups.take_answers();
  ASSERT_EQ(answers.size(), 1u);
  EXPECT_EQ(std::get<Error>(answers[0].second).code, ErrorCode::kSnapshotGone);
  EXPECT_EQ(backups.open(), 0u);
  EXPECT_EQ(jobs.take().size(), 1u) << "the store closes it, too";
  EXPECT_EQ(backups.deadline(), kNever);
}

TEST(Backups, WhoAsksAgainIsAnsweredOverTheNewConnectionAlone) {
  StoreJobs jobs;
  Backups backups(jobs, 1, 1000);
  const uint64_t id = backups.begin(Index(1), kNow).value().snapshot;
  backups.ask(kAsker, {id, "b"}, kNow);
  backups.advance(Index(1));
  const uint64_t late = jobs.take().at(0).id;
  backups.ask({kOther, 7}, {id, "c"}, kNow);
  EXPECT_EQ(std::get<Error>(backups.take_answers().at(0).second).code, ErrorCode::kInvalidArgument);
  EXPECT_TRUE(backups.done({late, {}, SnapshotPart{{}, Bytes(std::string("x")), "bb", false}}));
  EXPECT_TRUE(backups.take_answers().empty()) << "that is not what was asked for";
  backups.advance(Index(1));
  const uint64_t wanted = jobs.take().at(0).id;
  EXPECT_TRUE(backups.done({wanted, {}, SnapshotPart{{}, Bytes(std::string("y")), "cc", false}}));
  const auto answers = backups.take_answers();
  ASSERT_EQ(answers.size(), 1u);
  EXPECT_EQ(answers[0].first.request, 7u);
  EXPECT_EQ(std::get<SnapshotPartReply>(answers[0].second).last_key, "cc");
  EXPECT_FALSE(backups.done({wanted, {}, {}}));
}

TEST(Backups, AreAnsweredWhenTheStoreIsReplaced) {
  StoreJobs jobs;
  Backups backups(jobs, 1, 1000);
  const uint64_t id = backups.begin(Index(1), kNow).value().snapshot;
  backups.ask(kAsker, {id, ""}, kNow);
  backups.close_all();
  EXPECT_EQ(std::get<Error>(backups.take_answers().at(0).second).code, ErrorCode::kSnapshotGone);
  EXPECT_TRUE(jobs.take().empty()) << "the store has not heard of it";
}

}  // namespace
}  // namespace quorate::server
