#include "server/replica_writes.h"

#include <gtest/gtest.h>

#include "tests/replica/instants.h"

namespace quorate::server {
namespace {

using test::kMs;
using test::kStart;

const SessionId kSession(40);
const ConnectionId kConnection(2);

Bytes body(const char* text) { return Bytes(std::string(text)); }

std::vector<uint64_t> numbers(const std::vector<PendingCommand>& commands) {
  std::vector<uint64_t> found;
  for (const PendingCommand& command : commands) found.push_back(command.number);
  return found;
}

TEST(PendingWrites, EachIsSentOnceUntilToldAgain) {
  PendingWrites writes;
  writes.attach(kSession, kConnection, 1);
  writes.add(kSession, 1, 11, body("a"), kStart);
  writes.add(kSession, 2, 12, body("b"), kStart);
  EXPECT_EQ(numbers(writes.take_unsent()), (std::vector<uint64_t>{1, 2}));
  EXPECT_TRUE(writes.take_unsent().empty());
  writes.send_again();
  EXPECT_EQ(numbers(writes.take_unsent()), (std::vector<uint64_t>{1, 2}));
}

TEST(PendingWrites, WhatIsFinishedIsNotSentAgain) {
  PendingWrites writes;
  writes.attach(kSession, kConnection, 1);
  writes.add(kSession, 1, 11, body("a"), kStart);
  writes.add(kSession, 2, 12, body("b"), kStart);
  const auto asker = writes.finish(kSession, 1);
  ASSERT_TRUE(asker.has_value());
  EXPECT_EQ(asker->request, 11u);
  EXPECT_FALSE(writes.finish(kSession, 1).has_value());
  writes.send_again();
  EXPECT_EQ(numbers(writes.take_unsent()), std::vector<uint64_t>{2});
}

TEST(PendingWrites, OrderIsByNumberWhateverTheOrderOfArrival) {
  PendingWrites writes;
  writes.attach(kSession, kConnection, 1);
  writes.add(kSession, 2, 12, body("b"), kStart);
  writes.add(kSession, 1, 11, body("a"), kStart);
  EXPECT_TRUE(writes.has_lower(kSession, 2));
  EXPECT_FALSE(writes.has_lower(kSession, 1));
  writes.send_again();
  EXPECT_EQ(numbers(writes.take_unsent()), (std::vector<uint64_t>{1, 2}));
}

TEST(PendingWrites, OnlyWhatWasSentLongAgoIsSentAgain) {
  PendingWrites writes;
  writes.attach(kSession, kConnection, 1);
  writes.add(kSession, 1, 11, body("a"), kStart);
  writes.add(kSession, 2, 12, body("b"), kStart + 50 * kMs);
  (void)writes.take_unsent();
  writes.send_again_older(kStart + 10 * kMs, kStart + 60 * kMs);
  EXPECT_EQ(numbers(writes.take_unsent()), std::vector<uint64_t>{1});
  writes.send_again_older(kStart + 55 * kMs, kStart + 60 * kMs);
  EXPECT_EQ(numbers(writes.take_unsent()), std::vector<uint64_t>{2});
}

TEST(PendingWrites, ASingleOneIsSentAgainWhileItIsPending) {
  PendingWrites writes;
  writes.attach(kSession, kConnection, 1);
  writes.add(kSession, 1, 11, body("a"), kStart);
  writes.add(kSession, 2, 12, body("b"), kStart);
  (void)writes.take_unsent();
  writes.send_again(kSession, 2);
  EXPECT_EQ(numbers(writes.take_unsent()), std::vector<uint64_t>{2});
  (void)writes.finish(kSession, 2);
  writes.send_again(kSession, 2);
  writes.send_again(SessionId(41), 1);
  EXPECT_FALSE(writes.has_unsent());
}

TEST(PendingWrites, ThoseSentAgainOneByOneGoInOrderAndOnce) {
  PendingWrites writes;
  writes.attach(kSession, kConnection, 1);
  for (uint64_t number = 1; number <= 4; ++number)
    writes.add(kSession, number, 10 + number, body("a"), kStart);
  (void)writes.take_unsent();
  for (const uint64_t number : {4U, 3U, 4U, 2U, 1U}) writes.send_again(kSession, number);
  writes.add(kSession, 5, 15, body("a"), kStart);
  (void)writes.finish(kSession, 3);
  EXPECT_EQ(numbers(writes.take_unsent()), (std::vector<uint64_t>{1, 2, 4, 5}));
  EXPECT_FALSE(writes.has_unsent());
}

TEST(PendingWrites, ShortOnesCountForWhatTheyTake) {
  PendingWrites writes;
  writes.attach(kSession, kConnection, 1);
  for (uint64_t number = 1; number <= 10; ++number) writes.add(kSession, number, number, body("a"), kStart);
  EXPECT_GE(writes.bytes(), 10 * kPendingBytes);
  EXPECT_EQ(writes.count(kSession), 10u);
  EXPECT_EQ(writes.count(SessionId(41)), 0u);
}

TEST(PendingWrites, ADetachedSessionLeavesNothingBehind) {
  PendingWrites writes;
  writes.attach(kSession, kConnection, 1);
  writes.add(kSession, 1, 11, body("a"), kStart);
  writes.detach(kSession);
  EXPECT_TRUE(writes.empty());
  EXPECT_EQ(writes.bytes(), 0u);
  EXPECT_TRUE(writes.take_unsent().empty());
  EXPECT_FALSE(writes.attached(kSession).has_value());
}

TEST(PendingWrites, OpeningsAreGivenUpByAge) {
  PendingWrites writes;
  writes.add_opening(1, {kConnection, 11}, body("a"), kStart);
  writes.add_opening(2, {kConnection, 12}, body("b"), kStart + 50 * kMs);
  const auto old = writes.take_openings_before(kStart + 10 * kMs);
  ASSERT_EQ(old.size(), 1u);
  EXPECT_EQ(old[0].request, 11u);
  EXPECT_FALSE(writes.finish_opening(1).has_value());
  EXPECT_TRUE(writes.finish_opening(2).has_value());
  EXPECT_TRUE(writes.empty());
}

}  // namespace
}  // namespace quorate::server
