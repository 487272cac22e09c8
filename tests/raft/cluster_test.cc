// A whole cluster, from its first election to work that outlives leaders.
#include "tests/raft/cluster.h"

#include <gtest/gtest.h>

namespace quorate::raft::testing {
namespace {

TEST(Cluster, ElectsALeaderAndReplicates) {
  Cluster cluster;
  cluster.wait(std::chrono::seconds(1));
  const uint32_t leader = cluster.leader();
  ASSERT_NE(leader, 0U);
  const Result<Index> index = cluster.propose(leader, "hello");
  ASSERT_TRUE(index.ok());
  cluster.settle();
  for (const uint32_t id : cluster.ids()) {
    EXPECT_EQ(cluster.at(id).committed(), *index);
    EXPECT_EQ(cluster.at(id).log().at(*index).payload(), "hello");
    EXPECT_EQ(cluster.at(id).leader(), ServerId(leader));
  }
}

TEST(Cluster, KeepsItsLeaderWhileNothingFails) {
  Cluster cluster({.voters = 5});
  cluster.wait(std::chrono::seconds(1));
  const uint32_t leader = cluster.leader();
  const Term term = cluster.at(leader).term();
  cluster.wait(std::chrono::seconds(10));
  EXPECT_EQ(cluster.leader(), leader);
  EXPECT_EQ(cluster.at(leader).term(), term);
}

TEST(Cluster, OneServerAloneLeadsAtOnce) {
  Cluster cluster({.voters = 1});
  cluster.tick(1);
  cluster.settle();
  ASSERT_TRUE(cluster.at(1).is_leader());
  ASSERT_TRUE(cluster.propose(1, "x").ok());
  ASSERT_TRUE(cluster.read(1, 7).ok());
  cluster.settle();
  EXPECT_EQ(cluster.at(1).committed(), Index(3));
  ASSERT_EQ(cluster.seen(1).reads_ready.size(), 1U);
  EXPECT_EQ(cluster.seen(1).reads_ready[0].index, Index(2));
}

TEST(Cluster, SurvivesTheDeathOfItsLeaderAndTakesItBack) {
  Cluster cluster;
  cluster.elect(1);
  ASSERT_TRUE(cluster.propose(1, "a").ok());
  cluster.settle();
  cluster.crash(1);
  cluster.wait(std::chrono::seconds(2));
  const uint32_t leader = cluster.leader();
  ASSERT_NE(leader, 0U);
  ASSERT_TRUE(cluster.propose(leader, "b").ok());
  cluster.settle();
  cluster.restart(1);
  cluster.wait(std::chrono::seconds(1));
  EXPECT_EQ(cluster.log_of(1), cluster.log_of(leader));
  EXPECT_EQ(cluster.at(1).committed(), cluster.at(leader).committed());
}

}  // namespace
}  // namespace quorate::raft::testing
