#include "tests/sim/counter_history.h"

#include <gtest/gtest.h>

#include "tests/sim/expect_says.h"

namespace quorate::sim {
namespace {

struct CounterTest : testing::Test {
  TreePast past;
  CounterHistory counter{past, "/c"};

  Verdict commit(uint64_t zxid, const std::string& data) {
    past.note("/c", {Zxid(zxid), true, data, Zxid(1)});
    return counter.committed();
  }
};

TEST_F(CounterTest, EachIsCountedOnce) {
  counter.begin_change(5);
  EXPECT_FALSE(commit(1, "5"));
  EXPECT_FALSE(counter.changed(5, 5));
  counter.begin_change(-7);
  EXPECT_FALSE(commit(2, "-2"));
  EXPECT_FALSE(counter.not_changed(-7, true));
  counter.begin_change(9);
  EXPECT_FALSE(counter.not_changed(9, false));
  EXPECT_FALSE(counter.is(Zxid(1), 5));
  EXPECT_FALSE(counter.is(Zxid(1), -2));
  EXPECT_FALSE(counter.is_not(Zxid(1), 5));
}

TEST_F(CounterTest, WhatIsCountedTwiceIsFound) {
  counter.begin_change(5);
  EXPECT_FALSE(commit(1, "5"));
  expect_says(commit(2, "10"), "counted before");
}

TEST_F(CounterTest, WhatNobodyAskedForIsFound) { expect_says(commit(1, "5"), "nobody asked for"); }

TEST_F(CounterTest, WhatIsNoNumberIsFound) { expect_says(commit(1, "five"), "no number"); }

TEST_F(CounterTest, WhatWasToldAndNotDoneIsFound) {
  counter.begin_change(5);
  expect_says(counter.changed(5, 5), "was not");
}

TEST_F(CounterTest, AWrongSumIsFound) {
  counter.begin_change(5);
  EXPECT_FALSE(commit(1, "5"));
  expect_says(counter.changed(5, 6), "was at 6, and it was at 5");
}

TEST_F(CounterTest, WhatWasRefusedAndDoneIsFound) {
  counter.begin_change(5);
  counter.begin_change(6);
  EXPECT_FALSE(commit(1, "5"));
  expect_says(counter.not_changed(5, false), "was not counted, and it was");
  EXPECT_FALSE(counter.not_changed(6, false));
  expect_says(commit(2, "11"), "told not to be done");
}

TEST_F(CounterTest, AValueThatItDidNotHaveMeanwhileIsFound) {
  counter.begin_change(5);
  counter.begin_change(6);
  EXPECT_FALSE(commit(1, "5"));
  EXPECT_FALSE(commit(2, "11"));
  expect_says(counter.is(Zxid(2), 5), "was not meanwhile");
  expect_says(counter.is_not(Zxid(2), 11), "all the time");
}

}  // namespace
}  // namespace quorate::sim
