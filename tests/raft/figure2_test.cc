// One test for each rule of Figure 2 of the Raft paper (Ongaro, Figure 3.1).
#include <gtest/gtest.h>

#include "tests/raft/cluster.h"

namespace quorate::raft::testing {
namespace {

// Server 1 of three as a follower behind its lease, so that votes are its own to give.
class Figure2 : public ::testing::Test {
 protected:
  Figure2() { cluster.advance(milliseconds(100)); }

  void from(uint32_t peer, uint64_t term, Body body) {
    cluster.inject(make_message(peer, 1, term, std::move(body)));
  }
  // What server 1 answered, once its disk has all.
  template <class T>
  T answer(uint32_t peer) {
    cluster.persist(1);
    const std::optional<T> found = cluster.last_sent<T>(1, peer);
    if (!found) throw std::runtime_error("no answer");
    cluster.drop(1, peer);
    return *found;
  }
  void append(uint64_t term, uint64_t prev, uint64_t prev_term, std::vector<Entry> entries,
              uint64_t commit = 0) {
    from(2, term, AppendRequest{Index(prev), Term(prev_term), Index(commit), 0, std::move(entries)});
  }

  Cluster cluster;
};

// Persistent state: before responding.
TEST_F(Figure2, TermAndVoteAreDurableBeforeTheAnswerLeaves) {
  from(2, 5, VoteRequest{false, false, Index(1), Term(1)});
  EXPECT_EQ(cluster.at(1).vote(), ServerId(2));
  EXPECT_TRUE(cluster.link(1, 2).empty());
  cluster.persist(1);
  ASSERT_EQ(cluster.link(1, 2).size(), 1U);
  EXPECT_EQ(cluster.link(1, 2)[0].term, Term(5));
  EXPECT_TRUE(std::get<VoteResponse>(cluster.link(1, 2)[0].body).granted);
}

TEST_F(Figure2, TermAndVoteSurviveARestart) {
  from(2, 5, VoteRequest{false, false, Index(1), Term(1)});
  cluster.persist(1);
  cluster.restart(1);
  cluster.advance(milliseconds(100));
  from(3, 5, VoteRequest{false, false, Index(1), Term(1)});
  EXPECT_FALSE(answer<VoteResponse>(3).granted);
}

TEST_F(Figure2, AVoteThatWasNotDurableWasNeverGiven) {
  from(2, 5, VoteRequest{false, false, Index(1), Term(1)});
  cluster.restart(1);
  EXPECT_TRUE(cluster.link(1, 2).empty());
  EXPECT_EQ(cluster.at(1).term(), Term(1));
}

// AppendEntries, receiver 1.
TEST_F(Figure2, AppendOfAnOlderTermIsRefusedWithOurTerm) {
  from(2, 5, Heartbeat{});
  cluster.persist(1);
  from(3, 4, AppendRequest{Index(1), Term(1), Index(0), 0, {make_entry(4, 2)}});
  ASSERT_EQ(cluster.link(1, 3).size(), 1U);
  EXPECT_EQ(cluster.link(1, 3)[0].term, Term(5));
  EXPECT_EQ(cluster.at(1).log().last_index(), Index(1));
}

// AppendEntries, receiver 2.
TEST_F(Figure2, AppendWithoutTheEntryBeforeIsRefused) {
  append(2, 3, 2, {make_entry(2, 4)});
  const auto response = answer<AppendResponse>(2);
  EXPECT_FALSE(response.success);
  EXPECT_EQ(response.rejected_prev, Index(3));
  EXPECT_EQ(response.hint_index, Index(1));
  EXPECT_EQ(response.hint_term, Term(1));
}

TEST_F(Figure2, AppendWithAnotherTermBeforeIsRefused) {
  append(2, 1, 1, {make_entry(2, 2), make_entry(2, 3)});
  cluster.persist(1);
  from(3, 4, AppendRequest{Index(3), Term(3), Index(0), 0, {}});
  const auto response = answer<AppendResponse>(3);
  EXPECT_FALSE(response.success);
  EXPECT_EQ(response.hint_index, Index(3));
  EXPECT_EQ(response.hint_term, Term(2));
}

// AppendEntries, receiver 3.
TEST_F(Figure2, AConflictingEntryAndAllBehindItAreReplaced) {
  append(2, 1, 1, {make_entry(2, 2), make_entry(2, 3), make_entry(2, 4)});
  cluster.persist(1);
  from(3, 3, AppendRequest{Index(2), Term(2), Index(0), 0, {make_entry(3, 3)}});
  EXPECT_EQ(cluster.log_of(1), "1^1 2^2 3^3");
}

TEST_F(Figure2, ALateDuplicateDoesNotShortenTheLog) {
  append(2, 1, 1, {make_entry(2, 2), make_entry(2, 3)});
  append(2, 1, 1, {make_entry(2, 2)});
  EXPECT_EQ(cluster.log_of(1), "1^1 2^2 3^2");
  EXPECT_EQ(answer<AppendResponse>(2).match, Index(3));
}

// AppendEntries, receiver 4.
TEST_F(Figure2, OnlyMissingEntriesAreAppended) {
  append(2, 1, 1, {make_entry(2, 2)});
  append(2, 1, 1, {make_entry(2, 2), make_entry(2, 3)});
  EXPECT_EQ(cluster.log_of(1), "1^1 2^2 3^2");
}

// AppendEntries, receiver 5.
TEST_F(Figure2, TheCommitIndexIsBoundedByTheLastNewEntry) {
  append(2, 1, 1, {make_entry(2, 2), make_entry(2, 3)}, 0);
  append(2, 1, 1, {}, 9);
  // The log agrees with the leader's up to 3, which this leader sent; a new leader's word reaches only as far
  // as its entries.
  EXPECT_EQ(cluster.at(1).committed(), Index(3));
  Cluster other;
  other.inject(make_message(2, 1, 2, AppendRequest{Index(1), Term(1), Index(0), 0, {make_entry(2, 2)}}));
  other.inject(make_message(3, 1, 3, AppendRequest{Index(1), Term(1), Index(2), 0, {}}));
  EXPECT_EQ(other.at(1).committed(), Index(1));
}

TEST_F(Figure2, AnAppendIsAcknowledgedOnlyWhenItIsDurable) {
  from(2, 2, Heartbeat{});
  cluster.persist(1);
  append(2, 1, 1, {make_entry(2, 2)});
  EXPECT_FALSE(cluster.last_sent<AppendResponse>(1, 2).has_value());
  EXPECT_EQ(answer<AppendResponse>(2).match, Index(2));
}

// RequestVote, receiver 1.
TEST_F(Figure2, ARequestOfAnOlderTermGetsNoVote) {
  from(2, 5, Heartbeat{});
  cluster.advance(milliseconds(100));
  from(3, 4, VoteRequest{false, false, Index(9), Term(4)});
  EXPECT_FALSE(answer<VoteResponse>(3).granted);
  EXPECT_EQ(cluster.at(1).vote(), ServerId(0));
}

// RequestVote, receiver 2.
TEST_F(Figure2, OneVoteATerm) {
  from(2, 5, VoteRequest{false, false, Index(1), Term(1)});
  EXPECT_TRUE(answer<VoteResponse>(2).granted);
  from(3, 5, VoteRequest{false, false, Index(1), Term(1)});
  EXPECT_FALSE(answer<VoteResponse>(3).granted);
  from(2, 5, VoteRequest{false, false, Index(1), Term(1)});
  EXPECT_TRUE(answer<VoteResponse>(2).granted) << "the same candidate may ask again";
}

TEST_F(Figure2, NoVoteForALogWithALowerLastTerm) {
  append(3, 1, 1, {make_entry(3, 2)});
  cluster.persist(1);
  cluster.advance(milliseconds(100));
  from(3, 5, VoteRequest{false, false, Index(9), Term(2)});
  EXPECT_FALSE(answer<VoteResponse>(3).granted);
}

TEST_F(Figure2, NoVoteForAShorterLogOfTheSameTerm) {
  append(3, 1, 1, {make_entry(3, 2), make_entry(3, 3)});
  cluster.persist(1);
  cluster.advance(milliseconds(100));
  from(3, 5, VoteRequest{false, false, Index(2), Term(3)});
  EXPECT_FALSE(answer<VoteResponse>(3).granted);
  from(2, 5, VoteRequest{false, false, Index(3), Term(3)});
  EXPECT_TRUE(answer<VoteResponse>(2).granted);
}

// All servers.
TEST_F(Figure2, WhatIsCommittedIsHandedOutToBeApplied) {
  append(2, 1, 1, {make_entry(2, 2), make_entry(2, 3)}, 2);
  EXPECT_EQ(cluster.at(1).committed(), Index(2));
  EXPECT_EQ(cluster.at(1).applied_index(), Index(2));
}

TEST_F(Figure2, AHigherTermTurnsEveryRoleIntoAFollower) {
  cluster.elect(1);
  from(2, 9, HeartbeatResponse{});
  EXPECT_EQ(cluster.at(1).role_name(), RoleName::kFollower);
  EXPECT_EQ(cluster.at(1).term(), Term(9));

  cluster.time_out(1);
  ASSERT_EQ(cluster.at(1).role_name(), RoleName::kPreCandidate);
  from(2, 11, Heartbeat{});
  EXPECT_EQ(cluster.at(1).role_name(), RoleName::kFollower);
  EXPECT_EQ(cluster.at(1).leader(), ServerId(2));
}

// Followers.
TEST_F(Figure2, AFollowerStandsWhenItHearsNothing) {
  const Instant due = cluster.at(1).deadline();
  EXPECT_GE(due - (cluster.now() - milliseconds(100)), milliseconds(150));
  EXPECT_LE(due - (cluster.now() - milliseconds(100)), milliseconds(300));
  cluster.time_out(1);
  EXPECT_EQ(cluster.at(1).role_name(), RoleName::kPreCandidate);
}

TEST_F(Figure2, HearingFromTheLeaderRestartsTheTimeout) {
  cluster.advance(milliseconds(45));
  from(2, 2, Heartbeat{});
  EXPECT_GE(cluster.at(1).deadline(), cluster.now() + milliseconds(150));
}

TEST_F(Figure2, GrantingAVoteRestartsTheTimeoutAndRefusingDoesNot) {
  cluster.advance(milliseconds(45));
  const Instant due = cluster.at(1).deadline();
  from(3, 2, VoteRequest{false, false, Index(0), Term(0)});
  EXPECT_EQ(cluster.at(1).deadline(), due);
  from(2, 2, VoteRequest{false, false, Index(1), Term(1)});
  EXPECT_GE(cluster.at(1).deadline(), cluster.now() + milliseconds(150));
}

// Candidates.
TEST_F(Figure2, ACandidateRaisesItsTermVotesForItselfAndAsksAll) {
  cluster.time_out(1);
  from(2, 2, VoteResponse{true, true});
  EXPECT_EQ(cluster.at(1).role_name(), RoleName::kCandidate);
  EXPECT_EQ(cluster.at(1).term(), Term(2));
  EXPECT_EQ(cluster.at(1).vote(), ServerId(1));
  cluster.persist(1);
  for (const uint32_t peer : {2U, 3U}) {
    const auto request = cluster.last_sent<VoteRequest>(1, peer);
    ASSERT_TRUE(request.has_value());
    EXPECT_FALSE(request->pre);
    EXPECT_EQ(request->last_index, Index(1));
    EXPECT_EQ(request->last_term, Term(1));
  }
}

TEST_F(Figure2, VotesOfAMajorityMakeALeader) {
  cluster.time_out(1);
  from(2, 2, VoteResponse{true, true});
  cluster.persist(1);
  EXPECT_EQ(cluster.at(1).role_name(), RoleName::kCandidate);
  from(3, 2, VoteResponse{false, true});
  EXPECT_TRUE(cluster.at(1).is_leader());
}

TEST_F(Figure2, ACandidateYieldsToTheLeaderOfItsTerm) {
  cluster.time_out(1);
  from(2, 2, VoteResponse{true, true});
  cluster.persist(1);
  from(3, 2, AppendRequest{Index(1), Term(1), Index(0), 0, {}});
  EXPECT_EQ(cluster.at(1).role_name(), RoleName::kFollower);
  EXPECT_EQ(cluster.at(1).leader(), ServerId(3));
}

TEST_F(Figure2, AnElectionWithoutOutcomeIsTriedAgain) {
  cluster.time_out(1);
  from(2, 2, VoteResponse{true, true});
  cluster.persist(1);
  cluster.time_out(1);
  EXPECT_EQ(cluster.at(1).role_name(), RoleName::kPreCandidate);
  from(2, 3, VoteResponse{true, true});
  EXPECT_EQ(cluster.at(1).term(), Term(3));
}

// Leaders.
TEST_F(Figure2, ALeaderAnnouncesItselfAtOnceAndThenWithHeartbeats) {
  cluster.elect(1);
  EXPECT_EQ(cluster.at(2).leader(), ServerId(1));
  EXPECT_EQ(cluster.at(3).leader(), ServerId(1));
  cluster.time_out(1);
  EXPECT_TRUE(cluster.last_sent<Heartbeat>(1, 2).has_value());
  EXPECT_TRUE(cluster.last_sent<Heartbeat>(1, 3).has_value());
}

TEST_F(Figure2, AProposalIsAppendedAndAnsweredAfterItIsCommitted) {
  cluster.elect(1);
  ASSERT_TRUE(cluster.propose(1, "x").ok());
  EXPECT_EQ(cluster.at(1).log().last_index(), Index(3));
  EXPECT_EQ(cluster.at(1).committed(), Index(2));
  cluster.settle();
  EXPECT_EQ(cluster.at(1).committed(), Index(3));
}

TEST_F(Figure2, AProposalElsewhereIsRefused) {
  cluster.elect(1);
  EXPECT_EQ(cluster.propose(2, "x").code(), ErrorCode::kNotLeader);
}

TEST_F(Figure2, ARefusedAppendIsTriedFurtherBackUntilTheLogsAgree) {
  cluster.crash(1);
  cluster.set_disk(1, HardState{Term(5), {}},
                   {cluster.at(2).log().at(Index(1)), make_entry(2, 2), make_entry(2, 3), make_entry(3, 4)});
  cluster.restart(1);
  cluster.crash(2);
  cluster.set_disk(2, HardState{Term(5), {}},
                   {cluster.at(3).log().at(Index(1)), make_entry(4, 2), make_entry(5, 3)});
  cluster.restart(2);
  cluster.elect(2);
  EXPECT_EQ(cluster.log_of(1), "1^1 2^4 3^5 4^6");
  EXPECT_EQ(cluster.log_of(3), "1^1 2^4 3^5 4^6");
}

TEST_F(Figure2, AnEntryIsCommittedWhenAMajorityHoldsItDurably) {
  cluster.elect(1);
  ASSERT_TRUE(cluster.propose(1, "x").ok());
  cluster.deliver(1, 2);
  cluster.persist(2);
  cluster.deliver(2, 1);
  EXPECT_EQ(cluster.at(1).committed(), Index(2)) << "the leader's own disk does not have it yet";
  cluster.persist(1);
  EXPECT_EQ(cluster.at(1).committed(), Index(3));
}

TEST_F(Figure2, TwoFollowersCommitAheadOfTheLeadersOwnDisk) {
  cluster.elect(1);
  cluster.stall(1);
  ASSERT_TRUE(cluster.propose(1, "x").ok());
  cluster.settle();
  EXPECT_EQ(cluster.at(1).committed(), Index(3));
  EXPECT_EQ(cluster.at(1).durable_index(), Index(2));
}

// 5.4.2.
TEST_F(Figure2, AnEarlierTermsEntryIsNotCommittedByCounting) {
  cluster.crash(1);
  cluster.set_disk(1, HardState{Term(3), {}}, {cluster.at(2).log().at(Index(1)), make_entry(2, 2)});
  cluster.restart(1);
  cluster.advance(milliseconds(100));
  cluster.time_out(1);
  from(2, 4, VoteResponse{true, true});
  cluster.persist(1);
  from(2, 4, VoteResponse{false, true});
  ASSERT_TRUE(cluster.at(1).is_leader());
  cluster.persist(1);
  // Both hold entry 2 of term 2; but not the leader's own entry 3.
  from(2, 4, AppendResponse{true, Index(2), {}, {}, {}, 0});
  from(3, 4, AppendResponse{true, Index(2), {}, {}, {}, 0});
  EXPECT_EQ(cluster.at(1).committed(), Index(0));
  from(2, 4, AppendResponse{true, Index(3), {}, {}, {}, 0});
  EXPECT_EQ(cluster.at(1).committed(), Index(3));
}

TEST_F(Figure2, ACommitIsToldAtOnceAndNotWithTheNextHeartbeat) {
  cluster.elect(1);
  ASSERT_TRUE(cluster.propose(1, "x").ok());
  cluster.settle();
  EXPECT_EQ(cluster.at(2).committed(), Index(3));
  EXPECT_EQ(cluster.at(3).committed(), Index(3));
}

}  // namespace
}  // namespace quorate::raft::testing
