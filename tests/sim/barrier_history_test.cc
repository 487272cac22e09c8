#include "tests/sim/barrier_history.h"

#include <gtest/gtest.h>

#include "tests/sim/expect_says.h"

namespace quorate::sim {
namespace {

struct BarrierTest : testing::Test {
  TreePast past;
  BarrierHistory barrier{past, "/b"};
  BarrierTest() {
    past.note("/b", {Zxid(2), true, "", Zxid(2)});
    past.note("/b", {Zxid(5), false});
  }
};

TEST_F(BarrierTest, WhoeverChangedItIsToldSo) {
  EXPECT_FALSE(barrier.told(Zxid(1), false, true));
  EXPECT_FALSE(barrier.told(Zxid(1), false, false));
  EXPECT_FALSE(barrier.told(Zxid(3), true, true));
  EXPECT_FALSE(barrier.passes(Zxid(3)));
  EXPECT_FALSE(barrier.gives_up(Zxid(4)));
}

TEST_F(BarrierTest, TwoWhoOpenedItAtOnceAreFound) {
  EXPECT_FALSE(barrier.told(Zxid(3), true, true));
  expect_says(barrier.told(Zxid(3), true, true), "another was told so");
}

TEST_F(BarrierTest, AChangeThatWasMadeBeforeIsFound) {
  expect_says(barrier.told(Zxid(2), false, true), "nobody has");
}

TEST_F(BarrierTest, AStateThatItDidNotHaveIsFound) {
  expect_says(barrier.told(Zxid(5), false, false), "was not meanwhile");
}

TEST_F(BarrierTest, WhoPassesAClosedOneIsFound) {
  past.note("/b", {Zxid(6), true, "", Zxid(6)});
  expect_says(barrier.passes(Zxid(6)), "closed all the time");
}

TEST_F(BarrierTest, WhoWaitsAtAnOpenOneIsFound) {
  expect_says(barrier.gives_up(Zxid(5)), "waits at a barrier that is open");
}

// One and two come, and a third that is late.
struct DoubleBarrierTest : testing::Test {
  TreePast past;
  DoubleBarrierHistory barrier{past, "/d", 2};

  void comes(uint64_t who, uint64_t zxid) {
    past.note("/d/members/m" + std::to_string(who), {Zxid(zxid), true, "", Zxid(zxid), 0, SessionId(who)});
  }
  void goes(uint64_t who, uint64_t zxid) { past.note("/d/members/m" + std::to_string(who), {Zxid(zxid)}); }
  void marks(uint64_t zxid) { past.note("/d/ready", {Zxid(zxid), true, "", Zxid(zxid)}); }
  void forgets(uint64_t zxid) { past.note("/d/ready", {Zxid(zxid)}); }
};

TEST_F(DoubleBarrierTest, ARoundPasses) {
  comes(1, 2);
  comes(2, 3);
  marks(4);
  EXPECT_FALSE(barrier.enters(SessionId(1), Zxid(1)));
  EXPECT_FALSE(barrier.enters(SessionId(2), Zxid(1)));
  goes(1, 5);
  goes(2, 6);
  EXPECT_FALSE(barrier.goes_on(SessionId(1)));
  forgets(7);
  EXPECT_FALSE(barrier.goes_on(SessionId(2)));
  comes(3, 8);
  goes(3, 9);
  EXPECT_FALSE(barrier.too_late(SessionId(3)));
}

TEST_F(DoubleBarrierTest, WhoeverCameAndDiedHasCome) {
  comes(1, 2);
  comes(2, 3);
  goes(1, 4);
  marks(5);
  EXPECT_FALSE(barrier.enters(SessionId(2), Zxid(1)));
}

TEST_F(DoubleBarrierTest, WhoEntersAloneIsFound) {
  comes(1, 2);
  marks(3);
  expect_says(barrier.enters(SessionId(1), Zxid(1)), "never enough have come");
}

TEST_F(DoubleBarrierTest, ThoseOfAnEarlierRoundDoNotCount) {
  comes(1, 2);
  comes(2, 3);
  marks(4);
  goes(1, 5);
  goes(2, 6);
  forgets(7);
  comes(3, 8);
  marks(9);
  expect_says(barrier.enters(SessionId(3), Zxid(7)), "never enough have come");
}

TEST_F(DoubleBarrierTest, WhoEntersWithoutAMarkOrAPlaceIsFound) {
  expect_says(barrier.enters(SessionId(1), Zxid(1)), "never came");
  comes(1, 2);
  comes(2, 3);
  expect_says(barrier.enters(SessionId(1), Zxid(1)), "no round has begun");
}

TEST_F(DoubleBarrierTest, WhoGoesOnBeforeAnotherHasLeftIsFound) {
  comes(1, 2);
  comes(2, 3);
  marks(4);
  EXPECT_FALSE(barrier.enters(SessionId(1), Zxid(1)));
  goes(1, 5);
  expect_says(barrier.goes_on(SessionId(1)), "m2 of its round is still there");
}

TEST_F(DoubleBarrierTest, WhoIsThereAndWasToldThatItIsNotIsFound) {
  comes(1, 2);
  expect_says(barrier.too_late(SessionId(1)), "m1 is still there");
}

}  // namespace
}  // namespace quorate::sim
