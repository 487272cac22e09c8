// Who differs from a majority stops; where all differ, all stop.
#include "server/replica_agreement.h"

#include <gtest/gtest.h>

#include "tests/replica/state_cluster.h"

namespace quorate::server {
namespace {

using test::kMs;
using test::StateCluster;
using Verdict = Agreement::Verdict;

const std::vector<ServerId> kServers = {ServerId(1), ServerId(2), ServerId(3)};

StateHash at(uint64_t step, uint64_t hash) { return {kStateHashFormat, Index(step * kStateHashStep), hash}; }

TEST(Agreement, AMajorityWithoutUsIsHeeded) {
  Agreement agreement(ServerId(1));
  EXPECT_EQ(agreement.own(at(1, 7), kServers), Verdict::kOpen);
  EXPECT_EQ(agreement.told(ServerId(2), at(1, 8), kServers), Verdict::kOpen);
  EXPECT_EQ(agreement.told(ServerId(3), at(1, 8), kServers), Verdict::kMinority);
}

TEST(Agreement, WhatWasToldBeforeWeGotThereCounts) {
  Agreement agreement(ServerId(1));
  EXPECT_EQ(agreement.told(ServerId(2), at(1, 8), kServers), Verdict::kOpen);
  EXPECT_EQ(agreement.told(ServerId(3), at(1, 8), kServers), Verdict::kOpen);
  EXPECT_EQ(agreement.own(at(1, 7), kServers), Verdict::kMinority);
}

TEST(Agreement, OneThatDiffersDoesNotStopAMajority) {
  Agreement agreement(ServerId(1));
  EXPECT_EQ(agreement.own(at(1, 7), kServers), Verdict::kOpen);
  EXPECT_EQ(agreement.told(ServerId(2), at(1, 8), kServers), Verdict::kOpen);
  EXPECT_EQ(agreement.told(ServerId(3), at(1, 7), kServers), Verdict::kOpen);
}

TEST(Agreement, WithoutAnyMajorityNobodyIsRight) {
  Agreement agreement(ServerId(1));
  agreement.own(at(1, 7), kServers);
  EXPECT_EQ(agreement.told(ServerId(2), at(1, 8), kServers), Verdict::kOpen);
  EXPECT_EQ(agreement.told(ServerId(3), at(1, 9), kServers), Verdict::kNoMajority);
}

TEST(Agreement, OnlyVotersAtTheAgreedPlacesInOurFormatCount) {
  Agreement agreement(ServerId(1));
  agreement.own(at(1, 7), kServers);
  agreement.told(ServerId(2), at(1, 8), kServers);
  EXPECT_EQ(agreement.told(ServerId(4), at(1, 8), kServers), Verdict::kOpen);
  EXPECT_EQ(agreement.told(ServerId(1), at(1, 8), kServers), Verdict::kOpen);
  EXPECT_EQ(agreement.told(ServerId(3), {kStateHashFormat + 1, Index(kStateHashStep), 8}, kServers),
            Verdict::kOpen);
  EXPECT_EQ(agreement.told(ServerId(3), {kStateHashFormat, Index(kStateHashStep + 1), 8}, kServers),
            Verdict::kOpen);
  EXPECT_EQ(agreement.told(ServerId(3), {kStateHashFormat, Index(), 8}, kServers), Verdict::kOpen);
  EXPECT_EQ(agreement.places(), 1U);
}

TEST(Agreement, AReplacedStateIsJudgedAnew) {
  Agreement agreement(ServerId(1));
  agreement.own(at(1, 7), kServers);
  agreement.told(ServerId(2), at(1, 8), kServers);
  agreement.forget_own();
  EXPECT_EQ(agreement.told(ServerId(3), at(1, 8), kServers), Verdict::kOpen);
  EXPECT_EQ(agreement.own(at(1, 8), kServers), Verdict::kOpen);
}

TEST(Agreement, RemembersABoundedNumberOfPlaces) {
  Agreement agreement(ServerId(1));
  for (uint64_t step = 1; step <= 10 * kStateHashesMax; ++step)
    agreement.told(ServerId(2), at(step, 1), kServers);
  EXPECT_EQ(agreement.places(), kStateHashesMax);
}

// The states of the servers are the same; what a few of them say is not.
void lie_about(StateCluster& cluster, std::set<ServerId> diverged) {
  cluster.set_filter([diverged](PeerMessage& message) {
    if (auto* hash = std::get_if<StateHash>(&message.body)) {
      if (diverged.contains(message.from)) hash->hash += message.from.value();
      if (diverged.contains(message.to)) hash->hash += 1000;
    }
    return true;
  });
}

TEST(AgreementOfACluster, ServersThatAgreeGoOn) {
  StateCluster cluster(3);
  cluster.fill(2 * kStateHashStep);
  for (const auto& [id, node] : cluster.nodes()) EXPECT_EQ(node.failed, "");
}

TEST(AgreementOfACluster, AFollowerThatDivergedStopsAndTheOthersGoOn) {
  StateCluster cluster(3);
  const ServerId leader = cluster.elect();
  const ServerId diverged = cluster.follower();
  lie_about(cluster, {diverged});
  cluster.fill(kStateHashStep);
  cluster.advance(100 * kMs);
  EXPECT_NE(cluster.node(diverged).failed.find("--rebuild-state"), std::string::npos);
  cluster.kill(diverged);
  cluster.fill(10);
  EXPECT_EQ(cluster.leader(), leader);
  EXPECT_EQ(cluster.node(leader).failed, "");
}

TEST(AgreementOfACluster, ALeaderThatDivergedHandsOverAndStops) {
  StateCluster cluster(3);
  const ServerId diverged = cluster.elect();
  const Term term = cluster.replica(diverged).raft()->term();
  lie_about(cluster, {diverged});
  cluster.fill(kStateHashStep - 20);
  ASSERT_EQ(cluster.leader(), diverged);
  for (int i = 0; i < 40 && cluster.leader() == diverged; ++i) cluster.try_write();
  cluster.advance(50 * kMs);
  ASSERT_NE(cluster.leader(), ServerId());
  EXPECT_NE(cluster.leader(), diverged);
  // Without an election timeout: it was asked to.
  EXPECT_EQ(cluster.replica(cluster.leader()).raft()->term(), term.next());
  EXPECT_NE(cluster.node(diverged).failed, "");
  // Nothing that it has applied is told to anybody.
  cluster.node(diverged).inbox.clear();
  cluster.send(diverged, ConnectionId(77), StatusRequest{});
  cluster.settle();
  EXPECT_TRUE(cluster.node(diverged).inbox.empty());
}

TEST(AgreementOfACluster, WithoutAMajorityAllStop) {
  StateCluster cluster(3);
  cluster.elect();
  lie_about(cluster, {ServerId(1), ServerId(2), ServerId(3)});
  for (uint64_t i = 0; i < kStateHashStep + 10; ++i) cluster.try_write();
  cluster.advance(500 * kMs);
  for (const auto& [id, node] : cluster.nodes()) {
    EXPECT_NE(node.failed.find("no majority"), std::string::npos) << "server " << id.value();
  }
}

// ---- the scrub: memory against what was applied

ReplicaOptions often() {
  ReplicaOptions options = test::small_options();
  options.scrub_round = 400 * kMs;
  return options;
}

TEST(Scrub, AFlippedBitInAFollowersMemoryStopsItWithinARound) {
  StateCluster cluster(3, often());
  cluster.fill(60);
  const ServerId damaged = cluster.follower();
  ASSERT_TRUE(const_cast<kv::StateMachine&>(cluster.replica(damaged).state()).damage_node("/node7"));
  cluster.advance(2 * often().scrub_round);
  for (const auto& [id, node] : cluster.nodes()) {
    const bool stopped = node.failed.find("differs from what was applied") != std::string::npos;
    EXPECT_EQ(stopped, id == damaged) << node.failed;
  }
}

TEST(Scrub, ALeaderHandsOverBeforeItStops) {
  StateCluster cluster(3, often());
  cluster.fill(60);
  const ServerId damaged = cluster.leader();
  const Term term = cluster.replica(damaged).raft()->term();
  ASSERT_TRUE(const_cast<kv::StateMachine&>(cluster.replica(damaged).state()).damage_node("/node7"));
  for (int i = 0; i < 2'000 && cluster.node(damaged).failed.empty(); ++i) cluster.advance(kMs);
  cluster.advance(20 * kMs);
  EXPECT_NE(cluster.node(damaged).failed, "");
  ASSERT_NE(cluster.leader(), damaged);
  EXPECT_EQ(cluster.replica(cluster.leader()).raft()->term(), term.next());
}

TEST(Scrub, ChangesMeanwhileAreNoDamage) {
  StateCluster cluster(3, often());
  for (int i = 0; i < 1'000; ++i) {
    cluster.fill(3);
    cluster.advance(kMs);
  }
  for (const auto& [id, node] : cluster.nodes()) EXPECT_EQ(node.failed, "");
}

}  // namespace
}  // namespace quorate::server
