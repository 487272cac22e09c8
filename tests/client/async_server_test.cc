// Calls that are not waited for, of several clients, against a real server.
#include <algorithm>
#include <set>
#include <thread>
#include <utility>

#include "client/quorate/async.h"
#include "tests/client/real_server.h"

namespace quorate::client {
namespace {

using AsyncServer = RealServer;

TEST_F(AsyncServer, ThousandsUnderWayAreEachDoneOnceAndInOrder) {
  constexpr size_t kThreads = 4, kEach = 500;
  ASSERT_TRUE(a.create(path).ok());
  std::vector<std::vector<std::string>> made(kThreads);
  std::vector<std::thread> threads;
  for (size_t t = 0; t < kThreads; ++t) {
    threads.emplace_back([this, &mine = made[t]] {
      std::vector<std::future<Result<Created>>> calls;
      for (size_t i = 0; i < kEach; ++i)
        calls.push_back(a.async().create(path + "/n-", "", {.sequential = true}).future());
      for (auto& each : calls) mine.push_back(each.get()->path);
    });
  }
  for (std::thread& each : threads) each.join();
  std::set<std::string> all;
  for (const std::vector<std::string>& each : made) {
    EXPECT_TRUE(std::is_sorted(each.begin(), each.end())) << "not in the order of the calls of one thread";
    all.insert(each.begin(), each.end());
  }
  EXPECT_EQ(all.size(), kThreads * kEach);
  EXPECT_EQ(a.children(path)->size(), kThreads * kEach);
}

TEST_F(AsyncServer, AWaitThatIsGivenUpLeavesNoPlaceInTheQueue) {
  Result<Lock> held = a.acquire(path);
  std::stop_source stop;
  std::future<Result<Lock>> one = b.async().acquire(path).future(stop.get_token());
  std::future<Result<std::vector<Lock>>> several =
      b.async().acquire_all({path, path + "-free"}).future(stop.get_token());
  const auto waiters = [&] { return b.lock_show(path)->waiters.size(); };
  EXPECT_TRUE(server::eventually([&] { return waiters() == 2; }));
  stop.request_stop();
  EXPECT_EQ(one.get().code(), ErrorCode::kTimeout);
  EXPECT_EQ(several.get().code(), ErrorCode::kTimeout);
  // Behind the releases in the log, since they are of one session.
  ASSERT_TRUE(b.create(path + "-done").ok());
  EXPECT_EQ(waiters(), 0U);
  EXPECT_FALSE(a.lock_show(path + "-free")->holder);
  EXPECT_TRUE(held->release().ok());
  EXPECT_TRUE(a.acquire(path, {.wait = milliseconds(0)}).ok());
}

TEST_F(AsyncServer, ALockIsHandedFromHandlerToHandler) {
  constexpr int kTurns = 50;
  std::atomic<int> inside = 0, left = 2 * kTurns;
  std::promise<void> done;
  std::function<void(Client&, int)> turn = [&](Client& client, int turns) {
    client.async().acquire(path).begin([&, turns](Result<Lock> lock) {
      EXPECT_EQ(++inside, 1);
      const Token token = lock->token();
      client.async()
          .verify_lock(path, token)
          .begin([&, turns, lock = std::move(*lock)](const Status& verified) mutable {
            EXPECT_TRUE(verified.ok());
            --inside;
            lock.async_release().begin([&, turns](const Status& released) {
              EXPECT_TRUE(released.ok());
              if (turns > 1) turn(client, turns - 1);
              if (--left == 0) done.set_value();
            });
          });
    });
  };
  turn(a, kTurns);
  turn(b, kTurns);
  done.get_future().wait();
  EXPECT_EQ(left, 0);
}

TEST_F(AsyncServer, TheOtherCallsAnswerAsThoseThatWait) {
  AsyncClient async = a.async();
  ASSERT_TRUE(async.create(path, "x").wait().ok());
  EXPECT_EQ(async.get(path).wait()->data, "x");
  EXPECT_EQ(async.set(path, "y", 7).wait().code(), ErrorCode::kBadVersion);
  EXPECT_TRUE(*async.exists(path).wait());
  EXPECT_FALSE(*async.exists(path + "-missing").wait());
  EXPECT_EQ(async.remove(path + "-missing").wait().code(), ErrorCode::kNoNode);
  const MultiResult multi = async.run(Multi().create(path + "/b").set(path, "z")).wait();
  EXPECT_TRUE(multi.ok()) << multi.error.message;
  EXPECT_EQ(async.children(path).wait()->front(), "b");
  EXPECT_EQ(async.children_page(path).wait()->names.front(), "b");
  const auto many = async.read_many({{path, false}, {path, true}}).wait();
  EXPECT_EQ((*many)[0].data, "z");
  EXPECT_EQ((*many)[1].children.front(), "b");
  EXPECT_EQ(async.get_acl(path).wait()->acl.size(), 1U);
  EXPECT_EQ(async.verify_lock(path, Token(7)).wait().code(), ErrorCode::kNotHolder);
  EXPECT_EQ((*async.session_show(*a.session()).wait())->id, *a.session());

  EXPECT_GT(async.hot_paths().wait()->window.count(), 0);
  std::string names;
  EXPECT_TRUE(
      async.for_each_child(path, [&](const std::string& name) { return (names += name, true); }).wait().ok());
  EXPECT_EQ(names, "b");
  EXPECT_EQ(async.for_each_child(path + "-missing", [](const std::string&) { return true; }).wait().code(),
            ErrorCode::kNoNode);
  EXPECT_EQ(async.read_snapshot([](const SnapshotPart&) { return Status(); }).wait().code(),
            ErrorCode::kDenied);

  std::promise<std::string> told;
  const auto on_changes = [&, first = true](const Result<Changes>& changes) mutable {
    if (!changes.ok() || changes->events.empty() || !std::exchange(first, false)) return;
    told.set_value(changes->events[0].path);
  };
  const Result<ChangeFeed> feed = async.watch_changes(path, {}, on_changes).wait();
  ASSERT_TRUE(feed.ok()) << feed.error().message;
  Watch watch;
  ASSERT_TRUE(async.get(path, &watch).future().get().ok());
  EXPECT_TRUE(async.remove_all(path).wait().ok());
  EXPECT_EQ(told.get_future().get().substr(0, path.size()), path);
  EXPECT_EQ(watch.wait(kLong)->kind, EventKind::kDeleted);

  Result<Lock> lock = async.acquire(path).wait();
  Result<SharedLock> shared = lock->async_downgrade().future().get();
  ASSERT_TRUE(shared.ok()) << shared.error().message;
  Result<Lock> again = shared->async_upgrade().future().get();
  ASSERT_TRUE(again.ok()) << again.error().message;
  EXPECT_GT(again->token(), lock->token());
  EXPECT_TRUE(async.break_lock(path, again->token()).wait().ok());
  EXPECT_TRUE(async.acquire_shared(path).wait().ok());
  EXPECT_TRUE(async.acquire_permit(path + "-permits", 2).wait().ok());
  const Result<LockHistory> history = async.lock_history(path).wait();
  ASSERT_TRUE(history.ok()) << history.error().message;
  ASSERT_EQ(history->places.size(), 3U);
  EXPECT_EQ(history->places[1].token, again->token());
  for (const PastPlace& place : history->places) {
    EXPECT_EQ(place.state, PlaceState::kLeft);
    ASSERT_TRUE(place.contender);
    EXPECT_EQ(place.contender->session, *a.session());
    EXPECT_GT(place.until_ms, 0);
    EXPECT_GE(place.until_ms, place.first_ms);
    EXPECT_GE(place.first_ms, place.contender->since_ms);
  }
  EXPECT_EQ(history->places[2].contender->mode, LockMode::kShared);
}

}  // namespace
}  // namespace quorate::client
