#include "server/formation.h"

#include <gtest/gtest.h>

#include "tests/replica/cluster.h"

namespace quorate::server {
namespace {

using test::Cluster;
using test::kMs;

const Instant kStart(std::chrono::seconds(5));

Formation make(uint32_t id, std::vector<PlannedMember> plan) {
  return Formation(
      {ServerId(id), Incarnation(100 + id), BootNonce(1), std::move(plan), 100 * kMs, ClusterId(77)}, kStart);
}
std::vector<PlannedMember> three() {
  return {{ServerId(1), "a:1"}, {ServerId(2), "b:1"}, {ServerId(3), "c:1"}};
}
PeerMessage answer(uint32_t from, uint64_t plan, uint64_t incarnation) {
  return {ServerId(from), ServerId(1), BootNonce(1), ProbeReply{Incarnation(incarnation), plan}};
}

TEST(Formation, ASingleServerFormsAtOnce) {
  Formation alone = make(1, {{ServerId(1), "a:1"}});
  const auto entry = alone.tick(kStart);
  ASSERT_TRUE(entry.has_value());
  const auto configuration = read_founding(*entry);
  ASSERT_TRUE(configuration.ok());
  EXPECT_EQ(configuration->cluster_id, ClusterId(77));
  EXPECT_EQ(configuration->members.size(), 1u);
}

TEST(Formation, NeedsEveryMemberNotAMajority) {
  Formation first = make(1, three());
  EXPECT_FALSE(first.tick(kStart).has_value());
  EXPECT_FALSE(first.receive(kStart, answer(2, plan_digest(three()), 102)).has_value());
  const auto entry = first.receive(kStart, answer(3, plan_digest(three()), 103));
  ASSERT_TRUE(entry.has_value());
  EXPECT_EQ(read_founding(*entry)->find(ServerId(3))->incarnation, Incarnation(103));
}

TEST(Formation, AnOldAnswerIsNoPresence) {
  Formation first = make(1, three());
  EXPECT_FALSE(first.receive(kStart, answer(2, plan_digest(three()), 102)).has_value());
  EXPECT_FALSE(
      first.receive(kStart + 10 * std::chrono::seconds(1), answer(3, plan_digest(three()), 103)).has_value());
}

TEST(Formation, OnlyTheLowestIdDecides) {
  Formation second = make(2, three());
  EXPECT_FALSE(second.receive(kStart, answer(1, plan_digest(three()), 101)).has_value());
  EXPECT_FALSE(second.receive(kStart, answer(3, plan_digest(three()), 103)).has_value());
}

TEST(Formation, AnotherListIsRefusedAndNamed) {
  Formation first = make(1, three());
  (void)first.tick(kStart);
  const auto probe = [](uint32_t from, uint64_t plan) {
    return PeerMessage{ServerId(from), ServerId(1), BootNonce(1), Probe{Incarnation(100 + from), plan}};
  };
  // Of each of them, whether it was asked or asks.
  EXPECT_FALSE(first.receive(kStart, answer(2, 12345, 102)).has_value());
  EXPECT_FALSE(first.receive(kStart, probe(3, 54321)).has_value());
  const std::vector<std::string> said = first.take_refusals();
  ASSERT_EQ(said.size(), 2U);
  for (const size_t i : {0, 1}) {
    EXPECT_TRUE(said[i].starts_with("no cluster is formed with server " + std::to_string(i + 2))) << said[i];
    EXPECT_NE(said[i].find("another --cluster list"), std::string::npos) << said[i];
  }
  (void)first.receive(kStart + 100 * kMs, probe(2, 12345));
  (void)first.receive(kStart + 100 * kMs, answer(3, 54321, 103));
  EXPECT_TRUE(first.take_refusals().empty()) << "not with each of its probes";
  (void)first.receive(kStart + std::chrono::minutes(11), probe(2, 12345));
  EXPECT_EQ(first.take_refusals().size(), 1U);
  EXPECT_NE(first.take_note().find("waiting for 2"), std::string::npos) << "said beside it";
}

TEST(Formation, RestoredServersFormOnlyWithThoseThatWereRestoredAlike) {
  const auto restored = [](uint32_t id, uint64_t cluster, uint64_t base) {
    return Formation(
        {ServerId(id), Incarnation(100 + id), BootNonce(1), three(), 100 * kMs, ClusterId(cluster), base},
        kStart);
  };
  const uint64_t plan = plan_digest(three(), ClusterId(9), 555);
  Formation first = restored(1, 9, 555);
  EXPECT_FALSE(first.receive(kStart, answer(2, plan_digest(three()), 102)).has_value()) << "an empty one";
  EXPECT_FALSE(first.receive(kStart, answer(2, plan_digest(three(), ClusterId(8), 555), 102)).has_value());
  EXPECT_FALSE(first.receive(kStart, answer(2, plan_digest(three(), ClusterId(9), 556), 102)).has_value());
  EXPECT_FALSE(first.receive(kStart, answer(3, plan, 103)).has_value());
  const auto entry = first.receive(kStart, answer(2, plan, 102));
  ASSERT_TRUE(entry.has_value());
  EXPECT_EQ(read_founding(*entry)->cluster_id, ClusterId(9));
  EXPECT_EQ(read_founding(*entry)->base_state, 555u);

  const PeerMessage founding{ServerId(1), ServerId(2), BootNonce(1), Founding{entry->encoded}};
  EXPECT_TRUE(restored(2, 9, 555).receive(kStart, founding).has_value());
  Formation other = restored(2, 9, 556);
  EXPECT_FALSE(other.receive(kStart, founding).has_value());
  const std::vector<std::string> why = other.take_refusals();
  ASSERT_EQ(why.size(), 1U);
  EXPECT_NE(why[0].find("began from another state"), std::string::npos);
  EXPECT_TRUE(make(2, three()).receive(kStart, founding).has_value())
      << "an empty one is given the state later";
}

TEST(Formation, SaysWhoIsMissingEverMoreRarely) {
  Formation first = make(1, three());
  int said = 0;
  for (Duration t{}; t < std::chrono::hours(1); t += 100 * kMs) {
    (void)first.tick(kStart + t);
    said += first.take_note().empty() ? 0 : 1;
  }
  EXPECT_GE(said, 8);
  EXPECT_LE(said, 16);
  const Instant later = kStart + std::chrono::hours(1);
  (void)first.receive(later, answer(2, plan_digest(three()), 102));
  for (Duration t{}; t <= std::chrono::seconds(5); t += 100 * kMs) {
    (void)first.receive(later + t, answer(2, plan_digest(three()), 102));
    (void)first.tick(later + t);
  }
  EXPECT_NE(first.take_note().find("waiting for 3 (c:1)"), std::string::npos) << "news are told at once";
}

TEST(Formation, ARestThatDoesNotParseOrDoesNotListUsIsRefused) {
  Formation second = make(2, three());
  EXPECT_FALSE(
      second.receive(kStart, {ServerId(1), ServerId(2), BootNonce(1), Founding{Bytes(std::string("junk"))}}));
  Formation alone = make(1, {{ServerId(1), "a:1"}});
  const auto foreign = alone.tick(kStart);
  EXPECT_FALSE(second.receive(kStart, {ServerId(1), ServerId(2), BootNonce(1), Founding{foreign->encoded}}));
  const std::vector<std::string> why = second.take_refusals();
  ASSERT_EQ(why.size(), 1U);
  EXPECT_NE(why[0].find("does not list this server"), std::string::npos);
}

TEST(Formation, ThreeServersFormOneCluster) {
  Cluster cluster(3);
  ASSERT_NE(cluster.elect(), ServerId());
  const ClusterId id = cluster.replica(ServerId(1)).raft()->configuration().cluster_id;
  EXPECT_NE(id, ClusterId());
  for (uint32_t server : {2u, 3u}) {
    EXPECT_EQ(cluster.replica(ServerId(server)).raft()->configuration().cluster_id, id);
  }
}

TEST(Formation, AWipedFolderReceivesButNeverVotes) {
  Cluster cluster(3);
  const ServerId leader = cluster.elect();
  const ServerId wiped = cluster.follower();
  cluster.kill(wiped);
  cluster.wipe(wiped);
  cluster.start(wiped);
  cluster.advance(2'000 * kMs);
  ASSERT_NE(cluster.replica(wiped).raft(), nullptr);
  EXPECT_FALSE(cluster.replica(wiped).raft()->may_vote());
  EXPECT_EQ(cluster.replica(wiped).raft()->log().last_index(),
            cluster.replica(leader).raft()->log().last_index());
  // With the leader gone, the one voter that is left cannot be elected by it.
  cluster.kill(leader);
  cluster.advance(3'000 * kMs);
  EXPECT_EQ(cluster.leader(), ServerId());
}

TEST(Formation, TwoWipedServersDoNotFoundASecondCluster) {
  Cluster cluster(3);
  ASSERT_NE(cluster.elect(), ServerId());
  const ClusterId id = cluster.replica(ServerId(3)).raft()->configuration().cluster_id;
  for (uint32_t server : {1u, 2u}) {
    cluster.kill(ServerId(server));
    cluster.wipe(ServerId(server));
  }
  cluster.start(ServerId(1));
  cluster.start(ServerId(2));
  cluster.advance(2'000 * kMs);
  for (uint32_t server : {1u, 2u}) {
    ASSERT_NE(cluster.replica(ServerId(server)).raft(), nullptr);
    EXPECT_EQ(cluster.replica(ServerId(server)).raft()->configuration().cluster_id, id);
    EXPECT_FALSE(cluster.replica(ServerId(server)).raft()->may_vote());
  }
  EXPECT_EQ(cluster.leader(), ServerId());
}

}  // namespace
}  // namespace quorate::server
