// The recipes against a real server: several clients at once, and clients whose session ends in the middle.
#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <thread>

#include "client/quorate/barrier.h"
#include "client/quorate/counter.h"
#include "client/quorate/election.h"
#include "client/quorate/group.h"
#include "client/quorate/queue.h"
#include "client/quorate/service.h"
#include "tests/client/real_server.h"

namespace quorate::client {
namespace {

using Recipes = RealServer;

// ---- election

TEST_F(Recipes, TheFirstCandidateLeadsAndTheNextFollowsIt) {
  Election first(a, path), second(b, path);
  EXPECT_EQ(*first.leader(), std::nullopt);
  Result<Leadership> leading = first.campaign("one");
  ASSERT_TRUE(leading.ok()) << leading.error().message;
  const auto leader = second.leader();
  ASSERT_TRUE(leader.ok() && *leader);
  EXPECT_EQ((*leader)->value, "one");
  EXPECT_EQ((*leader)->token, leading->token());
  EXPECT_EQ(second.campaign("two", milliseconds(0)).code(), ErrorCode::kTimeout);
  // The place that was not waited for is given up behind the answer.
  ASSERT_TRUE(server::eventually([&] { return first.candidates()->size() == 1; }));

  std::thread candidate([&] {
    Result<Leadership> next = second.campaign("two", kLong);
    EXPECT_TRUE(next.ok() && next->token() > leading->token());
    EXPECT_EQ((*second.leader())->value, "two");
  });
  EXPECT_TRUE(server::eventually([&] { return first.candidates()->size() == 2; }));
  EXPECT_EQ(first.candidates()->back().value, "two");
  EXPECT_TRUE(leading->release().ok());
  candidate.join();
}

TEST_F(Recipes, ALeaderThatGoesIsSeenToGo) {
  auto gone = std::make_unique<Client>(options());
  Result<Leadership> leading = Election(*gone, path).campaign("one");
  ASSERT_TRUE(leading.ok());
  Election watching(b, path);
  auto known = *watching.next_leader({}, kLong);
  ASSERT_TRUE(known);
  EXPECT_EQ(known->value, "one");
  const Status said = leading->proclaim("other");
  EXPECT_TRUE(said.ok()) << said.error().message;
  known = *watching.next_leader(known, kLong);
  EXPECT_EQ(known->value, "other");
  EXPECT_EQ(watching.next_leader(known, kShort).code(), ErrorCode::kTimeout);
  gone->close();
  EXPECT_TRUE(leading->lost());
  EXPECT_EQ(*watching.next_leader(known, kLong), std::nullopt);
}

TEST_F(Recipes, WhoLeadsNoMoreProclaimsNothing) {
  Result<Leadership> leading = Election(a, path).campaign("one");
  ASSERT_TRUE(leading.ok());
  ASSERT_TRUE(b.break_lock(path, leading->token()).ok());
  EXPECT_EQ(leading->proclaim("late").code(), ErrorCode::kNotHolder);
  EXPECT_EQ(Election(a, path).campaign("quorate:shared:x").code(), ErrorCode::kInvalidArgument);
}

// ---- barriers

TEST_F(Recipes, ABarrierHoldsUntilItIsOpened) {
  Barrier here(a, path), there(b, path);
  EXPECT_TRUE(here.wait(kShort).ok()) << "there is none";
  EXPECT_TRUE(*here.close());
  EXPECT_FALSE(*there.close());
  EXPECT_EQ(there.wait(kShort).code(), ErrorCode::kTimeout);
  std::thread waiter([&] { EXPECT_TRUE(there.wait(kLong).ok()); });
  EXPECT_TRUE(*here.open());
  waiter.join();
  EXPECT_FALSE(*here.open());
}

TEST_F(Recipes, NobodyBeginsBeforeAllAreThereNorGoesOnBeforeAllHaveLeft) {
  constexpr uint32_t kCount = 4;
  constexpr int kRounds = 3;
  std::atomic<int> begun = 0, ended = 0;
  std::vector<std::thread> threads;
  for (uint32_t i = 0; i < kCount; ++i) {
    threads.emplace_back([&] {
      Client client(options());
      DoubleBarrier barrier(client, path, kCount);
      for (int round = 0; round < kRounds; ++round) {
        const Status entered = barrier.enter(kLong);
        EXPECT_TRUE(entered.ok()) << entered.error().message;
        EXPECT_GE(ended.load(), round * static_cast<int>(kCount)) << "all had left the round before";
        ++begun;
        EXPECT_GE(begun.load(), round * static_cast<int>(kCount) + 1);
        ++ended;
        const Status left = barrier.leave(kLong);
        EXPECT_TRUE(left.ok()) << left.error().message;
        EXPECT_GE(begun.load(), (round + 1) * static_cast<int>(kCount)) << "all had begun this round";
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_TRUE(a.children(path + "/members")->empty());
}

TEST_F(Recipes, WhoWaitsInVainIsNotAmongThem) {
  DoubleBarrier barrier(a, path, 2);
  EXPECT_EQ(barrier.leave().code(), ErrorCode::kInvalidArgument);
  EXPECT_EQ(barrier.enter(kShort).code(), ErrorCode::kTimeout);
  EXPECT_TRUE(a.children(path + "/members")->empty());
  DoubleBarrier alone(b, path, 1);
  EXPECT_TRUE(alone.enter(kLong).ok());
  EXPECT_EQ(alone.enter().code(), ErrorCode::kInvalidArgument);
  EXPECT_TRUE(alone.leave(kLong).ok());
}

TEST_F(Recipes, WhoDiesInABarrierHasLeftIt) {
  auto dies = std::make_unique<Client>(options());
  DoubleBarrier dying(*dies, path, 1);
  ASSERT_TRUE(dying.enter(kLong).ok());
  dies->close();
  DoubleBarrier next(a, path, 1);
  EXPECT_TRUE(next.enter(kLong).ok()) << "the round of the dead is over";
  EXPECT_TRUE(next.leave(kLong).ok());
}

// ---- counter

TEST_F(Recipes, ManyAddAndNothingIsLost) {
  constexpr int kThreads = 4, kEach = 25;
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&] {
      Client client(options());
      Counter counter(client, path);
      for (int each = 0; each < kEach; ++each) EXPECT_TRUE(counter.add(3).ok());
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(*Counter(a, path).get(), 3 * kThreads * kEach);
}

TEST_F(Recipes, ACounterOverflowsNothingAndKnowsWhatIsNoNumber) {
  Counter counter(a, path);
  EXPECT_EQ(*counter.add(INT64_MAX), INT64_MAX);
  EXPECT_EQ(counter.add(1).code(), ErrorCode::kInvalidArgument);
  ASSERT_TRUE(a.set(path, "12x").ok());
  EXPECT_EQ(counter.get().code(), ErrorCode::kMalformed);
  EXPECT_EQ(counter.add(1).code(), ErrorCode::kMalformed);
}

// ---- queue

TEST_F(Recipes, MessagesComeInTheOrderOfArrivalAndOnce) {
  Queue queue(a, path);
  for (const char* text : {"one", "two", "three"}) EXPECT_TRUE(*queue.push(text));
  Queue other(b, path);
  Result<Delivery> first = other.take(kLong), second = queue.take(kLong);
  EXPECT_EQ(first->data(), "one");
  EXPECT_EQ(second->data(), "two");
  EXPECT_TRUE(second->acknowledge().ok());
  EXPECT_EQ(second->acknowledge().code(), ErrorCode::kNoNode);
  EXPECT_TRUE(first->give_back().ok());
  Result<Delivery> again = queue.take(kLong);
  EXPECT_EQ(again->data(), "one");
  EXPECT_EQ(again->tries(), 2U);
  EXPECT_TRUE(again->acknowledge().ok());
  EXPECT_EQ(*queue.size(), 1U);
  EXPECT_TRUE(queue.take(kLong)->acknowledge().ok());
  EXPECT_EQ(queue.take(kShort).code(), ErrorCode::kTimeout);
}

TEST_F(Recipes, WhoseSessionEndsGivesHisMessagesBack) {
  Queue queue(a, path);
  ASSERT_TRUE(*queue.push("x"));
  auto dies = std::make_unique<Client>(options());
  Result<Delivery> lost = Queue(*dies, path).take(kLong);
  ASSERT_TRUE(lost.ok());
  EXPECT_EQ(queue.take(kShort).code(), ErrorCode::kTimeout);
  std::thread waits([&] {
    Result<Delivery> again = queue.take(kLong);
    EXPECT_TRUE(again.ok() && again->acknowledge().ok());
  });
  dies->close();
  waits.join();
  EXPECT_FALSE(lost->acknowledge().ok());
}

TEST_F(Recipes, WhatIsNeverAcknowledgedIsPutAside) {
  Queue queue(a, path, {.tries_max = 2});
  ASSERT_TRUE(*queue.push("poison"));
  ASSERT_TRUE(*queue.push("good"));
  for (int i = 0; i < 2; ++i) {
    Result<Delivery> taken = queue.take(kLong);
    EXPECT_EQ(taken->data(), "poison");
    EXPECT_TRUE(taken->give_back().ok());
  }
  EXPECT_EQ(queue.take(kLong)->data(), "good");
  ASSERT_EQ(queue.dead()->size(), 1U);
  EXPECT_EQ(a.get(queue.dead()->front())->data, "poison");
  EXPECT_EQ(*queue.size(), 1U);
}

TEST_F(Recipes, OfTwoMessagesWithOneIdOneIsKept) {
  Queue queue(a, path);
  EXPECT_TRUE(*queue.push("x", {.id = "order-1"}));
  EXPECT_FALSE(*Queue(b, path).push("y", {.id = "order-1"}));
  EXPECT_TRUE(queue.take(kLong)->acknowledge().ok());
  EXPECT_FALSE(*queue.push("x", {.id = "order-1"})) << "an id is remembered behind the message";
  EXPECT_TRUE(*queue.push("x", {.id = "order-2"}));
  EXPECT_EQ(queue.push("x", {.id = "a/b"}).code(), ErrorCode::kBadPath);
}

TEST_F(Recipes, AMessageThatIsTooLargeIsRefused) {
  Queue queue(a, path, {.message_bytes_max = 10});
  EXPECT_TRUE(*queue.push("0123456789"));
  EXPECT_EQ(queue.push("0123456789a").code(), ErrorCode::kTooLarge);
}

TEST_F(Recipes, ManyConsumersDoEachMessageOnce) {
  constexpr int kMessages = 60, kConsumers = 4;
  Queue queue(a, path);
  for (int i = 0; i < kMessages; ++i) ASSERT_TRUE(*queue.push(std::to_string(i)));
  std::vector<std::atomic<int>> done(kMessages);
  std::vector<std::thread> threads;
  for (int i = 0; i < kConsumers; ++i) {
    threads.emplace_back([&] {
      Client client(options());
      Queue mine(client, path, {.tries_max = 1'000});
      while (*mine.size() > 0) {
        Result<Delivery> taken = mine.take(kShort);
        if (!taken.ok()) continue;
        ++done[static_cast<size_t>(std::stoi(taken->data()))];
        EXPECT_TRUE(taken->acknowledge().ok());
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const std::atomic<int>& each : done) EXPECT_EQ(each.load(), 1);
}

// ---- group

TEST_F(Recipes, MembersAndInstancesThatOneAnswerHasNoRoomForAreReadInSeveral) {
  const std::string large(900'000, 'x');
  std::vector<Result<Membership>> members;
  std::vector<Result<Registration>> instances;
  for (const char* id : {"a", "b", "c", "d", "e", "f"}) {
    members.push_back(Group(a, path + "/group").join(id, large));
    ASSERT_TRUE(members.back().ok()) << members.back().error().message;
    instances.push_back(
        Registry(a, path).add({.name = "s", .id = id, .address = "h", .payload = "\"" + large + "\""}));
    ASSERT_TRUE(instances.back().ok()) << instances.back().error().message;
  }
  const Result<std::vector<Member>> there = Group(b, path + "/group").members();
  ASSERT_TRUE(there.ok()) << there.error().message;
  ASSERT_EQ(there->size(), 6U);
  EXPECT_EQ(there->back().id, "f");
  EXPECT_EQ(there->back().data, large);
  const Result<std::vector<ServiceInstance>> all = Registry(b, path).instances("s");
  ASSERT_TRUE(all.ok()) << all.error().message;
  ASSERT_EQ(all->size(), 6U);
  EXPECT_EQ(all->back().id, "f");
}

TEST_F(Recipes, AGroupKnowsItsMembers) {
  Group group(a, path);
  EXPECT_TRUE(group.members()->empty());
  auto dies = std::make_unique<Client>(options());
  Result<Membership> one = Group(*dies, path).join("one", "1"), two = Group(b, path).join("two", "2");
  ASSERT_TRUE(one.ok() && two.ok());
  EXPECT_EQ(group.join("two").code(), ErrorCode::kNodeExists);
  EXPECT_EQ(group.join("a/b").code(), ErrorCode::kBadPath);
  std::vector<Member> known = *group.next_members({}, kLong);
  ASSERT_EQ(known.size(), 2U);
  EXPECT_EQ(known[0], (Member{"one", "1", *dies->session()}));
  EXPECT_TRUE(two->set_data("22").ok());
  known = *group.next_members(known, kLong);
  EXPECT_EQ(known[1].data, "22");
  dies->close();
  known = *group.next_members(known, kLong);
  ASSERT_EQ(known.size(), 1U);
  EXPECT_EQ(known[0].id, "two");
  EXPECT_EQ(group.next_members(known, kShort).code(), ErrorCode::kTimeout);
  EXPECT_TRUE(two->leave().ok());
  EXPECT_EQ(two->leave().code(), ErrorCode::kNoNode);
  EXPECT_TRUE(group.members()->empty());
}

}  // namespace
}  // namespace quorate::client
