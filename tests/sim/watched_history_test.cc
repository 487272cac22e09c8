#include "tests/sim/watched_history.h"

#include <gtest/gtest.h>

#include "tests/sim/expect_says.h"

namespace quorate::sim {
namespace {

using client::EventKind;
using Seen = WatchedHistory::Seen;

// /w is made by entry 2, set by 4, deleted by 6; /w/a is there from 3 to 5.
struct WatchedTest : testing::Test {
  WatchedTest() {
    commit(1, "/v", {true, Zxid(1), 0});
    commit(2, "/w", {true, Zxid(2), 0});
    commit(3, "/w/a", {true, Zxid(3), 0});
    commit(4, "/w", {true, Zxid(2), 1});
    commit(5, "/w/a", {});
    commit(6, "/w", {});
  }
  void commit(uint64_t zxid, const std::string& path, const Seen& node) {
    past.note(path, {Zxid(zxid), node.exists, "", node.czxid, node.version});
  }

  const Seen made{true, Zxid(2), 0}, set{true, Zxid(2), 1}, none{};
  TreePast past;
  WatchedHistory watched{past};
};

TEST_F(WatchedTest, WhatHappenedPasses) {
  EXPECT_FALSE(watched.shows("/w", Zxid(1), none));
  EXPECT_FALSE(watched.fires("/w", Zxid(1), none, EventKind::kCreated));
  EXPECT_FALSE(watched.shows("/w", Zxid(1), made));
  EXPECT_FALSE(watched.fires("/w", Zxid(1), made, EventKind::kDataChanged));
  EXPECT_FALSE(watched.fires("/w", Zxid(3), made, EventKind::kDeleted));
  EXPECT_FALSE(watched.is_silent("/w", Zxid(3), made));
  EXPECT_FALSE(watched.is_silent("/w", Zxid(2), none)) << "it came and went";
  EXPECT_FALSE(watched.lists("/w", Zxid(1), {"a"}));
  EXPECT_FALSE(watched.lists("/w", Zxid(4), {}));
  EXPECT_FALSE(watched.list_fires("/w", Zxid(4), {"a"}, EventKind::kChildrenChanged));
  EXPECT_FALSE(watched.list_fires("/w", Zxid(4), {"a"}, EventKind::kDeleted));
  EXPECT_FALSE(watched.list_is_silent("/w", Zxid(4), {"a"}));
  EXPECT_FALSE(watched.list_fires("/w", Zxid(5), {}, EventKind::kChildrenChanged)) << "its own end";
}

TEST_F(WatchedTest, WhatNeverWasIsFound) {
  expect_says(watched.shows("/w", Zxid(4), made), "as it never was since zxid 4");
  expect_says(watched.shows("/w", Zxid(1), {true, Zxid(2), 7}), "as it never was");
  expect_says(watched.lists("/w", Zxid(1), {"b"}), "never had since zxid 1");
  expect_says(watched.lists("/w", Zxid(6), {}), "never had");
}

TEST_F(WatchedTest, AnEventWithoutItsChangeIsFound) {
  expect_says(watched.fires("/w", Zxid(4), set, EventKind::kDataChanged), "none of those since zxid 4");
  expect_says(watched.fires("/w", Zxid(1), made, EventKind::kCreated), "none of those");
  expect_says(watched.fires("/w", Zxid(6), none, EventKind::kCreated), "none of those");
  expect_says(watched.fires("/w", Zxid(1), made, EventKind::kChildrenChanged), "none of those");
  expect_says(watched.list_fires("/w", Zxid(1), {}, EventKind::kDataChanged), "none of those");
  expect_says(watched.list_fires("/v", Zxid(1), {}, EventKind::kChildrenChanged), "none of those");
  expect_says(watched.list_fires("/v", Zxid(1), {}, EventKind::kDeleted), "none of those");
}

TEST_F(WatchedTest, AMissedChangeIsFound) {
  expect_says(watched.is_silent("/w", Zxid(4), made), "since before zxid 4");
  expect_says(watched.is_silent("/w", Zxid(6), set), "since before zxid 6");
  expect_says(watched.is_silent("/v", Zxid(1), none), "since before zxid 1");
  expect_says(watched.list_is_silent("/w", Zxid(5), {"a"}), "since before zxid 5");
  expect_says(watched.list_is_silent("/w", Zxid(6), {}), "since before zxid 6");
}

}  // namespace
}  // namespace quorate::sim
