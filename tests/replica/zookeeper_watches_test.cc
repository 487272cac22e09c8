// Watches that ZooKeeper's clients ask for again on a new connection: what they are told of nodes that may
// not be read, and where the history of changes does not reach back.
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/replica/zookeeper_fixture.h"

namespace quorate::server::test {
namespace {

using Told = std::vector<std::pair<kv::EventKind, std::string>>;

class ReplicaZookeeperWatches : public ReplicaZookeeper {
 protected:
  Told told(ConnectionId connection) {
    Told all;
    for (const auto& event : cluster->events<kv::WatchEvent>(leader, connection))
      all.emplace_back(event.kind, event.path);
    return all;
  }
  // What a new connection is told that asks for these watches, and had seen everything up to `seen`.
  Told told_again(int64_t seen, const std::function<void(zk::SetWatches&)>& fill, bool anna) {
    const ConnectionId connection(++connections);
    open(leader, connection);
    if (anna) {
      EXPECT_EQ(call(leader, connection, zk::Auth{0, "digest", "anna:secret"}).error, zk::ErrorCode::kOk);
    }
    zk::SetWatches again;
    again.second = true;
    again.relative_zxid = seen;
    fill(again);
    EXPECT_EQ(call(leader, connection, again).error, zk::ErrorCode::kOk);
    return told(connection);
  }
  zk::Create create_private(std::string path) {
    zk::Create made = create(std::move(path));
    made.acl = {{31, "auth", ""}};
    return made;
  }
  void do_all(const std::vector<zk::RequestBody>& bodies) {
    for (const zk::RequestBody& body : bodies) {
      EXPECT_EQ(call(leader, kOne, body).error, zk::ErrorCode::kOk) << static_cast<int>(zk::op_of(body));
    }
  }

