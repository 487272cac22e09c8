// What clients are told of changes, and answers that wait for room.
#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <array>

#include "tests/replica/watches_fixture.h"

namespace quorate::server::test {
namespace {

using kv::StateMachine;

using test::kOne;
using test::kTwo;

using Paths = std::vector<std::string>;

TEST_F(ReplicaWatches, FromNowOnTellsEachChangeOfTheTree) {
  form();
  run(create("/a"));
  const ClientReply reply = watch("/a");
  const auto& changes = std::get<ChangesReply>(reply.body);
  EXPECT_TRUE(changes.live);
  EXPECT_TRUE(changes.changes.empty());
  EXPECT_EQ(changes.up_to, cluster->replica(kServer).state().zxid());
  run(create("/a/b"));
  run(set("/a/b", "x"));
  run(create("/c"));
  run(set("/a", "x"));
  EXPECT_EQ(told(), (Paths{"/a/b", "/a/b", "/a"}));
}

TEST_F(ReplicaWatches, NotRecursivelyTellsTheNodeAndItsChildren) {
  form();
  run(create("/a"));
  ASSERT_TRUE(watch("/a", {}, false).error.ok());
  run(create("/a/b"));
  run(set("/a/b", "x"));
  run(create("/a/b/c"));
  run(set("/a", "x"));
  EXPECT_EQ(told(), (Paths{"/a/b", "/a"}));
}

TEST_F(ReplicaWatches, AnotherClustersZxidIsRefused) {
  form();
  EXPECT_EQ(watch("/a", Zxid(1'000'000)).error.code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(watch("no path").error.code, ErrorCode::kBadPath);
}

TEST_F(ReplicaWatches, ARemovedFeedIsSilent) {
  form();
  ASSERT_TRUE(watch("/").error.ok());
  ASSERT_TRUE(cluster->call(kServer, kTwo, RemoveWatchRequest{7}).error.ok());
  run(create("/a"));
  EXPECT_TRUE(told().empty());
}

TEST_F(ReplicaWatches, ALimitOfWatchesIsTheAnswerOfEachRequestThatSetsOne) {
  ReplicaOptions options;
  options.watches.per_connection_max = 1;
  form(options);
  run(create("/a"));
  ASSERT_TRUE(cluster->call(kServer, kTwo, GetRequest{"/a", true, 1}).error.ok());
  EXPECT_EQ(cluster->call(kServer, kTwo, GetRequest{"/a", true, 2}).error.code, ErrorCode::kLimitReached);
  EXPECT_EQ(cluster->call(kServer, kTwo, ChildrenRequest{"/a", 3}).error.code, ErrorCode::kLimitReached);
  EXPECT_EQ(
      cluster->call(kServer, kTwo, ResumeWatchRequest{4, kv::WatchKind::kData, "/b", {}, false}).error.code,
      ErrorCode::kLimitReached);
  EXPECT_EQ(watch("/a").error.code, ErrorCode::kLimitReached);
  EXPECT_TRUE(cluster->call(kServer, kTwo, GetRequest{"/a", true, 0}).error.ok());
}

// An event stands before the answer of every read that shows its change, on the same connection.
TEST_F(ReplicaWatches, AnEventComesBeforeAnAnswerThatShowsItsChange) {
  form();
  run(create("/a"));
  ASSERT_TRUE(cluster->call(kServer, kTwo, GetRequest{"/a", true, 1}).error.ok());
  ASSERT_TRUE(watch("/").error.ok());
  auto& inbox = cluster->node(kServer).inbox[kTwo];
  inbox.clear();
  cluster->send(kServer, kOne, WriteRequest{++number, number, set("/a", "new")});
  cluster->send(kServer, kTwo, GetRequest{"/a", true, 0});
  cluster->settle();
  cluster->advance(kMs * 50);
  cluster->send(kServer, kTwo, GetRequest{"/a", true, 0});
  cluster->settle();
  size_t events = 0;
  size_t shown = 0;
  for (const ClientMessage& message : inbox) {
    const auto* reply = std::get_if<ClientReply>(&message.body);
    if (reply == nullptr) {
      ++events;
      continue;
    }
    const auto* node = std::get_if<NodeReply>(&reply->body);
    ASSERT_NE(node, nullptr);
    if (node->data != "new") continue;
    ++shown;
    EXPECT_EQ(events, 2u) << "an answer overtook an event";
  }
  EXPECT_GE(shown, 1u);
}

TEST_F(ReplicaWatches, ThePastIsToldFirst) {
  form();
  const Zxid since = run(create("/a"));
  run(create("/a/b"));
  run(create("/c"));
  run(set("/a/b", "x"));
  const ClientReply reply = watch("/a", since);
  const auto& changes = std::get<ChangesReply>(reply.body);
  ASSERT_EQ(changes.changes.size(), 2u);
  EXPECT_EQ(changes.changes[0].kind, kv::Change::Kind::kCreated);
  EXPECT_EQ(changes.changes[1].kind, kv::Change::Kind::kDataSet);
  EXPECT_EQ(changes.up_to, cluster->replica(kServer).state().zxid());
  EXPECT_TRUE(changes.live);
  run(set("/a", "y"));
  EXPECT_EQ(told(), Paths{"/a"});
}

TEST_F(ReplicaWatches, AnAnswerIsCutBetweenEntriesAndAskedForAgain) {
  ReplicaOptions options;
  options.reply_bytes_max = 300;
  form(options);
  const Zxid since = run(create("/a"));
  std::vector<Zxid> zxids;
  for (int i = 0; i < 20; ++i) zxids.push_back(run(create("/a/" + std::to_string(i))));
  std::vector<Zxid> told_zxids;
  Zxid at = since;
  for (int parts = 1;; ++parts) {
    const ClientReply reply = watch("/a", at);
    ASSERT_TRUE(reply.error.ok()) << reply.error.message;
    const auto& changes = std::get<ChangesReply>(reply.body);
    for (const auto& change : changes.changes) told_zxids.push_back(change.zxid);
    ASSERT_GT(changes.up_to, at);
    at = changes.up_to;
    if (!changes.live) continue;
    EXPECT_GT(parts, 2);
    break;
  }
  EXPECT_EQ(told_zxids, zxids);
}

TEST_F(ReplicaWatches, AnEntryThatHasNoRoomInAnAnswerIsSaidToBeGone) {
  ReplicaOptions options;
  options.reply_bytes_max = 300;
  form(options);
  const Zxid since = run(create("/a"));
  kv::MultiOp multi;
  for (int i = 0; i < 20; ++i) multi.operations.emplace_back(create("/a/" + std::to_string(i)));
  run(std::move(multi));
  EXPECT_EQ(watch("/a", since).error.code, ErrorCode::kHistoryGone);
}

class PastOfALock : public ReplicaWatches {
 protected:
  // Takes the lock and gives it up. `times` in one entry.
  Zxid take_and_leave(size_t times = 1) {
    kv::MultiOp releases;
    for (size_t i = 0; i < times; ++i) {
      const ClientReply reply = cluster->call(
          kServer, kOne, WriteRequest{++number, number, kv::Operation(kv::AcquireOp{"/l", "me"})});
      releases.operations.emplace_back(kv::DeleteOp{std::get<kv::Outcome>(reply.body).path, -1});
    }
    return run(std::move(releases));
  }
  ChangesReply past(Zxid since) {
    WatchSinceRequest request{7, "/l", since, true, true};
    const ClientReply reply = cluster->call(kServer, kTwo, request);
    EXPECT_TRUE(reply.error.ok()) << reply.error.message;
    return std::get<ChangesReply>(reply.body);
  }
};

TEST_F(PastOfALock, SaysWhoLeftAndSetsNoWatch) {
  form();
  const Zxid since = run(create("/l"));
  const Zxid left = take_and_leave();
  const ChangesReply told_past = past(since);
  EXPECT_EQ(told_past.up_to, left);
  EXPECT_FALSE(told_past.live);
  ASSERT_EQ(told_past.changes.size(), 2u);
  ASSERT_NE(told_past.changes[1].left, nullptr);
  EXPECT_EQ(told_past.changes[1].left->name, "me");
  EXPECT_EQ(told_past.changes[1].left->session, cluster->replica(kServer).state().sessions().front().id);
  take_and_leave();
  EXPECT_TRUE(told().empty());
  EXPECT_EQ(past(Zxid()).floor, cluster->replica(kServer).state().history_floor());
}

// A feed says what changed and no more: it costs others nothing.
TEST_F(PastOfALock, IsNotToldByAFeed) {
  form();
  const Zxid since = run(create("/l"));
  take_and_leave();
  const ClientReply reply = watch("/l", since);
  const auto& changes = std::get<ChangesReply>(reply.body).changes;
  ASSERT_EQ(changes.size(), 2u);
  for (const auto& change : changes) EXPECT_EQ(change.left, nullptr);
  take_and_leave();
  for (const auto& batch : cluster->events<kv::FeedBatch>(kServer, kTwo))
    for (const auto& change : batch.changes) EXPECT_EQ(change.left, nullptr);
  EXPECT_EQ(told().size(), 2u);
}

TEST_F(PastOfALock, ComesInPartsAndWithoutWhoLeftWhereThatHasNoRoom) {
  ReplicaOptions options;
  options.reply_bytes_max = 900;
  form(options);
  const Zxid since = run(create("/l"));
  Zxid last = take_and_leave(3);
  take_and_leave(12);
  last = take_and_leave(3);
  size_t parts = 0, who = 0, left = 0;
  for (Zxid at = since; at < last; ++parts) {
    const ChangesReply part = past(at);
    ASSERT_GT(part.up_to, at);
    at = part.up_to;
    for (const auto& change : part.changes) {
      left += change.kind == kv::Change::Kind::kDeleted ? 1 : 0;
      who += change.left != nullptr ? 1 : 0;
    }
  }
  EXPECT_EQ(left, 18u);
  EXPECT_EQ(who, 6u) << "twelve of one entry fit as changes alone";
  EXPECT_GT(parts, 2u);
}

TEST_F(ReplicaWatches, ProgressIsToldWhileOthersChange) {
  ReplicaOptions options;
  options.kv.history_bytes_max = 8'000;
  form(options);
  run(create("/a"));
  run(create("/b"));
  ASSERT_TRUE(watch("/a").error.ok());
  Zxid last;
  for (int i = 0; i < 200; ++i) last = run(set("/b", "x"));
  const auto progress = cluster->events<ProgressEvent>(kServer, kTwo);
  ASSERT_GE(progress.size(), 4u);
  EXPECT_GT(progress.back().zxid.value() + 40, last.value());
  EXPECT_TRUE(told().empty());
}

TEST_F(ReplicaWatches, TooManyChildrenForOneAnswerAreRefused) {
  ReplicaOptions options;
  options.reply_bytes_max = 100;
  form(options);
  for (char c = 'a'; c <= 'e'; ++c) run(create("/" + std::string(20, c)));
  const ClientReply reply = cluster->call(kServer, kTwo, ChildrenRequest{"/", 0});
  EXPECT_EQ(reply.error.code, ErrorCode::kTooLarge);
  EXPECT_NE(reply.error.message.find("pages"), std::string::npos);
}

// Fifty answers of 1 MB asked for at once: each comes, and no output holds more than two.
TEST_F(ReplicaWatches, LargeAnswersWaitForRoom) {
  form();
  run(create("/a", std::string(1'000'000, 'x')));
  std::vector<uint64_t> asked;
  for (int i = 0; i < 50; ++i) asked.push_back(cluster->send(kServer, kTwo, GetRequest{"/a", true, 0}));
  asked.push_back(cluster->send(kServer, kOne, PingRequest{}));
  cluster->settle();
  cluster->advance(kMs * 100);
  for (size_t i = 0; i + 1 < asked.size(); ++i) {
    const auto reply = cluster->reply(kServer, kTwo, asked[i]);
    ASSERT_TRUE(reply.has_value()) << i;
    EXPECT_EQ(std::get<NodeReply>(reply->body).data.size(), 1'000'000u);
  }
  EXPECT_TRUE(cluster->reply(kServer, kOne, asked.back()).has_value());
  EXPECT_GE(cluster->node(kServer).crowded, 24u);
}

TEST_F(ReplicaWatches, AClientThatGoesWhileItsAnswersWaitIsForgotten) {
  form();
  run(create("/a", std::string(1'000'000, 'x')));
  Replica& replica = cluster->replica(kServer);
  for (uint64_t i = 0; i < 10; ++i)
    replica.step(cluster->now(), ClientReceived{{kTwo, i, GetRequest{"/a", true, 0}}});
  replica.step(cluster->now(), ClientLost{kTwo});
  cluster->settle();
  cluster->advance(kMs * 50);
  EXPECT_EQ(replica.status().connections, 1u);
}

// A client that watches a tree loses its connection at random points, also between two parts of an answer. It
// sees each change once and in order, or is told that the history is gone, and only when it is.
RC_GTEST_PROP(ResumedWatches, SeeEachChangeOnceOrAreToldThatTheHistoryIsGone, ()) {
  ReplicaOptions options;
  options.kv.history_bytes_max = 600;
  options.reply_bytes_max = 200;
  Cluster cluster(1, options);
  const ServerId server{1};
  RC_ASSERT(cluster.elect() == server);
  RC_ASSERT(cluster.open(server, kOne).code == ErrorCode::kOk);
  using Seen = std::vector<std::pair<uint64_t, std::string>>;
  Seen happened, seen;
  uint64_t number = 0;
  uint64_t connection = 10;
  Zxid complete;
  size_t taken = 0;  // batches of this connection
  bool live = false;
  const auto take = [&] {
    const auto batches = cluster.events<kv::FeedBatch>(server, ConnectionId(connection));
    for (; taken < batches.size(); ++taken) {
      RC_ASSERT(batches[taken].zxid > complete);
      for (const auto& change : batches[taken].changes) seen.emplace_back(change.zxid.value(), change.path);
      complete = batches[taken].zxid;
    }
  };
  const auto ask = [&] {
    const auto watch = [&] {
      return cluster.call(server, ConnectionId(connection), WatchSinceRequest{1, "/t", complete, true});
    };
    ClientReply reply = watch();
    if (reply.error.code == ErrorCode::kHistoryGone) {
      RC_ASSERT(cluster.replica(server).state().history_floor() > complete);
      complete = Zxid();
      seen.clear();
      happened.clear();
      reply = watch();
    }
    RC_ASSERT(reply.error.ok());
    const auto& part = std::get<ChangesReply>(reply.body);
    RC_ASSERT(part.floor == cluster.replica(server).state().history_floor());
    for (const auto& change : part.changes) seen.emplace_back(change.zxid.value(), change.path);
    complete = part.up_to;
    live = part.live;
  };
  const auto step = [&](uint8_t what, uint8_t pick) {
    if (what % 8 == 0) {  // the connection breaks, with what it had sent read or unread
      if (pick % 2 == 0) take();
      cluster.replica(server).step(cluster.now(), ClientLost{ConnectionId(connection)});
      ++connection;
      taken = 0;
      live = false;
    } else if (!live && what % 8 < 4) {
      ask();
    } else {
      const std::string path = pick % 5 == 0 ? "/u" : "/t/" + std::to_string(pick % 4);
      kv::Operation operation = TreeOperations::set(path, "x");
      if (what % 8 == 5) operation = kv::DeleteOp{path, -1, false};
      if (what % 8 == 6) {
        kv::CreateOp op = TreeOperations::create(path);
        op.parents = true;
        operation = op;
      }
      const ClientReply reply = cluster.call(server, kOne, WriteRequest{++number, number, operation});
      if (!reply.error.ok() || path == "/u") return;
      // Its parent is made along with it, once.
      if (what % 8 == 6 && cluster.replica(server).state().get("/t")->stat.czxid == reply.zxid)
        happened.emplace_back(reply.zxid.value(), "/t");
      happened.emplace_back(reply.zxid.value(), path);
    }
  };
  const auto steps = *rc::gen::scale(3.0, rc::gen::arbitrary<std::vector<std::array<uint8_t, 2>>>());
  ask();
  for (const auto& [what, pick] : steps) step(what, pick);
  while (!live) ask();
  take();
  RC_ASSERT(seen == happened);
}

}  // namespace
}  // namespace quorate::server::test
