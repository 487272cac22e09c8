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

std::vector<PendingCommand> take(PendingWrites& writes, Instant now = kStart) {
  return writes.take_unsent(now, false, 1);
}

TEST(PendingWrites, EachIsSentOnceUntilToldAgain) {
  PendingWrites writes;
  writes.attach(kSession, kConnection, 1);
  writes.add(kSession, 1, 11, body("a"), kStart);
  writes.add(kSession, 2, 12, body("b"), kStart);
  EXPECT_EQ(numbers(take(writes)), (std::vector<uint64_t>{1, 2}));
  EXPECT_TRUE(take(writes).empty());
  writes.send_again();
  EXPECT_EQ(numbers(take(writes)), (std::vector<uint64_t>{1, 2}));
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
  EXPECT_EQ(numbers(take(writes)), std::vector<uint64_t>{2});
}

TEST(PendingWrites, OrderIsByNumberWhateverTheOrderOfArrival) {
  PendingWrites writes;
  writes.attach(kSession, kConnection, 1);
  writes.add(kSession, 2, 12, body("b"), kStart);
  writes.add(kSession, 1, 11, body("a"), kStart);
  EXPECT_TRUE(writes.has_lower(kSession, 2));
  EXPECT_FALSE(writes.has_lower(kSession, 1));
  writes.send_again();
  EXPECT_EQ(numbers(take(writes)), (std::vector<uint64_t>{1, 2}));
}

TEST(PendingWrites, OnlyWhatWasSentLongAgoIsSentAgain) {
  PendingWrites writes;
  writes.attach(kSession, kConnection, 1);
  writes.add(kSession, 1, 11, body("a"), kStart);
  (void)take(writes);
  writes.add(kSession, 2, 12, body("b"), kStart + 50 * kMs);
  (void)take(writes, kStart + 50 * kMs);
  writes.send_again_older(kStart + 10 * kMs, kStart + 60 * kMs);
  EXPECT_EQ(numbers(take(writes, kStart + 60 * kMs)), std::vector<uint64_t>{1});
  writes.send_again_older(kStart + 55 * kMs, kStart + 60 * kMs);
  EXPECT_EQ(numbers(take(writes)), std::vector<uint64_t>{2});
}

TEST(PendingWrites, ASingleOneIsSentAgainWhileItIsPending) {
  PendingWrites writes;
  writes.attach(kSession, kConnection, 1);
  writes.add(kSession, 1, 11, body("a"), kStart);
  writes.add(kSession, 2, 12, body("b"), kStart);
  (void)take(writes);
  writes.send_again(kSession, 2);
  EXPECT_EQ(numbers(take(writes)), std::vector<uint64_t>{2});
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
  (void)take(writes);
  for (const uint64_t number : {4U, 3U, 4U, 2U, 1U}) writes.send_again(kSession, number);
  writes.add(kSession, 5, 15, body("a"), kStart);
  (void)writes.finish(kSession, 3);
  EXPECT_EQ(numbers(take(writes)), (std::vector<uint64_t>{1, 2, 4, 5}));
  EXPECT_FALSE(writes.has_unsent());
}

TEST(PendingWrites, ACopyMayBeElsewhereOnlyOfWhatWasSent) {
  PendingWrites writes;
  writes.attach(kSession, kConnection, 1);
  writes.add(kSession, 1, 11, body("a"), kStart);
  (void)take(writes);
  writes.add(kSession, 2, 12, body("b"), kStart);
  writes.send_again();
  EXPECT_TRUE(writes.sent_again(kSession, 1));
  EXPECT_FALSE(writes.sent_again(kSession, 2)) << "it was sent to nobody yet";
  EXPECT_EQ(numbers(take(writes)), (std::vector<uint64_t>{1, 2}));
}

TEST(PendingWrites, IsKnownByItsLastSendingAlone) {
  PendingWrites writes;
  writes.attach(kSession, kConnection, 1);
  writes.add(kSession, 1, 11, body("a"), kStart);
  (void)writes.take_unsent(kStart, true, 7);
  EXPECT_TRUE(writes.was_sent_last_in(7, kSession, 1));
  writes.send_again();
  EXPECT_FALSE(writes.was_sent_last_in(7, kSession, 1)) << "it is about to go again";
  (void)writes.take_unsent(kStart, true, 8);
  EXPECT_FALSE(writes.was_sent_last_in(7, kSession, 1));
  EXPECT_TRUE(writes.was_sent_last_in(8, kSession, 1));
  (void)writes.finish(kSession, 1);
  EXPECT_FALSE(writes.was_sent_last_in(8, kSession, 1));
}

