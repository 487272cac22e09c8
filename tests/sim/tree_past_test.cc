#include "tests/sim/tree_past.h"

#include <gtest/gtest.h>

namespace quorate::sim {
namespace {

using Paths = std::vector<std::string>;

struct TreePastTest : testing::Test {
  TreePast past;
  TreePastTest() {
    past.note("/a", {Zxid(2), true, "", Zxid(2)});
    past.note("/a/x", {Zxid(3), true, "1", Zxid(3)});
    past.note("/a/x/y", {Zxid(4), true, "", Zxid(4)});
    past.note("/ab", {Zxid(5), true, "", Zxid(5)});
    past.note("/a/x", {Zxid(6), true, "2", Zxid(3)});
    past.note("/a/x", {Zxid(8), false});
  }
};

TEST_F(TreePastTest, KnowsWhatWasThereBehindEachEntry) {
  EXPECT_FALSE(past.at("/a/x", Zxid(2)).exists);
  EXPECT_EQ(past.at("/a/x", Zxid(3)).data, "1");
  EXPECT_EQ(past.at("/a/x", Zxid(5)).data, "1");
  EXPECT_EQ(past.at("/a/x", Zxid(7)).data, "2");
  EXPECT_FALSE(past.at("/a/x", Zxid(8)).exists);
  EXPECT_FALSE(past.at("/nothing", Zxid(8)).exists);
}

TEST_F(TreePastTest, KnowsWhatStoodBelow) {
  EXPECT_EQ(past.children("/a", Zxid(7)), Paths{"/a/x"});
  EXPECT_EQ(past.children("/a", Zxid(8)), Paths{});
  EXPECT_EQ(past.ever_children("/a"), Paths{"/a/x"});
}

TEST_F(TreePastTest, LooksAtEachStateInBetween) {
  const auto two = [&](Zxid at) { return past.at("/a/x", at).data == "2"; };
  EXPECT_TRUE(past.ever("/a", Zxid(3), Zxid(7), two));
  EXPECT_TRUE(past.ever("/a/x", Zxid(7), Zxid(7), two));
  EXPECT_FALSE(past.ever("/a/x", Zxid(3), Zxid(5), two));
  EXPECT_FALSE(past.ever("/ab", Zxid(3), Zxid(8), two)) << "of another root";
  EXPECT_TRUE(past.always("/a", Zxid(6), Zxid(7), two));
  EXPECT_FALSE(past.always("/a", Zxid(6), Zxid(8), two));
}

TEST_F(TreePastTest, KnowsWhatWasReachedByATime) {
  past.reached(Zxid(20), std::chrono::seconds(2));
  past.reached(Zxid(21), std::chrono::seconds(3));
  EXPECT_EQ(past.by(std::chrono::seconds(1)), Zxid());
  EXPECT_EQ(past.by(std::chrono::seconds(2)), Zxid(20));
  EXPECT_EQ(past.by(std::chrono::milliseconds(2'999)), Zxid(20));
  EXPECT_EQ(past.by(std::chrono::seconds(9)), Zxid(21));
}

TEST_F(TreePastTest, OfOneEntryTheLastStateCounts) {
  past.note("/a", {Zxid(9), false});
  past.note("/a", {Zxid(9), true, "again", Zxid(9)});
  EXPECT_EQ(past.at("/a", Zxid(9)).data, "again");
  EXPECT_EQ(past.states("/a").size(), 2u);
}

}  // namespace
}  // namespace quorate::sim
