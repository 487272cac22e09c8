// What one turn of a server answers and tells, and who has to wait.
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "tests/replica/watches_fixture.h"
#include "tests/replica/zookeeper_fixture.h"

namespace quorate::server::test {
namespace {

// What is asked for at once is answered a little at a time, by what it takes and not by what it tells.
class ReplicaTurns : public ReplicaWatches {
 protected:
  static constexpr size_t kAsked = 10;
  static constexpr int kMany = 400;  // looked at for one answer, they take a turn

  void SetUp() override {
    ReplicaOptions options;
    options.turn_reply_bytes_max = 10'000;
    form(options);
    run(create("/a"));
  }
  std::string acquire(std::string path, kv::Mode mode) {
    kv::AcquireOp op;
    op.path = std::move(path);
    op.mode.mode = mode;
    const ClientReply reply =
        cluster->call(kServer, kOne, WriteRequest{++number, number, kv::Operation(std::move(op))});
    EXPECT_TRUE(reply.error.ok()) << reply.error.message;
    return std::get<kv::Outcome>(reply.body).path;
  }
  void make_children() {
    kv::MultiOp multi;
    for (int i = 0; i < kMany; ++i) multi.operations.emplace_back(create("/a/" + std::to_string(i)));
    run(std::move(multi));
  }
  // How often the rest had to wait for a turn of its own.
  size_t waits(const RequestBody& body) {
    const size_t before = cluster->node(kServer).crowded;
    std::vector<uint64_t> asked;
    for (size_t i = 0; i < kAsked; ++i) asked.push_back(cluster->send(kServer, kTwo, body));
    cluster->settle();
    for (const uint64_t id : asked) EXPECT_TRUE(cluster->reply(kServer, kTwo, id).has_value());
    return cluster->node(kServer).crowded - before;
  }
};

TEST_F(ReplicaTurns, WhatIsSoonAnsweredDoesNotWait) {
  make_children();
  EXPECT_EQ(waits(GetRequest{"/a", true, 0}), 0U);
}

TEST_F(ReplicaTurns, APageOfSessionsTakesATurn) {
  for (int i = 0; i < kMany; ++i)
    ASSERT_EQ(cluster->open(kServer, ConnectionId(uint64_t(100 + i))).code, ErrorCode::kOk);
  EXPECT_EQ(waits(SessionListRequest{{}, 1, false}), kAsked);
}

TEST_F(ReplicaTurns, APageOfLocksTakesATurn) {
  for (int i = 0; i < kMany; ++i) acquire("/l" + std::to_string(i), kv::Mode::kExclusive);
  EXPECT_EQ(waits(LockListRequest{"/none", 1, ""}), kAsked);
}

TEST_F(ReplicaTurns, ShowingALockTakesATurn) {
  make_children();
  EXPECT_EQ(waits(LockShowRequest{"/a"}), kAsked) << "none of these is a place in a queue";
}

TEST_F(ReplicaTurns, VerifyingATokenAmongMostHoldersTakesATurn) {
  std::string last;
  for (int i = 0; i < kMany; ++i) last = acquire("/l", kv::Mode::kShared);
  EXPECT_EQ(waits(LockVerifyRequest{"/l", Token(1)}), kAsked);
  EXPECT_EQ(waits(LockPlaceRequest{last}), kAsked);
}

TEST_F(ReplicaTurns, APageOfChildrenTakesATurn) {
  make_children();
  EXPECT_EQ(waits(ChildrenPageRequest{"/a", "none", {}, 1}), kAsked) << "looked through for the prefix";
  const Zxid made = cluster->replica(kServer).state().zxid();
  EXPECT_EQ(waits(ChildrenPageRequest{"/a", "", kv::ChildCursor{made, kMany / 2, "none"}, 1}), kAsked)
      << "walked to the cursor's place";
}

TEST_F(ReplicaTurns, WalkingTheHistoryTakesATurn) {
  const Zxid since = cluster->replica(kServer).state().zxid();
  for (int i = 0; i < kMany; ++i) run(set("/a", "x"));
  EXPECT_EQ(waits(WatchSinceRequest{1, "/b", since, true, true}), kAsked);
}

TEST_F(ReplicaTurns, LookingForTheDeepestNodeOnTheWayTakesSomeOfATurn) {
  std::string deep;
  while (deep.size() < 4'000) deep += "/b";
  EXPECT_GE(waits(QuotaRequest{deep}), kAsked / 4);
}

// One entry, told to each of many watches, is as much as all of them together.
TEST_F(ReplicaWatches, AConnectionThatWouldBeToldTooMuchAtOnceIsClosed) {
  constexpr uint64_t kFeeds = 200;
  constexpr int kChanges = 500;
  ReplicaOptions options;
  options.turn_told_bytes_max = 100'000;
  form(options);
  for (uint64_t feed = 1; feed <= kFeeds; ++feed) {
    const ClientReply reply = cluster->call(kServer, kTwo, WatchSinceRequest{feed, "/", {}, true});
    ASSERT_TRUE(reply.error.ok());
  }
  ASSERT_TRUE(cluster->call(kServer, kThree, WatchSinceRequest{1, "/", {}, true}).error.ok());
  kv::MultiOp multi;
  for (int i = 0; i < kChanges; ++i) multi.operations.emplace_back(create("/" + std::to_string(i)));
  run(std::move(multi));
  EXPECT_TRUE(told().empty());
  EXPECT_TRUE(cluster->node(kServer).closed.contains(kTwo));
  EXPECT_FALSE(cluster->node(kServer).closed.contains(kThree)) << "it has room for its own";
  const auto batches = cluster->events<kv::FeedBatch>(kServer, kThree);
  ASSERT_EQ(batches.size(), 1U);
  EXPECT_EQ(batches[0].changes.size(), size_t{kChanges});
  run(create("/later"));
  EXPECT_TRUE(told().empty());
  EXPECT_EQ(cluster->events<kv::FeedBatch>(kServer, kThree).size(), 2U);
}

TEST_F(ReplicaWatches, ManySmallTurnsOfAFeedHaveRoomEach) {
  ReplicaOptions options;
  options.turn_told_bytes_max = 1'000;
  form(options);
  ASSERT_TRUE(watch("/").error.ok());
  for (int i = 0; i < 50; ++i) run(create("/" + std::to_string(i)));
  EXPECT_EQ(told().size(), 50U);
  EXPECT_FALSE(cluster->node(kServer).closed.contains(kTwo));
}

// Few changes to each of many, in many entries: the turn ends between two of them.
TEST_F(ReplicaWatches, ATurnTellsNoMoreThanThereIsRoomFor) {
  constexpr uint64_t kClients = 50, kFeeds = 20;
  constexpr size_t kEntries = 100;
  ReplicaOptions options;
  options.turn_all_told_bytes_max = 1 << 20;
  form(options);
  for (uint64_t client = 0; client < kClients; ++client) {
    for (uint64_t feed = 1; feed <= kFeeds; ++feed)
      cluster->send(kServer, ConnectionId(100 + client), WatchSinceRequest{feed, "/", {}, true});
  }
  cluster->settle();
  cluster->node(kServer).most_told = 0;
  for (size_t i = 0; i < kEntries; ++i) {
    ++number;
    cluster->send(kServer, kOne, WriteRequest{number, number, create("/" + std::to_string(i))});
  }
  cluster->settle();
  cluster->advance(100 * kMs);
  EXPECT_LE(cluster->node(kServer).most_told, 5 * kClients * kFeeds);
  for (uint64_t client = 0; client < kClients; ++client) {
    EXPECT_EQ(cluster->events<kv::FeedBatch>(kServer, ConnectionId(100 + client)).size(), kFeeds * kEntries);
  }
}

// Every watch of ZooKeeper's is told by itself.
TEST_F(ReplicaZookeeper, WhatOneEntryTellsAllTogetherHasALimit) {
  constexpr uint64_t kClients = 20;
  ReplicaOptions options;
  options.entry_told_bytes_max = 100'000;
  form(1, options);
  ASSERT_EQ(cluster->open(leader, kOne).code, ErrorCode::kOk);
  for (uint64_t client = 0; client < kClients; ++client) {
    open(leader, ConnectionId(100 + client));
    call(leader, ConnectionId(100 + client), zk::AddWatch{"/", 1});
  }
  // Told early, and not much.
  const ConnectionId modest(99);
  open(leader, modest);
  call(leader, modest, zk::AddWatch{"/0", 0});
  cluster->node(leader).most_told = 0;
  kv::MultiOp multi;
  for (int i = 0; i < 100; ++i)
    multi.operations.emplace_back(TreeOperations::create("/" + std::to_string(i)));
  ASSERT_TRUE(cluster->call(leader, kOne, WriteRequest{1, 1, kv::Operation(std::move(multi))}).error.ok());
  EXPECT_LE(cluster->node(leader).most_told, 250U);
  EXPECT_TRUE(closed(leader, ConnectionId(100)));
  EXPECT_FALSE(closed(leader, modest));
  EXPECT_EQ(cluster->events<kv::WatchEvent>(leader, modest).size(), 1U) << "all that is for it";
}

class ReplicaUnread : public ReplicaWatches {
 protected:
  // Two clients that ask and read no answer, until there is no room for what a third asks.
  void fill() {
    ReplicaOptions options;
    options.turn_reply_bytes_max = 5'000;  // one answer
    options.waiting_reads_bytes_max = 100'000;
    form(options);
    run(create("/a", std::string(5'000, 'x')));
    cluster->node(kServer).reads_nothing = true;
    for (int i = 0; i < 1'000 && code() == ErrorCode::kOk; ++i) {
      for (const ConnectionId silent : {kTwo, kThree})
        cluster->send(kServer, silent, GetRequest{"/a", true, 0});
      cluster->settle();
    }
  }
  ErrorCode code() {
    return cluster->call(kServer, ConnectionId(next++), GetRequest{"/a", true, 0}).error.code;
  }
  uint64_t next = 1'000;
};

TEST_F(ReplicaUnread, ReadsOfWhoReadsNoAnswersHaveTheLimitOfAllThatWait) {
  fill();
  EXPECT_EQ(code(), ErrorCode::kOverloaded);
  cluster->replica(kServer).step(cluster->now(), ClientLost{kTwo});
  EXPECT_EQ(code(), ErrorCode::kOk);
}

TEST_F(ReplicaUnread, WhatIsReadMakesRoomAgain) {
  fill();
  ASSERT_EQ(code(), ErrorCode::kOverloaded);
  cluster->node(kServer).reads_nothing = false;
  for (int i = 0; i < 1'000; ++i) {
    for (const ConnectionId silent : {kTwo, kThree})
      cluster->replica(kServer).step(cluster->now(), ClientDrained{silent});
    cluster->settle();
  }
  EXPECT_EQ(code(), ErrorCode::kOk);
}

TEST_F(ReplicaUnread, WhoReadsNothingForLongIsClosedWhereOthersNeedTheRoom) {
  fill();
  cluster->advance(std::chrono::seconds(59));
  EXPECT_FALSE(cluster->node(kServer).closed.contains(kTwo));
  cluster->advance(std::chrono::seconds(2));
  EXPECT_TRUE(cluster->node(kServer).dropped.contains(kTwo)) << "what is queued for it is not waited for";
  EXPECT_EQ(code(), ErrorCode::kOk);
}

// One that reads nothing stands in front for ever; whoever comes and goes behind it leaves nothing there.
TEST_F(ReplicaUnread, OfWhoCatchesUpAgainAndAgainNothingIsKept) {
  ReplicaOptions options;
  options.turn_reply_bytes_max = 5'000;
  form(options);
  run(create("/a", std::string(5'000, 'x')));
  cluster->node(kServer).reads_nothing = true;
  for (int i = 0; i < 2; ++i) cluster->send(kServer, kTwo, GetRequest{"/a", true, 0});
  cluster->settle();
  for (int i = 0; i < 200; ++i) {
    for (int asked = 0; asked < 2; ++asked) cluster->send(kServer, kThree, GetRequest{"/a", true, 0});
    cluster->advance(kMs);  // the second one waits
    for (int drained = 0; drained < 2; ++drained) {
      cluster->replica(kServer).step(cluster->now(), ClientDrained{kThree});
      cluster->settle();
    }
  }
  cluster->advance(200 * kMs);  // where it is made sure (Replica::Impl::drop_unread)
  EXPECT_FALSE(cluster->node(kServer).closed.contains(kTwo)) << "there is room";
}

// Each has its share of a turn, but there are many of them.
TEST_F(ReplicaWatches, ATurnEndsWhereAllTogetherHaveTheirAnswers) {
  constexpr uint64_t kClients = 40;
  ReplicaOptions options;
  options.turn_bytes_max = 10'000;
  form(options);
  run(create("/a", std::string(5'000, 'x')));
  std::vector<uint64_t> asked;
  for (uint64_t client = 0; client < kClients; ++client) {
    for (int i = 0; i < 2; ++i)
      asked.push_back(cluster->send(kServer, ConnectionId(100 + client), GetRequest{"/a", true, 0}));
  }
  const auto answered = [&] {
    size_t count = 0;
    for (size_t i = 0; i < asked.size(); ++i)
      count += cluster->reply(kServer, ConnectionId(100 + i / 2), asked[i]).has_value() ? 1 : 0;
    return count;
  };
  cluster->settle();
  EXPECT_LT(answered(), asked.size() / 2);
  EXPECT_LE(cluster->replica(kServer).deadline(), cluster->now().instant) << "the rest has a turn at once";
  EXPECT_EQ(cluster->node(kServer).crowded, 0U) << "it is not theirs to wait for";
  cluster->advance(50 * kMs);
  EXPECT_EQ(answered(), asked.size());
}

// What has its turn before reads are looked at does not take their share of it.
TEST_F(ReplicaZookeeper, ReadsOfZookeepersClientsDoNotKeepNativeOnesWaiting) {
  ReplicaOptions options;
  options.turn_bytes_max = 1'000;
  form(1, options);
  for (const ConnectionId connection : {kTwo, kThree}) open(leader, connection);
  ASSERT_EQ(call(leader, kTwo, create("/a", std::string(1'000, 'x'))).error, zk::ErrorCode::kOk);
  const uint64_t asked = cluster->send(leader, kOne, GetRequest{"/a", true, 0});
  for (int round = 0; round < 10 && !cluster->reply(leader, kOne, asked); ++round) {
    for (const ConnectionId connection : {kTwo, kThree}) ask(leader, connection, 1, zk::GetData{"/a", false});
    cluster->settle();
  }
  EXPECT_TRUE(cluster->reply(leader, kOne, asked).has_value());
}

}  // namespace
}  // namespace quorate::server::test
