// The pipeline, its windows and its recovery from loss; snapshots' bookkeeping; messages that nobody can have
// sent.
#include <gtest/gtest.h>

#include "tests/raft/cluster.h"

namespace quorate::raft::testing {
namespace {

TEST(Pipeline, SendsWithoutWaitingForAnswers) {
  Cluster cluster;
  cluster.elect(1);
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(cluster.propose(1, "x").ok());
  EXPECT_EQ(cluster.link(1, 2).size(), 5U);
  EXPECT_EQ(progress_of(cluster, 1, 2).inflight.size(), 5U);
  cluster.settle();
  EXPECT_TRUE(progress_of(cluster, 1, 2).inflight.empty());
  EXPECT_EQ(progress_of(cluster, 1, 2).inflight_bytes, 0U);
}

TEST(Pipeline, StopsAtItsLimitInMessages) {
  Cluster cluster({.tune = [](Options& options) { options.inflight_messages_max = 3; }});
  cluster.elect(1);
  for (int i = 0; i < 10; ++i) ASSERT_TRUE(cluster.propose(1, "x").ok());
  EXPECT_EQ(cluster.link(1, 2).size(), 3U);
  cluster.settle();
  EXPECT_EQ(cluster.log_of(2), cluster.log_of(1));
}

TEST(Pipeline, StopsAtItsLimitInBytes) {
  Cluster cluster({.tune = [](Options& options) { options.inflight_bytes_max = 2000; }});
  cluster.elect(1);
  for (int i = 0; i < 10; ++i) ASSERT_TRUE(cluster.propose(1, std::string(1000, 'x')).ok());
  EXPECT_EQ(cluster.link(1, 2).size(), 2U);
  cluster.settle();
  EXPECT_EQ(cluster.log_of(2), cluster.log_of(1));
}

TEST(Pipeline, CutsWhatIsMissingIntoMessagesOfBoundedSize) {
  Cluster cluster({.tune = [](Options& options) { options.append_bytes_max = 300; }});
  cluster.elect(1);
  cluster.cut(1, 2);
  for (int i = 0; i < 10; ++i) ASSERT_TRUE(cluster.propose(1, std::string(100, 'x')).ok());
  cluster.settle();
  cluster.heal();
  cluster.unreachable(1, 2);
  EXPECT_EQ(progress_of(cluster, 1, 2).state, Progress::State::kProbe);
  for (const Message& message : cluster.link(1, 2)) {
    const auto* append = std::get_if<AppendRequest>(&message.body);
    if (append == nullptr) continue;
    EXPECT_LE(append->entries.size(), 2U);
  }
  cluster.wait(milliseconds(50));
  EXPECT_EQ(cluster.log_of(2), cluster.log_of(1));
}

TEST(Pipeline, RecoversFromLossWithoutANewProposal) {
  Cluster cluster;
  cluster.elect(1);
  ASSERT_TRUE(cluster.propose(1, "x").ok());
  cluster.drop(1, 2);
  cluster.wait(milliseconds(50));
  EXPECT_EQ(cluster.log_of(2), cluster.log_of(1));
  ASSERT_TRUE(cluster.propose(1, "y").ok());
  cluster.deliver(1, 2);
  cluster.persist(2);
  cluster.drop(2, 1);
  cluster.wait(milliseconds(50));
  EXPECT_EQ(progress_of(cluster, 1, 2).match, Index(4));
}

TEST(Pipeline, ASlowDiskIsAskedAgainWithoutRepeatingTheEntries) {
  Cluster cluster;
  cluster.elect(1);
  cluster.stall(2);
  ASSERT_TRUE(cluster.propose(1, "x").ok());
  cluster.wait(milliseconds(100));
  cluster.time_out(1);
  for (const Message& message : cluster.link(1, 2)) {
    const auto* append = std::get_if<AppendRequest>(&message.body);
    if (append == nullptr) continue;
    EXPECT_TRUE(append->entries.empty());
  }
  EXPECT_EQ(progress_of(cluster, 1, 2).state, Progress::State::kReplicate);
}

TEST(Admission, RefusesWhatWouldExceedTheUncommittedBytes) {
  Cluster cluster({.tune = [](Options& options) { options.uncommitted_bytes_max = 1000; }});
  cluster.elect(1);
  EXPECT_TRUE(cluster.propose(1, std::string(900, 'x')).ok());
  const Result<Index> refused = cluster.propose(1, std::string(100, 'x'));
  EXPECT_EQ(refused.code(), ErrorCode::kOverloaded);
  EXPECT_EQ(cluster.at(1).log().last_index(), Index(3));
  cluster.settle();
  EXPECT_TRUE(cluster.propose(1, std::string(900, 'x')).ok());
  EXPECT_EQ(std::get<Leader>(cluster.at(1).role()).uncommitted_bytes, 932U);
}

// Or it would never have room.
TEST(Admission, TakesWhatIsLongerThanAllTheRoomWhenNothingElseWaits) {
  Cluster cluster({.tune = [](Options& options) { options.uncommitted_bytes_max = 1000; }});
  cluster.elect(1);
  EXPECT_TRUE(cluster.propose(1, std::string(2000, 'x')).ok());
  EXPECT_EQ(cluster.propose(1, "x").code(), ErrorCode::kOverloaded);
  cluster.settle();
  EXPECT_TRUE(cluster.propose(1, "x").ok());
  EXPECT_EQ(cluster.propose(1, std::string(2000, 'x')).code(), ErrorCode::kOverloaded);
}

// All at once it would keep everybody waiting.
TEST(Compaction, GivesMemoryBackInPieces) {
  Cluster cluster;
  cluster.elect(1);
  for (int i = 0; i < 1'000; ++i) ASSERT_TRUE(cluster.propose(1, "x").ok());
  cluster.settle();
  cluster.compact(1, 1'000);
  const raft::Log& log = cluster.at(1).log();
  EXPECT_EQ(log.first_index(), Index(1'001));
  const size_t at_first = log.unreleased();
  EXPECT_GT(at_first, 800U);
  cluster.wait(milliseconds(50));
  EXPECT_LT(log.unreleased(), at_first);
  cluster.wait(milliseconds(1'000));
  EXPECT_EQ(log.unreleased(), 0U);
}

TEST(Snapshot, IsAskedForWhenTheLogNoLongerReachesBack) {
  Cluster cluster;
  cluster.elect(1);
  cluster.isolate(3);
  for (int i = 0; i < 4; ++i) ASSERT_TRUE(cluster.propose(1, "x").ok());
  cluster.settle();
  cluster.compact(1, 5);
  cluster.heal();
  cluster.wait(milliseconds(100));
  EXPECT_EQ(progress_of(cluster, 1, 3).state, Progress::State::kSnapshot);
  ASSERT_EQ(cluster.state_needed(3), Index(5));
  cluster.install(3, 1, 5);
  EXPECT_EQ(cluster.state_needed(3), std::nullopt);
  EXPECT_EQ(cluster.at(3).applied_index(), Index(5));
  EXPECT_EQ(cluster.at(3).configuration(), cluster.at(1).configuration());
  EXPECT_EQ(cluster.at(3).configuration_at(Index(5)), cluster.at(1).configuration());
  cluster.wait(milliseconds(50));
  EXPECT_EQ(cluster.at(3).committed(), cluster.at(1).committed());
  EXPECT_EQ(progress_of(cluster, 1, 3).state, Progress::State::kReplicate);
}

TEST(Snapshot, OneThatIsNewerThanWhatWasAskedForWillDo) {
  Cluster cluster;
  cluster.elect(1);
  cluster.isolate(3);
  for (int i = 0; i < 4; ++i) ASSERT_TRUE(cluster.propose(1, "x").ok());
  cluster.settle();
  cluster.compact(1, 4);
  cluster.heal();
  cluster.wait(milliseconds(100));
  ASSERT_EQ(cluster.state_needed(3), Index(4));
  cluster.install(3, 1, 6);
  ASSERT_TRUE(cluster.propose(1, "y").ok());
  cluster.wait(milliseconds(50));
  EXPECT_EQ(cluster.log_of(3), "7^2");
  EXPECT_EQ(cluster.at(3).committed(), Index(7));
}

// The leader's log moved on while the state was on its way: it is asked for once more, and nothing is lost.
TEST(Snapshot, OneThatCameTooLateIsFollowedByAnother) {
  Cluster cluster;
  cluster.elect(1);
  cluster.isolate(3);
  for (int i = 0; i < 4; ++i) ASSERT_TRUE(cluster.propose(1, "x").ok());
  cluster.settle();
  cluster.compact(1, 3);
  cluster.heal();
  cluster.wait(milliseconds(100));
  ASSERT_EQ(cluster.state_needed(3), Index(3));
  cluster.compact(1, 5);
  cluster.install(3, 2, 3);
  cluster.wait(milliseconds(100));
  ASSERT_EQ(cluster.state_needed(3), Index(5));
  cluster.install(3, 1, 5);
  cluster.wait(milliseconds(100));
  EXPECT_EQ(cluster.at(3).committed(), Index(6));
}

TEST(Snapshot, ALeaderAsksNoMoreOftenThanItSendsHeartbeats) {
  Cluster cluster;
  cluster.elect(1);
  cluster.isolate(3);
  ASSERT_TRUE(cluster.propose(1, "x").ok());
  cluster.settle();
  cluster.compact(1, 3);
  cluster.heal();
  cluster.wait(milliseconds(100));
  cluster.cut(1, 3);
  for (int i = 0; i < 50; ++i) {
    ASSERT_TRUE(cluster.read(1, 100 + i).ok());
    cluster.settle();
  }
  EXPECT_TRUE(cluster.link(1, 3).empty());
  cluster.heal();
  cluster.tick(1, milliseconds(10));
  size_t asked = 0;
  for (const Message& message : cluster.link(1, 3)) {
    asked += std::holds_alternative<SnapshotRequest>(message.body) ? 1 : 0;
  }
  EXPECT_EQ(asked, 1U);
}

TEST(Snapshot, KeepsALogThatMatchesItAndDropsOneThatDoesNot) {
  for (const uint64_t term : {2U, 3U}) {
    Cluster cluster;
    cluster.inject(make_message(
        2, 1, 3,
        AppendRequest{Index(1), Term(1), {}, 0, {make_entry(2, 2), make_entry(2, 3), make_entry(2, 4)}}));
    cluster.persist(1);
    // Nobody in this cluster committed anything, so the check of the whole is left out: only the server
    // itself is asked.
    Raft raft = cluster.at(1);
    raft.install_snapshot(cluster.now(), Index(3), Term(term), make_configuration(3));
    EXPECT_EQ(raft.log().snapshot_index(), term == 2 ? Index(0) : Index(3));
    EXPECT_EQ(raft.log().last_index(), term == 2 ? Index(4) : Index(3));
    EXPECT_EQ(raft.committed(), Index(3));
    EXPECT_EQ(raft.applied_index(), Index(3));
    EXPECT_EQ(check_state(raft), std::nullopt);
  }
}

// The leader learns it from the one that has it, who says no more than what a disk holds.
TEST(Snapshot, WhoseLogHoldsWhereTheLeadersBeginsNeedsNone) {
  Cluster cluster;
  cluster.inject(
      make_message(2, 1, 3, AppendRequest{Index(1), Term(1), {}, 0, {make_entry(2, 2), make_entry(2, 3)}}));
  Raft raft = cluster.at(1);
  raft.take_output();
  raft.receive(cluster.now(), make_message(2, 1, 3, SnapshotRequest{Index(3), Term(2)}));
  Output output = raft.take_output();
  EXPECT_EQ(output.state_needed, Index());
  EXPECT_EQ(raft.committed(), Index(3));
  EXPECT_TRUE(output.messages.empty());
  raft.persisted(cluster.now(), Ticket(1));
  raft.take_output();
  raft.receive(cluster.now(), make_message(2, 1, 3, SnapshotRequest{Index(3), Term(2)}));
  output = raft.take_output();
  ASSERT_EQ(output.messages.size(), 1U);
  EXPECT_EQ(std::get<SnapshotResponse>(output.messages.front().body).last_index, Index(3));
}

TEST(Snapshot, AStateIsInstalledOnlyInATermThatADiskHolds) {
  Cluster cluster;
  Raft raft = cluster.at(1);
  raft.observe_term(cluster.now(), Term(5));
  EXPECT_EQ(raft.term(), Term(5));
  EXPECT_EQ(raft.vote(), ServerId());
  EXPECT_THROW(raft.install_snapshot(cluster.now(), Index(9), Term(5), make_configuration(3)),
               std::runtime_error);
  raft.persisted(cluster.now(), raft.take_output().ticket);
  raft.install_snapshot(cluster.now(), Index(9), Term(5), make_configuration(3));
  EXPECT_EQ(raft.committed(), Index(9));
}

TEST(Snapshot, ARestartBeginsBehindIt) {
  Cluster cluster;
  cluster.elect(1);
  for (int i = 0; i < 4; ++i) ASSERT_TRUE(cluster.propose(1, "x").ok());
  cluster.settle();
  cluster.compact(2, 5);
  cluster.restart(2);
  EXPECT_EQ(cluster.at(2).committed(), Index(5));
  EXPECT_EQ(cluster.log_of(2), "6^2");
  cluster.wait(milliseconds(100));
  EXPECT_EQ(cluster.at(2).committed(), Index(6));
}

// A checkpoint is ahead of where the log begins: entries behind it are there for followers that lag.
TEST(Snapshot, ARestartBeginsWithWhatTheStateHolds) {
  Cluster cluster;
  cluster.elect(1);
  for (int i = 0; i < 4; ++i) ASSERT_TRUE(cluster.propose(1, "x").ok());
  cluster.settle();
  cluster.set_state(2, 4, 2);
  cluster.restart(2);
  EXPECT_EQ(cluster.at(2).committed(), Index(4));
  EXPECT_EQ(cluster.at(2).log().first_index(), Index(1));
  EXPECT_EQ(cluster.at(2).configuration(), cluster.configuration());
  cluster.wait(milliseconds(100));
  EXPECT_EQ(cluster.at(2).committed(), Index(6));
}

// The process ended between the switch to the new state and the cut of the log.
TEST(Snapshot, ARestartForgetsALogThatEndsBeforeTheState) {
  Cluster cluster;
  cluster.elect(1);
  cluster.isolate(3);
  for (int i = 0; i < 4; ++i) ASSERT_TRUE(cluster.propose(1, "x").ok());
  cluster.settle();
  cluster.set_state(3, 5, 2);
  cluster.restart(3);
  EXPECT_EQ(cluster.at(3).log().snapshot_index(), Index(5));
  EXPECT_EQ(cluster.at(3).committed(), Index(5));
  EXPECT_EQ(cluster.at(3).durable_index(), Index(5));
  cluster.heal();
  cluster.wait(milliseconds(100));
  EXPECT_EQ(cluster.at(3).committed(), Index(6));
}

TEST(Snapshot, AServerWithoutAStateVotesAndDoesNotStand) {
  Cluster cluster;
  cluster.elect(1);
  cluster.may_lead(3, false);
  cluster.crash(1);
  cluster.unreachable(3, 1);
  cluster.wait(milliseconds(1000));
  EXPECT_EQ(cluster.leader(), 2U);
  EXPECT_EQ(cluster.at(3).vote(), ServerId(2));
  cluster.restart(1);
  cluster.crash(2);
  cluster.isolate(1);
  const Term before = cluster.at(3).term();
  cluster.wait(milliseconds(2000));
  EXPECT_EQ(cluster.at(3).role_name(), RoleName::kFollower);
  EXPECT_EQ(cluster.at(3).term(), before);
  cluster.inject(make_message(2, 3, before.value(), TimeoutNow{}));
  EXPECT_EQ(cluster.at(3).role_name(), RoleName::kFollower);
  cluster.may_lead(3, true);
  cluster.heal();
  cluster.wait(milliseconds(1000));
  EXPECT_NE(cluster.leader(), 0U);
}

// Nothing of this can come from a server that follows the rules. None of it may stop or change the one that
// gets it.
TEST(BadMessages, ChangeNothing) {
  Cluster cluster;
  cluster.elect(1);
  ASSERT_TRUE(cluster.propose(1, "x").ok());
  cluster.settle();
  const std::vector<Message> bad = {
      make_message(99, 1, 50, HeartbeatResponse{}),
      make_message(99, 2, 50, Heartbeat{}),
      make_message(2, 1, UINT64_MAX, HeartbeatResponse{}),
      make_message(2, 1, 2, AppendResponse{true, Index(1000), {}, {}, {}, 0}),
      make_message(2, 1, 2, AppendResponse{true, Index(3), {}, {}, {}, 1'000'000}),
      make_message(2, 1, 2, AppendResponse{false, {}, Index(1000), Index(UINT64_MAX), Term(9), 0}),
      make_message(2, 1, 2, HeartbeatResponse{1'000'000}),
      make_message(2, 1, 2, SnapshotResponse{Index(1000)}),
      make_message(2, 1, 2, AppendRequest{Index(1), Term(1), Index(9), 0, {}}),
      make_message(2, 1, 2, Heartbeat{Index(9), 1}),
      make_message(3, 2, 2, Heartbeat{Index(9), 1}),
      make_message(1, 2, 2, AppendRequest{Index(3), Term(2), Index(9), 0, {make_entry(2, 9)}}),
      make_message(1, 2, 2, AppendRequest{Index(3), Term(2), Index(9), 0, {make_entry(7, 4)}}),
      make_message(1, 2, 2, AppendRequest{Index(3), Term(2), Index(9), 0, {make_entry(1, 4)}}),
      make_message(1, 2, 2, AppendRequest{Index(UINT64_MAX), Term(2), Index(9), 0, {make_entry(2, 4)}}),
      make_message(1, 2, 2, AppendRequest{Index(3), Term(9), Index(9), 0, {}}),
      make_message(
          1, 2, 2,
          AppendRequest{Index(3), Term(2), {}, 0, {make_entry(2, 4, "?", EntryKind::kConfiguration)}}),
      make_message(1, 2, 2, SnapshotRequest{Index(9), Term(3)}),
      make_message(1, 2, 2, VoteResponse{false, true}),
      make_message(2, 1, 2, VoteResponse{true, true}),
      make_message(3, 1, 2, TimeoutNow{}),
  };
  for (const Message& message : bad) {
    const uint32_t to = message.to.value();
    const StepFacts before = facts(cluster.at(to));
    ASSERT_NO_THROW(cluster.inject(message));
    const StepFacts after = facts(cluster.at(to));
    EXPECT_EQ(before.hard_state, after.hard_state);
    EXPECT_EQ(before.committed, after.committed);
    EXPECT_EQ(before.last, after.last);
    EXPECT_EQ(before.leader, after.leader);
  }
  ASSERT_TRUE(cluster.propose(1, "y").ok());
  cluster.wait(milliseconds(100));
  EXPECT_EQ(cluster.at(3).committed(), Index(4));
}

TEST(BadMessages, WhatTheLogBeginsWithIsNotReplaced) {
  Cluster cluster;
  cluster.inject(make_message(2, 1, 2, AppendRequest{Index(0), Term(0), {}, 0, {make_entry(2, 1)}}));
  EXPECT_EQ(cluster.log_of(1), "1^1");
  EXPECT_EQ(cluster.at(1).configuration(), cluster.configuration());
}

TEST(BadMessages, VotesBeforeTheOwnTermIsDurableMakeNoLeader) {
  Cluster cluster;
  cluster.time_out(1);
  cluster.inject(make_message(2, 1, 2, VoteResponse{true, true}));
  cluster.inject(make_message(2, 1, 2, VoteResponse{false, true}));
  cluster.inject(make_message(3, 1, 2, VoteResponse{false, true}));
  EXPECT_EQ(cluster.at(1).role_name(), RoleName::kCandidate);
  cluster.persist(1);
  EXPECT_TRUE(cluster.at(1).is_leader());
}

TEST(BadMessages, AConflictWithCommittedEntriesStopsTheServer) {
  Cluster cluster;
  cluster.inject(make_message(2, 1, 2, AppendRequest{Index(1), Term(1), Index(2), 0, {make_entry(2, 2)}}));
  ASSERT_EQ(cluster.at(1).committed(), Index(2));
  EXPECT_THROW(cluster.inject(
                   make_message(3, 1, 3, AppendRequest{Index(1), Term(1), Index(2), 0, {make_entry(3, 2)}})),
               std::runtime_error);
}

TEST(BadMessages, AProposedConfigurationIsRefused) {
  Cluster cluster;
  cluster.elect(1);
  Raft raft = cluster.at(1);
  const Proposal proposal{EntryKind::kConfiguration, "x"};
  EXPECT_EQ(raft.propose(cluster.now(), {&proposal, 1}).code(), ErrorCode::kUnsupported);
}

TEST(Configuration, TheLatestInTheLogIsInForceUntilItIsReplaced) {
  Cluster cluster;
  const std::string four = encode_configuration(make_configuration(3, 1));
  const Entry change = make_entry(2, 2, four, EntryKind::kConfiguration);
  cluster.inject(make_message(2, 1, 2, AppendRequest{Index(1), Term(1), {}, 0, {change}}));
  EXPECT_EQ(cluster.at(1).configuration().members.size(), 4U);
  cluster.inject(make_message(3, 1, 3, AppendRequest{Index(1), Term(1), {}, 0, {make_entry(3, 2)}}));
  EXPECT_EQ(cluster.at(1).configuration().members.size(), 3U);
}

TEST(Invariants, SayWhatIsWrong) {
  Cluster cluster;
  cluster.elect(1);
  const Raft& raft = cluster.at(1);
  StepFacts before = facts(raft);
  EXPECT_EQ(check_step(before, raft), std::nullopt);
  before.committed = Index(9);
  EXPECT_EQ(*check_step(before, raft), "server 1: its commit index fell");
  before = facts(raft);
  before.hard_state.term = Term(9);
  EXPECT_EQ(*check_step(before, raft), "server 1: its term fell");
  before = facts(raft);
  before.hard_state.vote = ServerId(3);
  EXPECT_EQ(*check_step(before, raft), "server 1: changed its vote within term 2");
  before = facts(raft);
  before.last = Index(9);
  EXPECT_EQ(*check_step(before, raft), "server 1: cut its log while it led");
  before = facts(raft);
  before.last_checksum ^= 1;
  EXPECT_EQ(*check_step(before, raft), "server 1: overwrote entry 2 while it led");
}

}  // namespace
}  // namespace quorate::raft::testing
