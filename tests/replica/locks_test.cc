// Sessions and locks as a client of a cluster sees them.
#include <gtest/gtest.h>

#include "tests/replica/cluster.h"

namespace quorate::server {
namespace {

using test::Cluster;
using test::kMs;
using test::kOne;
using test::kThree;
using test::kTwo;

kv::Outcome acquire(Cluster& cluster, ServerId server, ConnectionId connection, uint64_t number) {
  const ClientReply reply =
      cluster.call(server, connection, WriteRequest{number, number, kv::AcquireOp{"/lock", "me"}});
  const auto* outcome = std::get_if<kv::Outcome>(&reply.body);
  return outcome != nullptr ? *outcome : kv::Outcome{reply.error.code, reply.error.message};
}

TEST(Locks, AReleaseGrantsTheNextInOneCommitAndWakesNobodyElse) {
  Cluster cluster(3);
  const ServerId leader = cluster.elect();
  const ServerId follower = cluster.follower();
  cluster.open(leader, kOne);
  cluster.open(follower, kTwo);
  cluster.open(follower, kThree);
  const kv::Outcome first = acquire(cluster, leader, kOne, 1);
  const kv::Outcome second = acquire(cluster, follower, kTwo, 1);
  const kv::Outcome third = acquire(cluster, follower, kThree, 1);
  EXPECT_TRUE(first.held);
  EXPECT_FALSE(second.held);
  EXPECT_FALSE(third.held);
  const Index before = cluster.replica(leader).raft()->log().last_index();
  ASSERT_EQ(cluster.call(leader, kOne, WriteRequest{2, 2, kv::ReleaseOp{first.path}}).error.code,
            ErrorCode::kOk);
  cluster.advance(50 * kMs);
  EXPECT_EQ(cluster.replica(leader).raft()->log().last_index(), before.next());
  const auto granted = cluster.events<GrantEvent>(follower, kTwo);
  ASSERT_EQ(granted.size(), 1u);
  EXPECT_EQ(granted[0].grant.node, second.path);
  EXPECT_GT(granted[0].grant.token, first.token);
  EXPECT_TRUE(cluster.events<GrantEvent>(follower, kThree).empty());
}

TEST(Locks, ASilentHolderLosesTheLockAfterItsTimeoutAndNotBefore) {
  Cluster cluster(3);
  const ServerId leader = cluster.elect();
  const ServerId follower = cluster.follower();
  cluster.open(follower, kOne, 2'000);
  cluster.open(leader, kTwo, 60'000);
  ASSERT_TRUE(acquire(cluster, follower, kOne, 1).held);
  ASSERT_FALSE(acquire(cluster, leader, kTwo, 1).held);
  cluster.advance(1'900 * kMs);
  EXPECT_TRUE(cluster.events<GrantEvent>(leader, kTwo).empty());
  cluster.advance(200 * kMs);
  EXPECT_EQ(cluster.events<GrantEvent>(leader, kTwo).size(), 1u);
  ASSERT_EQ(cluster.events<SessionEndEvent>(follower, kOne).size(), 1u);
  EXPECT_EQ(cluster.events<SessionEndEvent>(follower, kOne)[0].code, ErrorCode::kSessionExpired);
}

TEST(Locks, ASessionThatRunsOutDuringATransferThatFailsExpiresBehindIt) {
  Cluster cluster(3);
  const ServerId leader = cluster.elect();
  const ServerId target = cluster.follower();
  cluster.open(leader, kOne, 2'000);
  cluster.open(leader, kTwo, 60'000);
  ASSERT_TRUE(acquire(cluster, leader, kOne, 1).held);
  ASSERT_FALSE(acquire(cluster, leader, kTwo, 1).held);
  cluster.advance(1'900 * kMs);
  cluster.cut(target);
  cluster.send(leader, kThree, TransferRequest{target});
  cluster.advance(1'000 * kMs);
  ASSERT_EQ(cluster.leader(), leader);
  EXPECT_EQ(cluster.events<GrantEvent>(leader, kTwo).size(), 1u);
}

TEST(Locks, ASessionThatRunsOutWhileTheLeaderTakesNoMoreExpiresLater) {
  ReplicaOptions options;
  options.raft.uncommitted_bytes_max = 4'000;
  Cluster cluster(3, options);
  const ServerId leader = cluster.elect();
  cluster.open(leader, kOne, 2'000);
  cluster.open(leader, kTwo, 60'000);
  ASSERT_TRUE(acquire(cluster, leader, kOne, 1).held);
  ASSERT_FALSE(acquire(cluster, leader, kTwo, 1).held);
  cluster.advance(1'900 * kMs);
  for (const auto& [id, node] : cluster.nodes()) {
    if (id != leader) cluster.stall_disk(id);
  }
  cluster.send(leader, kTwo, WriteRequest{2, 2, kv::CreateOp{"/big", std::string(3'900, 'x')}});
  cluster.advance(200 * kMs);
  ASSERT_EQ(cluster.leader(), leader);
  EXPECT_TRUE(cluster.events<GrantEvent>(leader, kTwo).empty());
  for (const auto& [id, node] : cluster.nodes()) cluster.resume_disk(id);
  cluster.advance(200 * kMs);
  ASSERT_EQ(cluster.leader(), leader);
  EXPECT_EQ(cluster.events<GrantEvent>(leader, kTwo).size(), 1u);
}

TEST(Locks, WhoeverIsToldThatItIsAttachedHasItsFullTimeout) {
  Cluster cluster(3);
  const ServerId leader = cluster.elect();
  const kv::Outcome opened = cluster.open(leader, kOne, 2'000);
  cluster.advance(1'995 * kMs);
  for (const auto& [id, node] : cluster.nodes()) {
    if (id != leader) cluster.stall_disk(id);
  }
  kv::SessionPassword password{};
  password[0] = static_cast<uint8_t>(kOne.value());
  const uint64_t attach = cluster.send(leader, kTwo, AttachSessionRequest{opened.session, password});
  cluster.advance(100 * kMs);
  for (const auto& [id, node] : cluster.nodes()) cluster.resume_disk(id);
  cluster.advance(100 * kMs);
  ASSERT_EQ(cluster.leader(), leader);
  ASSERT_TRUE(cluster.reply(leader, kTwo, attach).has_value());
  ASSERT_EQ(cluster.reply(leader, kTwo, attach)->error.code, ErrorCode::kOk);
  EXPECT_TRUE(cluster.events<SessionEndEvent>(leader, kTwo).empty());
  EXPECT_TRUE(cluster.replica(leader).state().session(opened.session).has_value());
}

TEST(Locks, PingsKeepASessionAliveAndCostNoEntry) {
  Cluster cluster(3);
  const ServerId leader = cluster.elect();
  const ServerId follower = cluster.follower();
  const kv::Outcome session = cluster.open(follower, kOne, 2'000);
  const Index before = cluster.replica(leader).raft()->log().last_index();
  for (int i = 0; i < 10; ++i) {
    cluster.advance(1'000 * kMs);
    ASSERT_EQ(cluster.call(follower, kOne, PingRequest{}).error.code, ErrorCode::kOk);
  }
  EXPECT_EQ(cluster.replica(leader).raft()->log().last_index(), before);
  EXPECT_TRUE(cluster.replica(leader).state().session(session.session).has_value());
}

TEST(Locks, APingWithoutASessionOrAfterItsEndIsRefused) {
  Cluster cluster(1);
  const ServerId only = cluster.elect();
  EXPECT_EQ(cluster.call(only, kOne, PingRequest{}).error.code, ErrorCode::kSessionRequired);
  cluster.open(only, kTwo, 1'000);
  cluster.advance(1'500 * kMs);
  EXPECT_EQ(cluster.call(only, kTwo, PingRequest{}).error.code, ErrorCode::kSessionRequired);
}

TEST(Locks, ANewLeaderGivesEverySessionItsFullTimeout) {
  Cluster cluster(3);
  const ServerId leader = cluster.elect();
  const ServerId follower = cluster.follower();
  const kv::Outcome session = cluster.open(follower, kOne, 2'000);
  cluster.advance(1'500 * kMs);
  cluster.kill(leader);
  const ServerId next = cluster.elect();
  const Instant elected = cluster.now().instant;
  while (cluster.replica(next).state().session(session.session).has_value() &&
         cluster.now().instant < elected + 5'000 * kMs) {
    cluster.advance(10 * kMs);
  }
  EXPECT_GE(cluster.now().instant, elected + 1'990 * kMs - 300 * kMs);
  EXPECT_LE(cluster.now().instant, elected + 2'100 * kMs);
}

TEST(Locks, TheHolderKeepsTheLockWhenItsLeaderDies) {
  Cluster cluster(3);
  const ServerId leader = cluster.elect();
  const ServerId follower = cluster.follower();
  const kv::Outcome session = cluster.open(leader, kOne, 5'000);
  const kv::Outcome held = acquire(cluster, leader, kOne, 1);
  cluster.open(follower, kTwo, 60'000);
  const kv::Outcome waiting = acquire(cluster, follower, kTwo, 1);
  cluster.kill(leader);
  cluster.elect();
  kv::SessionPassword password{};
  password[0] = static_cast<uint8_t>(kOne.value());
  ASSERT_EQ(cluster.call(follower, kThree, AttachSessionRequest{session.session, password}).error.code,
            ErrorCode::kOk);
  const ClientReply place = cluster.call(follower, kThree, LockPlaceRequest{held.path});
  ASSERT_EQ(place.error.code, ErrorCode::kOk);
  EXPECT_TRUE(std::get<lock::Place>(place.body).held);
  EXPECT_EQ(std::get<lock::Place>(place.body).token, held.token);
  ASSERT_EQ(cluster.call(follower, kThree, WriteRequest{2, 2, kv::ReleaseOp{held.path}}).error.code,
            ErrorCode::kOk);
  const auto granted = cluster.events<GrantEvent>(follower, kTwo);
  ASSERT_EQ(granted.size(), 1u);
  EXPECT_EQ(granted[0].grant.node, waiting.path);
  EXPECT_GT(granted[0].grant.token, held.token);
}

TEST(Locks, ShowAndListSayWhoHoldsAndWhoWaits) {
  Cluster cluster(1);
  const ServerId only = cluster.elect();
  const kv::Outcome one = cluster.open(only, kOne);
  const kv::Outcome two = cluster.open(only, kTwo);
  const kv::Outcome held = acquire(cluster, only, kOne, 1);
  acquire(cluster, only, kTwo, 1);
  const ClientReply shown = cluster.call(only, kThree, LockShowRequest{"/lock"});
  const auto& view = std::get<lock::LockView>(shown.body);
  ASSERT_TRUE(view.holder.has_value());
  EXPECT_EQ(view.holder->session, one.session);
  EXPECT_EQ(view.holder->token, held.token);
  EXPECT_EQ(view.holder->data, "me");
  ASSERT_EQ(view.waiters.size(), 1u);
  EXPECT_EQ(view.waiters[0].session, two.session);
  const ClientReply listed = cluster.call(only, kThree, LockListRequest{});
  EXPECT_EQ(std::get<LockListReply>(listed.body).locks.size(), 1u);
  EXPECT_EQ(cluster.call(only, kThree, LockShowRequest{"/none"}).error.code, ErrorCode::kNoNode);
}

TEST(Locks, AReleaseLetsAllReadersInAndWakesEachOnce) {
  Cluster cluster(3);
  const ServerId leader = cluster.elect();
  const ServerId follower = cluster.follower();
  for (const auto& [server, connection] :
       {std::pair(leader, kOne), std::pair(follower, kTwo), std::pair(leader, kThree)})
    cluster.open(server, connection);
  const WriteRequest shared{1, 1, kv::AcquireOp{"/lock", "me", {kv::Mode::kShared}}};
  const kv::Outcome writer = acquire(cluster, leader, kOne, 1);
  cluster.call(follower, kTwo, shared);
  cluster.call(leader, kThree, shared);
  const Index before = cluster.replica(leader).raft()->log().last_index();
  ASSERT_EQ(cluster.call(leader, kOne, WriteRequest{2, 2, kv::ReleaseOp{writer.path}}).error.code,
            ErrorCode::kOk);
  cluster.advance(50 * kMs);
  EXPECT_EQ(cluster.replica(leader).raft()->log().last_index(), before.next());
  EXPECT_EQ(cluster.events<GrantEvent>(follower, kTwo).size(), 1u);
  EXPECT_EQ(cluster.events<GrantEvent>(leader, kThree).size(), 1u);
  EXPECT_TRUE(cluster.events<GrantEvent>(leader, kOne).empty());
}

TEST(Locks, ABrokenLockIsToldToWhoHadItAndGrantedToTheNext) {
  Cluster cluster(3);
  const ServerId leader = cluster.elect();
  const ServerId follower = cluster.follower();
  cluster.open(follower, kOne);
  cluster.open(leader, kTwo);
  cluster.open(leader, kThree);
  const kv::Outcome held = acquire(cluster, follower, kOne, 1);
  acquire(cluster, leader, kTwo, 1);
  const kv::BreakOp op{"/lock", held.token};
  ASSERT_EQ(cluster.call(leader, kThree, WriteRequest{1, 1, op}).error.code, ErrorCode::kOk);
  cluster.advance(50 * kMs);
  const auto lost = cluster.events<LossEvent>(follower, kOne);
  ASSERT_EQ(lost.size(), 1u);
  EXPECT_EQ(lost[0].loss.node, held.path);
  EXPECT_EQ(cluster.events<GrantEvent>(leader, kTwo).size(), 1u);
  EXPECT_TRUE(cluster.events<LossEvent>(leader, kTwo).empty());
  EXPECT_EQ(cluster.call(leader, kThree, WriteRequest{2, 2, op}).error.code, ErrorCode::kNotHolder);
}

TEST(Locks, AReleaseTellsNobodyOfALoss) {
  Cluster cluster(1);
  const ServerId only = cluster.elect();
  cluster.open(only, kOne);
  const kv::Outcome held = acquire(cluster, only, kOne, 1);
  ASSERT_EQ(cluster.call(only, kOne, WriteRequest{2, 2, kv::ReleaseOp{held.path}}).error.code,
            ErrorCode::kOk);
  EXPECT_TRUE(cluster.events<LossEvent>(only, kOne).empty());
}

TEST(Locks, AServerThatIsToldSoKeepsRecipesApart) {
  for (const bool refuse : {false, true}) {
    ReplicaOptions options;
    options.refuse_mixed_locks = refuse;
    Cluster cluster(1, options);
    const ServerId only = cluster.elect();
    cluster.open(only, kOne);
    ASSERT_TRUE(acquire(cluster, only, kOne, 1).held);
    const kv::CreateOp kazoo{"/lock/x__lock__", "", true, true};
    const ErrorCode expected = refuse ? ErrorCode::kBadQueue : ErrorCode::kOk;
    EXPECT_EQ(cluster.call(only, kOne, WriteRequest{2, 2, kazoo}).error.code, expected);
    EXPECT_EQ(cluster.call(only, kOne, WriteRequest{3, 3, kv::MultiOp{{kazoo}}}).error.code, expected);
  }
}

TEST(Locks, ATokenIsVerifiedOnEveryServer) {
  Cluster cluster(3);
  const ServerId leader = cluster.elect();
  const ServerId follower = cluster.follower();
  cluster.open(leader, kOne);
  const kv::Outcome held = acquire(cluster, leader, kOne, 1);
  const LockVerifyRequest verify{"/lock", held.token};
  EXPECT_EQ(cluster.call(follower, kTwo, verify).error.code, ErrorCode::kOk);
  cluster.call(leader, kOne, WriteRequest{2, 2, kv::ReleaseOp{held.path}});
  EXPECT_EQ(cluster.call(follower, kTwo, verify).error.code, ErrorCode::kNotHolder);
  EXPECT_EQ(cluster.call(follower, kTwo, LockVerifyRequest{"/none", held.token}).error.code,
            ErrorCode::kNoNode);
}

TEST(Locks, AnExpiredHoldersPlaceIsKeptForItsDelay) {
  Cluster cluster(3);
  const ServerId leader = cluster.elect();
  cluster.open(leader, kOne, 2'000);
  cluster.open(leader, kTwo, 60'000);
  const kv::AcquireOp delayed{"/lock", "me", {kv::Mode::kExclusive, 0, 3'000}};
  cluster.call(leader, kOne, WriteRequest{1, 1, delayed});
  ASSERT_FALSE(acquire(cluster, leader, kTwo, 1).held);
  cluster.advance(2'100 * kMs);
  ASSERT_EQ(cluster.events<SessionEndEvent>(leader, kOne).size(), 1u);
  cluster.advance(2'800 * kMs);
  EXPECT_TRUE(cluster.events<GrantEvent>(leader, kTwo).empty());
  cluster.advance(1'500 * kMs);
  EXPECT_EQ(cluster.events<GrantEvent>(leader, kTwo).size(), 1u);
}

TEST(Locks, ClosingASessionFreesItsLocksAtOnce) {
  Cluster cluster(1);
  const ServerId only = cluster.elect();
  cluster.open(only, kOne);
  cluster.open(only, kTwo);
  acquire(cluster, only, kOne, 1);
  acquire(cluster, only, kTwo, 1);
  ASSERT_EQ(cluster.call(only, kOne, WriteRequest{2, 2, kv::CloseSessionOp{}}).error.code, ErrorCode::kOk);
  EXPECT_EQ(cluster.events<GrantEvent>(only, kTwo).size(), 1u);
  EXPECT_EQ(cluster.call(only, kOne, WriteRequest{3, 3, kv::SetOp{"/lock", ""}}).error.code,
            ErrorCode::kSessionRequired);
}

TEST(Locks, AWrongPasswordDoesNotTakeASession) {
  Cluster cluster(1);
  const ServerId only = cluster.elect();
  const kv::Outcome session = cluster.open(only, kOne);
  kv::SessionPassword wrong{};
  wrong[15] = 1;
  EXPECT_EQ(cluster.call(only, kTwo, AttachSessionRequest{session.session, wrong}).error.code,
            ErrorCode::kBadCredentials);
  EXPECT_EQ(cluster.call(only, kOne, PingRequest{}).error.code, ErrorCode::kOk);
}

}  // namespace
}  // namespace quorate::server
