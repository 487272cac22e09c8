#include "tests/sim/election_history.h"

#include <gtest/gtest.h>

#include "tests/sim/expect_says.h"

namespace quorate::sim {
namespace {

// One leads from entry 2 to 5, two from there on.
struct ElectionTest : testing::Test {
  TreePast past;
  ElectionHistory election{past, "/e"};
  const ElectionHistory::Candidate one{"a", Token(2), SessionId(1), "/e/1"};
  const ElectionHistory::Candidate two{"b", Token(3), SessionId(2), "/e/2"};
  ElectionTest() {
    past.note("/e/1", {Zxid(2), true, "a", Zxid(2), 0, SessionId(1)});
    past.note("/e/2", {Zxid(3), true, "b", Zxid(3), 0, SessionId(2)});
    past.note("/e/1", {Zxid(5)});
  }
};

TEST_F(ElectionTest, TheFirstLeads) {
  EXPECT_FALSE(election.leads(Zxid(1), SessionId(1), "/e/1", Token(2)));
  EXPECT_FALSE(election.leads(Zxid(1), SessionId(2), "/e/2", Token(3)));
  EXPECT_FALSE(election.leader_is(Zxid(1), std::nullopt));
  EXPECT_FALSE(election.leader_is(Zxid(3), one));
  EXPECT_FALSE(election.leader_is(Zxid(3), two));
  EXPECT_FALSE(election.candidates_are(Zxid(2), {one, two}));
  EXPECT_FALSE(election.not_leading(Zxid(4), "/e/1"));
  EXPECT_FALSE(election.gives_up(Zxid(4), two));
  past.note("/e/2", {Zxid(6), true, "c", Zxid(3), 1, SessionId(2)});
  EXPECT_FALSE(election.proclaimed(Zxid(5), "/e/2", "c"));
}

TEST_F(ElectionTest, WhoLeadsTooEarlyOrWithAnotherTokenIsFound) {
  ElectionHistory::Candidate other = two;
  other.value = "c";
  TreePast before;
  before.note("/e/1", {Zxid(2), true, "a", Zxid(2), 0, SessionId(1)});
  before.note("/e/2", {Zxid(3), true, "b", Zxid(3), 0, SessionId(2)});
  expect_says(ElectionHistory(before, "/e").leads(Zxid(1), SessionId(2), "/e/2", Token(3)), "did not lead");
  expect_says(election.leads(Zxid(1), SessionId(2), "/e/2", Token(4)), "did not lead");
  expect_says(election.leads(Zxid(1), SessionId(1), "/e/2", Token(3)), "did not lead");
  expect_says(election.leader_is(Zxid(1), other), "/e/2 leads, which was not so");
}

TEST_F(ElectionTest, AnOldOrAMissingLeaderIsFound) {
  expect_says(election.leader_is(Zxid(5), one), "/e/1 leads, which was not so");
  expect_says(election.leader_is(Zxid(3), std::nullopt), "nobody leads");
}

TEST_F(ElectionTest, AWrongOrderOfCandidatesIsFound) {
  expect_says(election.candidates_are(Zxid(1), {two, one}), "of 2 candidates");
}

TEST_F(ElectionTest, AValueThatNobodyHadIsFound) {
  expect_says(election.proclaimed(Zxid(3), "/e/2", "c"), "its value is c");
}

TEST_F(ElectionTest, WhoIsToldThatItDoesNotLeadIsFound) {
  expect_says(election.not_leading(Zxid(5), "/e/2"), "it did all the time");
}

TEST_F(ElectionTest, WhoWaitsForALeaderThatIsThereIsFound) {
  expect_says(election.gives_up(Zxid(5), one), "there is one");
}

}  // namespace
}  // namespace quorate::sim
