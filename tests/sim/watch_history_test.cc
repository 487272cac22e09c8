#include "tests/sim/watch_history.h"

#include <gtest/gtest.h>

#include "tests/sim/expect_says.h"

namespace quorate::sim {
namespace {

constexpr ConnectionId kFirst{7}, kSecond{8};

WatchHistory::Seen node(uint64_t state, uint64_t mzxid) { return {Zxid(state), true, Zxid(1), Zxid(mzxid)}; }
WatchHistory::Seen nothing(uint64_t state) { return {Zxid(state), false, Zxid(), Zxid()}; }

struct WatchTest : testing::Test {
  WatchHistory history;
  void SetUp() override { history.registered(1, 5, "/k", kFirst, node(10, 4)); }
};

TEST_F(WatchTest, OneEventAfterTheReadPasses) {
  EXPECT_FALSE(history.fired(1, 5, kFirst, "/k", Zxid(11)));
  EXPECT_FALSE(history.read_shows(1, kFirst, "/k", node(12, 11)));
  EXPECT_FALSE(history.finish({{"/k", node(20, 11)}}));
}

TEST_F(WatchTest, AQuietKeyOwesNothing) { EXPECT_FALSE(history.finish({{"/k", node(20, 4)}})); }

TEST_F(WatchTest, AnEventThatWasSeenAlreadyIsFound) {
  expect_says(history.fired(1, 5, kFirst, "/k", Zxid(10)), "which it had seen");
}

TEST_F(WatchTest, ASecondEventIsFound) {
  EXPECT_FALSE(history.fired(1, 5, kFirst, "/k", Zxid(11)));
  expect_says(history.fired(1, 5, kFirst, "/k", Zxid(12)), "fired twice");
}

TEST_F(WatchTest, AnEventThatNobodyAskedForIsFound) {
  expect_says(history.fired(1, 6, kFirst, "/k", Zxid(11)), "nobody set it");
  expect_says(history.fired(2, 5, kFirst, "/k", Zxid(11)), "nobody set it");
}

TEST_F(WatchTest, AnEventOfAnotherKeyIsFound) {
  expect_says(history.fired(1, 5, kFirst, "/other", Zxid(11)), "fired for /other");
}

TEST_F(WatchTest, EventsOutOfOrderAreFound) {
  history.registered(1, 6, "/m", kFirst, node(10, 4));
  EXPECT_FALSE(history.fired(1, 5, kFirst, "/k", Zxid(15)));
  expect_says(history.fired(1, 6, kFirst, "/m", Zxid(12)), "after an event of 15");
}

TEST_F(WatchTest, ALostEventIsFound) {
  expect_says(history.finish({{"/k", node(20, 15)}}), "lost its event");
  expect_says(history.finish({{"/k", nothing(20)}}), "lost its event");
}

TEST_F(WatchTest, AnEventLostInAReconnectIsFound) {
  history.resumed(1, 5, kSecond);
  expect_says(history.finish({{"/k", node(20, 15)}}), "lost its event");
}

TEST_F(WatchTest, AnAnswerAheadOfTheEventIsFound) {
  expect_says(history.read_shows(1, kFirst, "/k", node(12, 11)), "before its event");
  EXPECT_FALSE(history.read_shows(1, kSecond, "/k", node(12, 11)));
  EXPECT_FALSE(history.read_shows(2, kFirst, "/k", node(12, 11)));
}

TEST_F(WatchTest, ADroppedWatchIsOwedNothing) {
  history.dropped(1, 5);
  EXPECT_FALSE(history.finish({{"/k", node(20, 15)}}));
}

}  // namespace
}  // namespace quorate::sim