TEST(PendingWrites, WhatIsNamedInTwoWaysGoesOnce) {
  PendingWrites writes;
  writes.attach(kSession, kConnection, 1);
  writes.add(kSession, 1, 11, body("a"), kStart);
  (void)take(writes);
  writes.send_again_older(kStart + kMs, kStart + kMs);
  writes.send_again(kSession, 1);
  EXPECT_EQ(numbers(take(writes)), std::vector<uint64_t>{1});
}

// All that waits, at once, would stand in front of what its leader must hear of this server.
TEST(PendingWrites, AnotherServerIsSentAgainALittleAtATime) {
  constexpr uint64_t kWrites = 10;
  const Bytes large(std::string(kSentAgainBytesMax / 4, 'x'));
  PendingWrites writes;
  writes.attach(kSession, kConnection, 1);
  for (uint64_t number = 1; number <= kWrites; ++number) writes.add(kSession, number, number, large, kStart);
  EXPECT_EQ(writes.take_unsent(kStart, true, 1).size(), kWrites) << "nothing of it goes again";
  writes.send_again();
  EXPECT_EQ(numbers(writes.take_unsent(kStart, true, 1)), (std::vector<uint64_t>{1, 2, 3, 4}));
  EXPECT_TRUE(writes.take_unsent(kStart, true, 1).empty());
  writes.add(kSession, kWrites + 1, kWrites + 1, body("a"), kStart);
  EXPECT_TRUE(writes.take_unsent(kStart, true, 1).empty()) << "it would leave a gap";
  (void)writes.finish(kSession, 1);
  EXPECT_EQ(numbers(writes.take_unsent(kStart, true, 1)), (std::vector<uint64_t>{5, 6, 7, 8}));
  writes.send_again_older(kStart + kMs, kStart + 2 * kMs);
  EXPECT_EQ(numbers(writes.take_unsent(kStart, true, 1)), (std::vector<uint64_t>{9, 10, 11}))
      << "nothing is heard";
}

// Of a leader that has no room writes may wait for long; who only wants to come in is given up before that.
TEST(PendingWrites, ALostOpeningGoesAgainWhileWritesWaitForTheirTurn) {
  PendingWrites writes;
  writes.attach(kSession, kConnection, 1);
  for (uint64_t number = 1; number <= 3; ++number)
    writes.add(kSession, number, number, Bytes(std::string(kSentAgainBytesMax, 'x')), kStart);
  writes.add_opening(9, {kConnection, 11}, body("a"), kStart);
  (void)writes.take_unsent(kStart, true, 1);
  writes.send_again();
  EXPECT_EQ(writes.take_unsent(kStart, true, 1).size(), 2U) << "one of the writes, and the opening";
  writes.send_again_older(kStart + kMs, kStart + 2 * kMs);
  const auto commands = writes.take_unsent(kStart + kMs, true, 1);
  ASSERT_FALSE(commands.empty());
  EXPECT_EQ(commands.back().counter, 9U);
}

// Those that are gone are found when the rest is sent.
TEST(PendingWrites, WhatIsGoneIsNotSentAndTheRestIs) {
  PendingWrites writes;
  for (uint64_t counter = 1; counter <= 3; ++counter)
    writes.add_opening(counter, {kConnection, counter}, body("a"), kStart);
  EXPECT_TRUE(writes.finish_opening(2).has_value());
  const auto commands = take(writes);
  ASSERT_EQ(commands.size(), 2U);
  EXPECT_EQ(commands[0].counter, 1U);
  EXPECT_EQ(commands[1].counter, 3U);
}

TEST(PendingWrites, AttachedAnewASessionsNumbersGoOnce) {
  PendingWrites writes;
  writes.attach(kSession, kConnection, 1);
  writes.add(kSession, 1, 11, body("a"), kStart);
  writes.attach(kSession, kConnection, 2);
  writes.add(kSession, 1, 11, body("b"), kStart);
  const auto commands = take(writes);
  ASSERT_EQ(commands.size(), 1U);
  EXPECT_EQ(commands[0].body.view(), "b");
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
  EXPECT_TRUE(take(writes).empty());
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
