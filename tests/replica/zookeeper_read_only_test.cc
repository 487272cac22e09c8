// A server without a quorum, and those of ZooKeeper's clients that are content with one.
#include <gtest/gtest.h>

#include "tests/replica/zookeeper_fixture.h"

namespace quorate::server::test {
namespace {

using test::kThree;
constexpr Duration kAfter = std::chrono::seconds(2);

class ReplicaReadOnly : public ReplicaZookeeper {
 protected:
  // Three servers with a node "/a"; two of them are lost.
  void lose_quorum() {
    form_with_mode();
    open(survivor, kOne);
    ASSERT_EQ(call(survivor, kOne, create("/a", "x")).error, zk::ErrorCode::kOk);
    cut_others();
  }
  void form_with_mode() {
    ReplicaOptions options;
    options.read_only_after = kAfter;
    options.sasl_users = {{"anna", sasl_secret(kZookeeperSasl, "anna", "secret")}};
    form(3, options);
    survivor = follower;
  }
  void cut_others() {
    for (const auto& [id, node] : cluster->nodes()) {
      if (id != survivor) cluster->cut(id);
    }
    cluster->advance(kAfter + std::chrono::seconds(1));
    EXPECT_TRUE(cluster->replica(survivor).status().read_only);
  }
  void heal_others() {
    for (const auto& [id, node] : cluster->nodes()) cluster->heal(id);
    for (int i = 0; i < 5'000 && cluster->replica(survivor).status().read_only; ++i) cluster->advance(kMs);
    EXPECT_FALSE(cluster->replica(survivor).status().read_only);
  }
  static zk::ConnectRequest reader() {
    zk::ConnectRequest request;
    request.read_only = true;
    return request;
  }

  ServerId survivor;
};

TEST_F(ReplicaReadOnly, WhoAskedForItReadsAndIsRefusedEverythingElse) {
  lose_quorum();
  const zk::ConnectReply welcomed = open(survivor, kTwo, reader());
  EXPECT_EQ(welcomed.read_only, true);
  EXPECT_EQ(welcomed.timeout_ms, 5'000);
  EXPECT_NE(welcomed.session, 0);
  EXPECT_EQ(data_of(call(survivor, kTwo, zk::GetData{"/a", true})), "x");
  EXPECT_EQ(call(survivor, kTwo, zk::Exists{"/b", false}).error, zk::ErrorCode::kNoNode);
  zk::Multi multi;
  multi.parts.emplace_back(zk::SetData{"/a", "y", -1});
  for (const zk::RequestBody& body :
       std::vector<zk::RequestBody>{create("/b"), zk::SetData{"/a", "y", -1}, zk::Delete{"/a", -1},
                                    zk::SetAcl{"/a", kOpen, -1}, multi, zk::Sync{"/"}, zk::Reconfig{}}) {
    const zk::Reply reply = call(survivor, kTwo, body);
    EXPECT_EQ(reply.error, zk::ErrorCode::kNotReadOnly) << static_cast<int>(zk::op_of(body));
  }
  ask(survivor, kTwo, zk::kPingXid, zk::Ping{});
  cluster->settle();
  EXPECT_EQ(replies(survivor, kTwo).back().xid, zk::kPingXid);
  EXPECT_FALSE(closed(survivor, kTwo));
  EXPECT_EQ(call(survivor, kTwo, zk::CloseSession{}).error, zk::ErrorCode::kOk);
  EXPECT_TRUE(closed(survivor, kTwo));
}

TEST_F(ReplicaReadOnly, AnswersStayInOrder) {
  lose_quorum();
  open(survivor, kTwo, reader());
  for (int32_t i = 1; i <= 50; ++i) {
    ask(survivor, kTwo, i,
        i % 2 == 0 ? zk::RequestBody(zk::GetData{"/a", false}) : zk::RequestBody(create("/n")));
  }
  cluster->settle();
  const auto all = replies(survivor, kTwo);
  ASSERT_EQ(all.size(), 50U);
  for (int32_t i = 0; i < 50; ++i) EXPECT_EQ(all[i].xid, i + 1);
}

TEST_F(ReplicaReadOnly, OthersAreSentAway) {
  lose_quorum();
  hello(survivor, kTwo, {});
  EXPECT_TRUE(closed(survivor, kTwo));
  zk::ConnectRequest ahead = reader();
  ahead.last_zxid_seen = 1'000'000;
  hello(survivor, kThree, ahead);
  EXPECT_TRUE(closed(survivor, kThree));
}

TEST_F(ReplicaReadOnly, ItEndsWithTheFirstLeader) {
  lose_quorum();
  const zk::ConnectReply alone = open(survivor, kTwo, reader());
  heal_others();
  EXPECT_TRUE(closed(survivor, kTwo));
  // That session was this server's alone: the cluster has never heard of it.
  zk::ConnectRequest again = reader();
  again.session = alone.session;
  again.password = alone.password;
  const zk::ConnectReply refused = open(survivor, kThree, again);
  EXPECT_EQ(refused.timeout_ms, 0);
  EXPECT_TRUE(closed(survivor, kThree));
  const zk::ConnectReply anew = open(survivor, ConnectionId(4), reader());
  EXPECT_EQ(anew.read_only, false);
  EXPECT_EQ(call(survivor, ConnectionId(4), create("/b")).error, zk::ErrorCode::kOk);
}

TEST_F(ReplicaReadOnly, AClientOfTheClusterKeepsItsSessionThroughIt) {
  form_with_mode();
  const zk::ConnectReply real = open(survivor, kOne, reader());
  zk::Create mine = create("/mine", "x", zk::CreateMode::kEphemeral);
  ASSERT_EQ(call(survivor, kOne, mine).error, zk::ErrorCode::kOk);
  cut_others();
  EXPECT_TRUE(closed(survivor, kOne)) << "it was told to come back for less";
  zk::ConnectRequest again = reader();
  again.session = real.session;
  again.password = real.password;
  const zk::ConnectReply shown = open(survivor, kTwo, again);
  EXPECT_EQ(shown.session, real.session);
  EXPECT_EQ(shown.read_only, true);
  EXPECT_EQ(data_of(call(survivor, kTwo, zk::GetData{"/mine", false})), "x");
  again.password[0] ^= 1;
  EXPECT_EQ(open(survivor, kThree, again).timeout_ms, 0);
  again.password[0] ^= 1;
  heal_others();
  const zk::ConnectReply back = open(survivor, ConnectionId(4), again);
  EXPECT_EQ(back.session, real.session);
  EXPECT_EQ(back.read_only, false);
  EXPECT_EQ(call(survivor, ConnectionId(4), zk::SetData{"/mine", "y", -1}).error, zk::ErrorCode::kOk);
}

TEST_F(ReplicaReadOnly, PermissionsHoldThere) {
  form_with_mode();
  open(survivor, kOne);
  ASSERT_EQ(call(survivor, kOne, zk::Auth{0, "digest", "anna:secret"}).error, zk::ErrorCode::kOk);
  zk::Create secret = create("/secret", "x");
  secret.acl = {{31, "auth", ""}};
  ASSERT_EQ(call(survivor, kOne, secret).error, zk::ErrorCode::kOk);
  zk::Create from_there = create("/there", "x");
  from_there.acl = {{31, "ip", "10.0.0.1"}};
  ASSERT_EQ(call(survivor, kOne, from_there).error, zk::ErrorCode::kOk);
  cut_others();
  open(survivor, kTwo, reader());
  EXPECT_EQ(call(survivor, kTwo, zk::GetData{"/secret", false}).error, zk::ErrorCode::kNoAuth);
  EXPECT_EQ(data_of(call(survivor, kTwo, zk::GetData{"/there", false})), "x");
  EXPECT_EQ(call(survivor, kTwo, zk::Auth{0, "digest", "anna:secret"}).error, zk::ErrorCode::kOk);
  EXPECT_EQ(data_of(call(survivor, kTwo, zk::GetData{"/secret", false})), "x");
  EXPECT_TRUE(std::holds_alternative<zk::SaslReply>(call(survivor, kTwo, zk::Sasl{}).body));
  EXPECT_EQ(call(survivor, kTwo, zk::Sasl{"nonsense"}).error, zk::ErrorCode::kAuthFailed);
  EXPECT_TRUE(closed(survivor, kTwo));
}

TEST_F(ReplicaReadOnly, AnElectionIsNoWantOfAQuorum) {
  form_with_mode();
  open(survivor, kOne, reader());
  cluster->cut(leader);
  for (int i = 0; i < 3'000; ++i) {
    cluster->advance(kMs);
    EXPECT_FALSE(cluster->replica(survivor).status().read_only);
  }
  EXPECT_FALSE(closed(survivor, kOne));
}

// Not after the time that requests wait for a leader: it is known that there is none.
TEST_F(ReplicaReadOnly, WhoeverConnectsWithoutALeaderIsSentAwayAtOnce) {
  form();
  for (const auto& [id, node] : cluster->nodes()) {
    if (id != follower) cluster->cut(id);
  }
  hello(follower, kOne, {});
  EXPECT_FALSE(closed(follower, kOne)) << "there may be an election going on";
  cluster->advance(std::chrono::seconds(2));
  hello(follower, kTwo, {});
  EXPECT_TRUE(closed(follower, kTwo));
}

TEST_F(ReplicaReadOnly, IsOffUnlessItIsAskedFor) {
  form();
  for (const auto& [id, node] : cluster->nodes()) {
    if (id != follower) cluster->cut(id);
  }
  cluster->advance(10 * kAfter);
  EXPECT_FALSE(cluster->replica(follower).status().read_only);
  hello(follower, kTwo, reader());
  EXPECT_FALSE(welcome(follower, kTwo).has_value());
}

}  // namespace
}  // namespace quorate::server::test
