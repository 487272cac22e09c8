// Several guards of one place, against a real server; and that without them a client excludes itself.
#include <future>

#include "tests/client/real_server.h"

namespace quorate::client {
namespace {

using namespace std::chrono_literals;

class LockAgain : public RealServer {
 protected:
  // Whether somebody else could have it now.
  bool is_free() { return b.acquire(path, {.wait = 0ms}).ok(); }
};

TEST_F(LockAgain, ASecondAcquireOfTheSameClientIsExcluded) {
  Result<Lock> lock = a.acquire(path);
  ASSERT_TRUE(lock.ok()) << lock.error().message;
  EXPECT_EQ(a.acquire(path, {.wait = 0ms}).code(), ErrorCode::kTimeout);
  ASSERT_TRUE(lock->release().ok());
  EXPECT_TRUE(a.acquire(path, {.wait = 0ms}).ok());
}

TEST_F(LockAgain, TheLastGuardGivesThePlaceUp) {
  Result<Lock> first = a.acquire(path);
  ASSERT_TRUE(first.ok()) << first.error().message;
  {
    Result<Lock> second = first->again();
    ASSERT_TRUE(second.ok()) << second.error().message;
    EXPECT_EQ(second->token(), first->token());
    EXPECT_EQ(second->node(), first->node());
    EXPECT_EQ(second->path(), path);
    EXPECT_EQ(second->session(), first->session());
    EXPECT_GT(second->time_left(), 0ms);
    EXPECT_TRUE(a.lock_show(path)->waiters.empty());
  }
  EXPECT_FALSE(is_free()) << "its end is not that of the first";
  Result<Lock> third = first->again();
  ASSERT_TRUE(third.ok());
  EXPECT_TRUE(first->release().ok());
  EXPECT_EQ(first->release().code(), ErrorCode::kNoNode) << "each guard is released once";
  EXPECT_EQ(first->again().code(), ErrorCode::kNoNode);
  EXPECT_FALSE(is_free());
  EXPECT_FALSE(third->lost());
  EXPECT_TRUE(a.verify_lock(path, third->token()).ok());
  EXPECT_TRUE(third->release().ok());
  EXPECT_TRUE(is_free());
}

TEST_F(LockAgain, AReaderGoesOnAlthoughAWriterWaits) {
  Result<SharedLock> reader = a.acquire_shared(path);
  ASSERT_TRUE(reader.ok());
  auto writer = std::async(std::launch::async, [&] { return b.acquire(path, {.wait = kLong}).ok(); });
  ASSERT_TRUE(server::eventually([&] { return a.lock_show(path)->waiters.size() == 1; }));
  EXPECT_EQ(a.acquire_shared(path, {.wait = 0ms}).code(), ErrorCode::kTimeout) << "another place waits";
  // The place that was not waited for is given up behind the answer.
  ASSERT_TRUE(server::eventually([&] { return a.lock_show(path)->waiters.size() == 1; }));
  Result<SharedLock> again = reader->again();
  ASSERT_TRUE(again.ok()) << again.error().message;
  EXPECT_TRUE(reader->release().ok());
  EXPECT_EQ(a.lock_show(path)->waiters.size(), 1u);
  EXPECT_TRUE(again->release().ok());
  EXPECT_TRUE(writer.get());
}

TEST_F(LockAgain, EveryGuardIsToldThatItIsLost) {
  Result<Lock> first = a.acquire(path);
  ASSERT_TRUE(first.ok());
  Result<Lock> second = first->again(), third = first->again();
  std::promise<void> told_second, told_third;
  bool told_first = false;
  first->on_lost([&] { told_first = true; });
  second->on_lost([&] { told_second.set_value(); });
  third->on_lost([&] { told_third.set_value(); });
  EXPECT_TRUE(first->release().ok());
  ASSERT_TRUE(b.break_lock(path, second->token()).ok());
  told_second.get_future().wait();
  told_third.get_future().wait();
  EXPECT_FALSE(told_first) << "it was released before";
  EXPECT_FALSE(first->stop_token().stop_requested());
  EXPECT_TRUE(second->lost() && third->lost());
  EXPECT_TRUE(second->stop_token().stop_requested() && third->stop_token().stop_requested());
  EXPECT_EQ(second->again().code(), ErrorCode::kNoNode);
  EXPECT_EQ(second->release().code(), ErrorCode::kNoNode);
  EXPECT_EQ(third->release().code(), ErrorCode::kNoNode);
}

TEST_F(LockAgain, WhatSeveralHoldIsNotChanged) {
  Result<Lock> lock = a.acquire(path);
  ASSERT_TRUE(lock.ok());
  Result<Lock> second = lock->again();
  const Result<SharedLock> refused = lock->downgrade();
  EXPECT_EQ(refused.code(), ErrorCode::kContended);
  EXPECT_NE(refused.error().message.find("2 guards"), std::string::npos) << refused.error().message;
  EXPECT_TRUE(second->release().ok());
  Result<SharedLock> shared = lock->downgrade();
  ASSERT_TRUE(shared.ok()) << shared.error().message;
  EXPECT_EQ(lock->again().code(), ErrorCode::kNoNode) << "that guard's lock is another's now";
  Result<SharedLock> reader = shared->again();
  EXPECT_EQ(shared->upgrade().code(), ErrorCode::kContended);
  EXPECT_TRUE(reader->release().ok());
  Result<Lock> upgraded = shared->upgrade();
  ASSERT_TRUE(upgraded.ok()) << upgraded.error().message;
  EXPECT_TRUE(upgraded->again().ok()) << "and back, as it was dropped";
  EXPECT_FALSE(is_free());
  EXPECT_TRUE(upgraded->release().ok());
  EXPECT_TRUE(is_free());
}

TEST_F(LockAgain, AGuardThatWasReleasedDoesNotChangeThePlaceOfAnother) {
  Result<Lock> lock = a.acquire(path);
  ASSERT_TRUE(lock.ok());
  Result<Lock> second = lock->again();
  EXPECT_TRUE(lock->release().ok());
  EXPECT_EQ(lock->downgrade().code(), ErrorCode::kNoNode);
  EXPECT_EQ(b.acquire_shared(path, {.wait = 0ms}).code(), ErrorCode::kTimeout) << "it is held exclusively";
  Result<SharedLock> shared = second->downgrade();
  ASSERT_TRUE(shared.ok()) << shared.error().message;
  Result<SharedLock> reader = shared->again();
  EXPECT_TRUE(shared->release().ok());
  EXPECT_EQ(shared->upgrade().code(), ErrorCode::kNoNode);
  EXPECT_TRUE(b.acquire_shared(path, {.wait = 0ms}).ok());
}

TEST_F(LockAgain, ManyThreadsHoldOnePlace) {
  Result<Lock> lock = a.acquire(path);
  ASSERT_TRUE(lock.ok());
  const Token token = lock->token();
  std::vector<std::future<bool>> threads;
  for (int i = 0; i < 4; ++i) {
    Result<Lock> handed = lock->again();
    ASSERT_TRUE(handed.ok());
    threads.push_back(std::async(std::launch::async, [own = std::move(*handed), token]() mutable {
      for (int round = 0; round < 100; ++round) {
        Result<Lock> next = own.again();
        if (!next.ok() || next->token() != token) return false;
        own = std::move(*next);
      }
      return own.release().ok();
    }));
  }
  EXPECT_TRUE(lock->release().ok());
  for (auto& thread : threads) EXPECT_TRUE(thread.get());
  EXPECT_TRUE(is_free());
}

}  // namespace
}  // namespace quorate::client
