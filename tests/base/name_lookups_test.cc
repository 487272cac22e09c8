#include "base/name_lookups.h"

#include <gtest/gtest.h>

#include <condition_variable>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <optional>

namespace quorate {
namespace {

using Addresses = NameLookups::Addresses;

// A system whose answers the test gives, and a loop that the test turns. Threads that still look something up
// have shares of it.
class World {
 public:
  void post(std::function<void()> task) {
    const std::lock_guard lock(mutex_);
    tasks_.push_back(std::move(task));
    changed_.notify_all();
  }
  Result<Addresses> look_up(const std::string& name) {
    std::unique_lock lock(mutex_);
    ++asked_;
    changed_.wait(lock, [&] { return !answers_[name].empty(); });
    Result<Addresses> answer = answers_[name].front();
    answers_[name].pop_front();
    ++answered_;
    changed_.notify_all();
    return answer;
  }
  void answer(const std::string& name, Result<Addresses> result) {
    const std::lock_guard lock(mutex_);
    answers_[name].push_back(std::move(result));
    changed_.notify_all();
  }
  // Waits for one task and runs it.
  void turn() {
    std::function<void()> task;
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [&] { return !tasks_.empty(); });
      task = std::move(tasks_.front());
      tasks_.pop_front();
    }
    task();
  }
  void wait_until_answered(int count) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return answered_ == count; });
  }
  bool is_quiet() {
    const std::lock_guard lock(mutex_);
    return tasks_.empty();
  }
  int asked() {
    const std::lock_guard lock(mutex_);
    return asked_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::function<void()>> tasks_;
  std::map<std::string, std::deque<Result<Addresses>>> answers_;
  int asked_ = 0, answered_ = 0;
};

class NameLookupsTest : public testing::Test {
 protected:
  void begin() {
    lookups_ = std::make_unique<NameLookups>(
        [world = world_](std::function<void()> task) { world->post(std::move(task)); },
        [world = world_](const std::string& name) { return world->look_up(name); });
  }
  void SetUp() override { begin(); }
  uint64_t ask(const std::string& name) {
    return lookups_->ask(name, [this](const Result<Addresses>& found) { told_.push_back(found); });
  }
  std::string told(size_t i) const {
    if (i >= told_.size()) return "nothing";
    return told_[i].ok() ? told_[i]->front() : std::string(error_name(told_[i].code()));
  }

  std::shared_ptr<World> world_ = std::make_shared<World>();
  std::vector<Result<Addresses>> told_;
  std::unique_ptr<NameLookups> lookups_;
};

TEST_F(NameLookupsTest, TheSystemKnowsTheMachineItself) {
  NameLookups system([world = world_](std::function<void()> task) { world->post(std::move(task)); });
  system.ask("localhost", [this](const Result<Addresses>& found) { told_.push_back(found); });
  world_->turn();
  EXPECT_TRUE(told(0) == "127.0.0.1" || told(0) == "::1") << told(0);
  system.ask("no such name", [this](const Result<Addresses>& found) { told_.push_back(found); });
  world_->turn();
  ASSERT_EQ(told_.size(), 2U);
  EXPECT_FALSE(told_[1].ok());
}

TEST_F(NameLookupsTest, OneThatDoesNotEndKeepsNoOtherWaiting) {
  ask("hangs");
  ask("b");
  world_->answer("b", Addresses{"10.0.0.2"});
  world_->turn();
  EXPECT_EQ(told(0), "10.0.0.2");
  lookups_.reset();  // nor its end
  world_->answer("hangs", Addresses{"10.0.0.1"});
  world_->wait_until_answered(2);
  EXPECT_EQ(told_.size(), 1U);
}

TEST_F(NameLookupsTest, WhatWasKnownIsToldWhereTheSystemCannotSay) {
  ask("a");
  world_->answer("a", Addresses{"10.0.0.1"});
  world_->turn();
  ask("a");
  world_->answer("a", Error{ErrorCode::kUnavailable, "try again"});
  world_->turn();
  EXPECT_EQ(told(1), "10.0.0.1");
  // One is under way and does not end: who asks meanwhile is told at once, and asks nobody.
  ask("a");
  ask("a");
  EXPECT_EQ(told(2), "10.0.0.1");
  // It ends after all, and the machine has moved.
  world_->answer("a", Addresses{"10.0.0.9"});
  world_->turn();
  EXPECT_EQ(told(3), "10.0.0.9");
  EXPECT_EQ(world_->asked(), 3);
  ask("a");
  world_->answer("a", Error{ErrorCode::kNoNode, "no such name"});
  world_->turn();
  EXPECT_EQ(told(4), "no-node") << "a name that is gone is gone";
}

TEST_F(NameLookupsTest, AllWhoAskBeforeTheFirstAnswerAreToldIt) {
  ask("a");
  const uint64_t second = ask("a");
  ask("a");
  lookups_->give_up(second);
  world_->answer("a", Error{ErrorCode::kUnavailable, "try again"});
  world_->turn();
  EXPECT_EQ(told_.size(), 2U);
  EXPECT_EQ(told(1), "unavailable");
  lookups_->give_up(second);  // told, given up: nothing happens
  EXPECT_TRUE(world_->is_quiet());
}

TEST_F(NameLookupsTest, WhatIsPostedBehindItsEndTellsNobody) {
  ask("a");
  world_->answer("a", Addresses{"10.0.0.1"});
  world_->wait_until_answered(1);
  // Perhaps it is posted by now.
  lookups_.reset();
  if (!world_->is_quiet()) world_->turn();
  EXPECT_TRUE(told_.empty());
}

}  // namespace
}  // namespace quorate
