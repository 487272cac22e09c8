#include "tests/sim/lock_history.h"

#include <gtest/gtest.h>

#include "tests/sim/history.h"
#include "tests/sim/expect_says.h"

namespace quorate::sim {
namespace {

struct LockTest : testing::Test {
  std::set<uint32_t> valid{1, 2};  // clients whose lease holds
  LockHistory locks{[this](uint32_t client) { return valid.contains(client); }, true};
};

TEST_F(LockTest, HandingOverPasses) {
  EXPECT_FALSE(locks.hold_begins("/l", 1, "/l/a", Token(4)));
  locks.hold_ends("/l", 1);
  EXPECT_FALSE(locks.hold_begins("/l", 2, "/l/b", Token(6)));
  EXPECT_FALSE(locks.resource_written("/l", 2, Token(6), true));
}

TEST_F(LockTest, TwoHoldersAreFound) {
  EXPECT_FALSE(locks.hold_begins("/l", 1, "/l/a", Token(4)));
  expect_says(locks.hold_begins("/l", 2, "/l/b", Token(6)), "both hold");
}

TEST_F(LockTest, AHolderWhoseLeaseHasEndedKnowsThatItHoldsNoMore) {
  EXPECT_FALSE(locks.hold_begins("/l", 1, "/l/a", Token(4)));
  valid.erase(1);
  EXPECT_FALSE(locks.hold_begins("/l", 2, "/l/b", Token(6)));
}

TEST_F(LockTest, ATokenThatFallsIsFound) {
  EXPECT_FALSE(locks.hold_begins("/l", 1, "/l/a", Token(6)));
  locks.hold_ends("/l", 1);
  expect_says(locks.hold_begins("/l", 2, "/l/b", Token(4)), "the token of /l fell");
}

// It was told late that it holds, by a session that was ended meanwhile: it believes so, and nobody else is
// measured by it.
TEST_F(LockTest, WhoseLeaseDoesNotCountIsNotComparedWithTheOthers) {
  EXPECT_FALSE(locks.hold_begins("/l", 1, "/l/b", Token(6)));
  valid.erase(2);
  EXPECT_FALSE(locks.hold_begins("/l", 2, "/l/a", Token(4)));
  EXPECT_FALSE(locks.resource_written("/l", 1, Token(6), true));
  expect_says(locks.resource_written("/l", 2, Token(4), true), "accepted token 4 after 6");
}

TEST_F(LockTest, ATokenGivenTwiceIsFound) {
  EXPECT_FALSE(locks.hold_begins("/l", 1, "/l/a", Token(6)));
  locks.hold_ends("/l", 1);
  expect_says(locks.hold_begins("/l", 2, "/l/b", Token(6)), "was given to client 1 and to client 2");
}

TEST_F(LockTest, AHoldWithoutATokenIsFound) {
  expect_says(locks.hold_begins("/l", 1, "/l/a", Token()), "without a token");
}

TEST_F(LockTest, AnAcceptedStaleTokenIsFound) {
  EXPECT_FALSE(locks.hold_begins("/l", 1, "/l/a", Token(4)));
  locks.hold_ends("/l", 1);
  EXPECT_FALSE(locks.hold_begins("/l", 2, "/l/b", Token(6)));
  EXPECT_FALSE(locks.resource_written("/l", 2, Token(6), true));
  EXPECT_FALSE(locks.resource_written("/l", 1, Token(4), false));
  expect_says(locks.resource_written("/l", 1, Token(4), true), "accepted token 4 after 6");
}

TEST_F(LockTest, ATokenThatNobodyWasGivenIsFound) {
  expect_says(locks.resource_written("/l", 1, Token(4), true), "which nobody was given");
}

TEST_F(LockTest, SomebodyElsesTokenIsFound) {
  EXPECT_FALSE(locks.hold_begins("/l", 1, "/l/a", Token(4)));
  expect_says(locks.resource_written("/l", 2, Token(4), true), "the token of client 1");
}

TEST_F(LockTest, ReadersHoldTogether) {
  const kv::PlaceMode shared{kv::Mode::kShared};
  EXPECT_FALSE(locks.hold_begins("/l", 1, "/l/b", Token(6), shared));
  EXPECT_FALSE(locks.hold_begins("/l", 2, "/l/a", Token(4), shared));
  locks.hold_ends("/l", 1);
  expect_says(locks.hold_begins("/l", 1, "/l/c", Token(8)), "both hold");
}

TEST_F(LockTest, WhoAsksToShareMayBeJoined) {
  EXPECT_FALSE(locks.hold_begins("/l", 1, "/l/a", Token(4)));
  locks.hold_is_shared("/l", 1);
  EXPECT_FALSE(locks.hold_begins("/l", 2, "/l/b", Token(6), {kv::Mode::kShared}));
}

TEST_F(LockTest, MorePermitsThanThereAreAreFound) {
  valid.insert(3);
  const kv::PlaceMode permit{kv::Mode::kPermit, 2};
  EXPECT_FALSE(locks.hold_begins("/l", 1, "/l/a", Token(4), permit));
  EXPECT_FALSE(locks.hold_begins("/l", 2, "/l/b", Token(6), permit));
  expect_says(locks.hold_begins("/l", 3, "/l/c", Token(8), permit), "3 hold /l, which has 2 permits");
}

TEST_F(LockTest, WhoseLockIsTakenAwayMayNotKnowYet) {
  EXPECT_FALSE(locks.hold_begins("/l", 1, "/l/a", Token(4)));
  locks.taking_away("/l", Token(4));
  EXPECT_FALSE(locks.hold_begins("/l", 2, "/l/b", Token(6)));
}

TEST(FencedResource, RefusesWhatIsOlder) {
  FencedResource resource;
  EXPECT_TRUE(resource.write(Token(5)));
  EXPECT_TRUE(resource.write(Token(5)));
  EXPECT_FALSE(resource.write(Token(4)));
  EXPECT_EQ(resource.highest(), Token(5));
}

struct SequenceTest : testing::Test {
  RealTimeOrder order;
  SequenceHistory history{order};
  void SetUp() override {
    for (const char* tag : {"a", "b", "c"}) history.begin(tag);
  }
};

TEST_F(SequenceTest, ATrueHistoryPasses) {
  EXPECT_FALSE(history.end("b", "/seq/n-0000000001", Zxid(7)));
  EXPECT_FALSE(history.end("a", "/seq/n-0000000000", Zxid(4)));
  EXPECT_FALSE(
      history.finish({{"/seq/n-0000000000", "a"}, {"/seq/n-0000000001", "b"}, {"/seq/n-0000000002", "c"}}));
}

TEST_F(SequenceTest, ALostNodeIsFound) {
  EXPECT_FALSE(history.end("a", "/seq/n-0000000000", Zxid(4)));
  expect_says(history.finish({}), "the node is lost");
}

TEST_F(SequenceTest, ACreateAppliedTwiceIsFound) {
  expect_says(history.finish({{"/seq/n-0000000000", "a"}, {"/seq/n-0000000001", "a"}}), "applied twice");
}

TEST_F(SequenceTest, ANodeThatNobodyMadeIsFound) {
  expect_says(history.finish({{"/seq/n-0000000000", "x"}}), "which nobody created");
}

TEST_F(SequenceTest, AnAnswerThatNamesAnotherNodeIsFound) {
  EXPECT_FALSE(history.end("a", "/seq/n-0000000000", Zxid(4)));
  expect_says(history.finish({{"/seq/n-0000000003", "a"}}), "but made /seq/n-0000000003");
}

TEST_F(SequenceTest, NumbersOutOfOrderAreFound) {
  EXPECT_FALSE(history.end("a", "/seq/n-0000000003", Zxid(4)));
  expect_says(history.end("b", "/seq/n-0000000002", Zxid(6)), "its number is not higher");
  expect_says(history.end("c", "/seq/n-0000000004", Zxid(3)), "its number is not lower");
}

TEST_F(SequenceTest, TwoNodesOfOneEntryAreFound) {
  EXPECT_FALSE(history.end("a", "/seq/n-0000000003", Zxid(4)));
  expect_says(history.end("b", "/seq/n-0000000004", Zxid(4)), "zxid 4 made");
}

}  // namespace
}  // namespace quorate::sim
