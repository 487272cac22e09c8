#include "tests/sim/queue_history.h"

#include <gtest/gtest.h>

#include "tests/sim/expect_says.h"

namespace quorate::sim {
namespace {

struct QueueTest : testing::Test {
  TreePast past;
  std::set<uint32_t> valid{1, 2};  // clients whose lease holds
  QueueHistory queue{past, "/q", 2, [this](uint32_t client) { return valid.contains(client); }, true};

  static std::string item(uint64_t number) { return "/q/items/" + std::to_string(number); }
  static std::string claim(uint64_t number) { return "/q/taken/" + std::to_string(number); }
  Verdict made(uint64_t number, const std::string& data) {
    past.note(item(number), {Zxid(number), true, data, Zxid(number)});
    return queue.committed(item(number));
  }
  // Pushes it as well.
  void make(uint64_t number, const std::string& data) {
    queue.begin_push(data, "");
    ASSERT_FALSE(made(number, data));
  }
  void claimed(uint64_t number, const std::string& data, int32_t tries, uint64_t session, uint64_t zxid) {
    past.note(item(number), {Zxid(zxid), true, data, Zxid(number), tries});
    past.note(claim(number), {Zxid(zxid), true, "", Zxid(zxid), 0, SessionId(session)});
  }
  Verdict taken_away(uint64_t number, uint64_t zxid) {
    past.note(claim(number), {Zxid(zxid)});
    past.note(item(number), {Zxid(zxid)});
    return queue.committed(item(number));
  }
  Verdict took(uint32_t client, uint64_t from, uint64_t number, const std::string& data, uint32_t tries) {
    return queue.took(client, SessionId(client), Zxid(from), {item(number), data, tries});
  }
};

TEST_F(QueueTest, AMessageIsDeliveredAgainAndThenDone) {
  make(10, "a");
  EXPECT_FALSE(queue.pushed("a", true));
  claimed(10, "a", 1, 1, 11);
  EXPECT_FALSE(took(1, 10, 10, "a", 1));
  valid.erase(1);
  past.note(claim(10), {Zxid(12)});
  claimed(10, "a", 2, 2, 13);
  EXPECT_FALSE(took(2, 12, 10, "a", 2));
  EXPECT_EQ(queue.taken_from_the_dead(), 1u);
  EXPECT_FALSE(queue.not_its_own(SessionId(1), item(10), Zxid(13)));
  queue.acknowledges(item(10));
  EXPECT_FALSE(taken_away(10, 14));
  EXPECT_FALSE(queue.acknowledged(item(10)));
  EXPECT_FALSE(queue.size_is(Zxid(14), 0));
  EXPECT_FALSE(queue.gives_up(Zxid(10)));
}

TEST_F(QueueTest, WhatIsNotPushedIsFound) {
  expect_says(made(10, "a"), "nobody pushed");
  queue.begin_push("b", "");
  EXPECT_FALSE(queue.not_pushed("b"));
  expect_says(made(11, "b"), "told not to be pushed");
  expect_says(queue.pushed("b", false), "the id  was there");
  queue.begin_push("c", "");
  expect_says(queue.pushed("c", true), "it was not: c");
  EXPECT_FALSE(made(12, "c"));
  expect_says(queue.not_pushed("c"), "it was: c");
  expect_says(queue.pushed("c", false), "not kept, and it was");
}

TEST_F(QueueTest, WhatIsMadeTwiceIsFound) {
  make(10, "a");
  expect_says(made(11, "a"), "made twice");
}

TEST_F(QueueTest, AnIdThatIsKeptTwiceIsFound) {
  queue.begin_push("a", "id");
  queue.begin_push("b", "id");
  expect_says(queue.pushed("b", false), "id was there, and it was not");
  EXPECT_FALSE(made(10, "a"));
  EXPECT_FALSE(queue.pushed("b", false));
  expect_says(made(11, "b"), "second message with the id id");
}

TEST_F(QueueTest, AMessageThatVanishesIsFound) {
  make(10, "a");
  expect_says(taken_away(10, 11), "a message was lost: a");
}

TEST_F(QueueTest, WhatIsPutAsideTooEarlyOrAsAnotherIsFound) {
  make(10, "a");
  past.note("/q/dead/10", {Zxid(12), true, "a", Zxid(12)});
  expect_says(taken_away(10, 12), "after 0 deliveries");
  make(20, "b");
  claimed(20, "b", 2, 1, 21);
  past.note("/q/dead/20", {Zxid(22), true, "c", Zxid(22)});
  expect_says(taken_away(20, 22), "as another one");
  make(30, "d");
  claimed(30, "d", 2, 1, 31);
  past.note("/q/dead/30", {Zxid(32), true, "d", Zxid(32)});
  EXPECT_FALSE(taken_away(30, 32));
  EXPECT_EQ(queue.put_aside(), 3u);
}

TEST_F(QueueTest, TwoWhoHaveItAtOnceAreFound) {
  make(10, "a");
  claimed(10, "a", 1, 1, 11);
  EXPECT_FALSE(took(1, 10, 10, "a", 1));
  claimed(10, "a", 2, 2, 12);
  expect_says(took(2, 11, 10, "a", 2), "that client 1 has");
}

TEST_F(QueueTest, WhoHasLetGoHasItNoMore) {
  make(10, "a");
  make(20, "b");
  claimed(10, "a", 1, 1, 21);
  claimed(20, "b", 1, 1, 22);
  EXPECT_FALSE(took(1, 20, 10, "a", 1));
  EXPECT_FALSE(took(1, 21, 20, "b", 1));
  queue.let_go(1, item(10));
  claimed(10, "a", 2, 2, 23);
  EXPECT_FALSE(took(2, 22, 10, "a", 2));
  queue.ends(1);
  claimed(20, "b", 2, 2, 24);
  EXPECT_FALSE(took(2, 23, 20, "b", 2));
}

TEST_F(QueueTest, ADeliveryThatIsNoneIsFound) {
  make(10, "a");
  expect_says(took(1, 10, 10, "a", 1), "no claim to it");
  claimed(10, "a", 1, 1, 11);
  expect_says(took(1, 11, 10, "a", 1), "no claim to it");
  expect_says(took(1, 10, 10, "b", 1), "the message is a");
  expect_says(took(1, 10, 10, "a", 2), "delivery 2, and it is 1");
  claimed(10, "a", 3, 1, 12);
  expect_says(took(1, 11, 10, "a", 3), "delivery 3, and it is 3");
}

TEST_F(QueueTest, WhoOvertakesIsFound) {
  make(10, "a");
  make(11, "b");
  claimed(11, "b", 1, 1, 12);
  expect_says(took(1, 11, 11, "b", 1), "items/10 is before it");
}

TEST_F(QueueTest, WhatIsDoneAndComesAgainIsFound) {
  make(10, "a");
  claimed(10, "a", 1, 1, 11);
  expect_says(queue.acknowledged(item(10)), "is still there");
  expect_says(took(1, 10, 10, "a", 1), "had been acknowledged");
}

TEST_F(QueueTest, WhoIsToldThatItIsSomebodyElsesIsFound) {
  make(10, "a");
  claimed(10, "a", 1, 1, 11);
  expect_says(queue.not_its_own(SessionId(1), item(10), Zxid(11)), "and it is");
}

TEST_F(QueueTest, WhoWaitsForWhatIsThereIsFound) {
  make(10, "a");
  past.reached(Zxid(12), Duration(0));
  expect_says(queue.gives_up(Zxid(11)), "nobody has /q/items/10");
}

TEST_F(QueueTest, AWrongSizeIsFound) {
  make(10, "a");
  expect_says(queue.size_is(Zxid(10), 2), "so many were not meanwhile");
}

}  // namespace
}  // namespace quorate::sim
