// Pre-vote, leases, check-quorum, fast failover and stalled disks: who may disturb whom, and when.
#include <gtest/gtest.h>

#include "tests/raft/cluster.h"

namespace quorate::raft::testing {
namespace {

Body pre_vote_request() { return VoteRequest{true, false, Index(9), Term(9)}; }
Body vote_request(bool transfer = false) { return VoteRequest{false, transfer, Index(9), Term(9)}; }

// Ongaro 9.6.
TEST(PreVote, AsksForTheNextTermAndChangesNothing) {
  Cluster cluster;
  cluster.time_out(1);
  EXPECT_EQ(cluster.at(1).term(), Term(1));
  ASSERT_EQ(cluster.link(1, 2).size(), 1U);
  EXPECT_EQ(cluster.link(1, 2)[0].term, Term(2));
  EXPECT_EQ(cluster.unwritten(1), 0U);
  cluster.deliver(1, 2);
  EXPECT_EQ(cluster.at(2).term(), Term(1));
  EXPECT_EQ(cluster.at(2).vote(), ServerId(0));
  EXPECT_EQ(cluster.unwritten(2), 0U);
  EXPECT_TRUE(cluster.last_sent<VoteResponse>(2, 1)->granted);
}

TEST(PreVote, AServerThatWasCutOffDisturbsNobodyWhenItReturns) {
  Cluster cluster;
  cluster.elect(1);
  const Term term = cluster.at(1).term();
  cluster.isolate(3);
  cluster.wait(std::chrono::seconds(5));
  EXPECT_EQ(cluster.at(3).term(), term) << "it never got as far as an election";
  cluster.heal();
  cluster.wait(std::chrono::seconds(1));
  EXPECT_EQ(cluster.leader(), 1U);
  EXPECT_EQ(cluster.at(1).term(), term);
  EXPECT_EQ(cluster.at(3).leader(), ServerId(1));
}

TEST(PreVote, IsRefusedToAStaleLog) {
  Cluster cluster;
  cluster.elect(1);
  cluster.isolate(3);
  ASSERT_TRUE(cluster.propose(1, "x").ok());
  cluster.settle();
  cluster.crash(1);
  cluster.heal();
  cluster.advance(milliseconds(400));
  cluster.time_out(3);
  cluster.settle();
  EXPECT_EQ(cluster.leader(), 0U);
  cluster.time_out(2);
  cluster.settle();
  EXPECT_EQ(cluster.leader(), 2U);
}

TEST(PreVote, IsRefusedForATermThatIsNotAhead) {
  Cluster cluster;
  cluster.elect(1);
  cluster.advance(milliseconds(100));
  cluster.inject(make_message(3, 2, 2, pre_vote_request()));
  EXPECT_FALSE(cluster.last_sent<VoteResponse>(2, 3)->granted);
  EXPECT_EQ(cluster.link(2, 3).back().term, Term(2)) << "so that the asker learns our term";
}

TEST(PreVote, OldTermRefusalsAreCounted) {
  Cluster cluster({.voters = 3});
  cluster.time_out(1);
  cluster.inject(make_message(2, 1, 2, VoteResponse{true, true}));
  ASSERT_EQ(cluster.at(1).term(), Term(2));
  cluster.persist(1);
  cluster.time_out(1);
  cluster.inject(make_message(2, 1, 1, VoteResponse{true, false}));
  EXPECT_EQ(std::get<PreCandidate>(cluster.at(1).role()).refused.size(), 1U);
}

TEST(Lease, NoVoteAndNoTermIsTakenWithinItOfHearingFromALeader) {
  Cluster cluster;
  cluster.elect(1);
  cluster.time_out(1);
  cluster.settle();
  cluster.advance(milliseconds(29));
  cluster.inject(make_message(3, 2, 3, pre_vote_request()));
  EXPECT_FALSE(cluster.last_sent<VoteResponse>(2, 3)->granted);
  cluster.drop(2, 3);
  cluster.inject(make_message(3, 2, 3, vote_request()));
  EXPECT_EQ(cluster.at(2).term(), Term(2));
  EXPECT_TRUE(cluster.link(2, 3).empty());
  cluster.advance(milliseconds(1));
  cluster.inject(make_message(3, 2, 3, vote_request()));
  EXPECT_EQ(cluster.at(2).vote(), ServerId(3));
}

TEST(Lease, HoldsAfterARestartForWhatTheRunBeforeMayHavePromised) {
  Cluster cluster;
  cluster.advance(milliseconds(100));
  cluster.restart(2);
  cluster.inject(make_message(3, 2, 5, pre_vote_request()));
  EXPECT_FALSE(cluster.last_sent<VoteResponse>(2, 3)->granted);
  cluster.inject(make_message(3, 2, 5, vote_request()));
  EXPECT_EQ(cluster.at(2).term(), Term(1));
  cluster.advance(milliseconds(30));
  cluster.inject(make_message(3, 2, 5, vote_request()));
  EXPECT_EQ(cluster.at(2).vote(), ServerId(3));
}

TEST(Lease, ALeaderWithARecentQuorumIgnoresCandidates) {
  Cluster cluster;
  cluster.elect(1);
  cluster.inject(make_message(3, 1, 3, pre_vote_request()));
  EXPECT_FALSE(cluster.last_sent<VoteResponse>(1, 3)->granted);
  cluster.inject(make_message(3, 1, 3, vote_request()));
  EXPECT_TRUE(cluster.at(1).is_leader());
}

TEST(Lease, YieldsToACandidateThatWasToldToStandByTheLeaderOfTheTermBefore) {
  Cluster cluster;
  cluster.elect(1);
  cluster.inject(make_message(3, 2, 4, vote_request(true)));
  EXPECT_EQ(cluster.at(2).term(), Term(2)) << "term 4 does not follow the leader's term 2";
  cluster.inject(make_message(3, 2, 3, vote_request(true)));
  EXPECT_EQ(cluster.at(2).vote(), ServerId(3));
}

// Ongaro 6.2.
TEST(CheckQuorum, ALeaderWithoutAQuorumStepsDown) {
  Cluster cluster;
  cluster.elect(1);
  cluster.isolate(1);
  cluster.tick(1, milliseconds(300));
  EXPECT_TRUE(cluster.at(1).is_leader());
  cluster.tick(1, milliseconds(1));
  EXPECT_EQ(cluster.at(1).role_name(), RoleName::kFollower);
  EXPECT_EQ(cluster.at(1).leader(), ServerId(0));
  EXPECT_EQ(cluster.seen(1).changes.back().reason, "heard from no quorum for an election timeout");
}

TEST(CheckQuorum, OneFollowerOfTwoIsEnough) {
  Cluster cluster;
  cluster.elect(1);
  cluster.isolate(3);
  cluster.wait(std::chrono::seconds(2));
  EXPECT_TRUE(cluster.at(1).is_leader());
}

TEST(CheckQuorum, ServersThatDoNotCountKeepNoLeader) {
  Cluster cluster({.voters = 3, .learners = 1});
  cluster.elect(1);
  cluster.isolate(2);
  cluster.isolate(3);
  cluster.wait(std::chrono::seconds(1));
  EXPECT_FALSE(cluster.at(1).is_leader());
}

TEST(Failover, AResetConnectionStartsAPreVoteAfterTheLeaseByRank) {
  Cluster cluster({.voters = 5});
  cluster.elect(2);
  cluster.time_out(2);
  cluster.settle();
  const Instant heard = cluster.now();
  cluster.advance(milliseconds(5));
  cluster.crash(2);
  for (const uint32_t id : {1U, 3U, 4U, 5U}) cluster.unreachable(id, 2);
  EXPECT_EQ(cluster.at(1).deadline(), heard + milliseconds(30));
  EXPECT_EQ(cluster.at(3).deadline(), heard + milliseconds(34));
  EXPECT_EQ(cluster.at(4).deadline(), heard + milliseconds(38));
  EXPECT_EQ(cluster.at(5).deadline(), heard + milliseconds(42));
  cluster.wait(milliseconds(40));
  EXPECT_EQ(cluster.leader(), 1U);
}

TEST(Failover, OfASilentLeaderStartsAtOnce) {
  Cluster cluster;
  cluster.elect(1);
  cluster.advance(milliseconds(100));
  cluster.unreachable(2, 1);
  EXPECT_EQ(cluster.at(2).deadline(), cluster.now());
}

TEST(Failover, AnybodyElsesConnectionMeansNothing) {
  Cluster cluster;
  cluster.elect(1);
  const Instant due = cluster.at(2).deadline();
  cluster.unreachable(2, 3);
  EXPECT_EQ(cluster.at(2).deadline(), due);
}

TEST(Failover, ALostRaceIsRunAgainSoonWhileNoLeaderIsHeard) {
  Cluster cluster;
  cluster.elect(1);
  cluster.crash(1);
  cluster.unreachable(2, 1);
  cluster.time_out(2);
  // The other survivor heard from the leader a moment later, and refuses.
  cluster.inject(make_message(3, 2, 2, VoteResponse{true, false}));
  EXPECT_EQ(cluster.at(2).role_name(), RoleName::kPreCandidate);
  const Duration retry = cluster.at(2).deadline() - cluster.now();
  EXPECT_LE(retry, milliseconds(40));
  cluster.time_out(2);
  cluster.inject(make_message(3, 2, 3, VoteResponse{true, true}));
  cluster.persist(2);
  cluster.inject(make_message(3, 2, 3, VoteResponse{false, false}));
  EXPECT_GE(cluster.at(2).deadline() - cluster.now(), milliseconds(10));
  EXPECT_LE(cluster.at(2).deadline() - cluster.now(), milliseconds(40));
}

TEST(Failover, TryingAgainIsReportedOnce) {
  Cluster cluster;
  cluster.elect(1);
  cluster.crash(1);
  cluster.isolate(2);
  cluster.unreachable(2, 1);
  cluster.seen(2).changes.clear();
  for (int i = 0; i < 50; ++i) cluster.time_out(2);
  EXPECT_EQ(cluster.seen(2).changes.size(), 1U);
}

TEST(Failover, HearingFromTheLeaderEndsIt) {
  Cluster cluster;
  cluster.elect(1);
  cluster.unreachable(2, 1);
  cluster.time_out(1);
  cluster.settle();
  EXPECT_GE(cluster.at(2).deadline() - cluster.now(), milliseconds(150));
  EXPECT_EQ(cluster.at(2).leader(), ServerId(1));
}

TEST(Disk, ALeaderWhoseDiskStallsStepsDownAndDoesNotStand) {
  Cluster cluster;
  cluster.elect(1);
  cluster.stall(1);
  ASSERT_TRUE(cluster.propose(1, "x").ok());
  cluster.wait(milliseconds(290));
  EXPECT_TRUE(cluster.at(1).is_leader());
  cluster.wait(milliseconds(30));
  EXPECT_FALSE(cluster.at(1).is_leader());
  bool told = false;
  for (const RoleChange& change : cluster.seen(1).changes) told |= change.reason == "own disk stalled";
  EXPECT_TRUE(told);
  cluster.wait(std::chrono::seconds(1));
  EXPECT_NE(cluster.leader(), 0U);
  EXPECT_NE(cluster.leader(), 1U);
}

TEST(Disk, ToWriteIsNotToHearNothing) {
  Cluster cluster;
  cluster.elect(1);
  ASSERT_TRUE(cluster.propose(1, "x").ok());
  cluster.deliver(1, 2);
  ASSERT_GT(cluster.unwritten(2), 0U);
  const Instant deadline = cluster.at(2).deadline();
  cluster.advance(milliseconds(100));
  cluster.persist(2);
  EXPECT_EQ(cluster.at(2).deadline() - deadline, milliseconds(100));
  // The lease of the leader ran out meanwhile, but nothing of it could be heard.
  cluster.inject(make_message(3, 2, cluster.at(2).term().value() + 1, pre_vote_request()));
  EXPECT_FALSE(cluster.last_sent<VoteResponse>(2, 3)->granted);
  cluster.advance(milliseconds(100));
  cluster.inject(make_message(3, 2, cluster.at(2).term().value() + 1, pre_vote_request()));
  EXPECT_TRUE(cluster.last_sent<VoteResponse>(2, 3)->granted);
}

// A vote takes two writes, the candidate's and then the voter's: longer than the longest timeout.
TEST(Disk, SlowOnesElectALeaderAllTheSame) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    Cluster cluster({.seed = seed, .disk_time = milliseconds(200)});
    cluster.wait(std::chrono::seconds(20));
    ASSERT_NE(cluster.leader(), 0U) << seed;
    const uint32_t leader = cluster.leader();
    const Term term = cluster.at(leader).term();
    ASSERT_TRUE(cluster.propose(leader, "x").ok());
    cluster.wait(std::chrono::seconds(20));
    EXPECT_EQ(cluster.at(leader).committed(), cluster.at(leader).log().last_index()) << seed;
    EXPECT_EQ(cluster.at(leader).term(), term) << "it is stable; seed " << seed;
  }
}

