#include "tests/sim/view_history.h"

#include <gtest/gtest.h>

#include "tests/sim/expect_says.h"

namespace quorate::sim {
namespace {

// One is there from entry 2 to 5, two from entry 3 on, with other data from entry 7 on.
struct ViewTest : testing::Test {
  TreePast past;
  ViewHistory view{past, "/g"};
  CopyHistory copy{past, "/g"};
  CopyHistory::Seen seen;
  ViewTest() {
    past.note("/g/1", {Zxid(2), true, "<a>", Zxid(2), 0, SessionId(1)});
    past.note("/g/2", {Zxid(3), true, "<b>", Zxid(3), 0, SessionId(2)});
    past.note("/g/1", {Zxid(5)});
    past.note("/g/2", {Zxid(7), true, "<c>", Zxid(3), 1, SessionId(2)});
  }
};

TEST_F(ViewTest, WhoIsThereIsShown) {
  EXPECT_FALSE(view.shows(Zxid(3), {{"1", {"a", SessionId(1)}}, {"2", {"b", SessionId(2)}}}));
  EXPECT_FALSE(view.shows(Zxid(3), {{"2", {"c", SessionId()}}}));
  EXPECT_FALSE(view.shows(Zxid(1), {}));
  EXPECT_FALSE(view.gives_up(Zxid(6), {{"2", {"c", SessionId(2)}}}));
}

TEST_F(ViewTest, WhoWasNotThereSoIsFound) {
  expect_says(view.shows(Zxid(5), {{"1", {"a", SessionId(1)}}, {"2", {"b", SessionId(2)}}}), "/g/1 with a");
  expect_says(view.shows(Zxid(7), {{"2", {"b", SessionId(2)}}}), "/g/2 with b");
  expect_says(view.shows(Zxid(3), {{"2", {"b", SessionId(1)}}}), "/g/2 with b");
}

TEST_F(ViewTest, WhoIsNotShownIsFound) {
  expect_says(view.shows(Zxid(3), {}), "is not shown /g/2");
  EXPECT_FALSE(view.shows(Zxid(2), {}));
}

TEST_F(ViewTest, WhoWaitsForOthersThatAreThereIsFound) {
  expect_says(view.gives_up(Zxid(7), {{"2", {"b", SessionId(2)}}}), "there are others");
  expect_says(view.gives_up(Zxid(7), {}), "there are others");
}

TEST_F(ViewTest, ACopyMayBeOldAndAhead) {
  EXPECT_FALSE(copy.shows(Zxid(4), {{"/g/1", {"<a>", Zxid(2), 0}}, {"/g/2", {"<b>", Zxid(3), 0}}}, seen));
  EXPECT_FALSE(copy.shows(Zxid(4), {{"/g/2", {"<c>", Zxid(3), 1}}}, seen));
  EXPECT_FALSE(copy.shows(Zxid(), {}, seen));
}

TEST_F(ViewTest, ACopyOfWhatNeverWasIsFound) {
  expect_says(copy.shows(Zxid(4), {{"/g/2", {"<c>", Zxid(3), 0}}}, seen), "as it never was");
  expect_says(copy.shows(Zxid(4), {{"/g/2", {"<b>", Zxid(4), 0}}}, seen), "as it never was");
}

TEST_F(ViewTest, ACopyThatLacksWhatItSaysToHaveIsFound) {
  expect_says(copy.shows(Zxid(7), {{"/g/2", {"<b>", Zxid(3), 0}}}, seen), "before what it has all of");
  expect_says(copy.shows(Zxid(5), {{"/g/1", {"<a>", Zxid(2), 0}}, {"/g/2", {"<b>", Zxid(3), 0}}}, seen),
              "before what it has all of");
  expect_says(copy.shows(Zxid(7), {}, seen), "is not shown /g/2");
}

TEST_F(ViewTest, ACopyThatGoesBackIsFound) {
  EXPECT_FALSE(copy.shows(Zxid(6), {{"/g/2", {"<c>", Zxid(3), 1}}}, seen));
  expect_says(copy.shows(Zxid(6), {{"/g/2", {"<b>", Zxid(3), 0}}}, seen), "before it was shown another way");
}

}  // namespace
}  // namespace quorate::sim
