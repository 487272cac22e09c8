// Each rule of the checkers finds a history that was planted to break it, and passes one that keeps it.
#include "tests/sim/history.h"

#include <gtest/gtest.h>

#include "tests/sim/expect_says.h"

namespace quorate::sim {
namespace {

kv::Outcome done(uint64_t zxid, int32_t version = 0, uint64_t czxid = 1) {
  kv::Outcome outcome;
  outcome.zxid = Zxid(zxid);
  outcome.stat.version = version;
  outcome.stat.czxid = Zxid(czxid);
  outcome.stat.mzxid = Zxid(zxid);
  return outcome;
}

kv::Outcome refused(ErrorCode code, uint64_t zxid) {
  kv::Outcome outcome;
  outcome.code = code;
  outcome.zxid = Zxid(zxid);
  return outcome;
}

ReadValue value(const std::string& text, uint64_t mzxid, int32_t version = 0, uint64_t czxid = 1) {
  kv::Stat stat;
  stat.mzxid = Zxid(mzxid);
  stat.czxid = Zxid(czxid);
  stat.version = version;
  return {text, stat};
}

struct RegisterTest : testing::Test {
  RealTimeOrder order;
  RegisterHistory history{order};

  // A create of /k with the value "a" at zxid 1.
  void create() {
    ASSERT_FALSE(history.end_write(history.begin_write("/k", WriteKind::kCreate, "a"), done(1)));
  }
  size_t set(const std::string& text) { return history.begin_write("/k", WriteKind::kSet, text); }
  Verdict read(uint64_t seen, const std::optional<ReadValue>& shown) {
    return history.end_read(history.begin_read("/k"), Zxid(seen), shown);
  }
  std::string wrong() { return history.finish().value_or("nothing"); }
};

TEST_F(RegisterTest, ATrueHistoryPasses) {
  create();
  const size_t early = history.begin_read("/k");  // overlaps the set: either value would do
  ASSERT_FALSE(history.end_write(set("b"), done(5, 1)));
  ASSERT_FALSE(history.end_read(early, Zxid(3), value("a", 1)));
  ASSERT_FALSE(read(5, value("b", 5, 1)));
  ASSERT_FALSE(history.end_write(history.begin_write("/k", WriteKind::kDelete, ""), done(7)));
  ASSERT_FALSE(read(9, std::nullopt));
  EXPECT_EQ(wrong(), "nothing");
}

TEST_F(RegisterTest, AStaleReadIsFound) {
  create();
  ASSERT_FALSE(history.end_write(set("b"), done(5, 1)));
  expect_says(read(4, value("a", 1)), "had been answered before it began");
}

TEST_F(RegisterTest, AReadThatMissesAWriteOfItsOwnStateIsFound) {
  create();
  ASSERT_FALSE(history.end_write(set("b"), done(5, 1)));
  ASSERT_FALSE(read(6, value("a", 1)));
  expect_says(history.finish(), "but there was a write at 5");
}

TEST_F(RegisterTest, ALostWriteIsFound) {
  create();
  ASSERT_FALSE(read(6, std::nullopt));
  expect_says(history.finish(), "has no node, but 'a' was written");
}

TEST_F(RegisterTest, AWriteThatGoesBackInTimeIsFound) {
  create();
  ASSERT_FALSE(read(6, value("a", 1)));
  expect_says(history.end_write(set("b"), done(6, 1)), "a write was applied at zxid 6");
}

TEST_F(RegisterTest, AReadFromTheFutureIsFound) {
  create();
  ASSERT_FALSE(history.end_write(set("b"), done(5, 1)));
  const size_t early = history.begin_read("/k");
  ASSERT_FALSE(history.end_write(set("c"), done(9, 2)));
  ASSERT_FALSE(history.end_read(early, Zxid(7), value("c", 9, 2)));
  expect_says(history.finish(), "shows a write of zxid 9");
}

TEST_F(RegisterTest, AValueThatNobodyWroteIsFound) {
  create();
  ASSERT_FALSE(read(6, value("x", 5)));
  expect_says(history.finish(), "which nobody wrote");
}

TEST_F(RegisterTest, AValueOfAnotherKeyIsFound) {
  create();
  ASSERT_FALSE(history.end_write(history.begin_write("/other", WriteKind::kCreate, "o"), done(3, 0, 3)));
  ASSERT_FALSE(read(6, value("o", 3, 0, 3)));
  expect_says(history.finish(), "which was written to /other");
}

TEST_F(RegisterTest, AValueBeforeItWasWrittenIsFound) {
  create();
  ASSERT_FALSE(read(6, value("b", 5, 1)));
  set("b");
  expect_says(history.finish(), "before it was written");
}

TEST_F(RegisterTest, ARefusedWriteThatShowsIsFound) {
  create();
  ASSERT_FALSE(history.end_write(set("b"), refused(ErrorCode::kBadVersion, 5)));
  ASSERT_FALSE(read(6, value("b", 5, 1)));
  expect_says(history.finish(), "whose write was refused");
}

TEST_F(RegisterTest, AWriteAppliedTwiceIsFoundByTheReadsThatShowIt) {
  create();
  set("b");  // no answer ever
  ASSERT_FALSE(read(6, value("b", 5, 1)));
  ASSERT_FALSE(read(9, value("b", 8, 2)));
  expect_says(history.finish(), "and again at 8");
}

TEST_F(RegisterTest, AWriteAppliedTwiceIsFoundByTheVersionThatItLeaves) {
  create();
  ASSERT_FALSE(history.end_write(set("b"), done(5, 1)));
  ASSERT_FALSE(history.end_write(set("c"), done(8, 3)));
  expect_says(history.finish(), "applied more than once");
}

TEST_F(RegisterTest, AVersionMayRiseByWritesOfUnknownOutcome) {
  create();
  ASSERT_FALSE(history.end_write(set("b"), done(5, 1)));
  set("unknown");
  ASSERT_FALSE(history.end_write(set("c"), done(8, 3)));
  EXPECT_EQ(wrong(), "nothing");
}

TEST_F(RegisterTest, AVersionThatStandsStillIsFound) {
  create();
  ASSERT_FALSE(history.end_write(set("b"), done(5, 1)));
  ASSERT_FALSE(history.end_write(set("c"), done(8, 1)));
  expect_says(history.finish(), "the version does not rise");
}

TEST_F(RegisterTest, TwoWritesAtOneZxidAreFound) {
  create();
  const size_t other = set("c");
  ASSERT_FALSE(history.end_write(set("b"), done(5, 1)));
  ASSERT_FALSE(history.end_write(other, done(5, 1)));
  expect_says(history.finish(), "two writes were applied at zxid 5");
}

TEST_F(RegisterTest, AnUnknownWriteThatIsOlderThanItsRequestIsFound) {
  create();
  ASSERT_FALSE(read(6, value("a", 1)));
  set("b");
  ASSERT_FALSE(read(9, value("b", 4, 1)));
  expect_says(history.finish(), "older than its own request");
}

TEST_F(RegisterTest, ARefusalThatContradictsTheStateIsFound) {
  create();
  ASSERT_FALSE(history.end_write(set("b"), refused(ErrorCode::kNoNode, 5)));
  expect_says(history.finish(), "has no node");
}

TEST_F(RegisterTest, ARefusalForANodeThatIsNotThereIsFound) {
  ASSERT_FALSE(history.end_write(history.begin_write("/k", WriteKind::kCreate, "a"),
                                 refused(ErrorCode::kNodeExists, 5)));
  expect_says(history.finish(), "is said to have a node");
}

TEST_F(RegisterTest, AnUnknownDeleteMayExplainAMissingNode) {
  create();
  history.begin_write("/k", WriteKind::kDelete, "");
  ASSERT_FALSE(read(6, std::nullopt));
  EXPECT_EQ(wrong(), "nothing");
}

}  // namespace
}  // namespace quorate::sim
