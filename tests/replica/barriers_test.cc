#include "server/replica_barriers.h"

#include <gtest/gtest.h>

#include "tests/replica/instants.h"

namespace quorate::server {
namespace {

using test::kMs;
using test::kStart;

WaitingRead get(uint64_t request, Instant asked = kStart) {
  return {{ConnectionId(1), request}, SessionId(), GetRequest{"/a"}, asked};
}
WaitingRead ping(uint64_t session) {
  return {{ConnectionId(2), 9}, SessionId(session), PingRequest{}, kStart, 20 * kMs};
}

TEST(Barriers, AllOfADrainShareOneQuestion) {
  Barriers barriers;
  barriers.add(get(1));
  barriers.add(ping(40));
  const auto question = barriers.ask(Term(3), kStart, 17);
  ASSERT_TRUE(question.has_value());
  EXPECT_EQ(question->alive, std::vector<SessionId>{SessionId(40)});
  EXPECT_FALSE(barriers.ask(Term(3), kStart, 18).has_value());
  barriers.confirm(17, Term(3), Index(5), {SessionId(40)});
  EXPECT_TRUE(barriers.take_applied(Index(4)).empty());
  const auto served = barriers.take_applied(Index(5));
  ASSERT_EQ(served.size(), 1u);
  EXPECT_EQ(served[0].reads.size(), 2u);
  EXPECT_TRUE(served[0].gone.contains(SessionId(40)));
  EXPECT_TRUE(barriers.empty());
}

TEST(Barriers, TooManySignsOfLifeForOneQuestionAreAskedAboutInSeveral) {
  Barriers barriers;
  barriers.add(get(1));
  for (uint64_t session = 1; session <= kQuestionAliveMax; ++session) barriers.add(ping(session));
  barriers.add(get(2, kStart + kMs));
  barriers.add(ping(kQuestionAliveMax + 1));
  auto question = barriers.ask(Term(3), kStart, 17);
  ASSERT_TRUE(question.has_value());
  EXPECT_EQ(question->alive.size(), kQuestionAliveMax);
  EXPECT_EQ(barriers.due(), kStart + kMs) << "of the read that is behind them";
  question = barriers.ask(Term(3), kStart, 18);
  ASSERT_TRUE(question.has_value());
  EXPECT_EQ(question->alive, std::vector<SessionId>{SessionId(kQuestionAliveMax + 1)});
  EXPECT_EQ(barriers.due(), kNever);
  barriers.confirm(17, Term(3), Index(5), {});
  barriers.confirm(18, Term(3), Index(5), {});
  const auto served = barriers.take_applied(Index(5));
  ASSERT_EQ(served.size(), 2u);
  EXPECT_EQ(served[0].reads.size(), kQuestionAliveMax + 1);
  ASSERT_EQ(served[1].reads.size(), 2u);
  EXPECT_EQ(served[1].reads[0].asker.request, 2u);
  EXPECT_TRUE(barriers.empty());
  EXPECT_EQ(barriers.bytes(), 0u);
}

TEST(Barriers, SignsOfLifeGatherAndReadsDoNot) {
  Barriers barriers;
  EXPECT_EQ(barriers.due(), kNever);
  barriers.add(ping(40));
  barriers.add(ping(41));
  EXPECT_EQ(barriers.due(), kStart + 20 * kMs);
  barriers.add(get(1, kStart + 5 * kMs));
  EXPECT_LE(barriers.due(), kStart + 5 * kMs) << "a read takes the signs of life along";
}

TEST(Barriers, WhatWaitsIsCountedFromTheFirstToTheLast) {
  Barriers barriers;
  barriers.add(get(1));
  const size_t one = barriers.bytes();
  EXPECT_GE(one, sizeof(WaitingRead));
  WaitingRead long_one = get(2);
  long_one.body = GetRequest{std::string(1'000, 'p')};
  barriers.add(long_one);
  EXPECT_EQ(barriers.bytes(), 2 * one + 998);
  (void)barriers.ask(Term(3), kStart, 17);
  barriers.add(get(3, kStart + kMs));
  barriers.confirm(17, Term(3), Index(5), {});
  EXPECT_EQ(barriers.bytes(), 3 * one + 998);
  (void)barriers.take_applied(Index(5));
  EXPECT_EQ(barriers.bytes(), one);
  (void)barriers.ask(Term(3), kStart, 18);
  barriers.collect_again();
  EXPECT_EQ(barriers.bytes(), one);
  (void)barriers.take_older(kStart + 2 * kMs);
  EXPECT_EQ(barriers.bytes(), 0u);
}

TEST(Barriers, AnAnswerOfAnotherTermOrQuestionIsIgnored) {
  Barriers barriers;
  barriers.add(get(1));
  (void)barriers.ask(Term(3), kStart, 17);
  barriers.confirm(17, Term(4), Index(5), {});
  barriers.confirm(16, Term(3), Index(5), {});
  EXPECT_TRUE(barriers.take_applied(Index(100)).empty());
  EXPECT_FALSE(barriers.empty());
}

TEST(Barriers, AfterACollectAgainTheOldAnswerIsWorthNothing) {
  Barriers barriers;
  barriers.add(get(1));
  (void)barriers.ask(Term(3), kStart, 17);
  barriers.collect_again();
  barriers.confirm(17, Term(3), Index(5), {});
  EXPECT_TRUE(barriers.take_applied(Index(100)).empty());
  EXPECT_TRUE(barriers.ask(Term(4), kStart, 18).has_value());
  barriers.confirm(18, Term(4), Index(6), {});
  EXPECT_EQ(barriers.take_applied(Index(6)).size(), 1u);
}

TEST(Barriers, AnAnswerServesTheReadsOfOlderQuestionsButNotTheirPings) {
  Barriers barriers;
  barriers.add(get(1));
  barriers.add(ping(40));
  (void)barriers.ask(Term(3), kStart, 17);
  barriers.add(get(2));
  (void)barriers.ask(Term(3), kStart, 18);
  barriers.confirm(18, Term(3), Index(5), {});
  const auto served = barriers.take_applied(Index(5));
  ASSERT_EQ(served.size(), 1u);
  ASSERT_EQ(served[0].reads.size(), 2u);
  EXPECT_EQ(served[0].reads[0].asker.request, 1u);
  EXPECT_EQ(served[0].reads[1].asker.request, 2u);
  EXPECT_FALSE(barriers.empty());
  barriers.confirm(17, Term(3), Index(5), {});
  EXPECT_EQ(barriers.take_applied(Index(5)).size(), 1u);
  EXPECT_TRUE(barriers.empty());
}

TEST(Barriers, WhatIsAskedAgainTakesTheNewerQuestionsAlong) {
  Barriers barriers;
  barriers.add(get(1));
  (void)barriers.ask(Term(3), kStart, 17);
  barriers.add(get(2));
  (void)barriers.ask(Term(3), kStart + 10 * kMs, 18);
  barriers.collect_again(kStart + 5 * kMs);
  barriers.confirm(18, Term(3), Index(1), {});
  EXPECT_TRUE(barriers.take_applied(Index(1)).empty());
  (void)barriers.ask(Term(3), kStart + 20 * kMs, 19);
  barriers.confirm(19, Term(3), Index(1), {});
  const auto served = barriers.take_applied(Index(1));
  ASSERT_EQ(served.size(), 1u);
  ASSERT_EQ(served[0].reads.size(), 2u);
  EXPECT_EQ(served[0].reads[0].asker.request, 1u);
}

TEST(Barriers, OnlyWhatIsOldIsGivenUp) {
  Barriers barriers;
  barriers.add(get(1, kStart));
  (void)barriers.ask(Term(3), kStart, 17);
  barriers.add(get(2, kStart + 10 * kMs));
  const auto old = barriers.take_older(kStart + 1 * kMs);
  ASSERT_EQ(old.size(), 1u);
  EXPECT_EQ(old[0].asker.request, 1u);
  EXPECT_TRUE(barriers.due() != kNever);
  EXPECT_EQ(barriers.take_older(kStart + 11 * kMs).size(), 1u);
  EXPECT_TRUE(barriers.empty());
}

}  // namespace
}  // namespace quorate::server
