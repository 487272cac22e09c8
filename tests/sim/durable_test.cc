#include "tests/sim/durable.h"

#include <gtest/gtest.h>

#include "tests/sim/expect_says.h"

namespace quorate::sim {
namespace {

constexpr ServerId kSelf{1}, kOther{2};

raft::Message message(uint64_t term, raft::Body body) {
  return {kSelf, kOther, Term(term), BootNonce(1), true, std::move(body)};
}

raft::Entry entry(uint64_t index, uint64_t term) {
  return raft::encode_entries(Term(term), Index(index),
                              std::vector<raft::Proposal>{{raft::EntryKind::kNoop, {}}})[0];
}

// Term 5, a vote for the other one, three entries.
Durable some() {
  Durable durable;
  durable.hard_state = {Term(5), kOther};
  durable.terms = {Term(1), Term(4), Term(5)};
  return durable;
}

TEST(Leaving, WhatIsDurableMayLeave) {
  EXPECT_FALSE(check_leaving(some(), kSelf, false, message(5, raft::VoteResponse{false, true})));
  EXPECT_FALSE(
      check_leaving(some(), kSelf, false, message(5, raft::AppendResponse{true, Index(3), {}, {}, {}, 0})));
  EXPECT_FALSE(
      check_leaving(some(), kSelf, false, message(6, raft::VoteRequest{true, false, Index(3), Term(5)})));
}

TEST(Leaving, ATermThatIsNotDurableIsFound) {
  expect_says(check_leaving(some(), kSelf, false, message(6, raft::Heartbeat{})),
              "a term that is not durable");
}

TEST(Leaving, AVoteThatIsNotDurableIsFound) {
  Durable durable = some();
  durable.hard_state.vote = ServerId(3);
  expect_says(check_leaving(durable, kSelf, false, message(5, raft::VoteResponse{false, true})),
              "a vote that is not durable");
}

TEST(Leaving, ACandidateWithoutItsOwnVoteIsFound) {
  expect_says(
      check_leaving(some(), kSelf, false, message(5, raft::VoteRequest{false, false, Index(3), Term(5)})),
      "before its own is durable");
}

TEST(Leaving, AnEarlyAcknowledgementIsFound) {
  expect_says(
      check_leaving(some(), kSelf, false, message(5, raft::AppendResponse{true, Index(4), {}, {}, {}, 0})),
      "entries that are not durable");
}

TEST(Leaving, AWipedServerThatVotesOrCountsIsFound) {
  expect_says(check_leaving(some(), kSelf, true, message(5, raft::VoteResponse{false, true})),
              "votes although");
  expect_says(check_leaving(some(), kSelf, true, message(6, raft::VoteResponse{true, true})),
              "votes although");
  expect_says(
      check_leaving(some(), kSelf, true, message(5, raft::AppendResponse{true, Index(3), {}, {}, {}, 0})),
      "counted although");
}

server::WalRecovered found(raft::HardState hard, std::vector<uint64_t> terms) {
  server::WalRecovered recovered;
  recovered.hard_state = hard;
  for (size_t i = 0; i < terms.size(); ++i) recovered.entries.push_back(entry(i + 1, terms[i]));
  return recovered;
}

TEST(Recovery, TheSameAgainPasses) {
  EXPECT_FALSE(check_recovered(some(), {}, found({Term(5), kOther}, {1, 4, 5})));
}

TEST(Recovery, ForgettingIsFound) {
  expect_says(check_recovered(some(), {}, found({Term(4), kOther}, {1, 4, 5})), "a term");
  expect_says(check_recovered(some(), {}, found({Term(5), ServerId()}, {1, 4, 5})), "a vote");
  expect_says(check_recovered(some(), {}, found({Term(5), kOther}, {1, 4})), "lost entries: 2 are left of 3");
  expect_says(check_recovered(some(), {}, found({Term(5), kOther}, {1, 3, 5})), "another entry 2");
}

TEST(Recovery, AReplacedEntryThatComesBackIsFound) {
  Durable durable = some();
  durable.add({Ticket(1), std::nullopt, {entry(2, 5)}});
  EXPECT_EQ(durable.terms.size(), 2u);
  expect_says(check_recovered(durable, {}, found({Term(5), kOther}, {1, 5, 5})), "brings back");
}

TEST(Recovery, AnUnfinishedWriteMayBeThereOrNot) {
  const std::vector<WriteGroup> unfinished{{Ticket(9), raft::HardState{Term(6), ServerId()}, {entry(3, 6)}}};
  EXPECT_FALSE(check_recovered(some(), unfinished, found({Term(5), kOther}, {1, 4, 5})));
  EXPECT_FALSE(check_recovered(some(), unfinished, found({Term(6), ServerId()}, {1, 4, 6})));
  expect_says(check_recovered(some(), unfinished, found({Term(5), kOther}, {1})), "lost entries");
}

WriteGroup cut_at(uint64_t index, uint64_t term) {
  WriteGroup group;
  group.cut = server::Output::LogCut{Index(index), Term(term)};
  return group;
}

server::WalRecovered found_behind(uint64_t index, uint64_t term, std::vector<uint64_t> terms) {
  server::WalRecovered recovered = found({Term(5), kOther}, {});
  recovered.snapshot_index = Index(index);
  recovered.snapshot_term = Term(term);
  for (size_t i = 0; i < terms.size(); ++i) recovered.entries.push_back(entry(index + i + 1, terms[i]));
  return recovered;
}

TEST(Recovery, ACutKeepsWhatIsBehindItAndDropsALogThatDoesNotReachIt) {
  Durable durable = some();
  durable.state = Index(9);
  EXPECT_FALSE(check_recovered(durable, {cut_at(2, 4)}, found_behind(2, 4, {5})));
  EXPECT_FALSE(check_recovered(durable, {cut_at(2, 4)}, found({Term(5), kOther}, {1, 4, 5})));
  EXPECT_FALSE(check_recovered(durable, {cut_at(9, 5)}, found_behind(9, 5, {})));
  expect_says(check_recovered(durable, {cut_at(2, 4)}, found_behind(2, 4, {})),
              "lost entries: 2 are left of 3");
  expect_says(check_recovered(durable, {}, found_behind(2, 4, {5})), "where nobody asked");
  durable.add(cut_at(2, 4));
  EXPECT_EQ(durable.terms, std::vector<Term>{Term(5)});
  expect_says(check_recovered(durable, {}, found({Term(5), kOther}, {1, 4, 5})), "brings back what was cut");
  durable.add(cut_at(9, 5));
  EXPECT_TRUE(durable.terms.empty());
  EXPECT_EQ(durable.last(), Index(9));
}

TEST(Recovery, ACutBeyondTheStateIsFound) {
  Durable durable = some();
  durable.state = Index(1);
  expect_says(check_recovered(durable, {cut_at(2, 4)}, found_behind(2, 4, {5})), "beyond its state");
}

TEST(Leaving, AStateThatIsNotDurableIsFound) {
  Durable durable = some();
  durable.state = Index(8);
  EXPECT_FALSE(check_leaving(durable, kSelf, false, message(5, raft::SnapshotResponse{Index(8)})));
  expect_says(check_leaving(durable, kSelf, false, message(5, raft::SnapshotResponse{Index(9)})),
              "a state that is not durable");
}

}  // namespace
}  // namespace quorate::sim
