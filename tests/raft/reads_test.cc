// Linearizable reads by ReadIndex (Ongaro 6.4), and handing over leadership (3.10).
#include <gtest/gtest.h>

#include "tests/raft/cluster.h"

namespace quorate::raft::testing {
namespace {

TEST(ReadIndex, IsConfirmedByOneRoundOfAQuorum) {
  Cluster cluster;
  cluster.elect(1);
  ASSERT_TRUE(cluster.read(1, 7).ok());
  EXPECT_TRUE(cluster.seen(1).reads_ready.empty());
  cluster.deliver(1, 2);
  cluster.deliver(2, 1);
  ASSERT_EQ(cluster.seen(1).reads_ready.size(), 1U);
  EXPECT_EQ(cluster.seen(1).reads_ready[0].context, 7U);
  EXPECT_EQ(cluster.seen(1).reads_ready[0].index, Index(2));
}

TEST(ReadIndex, ManyReadsOfOneDrainShareARound) {
  Options options;
  options.id = ServerId(1);
  options.incarnation = Incarnation(101);
  options.boot = BootNonce(1);
  Recovered disk;
  disk.hard_state = HardState{Term(1), {}};
  disk.entries = {make_configuration_entry(make_configuration(3))};
  Instant now{};
  Raft raft(options, disk, 1, now);
  now = raft.deadline();
  raft.tick(now);
  raft.receive(now, make_message(2, 1, 2, VoteResponse{true, true}));
  Output output = raft.take_output();
  raft.persisted(now, output.ticket);
  raft.receive(now, make_message(2, 1, 2, VoteResponse{false, true}));
  ASSERT_TRUE(raft.is_leader());
  (void)raft.take_output();

  const uint64_t before = std::get<Leader>(raft.role()).round;
  for (uint64_t context = 1; context <= 100; ++context) ASSERT_TRUE(raft.read_index(now, context).ok());
  output = raft.take_output();
  EXPECT_EQ(output.messages.size(), 2U);
  EXPECT_EQ(std::get<Leader>(raft.role()).round, before + 1);
  output = raft.take_output();
  EXPECT_TRUE(output.messages.empty());
  EXPECT_EQ(output.ticket, Ticket{});
}

TEST(ReadIndex, ARoundThatStartedBeforeTheReadDoesNotConfirmIt) {
  Cluster cluster;
  cluster.elect(1);
  ASSERT_TRUE(cluster.read(1, 1).ok());
  ASSERT_TRUE(cluster.read(1, 2).ok());
  cluster.deliver(1, 2, 1);
  cluster.deliver(2, 1);
  ASSERT_EQ(cluster.seen(1).reads_ready.size(), 1U);
  EXPECT_EQ(cluster.seen(1).reads_ready[0].context, 1U);
}

TEST(ReadIndex, WaitsForAnEntryOfTheLeadersOwnTerm) {
  Cluster cluster;
  cluster.elect(1);
  ASSERT_TRUE(cluster.propose(1, "x").ok());
  // Server 2 holds and the leader committed entry 3, which server 2 does not know to be committed.
  cluster.deliver(1, 2);
  cluster.persist(1);
  cluster.persist(2);
  cluster.deliver(2, 1);
  ASSERT_EQ(cluster.at(1).committed(), Index(3));
  cluster.drop(1, 2);
  cluster.crash(1);
  cluster.advance(milliseconds(400));
  cluster.time_out(2);
  cluster.deliver(2, 3);
  cluster.deliver(3, 2);
  cluster.persist(2);
  cluster.deliver(2, 3);
  cluster.persist(3);
  cluster.deliver(3, 2);
  ASSERT_TRUE(cluster.at(2).is_leader());
  ASSERT_EQ(cluster.at(2).committed(), Index(2));
  EXPECT_FALSE(cluster.at(2).has_committed_own_term());
  ASSERT_TRUE(cluster.read(2, 7).ok());
  cluster.deliver(2, 3);
  cluster.deliver(3, 2);
  EXPECT_TRUE(cluster.seen(2).reads_ready.empty())
      << "a quorum answered the round, and the commit index is not known";
  cluster.settle();
  EXPECT_TRUE(cluster.at(2).has_committed_own_term());
  ASSERT_EQ(cluster.seen(2).reads_ready.size(), 1U);
  EXPECT_GE(cluster.seen(2).reads_ready[0].index, Index(3));
}

TEST(ReadIndex, FailsWhenLeadershipIsLost) {
  Cluster cluster;
  cluster.elect(1);
  cluster.isolate(1);
  ASSERT_TRUE(cluster.read(1, 7).ok());
  ASSERT_TRUE(cluster.read(1, 8).ok());
  cluster.wait(milliseconds(500));
  EXPECT_TRUE(cluster.seen(1).reads_ready.empty());
  EXPECT_EQ(cluster.seen(1).reads_failed, (std::vector<uint64_t>{7, 8}));
  EXPECT_EQ(cluster.read(1, 9).code(), ErrorCode::kNotLeader);
}

TEST(ReadIndex, ADeposedLeaderServesNothing) {
  Cluster cluster;
  cluster.elect(1);
  ASSERT_TRUE(cluster.read(1, 7).ok());
  cluster.deliver(1, 2);
  // The leader pauses; another one is elected meanwhile, and the answers come late.
  cluster.drop(1, 3);
  cluster.drop(2, 1);
  cluster.cut(3, 1);
  cluster.advance(milliseconds(400));
  cluster.time_out(3);
  for (int i = 0; i < 4; ++i) {
    cluster.deliver(3, 2);
    cluster.persist(3);
    cluster.persist(2);
    cluster.deliver(2, 3);
  }
  ASSERT_TRUE(cluster.at(3).is_leader());
  cluster.settle();
  EXPECT_TRUE(cluster.seen(1).reads_ready.empty());
}

TEST(ReadIndex, RoundsOfAnEarlierLeaderConfirmNothing) {
  Cluster cluster;
  cluster.elect(2);
  for (int i = 0; i < 50; ++i) {
    cluster.time_out(2);
    cluster.settle();
  }
  ASSERT_TRUE(cluster.propose(2, "x").ok());
  cluster.settle();
  cluster.crash(2);
  cluster.elect(1);
  // What server 3 answers to the new leader speaks of its rounds alone, also when it rests on the disk.
  cluster.stall(3);
  ASSERT_TRUE(cluster.propose(1, "y").ok());
  cluster.deliver(1, 3);
  cluster.persist(3);
  const auto response = cluster.last_sent<AppendResponse>(3, 1);
  ASSERT_TRUE(response.has_value());
  EXPECT_LE(response->round, std::get<Leader>(cluster.at(1).role()).round);
}

TEST(ReadIndex, LearnersConfirmNothing) {
  Cluster cluster({.voters = 3, .learners = 2});
  cluster.elect(1);
  cluster.isolate(2);
  cluster.isolate(3);
  ASSERT_TRUE(cluster.read(1, 7).ok());
  cluster.settle();
  EXPECT_TRUE(cluster.seen(1).reads_ready.empty());
}

TEST(Transfer, GoesToTheNamedVoterAtOnce) {
  Cluster cluster;
  cluster.elect(1);
  ASSERT_TRUE(cluster.propose(1, "x").ok());
  ASSERT_TRUE(cluster.transfer(1, 3).ok());
  EXPECT_FALSE(cluster.last_sent<TimeoutNow>(1, 3).has_value()) << "it lacks an entry";
  cluster.settle();
  EXPECT_EQ(cluster.leader(), 3U);
  EXPECT_EQ(cluster.at(3).term(), Term(3)) << "in one election, within the lease";
}

TEST(Transfer, TakesTheMostAdvancedVoterIfNoneIsNamed) {
  Cluster cluster;
  cluster.elect(1);
  cluster.stall(2);
  ASSERT_TRUE(cluster.propose(1, "x").ok());
  cluster.settle();
  ASSERT_TRUE(cluster.transfer(1, 0).ok());
  cluster.unstall(2);
  cluster.settle();
  EXPECT_EQ(cluster.leader(), 3U);
}

TEST(Transfer, RefusesProposalsMeanwhileAndTakesThemAgainWhenItIsGivenUp) {
  Cluster cluster;
  cluster.elect(1);
  cluster.stall(3);
  ASSERT_TRUE(cluster.propose(1, "x").ok());
  cluster.settle();
  ASSERT_TRUE(cluster.transfer(1, 3).ok());
  EXPECT_EQ(cluster.propose(1, "y").code(), ErrorCode::kNotLeader);
  cluster.wait(milliseconds(299));
  EXPECT_EQ(cluster.propose(1, "y").code(), ErrorCode::kNotLeader);
  cluster.wait(milliseconds(2));
  EXPECT_TRUE(cluster.propose(1, "y").ok());
  EXPECT_EQ(cluster.leader(), 1U);
}

TEST(Transfer, ErrorsNameWhatIsWrong) {
  Cluster cluster({.voters = 3, .learners = 1});
  cluster.elect(1);
  EXPECT_EQ(cluster.transfer(2, 3).code(), ErrorCode::kNotLeader);
  EXPECT_EQ(cluster.transfer(1, 1).code(), ErrorCode::kInvalidArgument);
  EXPECT_EQ(cluster.transfer(1, 4).code(), ErrorCode::kInvalidArgument) << "a learner";
  EXPECT_EQ(cluster.transfer(1, 99).code(), ErrorCode::kInvalidArgument);
  cluster.isolate(3);
  cluster.wait(milliseconds(400));
  EXPECT_EQ(cluster.transfer(1, 3).code(), ErrorCode::kUnavailable);
}

// As far in the log as any other, and of the lowest id: it would not stand, and nobody would lead for a while.
TEST(Transfer, PassesOverWhoHasNoState) {
  Cluster cluster;
  cluster.may_lead(1, false);
  cluster.elect(2);
  cluster.settle();
  EXPECT_EQ(cluster.transfer(2, 1).code(), ErrorCode::kUnavailable);
  ASSERT_TRUE(cluster.transfer(2, 0).ok());
  cluster.settle();
  EXPECT_EQ(cluster.leader(), 3U);
}

TEST(Transfer, PassesOverWhoDeclinesUntilItDoesNot) {
  Cluster cluster;
  cluster.declines(1, true);
  cluster.elect(2);
  cluster.settle();
  ASSERT_TRUE(cluster.transfer(2, 0).ok());
  cluster.settle();
  EXPECT_EQ(cluster.leader(), 3U);
  cluster.declines(1, false);
  cluster.wait(milliseconds(100));
  ASSERT_TRUE(cluster.transfer(3, 0).ok());
  cluster.settle();
  EXPECT_EQ(cluster.leader(), 1U);
}

// It may be the only one whose log is complete.
TEST(Transfer, WhoDeclinesStandsAllTheSame) {
  Cluster cluster;
  cluster.elect(1);
  cluster.isolate(3);
  ASSERT_TRUE(cluster.propose(1, "x").ok());
  cluster.settle();
  cluster.declines(2, true);
  cluster.crash(1);
  cluster.heal();
  cluster.wait(milliseconds(2000));
  EXPECT_EQ(cluster.leader(), 2U) << "server 3 lacks an entry that is committed";
}

TEST(Transfer, OfALonelyServerIsUnavailable) {
  Cluster cluster({.voters = 1});
  cluster.tick(1);
  cluster.settle();
  EXPECT_EQ(cluster.transfer(1, 0).code(), ErrorCode::kUnavailable);
}

TEST(Transfer, OnlyTheLeaderMayTellSomebodyToStand) {
  Cluster cluster;
  cluster.elect(1);
  cluster.inject(make_message(3, 2, 2, TimeoutNow{}));
  EXPECT_EQ(cluster.at(2).role_name(), RoleName::kFollower);
  cluster.inject(make_message(1, 2, 1, TimeoutNow{}));
  EXPECT_EQ(cluster.at(2).role_name(), RoleName::kFollower);
  cluster.inject(make_message(1, 2, 2, TimeoutNow{}));
  EXPECT_EQ(cluster.at(2).role_name(), RoleName::kCandidate);
}

}  // namespace
}  // namespace quorate::raft::testing