// ... and the next failover is as fast as any.
TEST(Disk, OnceALeaderIsHeardTimeoutsAreShortAgain) {
  Cluster cluster({.disk_time = milliseconds(200)});
  cluster.wait(std::chrono::seconds(20));
  ASSERT_NE(cluster.leader(), 0U);
  for (const uint32_t id : cluster.ids()) {
    if (id == cluster.leader()) continue;
    EXPECT_LE(cluster.at(id).deadline() - cluster.now(), milliseconds(300));
  }
}

TEST(Disk, AServerWithAStalledDiskDoesNotStand) {
  Cluster cluster;
  cluster.elect(1);
  cluster.stall(2);
  ASSERT_TRUE(cluster.propose(1, "x").ok());
  cluster.settle();
  cluster.crash(1);
  cluster.advance(milliseconds(400));
  cluster.tick(2);
  EXPECT_EQ(cluster.at(2).role_name(), RoleName::kFollower);
  cluster.persist(2);
  cluster.time_out(2);
  EXPECT_EQ(cluster.at(2).role_name(), RoleName::kPreCandidate);
}

TEST(Disk, ACandidateCountsItsOwnVoteOnlyWhenItIsDurable) {
  Cluster cluster({.voters = 1});
  cluster.tick(1);
  EXPECT_EQ(cluster.at(1).role_name(), RoleName::kCandidate);
  cluster.persist(1, 1);
  EXPECT_TRUE(cluster.at(1).is_leader());
  EXPECT_EQ(cluster.at(1).committed(), Index(0));
  cluster.persist(1);
  EXPECT_EQ(cluster.at(1).committed(), Index(2));
}

