// The pipeline, its windows and its recovery from loss; snapshots' bookkeeping; messages that nobody can have
// sent.
#include <gtest/gtest.h>

#include "tests/raft/cluster.h"

namespace quorate::raft::testing {
namespace {

const Progress& progress_of(const Cluster& cluster, uint32_t leader, uint32_t peer) {
  return std::get<Leader>(cluster.at(leader).role()).progress.at(ServerId(peer));
}

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

TEST(Snapshot, IsAskedForWhenTheLogNoLongerReachesBack) {
  Cluster cluster;
  cluster.elect(1);
  cluster.isolate(3);
  for (int i = 0; i < 4; ++i) ASSERT_TRUE(cluster.propose(1, "x").ok());
  cluster.settle();
  cluster.compact(1, 5);
  cluster.heal();
  cluster.wait(milliseconds(100));
  EXPECT_EQ(cluster.seen(1).snapshots_needed, std::vector<ServerId>{ServerId(3)});
  EXPECT_EQ(progress_of(cluster, 1, 3).state, Progress::State::kSnapshot);
  ASSERT_EQ(cluster.snapshot_wanted(3), Index(5));
  cluster.snapshot_sent(1, 3, true);
  cluster.snapshot_installed(3, 5);
  EXPECT_EQ(cluster.at(3).applied_index(), Index(5));
  EXPECT_EQ(cluster.at(3).configuration(), cluster.at(1).configuration());
  cluster.wait(milliseconds(50));
  EXPECT_EQ(cluster.at(3).committed(), cluster.at(1).committed());
  EXPECT_EQ(progress_of(cluster, 1, 3).state, Progress::State::kReplicate);
}

TEST(Snapshot, AFailedOneIsAskedForAgain) {
  Cluster cluster;
  cluster.elect(1);
  cluster.isolate(3);
  ASSERT_TRUE(cluster.propose(1, "x").ok());
  cluster.settle();
  cluster.compact(1, 3);
  cluster.heal();
  cluster.wait(milliseconds(50));
  cluster.snapshot_installed(3, 3, false);
  cluster.wait(milliseconds(50));
  EXPECT_EQ(cluster.seen(1).snapshots_needed.size(), 2U);
  cluster.snapshot_sent(1, 3, false);
  cluster.wait(milliseconds(50));
  EXPECT_EQ(cluster.seen(1).snapshots_needed.size(), 3U);
}

TEST(Snapshot, KeepsALogThatMatchesItAndDropsOneThatDoesNot) {
  for (const uint64_t term : {2U, 3U}) {
    Cluster cluster;
    cluster.inject(make_message(
        2, 1, 3,
        AppendRequest{Index(1), Term(1), {}, 0, {make_entry(2, 2), make_entry(2, 3), make_entry(2, 4)}}));
    cluster.persist(1);
    const Bytes configuration(encode_configuration(make_configuration(3)));
    Cluster donor;
    cluster.inject(make_message(2, 1, 3, SnapshotRequest{Index(3), Term(term), configuration}));
    // Nobody in this cluster committed anything, so the check of the whole is left out: only the server
    // itself is asked.
    Raft raft = cluster.at(1);
    raft.snapshot_installed(cluster.now(), Index(3), true);
    EXPECT_EQ(raft.log().snapshot_index(), Index(3));
    EXPECT_EQ(raft.log().last_index(), term == 2 ? Index(4) : Index(3));
    EXPECT_EQ(raft.committed(), Index(3));
    EXPECT_EQ(check_state(raft), std::nullopt);
  }
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
      make_message(2, 1, 2, SnapshotResponse{true, Index(1000)}),
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
      make_message(1, 2, 2, SnapshotRequest{Index(9), Term(2), Bytes("?")}),
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