  uint64_t connections = 100;
};

// ZooKeeper looks at no list of permissions here.
TEST_F(ReplicaZookeeperWatches, NoListOfSetWatchesTellsOfWhatMayNotBeRead) {
  form(1);
  open(leader, kOne);
  do_all({zk::Auth{0, "digest", "anna:secret"}, create("/open"), create_private("/private"),
          create_private("/private/set"), create_private("/private/gone"), create("/open/set")});
  const int64_t seen = replies(leader, kOne).back().zxid;
  do_all({zk::SetData{"/private", "x", -1}, zk::SetData{"/private/set", "x", -1},
          zk::Delete{"/private/gone", -1}, create_private("/private/new"),
          zk::SetData{"/open/set", "x", -1}});
  using enum kv::EventKind;
  const struct {
    const char* name;
    std::function<void(zk::SetWatches&)> fill;
    Told anna;    // in order
    Told others;  // the same
  } lists[] = {
      {"data", [](auto& again) { again.data = {"/private"}; }, {{kDataChanged, "/private"}}, {}},
      {"exist", [](auto& again) { again.exists = {"/private/new"}; }, {{kCreated, "/private/new"}}, {}},
      {"child", [](auto& again) { again.children = {"/private"}; }, {{kChildrenChanged, "/private"}}, {}},
      {"persistent",
       [](auto& again) { again.persistent = {"/private"}; },
       {{kDataChanged, "/private"}, {kChildrenChanged, "/private"}},
       {}},
      {"persistent recursive",
       [](auto& again) { again.recursive = {"/"}; },
       {{kDataChanged, "/private"},
        {kDataChanged, "/private/set"},
        {kDeleted, "/private/gone"},
        {kCreated, "/private/new"},
        {kDataChanged, "/open/set"}},
       {{kDataChanged, "/open/set"}}},
  };
  for (const auto& list : lists) {
    EXPECT_EQ(told_again(seen, list.fill, true), list.anna) << list.name;
    EXPECT_EQ(told_again(seen, list.fill, false), list.others) << list.name;
  }
}

// What is missed is told, however often it is asked for: only the number of those asked for bounds it.
TEST_F(ReplicaZookeeperWatches, NoMoreAreBroughtBackThanAConnectionMayHave) {
  ReplicaOptions options;
  options.watches.per_connection_max = 4;
  form(1, options);
  open(leader, kOne);
  do_all({create("/a"), create("/a/b")});
  zk::SetWatches again;
  again.data = again.children = {"/a", "/a"};
  EXPECT_EQ(call(leader, kOne, again).error, zk::ErrorCode::kOk);
  EXPECT_EQ(told(kOne).size(), 4U);
  again.exists = {"/a"};
  EXPECT_EQ(call(leader, kOne, again).error, zk::ErrorCode::kQuotaExceeded);
  EXPECT_EQ(told(kOne).size(), 4U);
  EXPECT_FALSE(closed(leader, kOne));
}

// Whoever may list the children may know that one came or went, whoever may read that one.
TEST_F(ReplicaZookeeperWatches, AChildThatMayNotBeReadIsAChildAllTheSame) {
  form(1);
  open(leader, kOne);
  do_all({zk::Auth{0, "digest", "anna:secret"}, create("/comes"), create("/goes"), create_private("/goes/it"),
          create("/same"), create_private("/same/set")});
  const int64_t seen = replies(leader, kOne).back().zxid;
  do_all({create_private("/comes/it"), zk::Delete{"/goes/it", -1}, zk::SetData{"/same/set", "x", -1}});
  const Told changed = {{kv::EventKind::kChildrenChanged, "/comes"},
                        {kv::EventKind::kChildrenChanged, "/goes"}};
  const auto persistent = [](auto& again) { again.persistent = {"/comes", "/goes", "/same"}; };
  EXPECT_EQ(told_again(seen, persistent, false), changed);
  EXPECT_EQ(told_again(seen, persistent, true), changed);
  const auto one_shot = [](auto& again) { again.children = {"/comes", "/goes", "/same"}; };
  EXPECT_EQ(told_again(seen, one_shot, false), changed);
}

// It is watched from there on, and told of once it may be read.
TEST_F(ReplicaZookeeperWatches, WhatMayNotBeReadIsWatchedOn) {
  form(1);
  open(leader, kOne);
  do_all({zk::Auth{0, "digest", "anna:secret"}, create_private("/private")});
  const int64_t seen = replies(leader, kOne).back().zxid;
  do_all({zk::SetData{"/private", "x", -1}});
  const auto fill = [](auto& again) { again.data = {"/private"}; };
  EXPECT_EQ(told_again(seen, fill, false), Told());
  do_all({zk::SetData{"/private", "y", -1}, zk::SetAcl{"/private", kOpen, -1},
          zk::SetData{"/private", "z", -1}});
  EXPECT_EQ(told(ConnectionId(connections)), (Told{{kv::EventKind::kDataChanged, "/private"}}));
}

// All that are asked about are looked for at once, however often they are named and wherever they overlap.
TEST_F(ReplicaZookeeperWatches, WatchesThatOverlapAreToldEachChangeOnce) {
  using enum kv::EventKind;
  form(1);
  open(leader, kOne);
  do_all({create("/t"), create("/t/a"), create("/tea"), create("/p")});
  const int64_t seen = replies(leader, kOne).back().zxid;
  do_all({zk::SetData{"/t/a", "x", -1}, create("/t/a/b"), zk::SetData{"/tea", "x", -1}, create("/p/child")});
  const auto fill = [](auto& again) {
    again.persistent = {"/t/a", "/p", "/t/a"};
    again.recursive = {"/t", "/t/a", "/t"};
  };
  EXPECT_EQ(told_again(seen, fill, false), (Told{{kDataChanged, "/t/a"},
                                                 {kCreated, "/t/a/b"},
                                                 {kChildrenChanged, "/t/a"},
                                                 {kChildrenChanged, "/p"}}));
}

class ReplicaZookeeperForgets : public ReplicaZookeeperWatches {
 protected:
  // Some changes below "/t" and of "/p" that the history has forgotten; gives what was seen before.
  int64_t forget() {
    ReplicaOptions options;
    options.kv.history_bytes_max = 1'000;
    form(1, options);
    open(leader, kOne);
    do_all({zk::Auth{0, "digest", "anna:secret"}, create("/t"), create("/t/a"), create("/p"), create("/gone"),
            create_private("/private"), create("/other")});
    const int64_t seen = replies(leader, kOne).back().zxid;
    do_all({zk::SetData{"/t/a", "x", -1}, zk::SetData{"/p", "x", -1}, create("/p/child"),
            zk::Delete{"/gone", -1}, zk::SetData{"/private", "x", -1}});
    for (int i = 0; i < 100; ++i) do_all({zk::SetData{"/other", std::to_string(i), -1}});
    EXPECT_GT(cluster->replica(leader).state().history_floor().value(), static_cast<uint64_t>(seen) + 5);
    return seen;
  }
};

// Each watched node is told of, so that the client reads again: nothing of what was forgotten is passed over
// in silence.
TEST_F(ReplicaZookeeperForgets, WhoeverWatchesIsToldToReadAgain) {
  const int64_t seen = forget();
  using enum kv::EventKind;
  EXPECT_EQ(told_again(
                seen, [](auto& again) { again.recursive = {"/t"}; }, false),
            (Told{{kDataChanged, "/t"}}));
  EXPECT_EQ(told_again(
                seen, [](auto& again) { again.persistent = {"/p"}; }, false),
            (Told{{kDataChanged, "/p"}, {kChildrenChanged, "/p"}}));
  EXPECT_EQ(told_again(
                seen, [](auto& again) { again.persistent = {"/gone"}; }, false),
            (Told{{kDeleted, "/gone"}}));
  EXPECT_EQ(told_again(
                seen, [](auto& again) { again.recursive = {"/gone"}; }, false),
            (Told{{kDeleted, "/gone"}}));
  EXPECT_EQ(told_again(
                seen, [](auto& again) { again.persistent = {"/private"}; }, true),
            (Told{{kDataChanged, "/private"}, {kChildrenChanged, "/private"}}));
  EXPECT_EQ(told_again(
                seen, [](auto& again) { again.persistent = {"/private"}; }, false),
            Told());
  EXPECT_EQ(told_again(
                seen, [](auto& again) { again.recursive = {"/private"}; }, false),
            Told());
}

TEST_F(ReplicaZookeeperForgets, AndWatchesOnWithoutTellingTwice) {
  const int64_t seen = forget();
  const auto fill = [](auto& again) {
    again.recursive = {"/t"};
    again.persistent = {"/p"};
  };
  EXPECT_EQ(told_again(seen, fill, false).size(), 3U);
  do_all({zk::SetData{"/t/a", "y", -1}, create("/p/more")});
  const Told all = told(ConnectionId(connections));
  EXPECT_EQ(Told(all.begin() + 3, all.end()),
            (Told{{kv::EventKind::kDataChanged, "/t/a"}, {kv::EventKind::kChildrenChanged, "/p"}}));
  // What was seen since then is within the history: nothing is told that did not happen.
  const int64_t now = replies(leader, kOne).back().zxid;
  EXPECT_EQ(told_again(now, fill, false), Told());
}

}  // namespace
}  // namespace quorate::server::test
