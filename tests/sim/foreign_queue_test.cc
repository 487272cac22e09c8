// A queue as ZooKeeper's lock recipe sees it.
#include "tests/sim/foreign_queue.h"

#include <gtest/gtest.h>

#include "tests/sim/expect_says.h"

namespace quorate::sim {
namespace {

const std::string kNative = "lock-0000000001", kCurator = "_c_ab-lock-0000000002",
                  kKazoo = "ab__lock__0000000003", kLast = "_c_aa-lock-0000000004";

TEST(ForeignQueue, CuratorCountsEveryChildByItsNumber) {
  const ForeignQueue queue(false);
  const std::vector<std::string> names{kLast, kCurator, kNative};
  EXPECT_EQ(queue.look(kLast, names).before, kCurator);
  EXPECT_EQ(queue.look(kCurator, names).before, kNative);
  EXPECT_EQ(queue.look(kNative, names).before, "");
  EXPECT_TRUE(queue.look(kNative, names).there);
  EXPECT_FALSE(queue.look(kKazoo, names).there);
  EXPECT_TRUE(kCurator.starts_with(queue.id("ab")));
}

TEST(ForeignQueue, KazooOverlooksOtherNames) {
  const ForeignQueue queue(true);
  EXPECT_EQ(queue.look(kKazoo, {kKazoo, kNative, kCurator}).before, "");
  EXPECT_EQ(queue.look("cd__lock__0000000004", {kNative, kKazoo}).before, kKazoo);
  EXPECT_TRUE(kKazoo.starts_with(queue.id("ab")));
}

TEST(ForeignQueue, AWatchIsToldBeforeAListThatShowsIt) {
  ForeignQueue queue(false);
  EXPECT_FALSE(queue.watches(""));
  queue.watch_set(kNative);
  EXPECT_TRUE(queue.watches(kNative));
  EXPECT_FALSE(queue.watches(kCurator));
  EXPECT_FALSE(queue.shown({kNative, kCurator}));
  expect_says(queue.shown({kCurator}), "its watch was never told");
  queue.watch_told();
  EXPECT_FALSE(queue.shown({kCurator}));
}

TEST(ForeignQueue, WhatWasNotThereIsNotMadeLater) {
  ForeignQueue queue(false);
  EXPECT_FALSE(queue.shown({kCurator}));
  queue.never_made("_c_ab-lock-");
  EXPECT_FALSE(queue.shown({kLast, kNative}));
  expect_says(queue.shown({kNative, kCurator}), "was made after it was found not to be there");
}

}  // namespace
}  // namespace quorate::sim
