// Who counts: learners, wiped folders, and earlier runs of a process.
#include <gtest/gtest.h>

#include "tests/raft/cluster.h"

namespace quorate::raft::testing {
namespace {

TEST(Learner, ReplicatesAndCountsNowhere) {
  Cluster cluster({.voters = 3, .learners = 1});
  cluster.elect(1);
  ASSERT_TRUE(cluster.propose(1, "x").ok());
  cluster.settle();
  EXPECT_EQ(cluster.log_of(4), cluster.log_of(1));
  EXPECT_EQ(cluster.at(4).committed(), Index(3));
  EXPECT_FALSE(cluster.at(4).may_vote());
  cluster.isolate(2);
  cluster.isolate(3);
  ASSERT_TRUE(cluster.propose(1, "y").ok());
  cluster.settle();
  EXPECT_EQ(cluster.log_of(4), cluster.log_of(1));
  EXPECT_EQ(cluster.at(1).committed(), Index(3)) << "the learner has it, and is no majority";
}

TEST(Learner, NeverStandsAndNeverVotes) {
  Cluster cluster({.voters = 3, .learners = 1});
  EXPECT_EQ(cluster.at(4).deadline(), kNever);
  cluster.tick(4, std::chrono::hours(1));
  EXPECT_EQ(cluster.at(4).role_name(), RoleName::kFollower);
  cluster.inject(make_message(2, 4, 5, VoteRequest{false, false, Index(9), Term(4)}));
  cluster.persist(4);
  EXPECT_FALSE(cluster.last_sent<VoteResponse>(4, 2)->granted);
  EXPECT_EQ(cluster.at(4).vote(), ServerId(0));
}

TEST(Learner, ForgetsALeaderThatItDoesNotHear) {
  Cluster cluster({.voters = 3, .learners = 1});
  cluster.elect(1);
  EXPECT_EQ(cluster.at(4).leader(), ServerId(1));
  cluster.tick(4, milliseconds(400));
  EXPECT_EQ(cluster.at(4).leader(), ServerId(0));
  EXPECT_EQ(cluster.at(4).deadline(), kNever);
}

TEST(Learner, ItsVoteIsNotCounted) {
  Cluster cluster({.voters = 3, .learners = 1});
  cluster.time_out(1);
  cluster.inject(make_message(4, 1, 2, VoteResponse{true, true}));
  EXPECT_EQ(cluster.at(1).role_name(), RoleName::kPreCandidate);
}

TEST(WipedFolder, NeverVotesAndNeverStands) {
  Cluster cluster;
  cluster.elect(1);
  cluster.wipe(3);
  EXPECT_FALSE(cluster.at(3).may_vote());
  EXPECT_EQ(cluster.at(3).deadline(), kNever);
  cluster.advance(milliseconds(100));
  cluster.inject(make_message(2, 3, 9, VoteRequest{false, false, Index(9), Term(8)}));
  cluster.persist(3);
  EXPECT_FALSE(cluster.last_sent<VoteResponse>(3, 2)->granted);
}

TEST(WipedFolder, ReceivesAndIsCountedToNoQuorum) {
  Cluster cluster;
  cluster.elect(1);
  cluster.wipe(3);
  cluster.wait(milliseconds(50));
  EXPECT_EQ(cluster.log_of(3), cluster.log_of(1));
  EXPECT_FALSE(progress_of(cluster, 1, 3).counts);
  cluster.isolate(2);
  ASSERT_TRUE(cluster.propose(1, "x").ok());
  ASSERT_TRUE(cluster.read(1, 7).ok());
  cluster.settle();
  EXPECT_EQ(cluster.log_of(3), cluster.log_of(1));
  EXPECT_EQ(cluster.at(1).committed(), Index(2));
  EXPECT_TRUE(cluster.seen(1).reads_ready.empty());
  cluster.wait(std::chrono::seconds(1));
  EXPECT_FALSE(cluster.at(1).is_leader()) << "nor does it keep a leader";
}

TEST(WipedFolder, ASecondVoteInItsOldTermIsNotPossible) {
  Cluster cluster;
  cluster.advance(milliseconds(100));
  cluster.inject(make_message(1, 3, 5, VoteRequest{false, false, Index(1), Term(1)}));
  cluster.persist(3);
  ASSERT_TRUE(cluster.last_sent<VoteResponse>(3, 1)->granted);
  cluster.wipe(3);
  cluster.advance(milliseconds(100));
  cluster.inject(make_message(2, 3, 5, VoteRequest{false, false, Index(1), Term(1)}));
  cluster.persist(3);
  EXPECT_FALSE(cluster.last_sent<VoteResponse>(3, 2)->granted);
}

TEST(WipedFolder, GrantsOfOneThatDoesNotCountAreNotBelieved) {
  Cluster cluster;
  cluster.time_out(1);
  Message grant = make_message(2, 1, 2, VoteResponse{true, true});
  grant.counts = false;
  cluster.inject(grant);
  EXPECT_EQ(cluster.at(1).role_name(), RoleName::kPreCandidate);
}

TEST(Runs, AFollowersNewRunIsBegunAnewWith) {
  Cluster cluster;
  cluster.elect(1);
  ASSERT_TRUE(cluster.propose(1, "x").ok());
  cluster.settle();
  const BootNonce before = progress_of(cluster, 1, 2).boot;
  EXPECT_EQ(progress_of(cluster, 1, 2).match, Index(3));
  cluster.restart(2);
  cluster.inject(
      Message{ServerId(2), ServerId(1), Term(2), cluster.at(2).options().boot, true, HeartbeatResponse{0}});
  EXPECT_EQ(progress_of(cluster, 1, 2).match, Index(0));
  EXPECT_EQ(progress_of(cluster, 1, 2).round_acked, 0U);
  cluster.settle();
  EXPECT_EQ(progress_of(cluster, 1, 2).boot, cluster.at(2).options().boot);
  EXPECT_TRUE(progress_of(cluster, 1, 2).retired_boots.contains(before));
  cluster.wait(milliseconds(30));
  EXPECT_EQ(progress_of(cluster, 1, 2).match, Index(3));
  EXPECT_TRUE(progress_of(cluster, 1, 2).counts);
}

TEST(Runs, AcknowledgementsOfARetiredRunAreIgnored) {
  Cluster cluster;
  cluster.elect(1);
  cluster.isolate(3);
  const BootNonce old_run = cluster.at(2).options().boot;
  cluster.restart(2);
  cluster.wait(milliseconds(50));
  ASSERT_TRUE(progress_of(cluster, 1, 2).retired_boots.contains(old_run));
  cluster.isolate(2);
  ASSERT_TRUE(cluster.propose(1, "x").ok());
  cluster.persist(1);
  cluster.inject(Message{ServerId(2), ServerId(1), Term(2), old_run, true,
                         AppendResponse{true, Index(3), {}, {}, {}, 0}});
  EXPECT_EQ(cluster.at(1).committed(), Index(2));
  EXPECT_EQ(progress_of(cluster, 1, 2).boot, cluster.at(2).options().boot);
  EXPECT_EQ(progress_of(cluster, 1, 2).match, Index(2)) << "nor does it put the living run in doubt again";
  EXPECT_TRUE(progress_of(cluster, 1, 2).contenders.empty());
}

TEST(Runs, ARestartOfTheOnlyOtherServerDoesNotDeposeTheLeader) {
  Cluster cluster;
  cluster.elect(1);
  cluster.isolate(3);
  cluster.restart(2);
  cluster.inject(
      Message{ServerId(2), ServerId(1), Term(2), cluster.at(2).options().boot, true, HeartbeatResponse{0}});
  ASSERT_FALSE(progress_of(cluster, 1, 2).contenders.empty());
  cluster.time_out(1);
  EXPECT_TRUE(cluster.at(1).is_leader());
  cluster.wait(std::chrono::seconds(1));
  EXPECT_TRUE(cluster.at(1).is_leader());
}

TEST(Runs, ALateMessageOfADeadRunDoesNotRetireTheLivingOne) {
  Cluster cluster;
  cluster.elect(1);
  const BootNonce living = cluster.at(2).options().boot;
  ASSERT_EQ(progress_of(cluster, 1, 2).boot, living);
  cluster.inject(Message{ServerId(2), ServerId(1), Term(2), BootNonce(999), true, HeartbeatResponse{0}});
  cluster.wait(milliseconds(50));
  EXPECT_EQ(progress_of(cluster, 1, 2).boot, living);
  EXPECT_TRUE(progress_of(cluster, 1, 2).retired_boots.contains(BootNonce(999)));
  ASSERT_TRUE(cluster.propose(1, "x").ok());
  cluster.settle();
  EXPECT_EQ(progress_of(cluster, 1, 2).match, Index(3));
}

TEST(Runs, WhileInDoubtNeitherRunCounts) {
  Cluster cluster;
  cluster.elect(1);
  cluster.isolate(3);
  ASSERT_TRUE(cluster.propose(1, "x").ok());
  cluster.persist(1);
  const BootNonce living = cluster.at(2).options().boot;
  cluster.inject(Message{ServerId(2), ServerId(1), Term(2), BootNonce(999), true, HeartbeatResponse{0}});
  cluster.inject(Message{ServerId(2), ServerId(1), Term(2), living, true,
                         AppendResponse{true, Index(3), {}, {}, {}, 0}});
  EXPECT_EQ(cluster.at(1).committed(), Index(2));
  cluster.settle();
  EXPECT_EQ(cluster.at(1).committed(), Index(3));
}

}  // namespace
}  // namespace quorate::raft::testing