TEST(Disk, MessagesOfATermWaitUntilItIsDurable) {
  Cluster cluster;
  cluster.time_out(1);
  cluster.drop(1, 2);
  cluster.inject(make_message(3, 1, 2, VoteResponse{true, true}));
  EXPECT_EQ(cluster.at(1).term(), Term(2));
  EXPECT_TRUE(cluster.link(1, 2).empty());
  // A heartbeat of yet another term: what waited for term 2 is void.
  cluster.inject(make_message(3, 1, 3, Heartbeat{Index(0), 1}));
  cluster.inject(make_message(3, 1, 3, Heartbeat{Index(0), 2}));
  cluster.drop(1, 3);
  EXPECT_EQ(cluster.persist(1, 1), 1U);
  EXPECT_TRUE(cluster.link(1, 2).empty());
  EXPECT_TRUE(cluster.link(1, 3).empty());
  cluster.persist(1);
  EXPECT_TRUE(cluster.link(1, 2).empty());
  ASSERT_EQ(cluster.link(1, 3).size(), 1U) << "only the newest of its kind waits";
  EXPECT_EQ(std::get<HeartbeatResponse>(cluster.link(1, 3)[0].body).round, 2U);
}

TEST(Disk, AHeartbeatIsAnsweredWhileEntriesWaitForTheDisk) {
  Cluster cluster;
  cluster.elect(1);
  cluster.stall(2);
  ASSERT_TRUE(cluster.propose(1, "x").ok());
  cluster.settle();
  cluster.time_out(1);
  cluster.deliver(1, 2);
  EXPECT_TRUE(cluster.last_sent<HeartbeatResponse>(2, 1).has_value());
  EXPECT_FALSE(cluster.last_sent<AppendResponse>(2, 1).has_value());
}

TEST(Disk, ADurableWriteNeverSpeaksForEntriesThatReplacedIt) {
  Cluster cluster;
  cluster.inject(
      make_message(2, 1, 2, AppendRequest{Index(1), Term(1), {}, 0, {make_entry(2, 2), make_entry(2, 3)}}));
  cluster.inject(
      make_message(3, 1, 3, AppendRequest{Index(2), Term(2), {}, 0, {make_entry(3, 3), make_entry(3, 4)}}));
  ASSERT_EQ(cluster.unwritten(1), 2U);
  cluster.persist(1, 1);
  EXPECT_EQ(cluster.at(1).durable_index(), Index(2));
  EXPECT_TRUE(cluster.link(1, 3).empty());
  cluster.persist(1);
  EXPECT_EQ(cluster.at(1).durable_index(), Index(4));
  EXPECT_EQ(cluster.last_sent<AppendResponse>(1, 3)->match, Index(4));
}

}  // namespace
}  // namespace quorate::raft::testing
