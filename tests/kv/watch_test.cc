#include <gtest/gtest.h>

#include <map>
#include <set>

#include "base/checksum.h"
#include "kv/watch_paths.h"
#include "kv/watch_table.h"
#include "tests/kv/machine.h"

namespace quorate::kv {
namespace {

constexpr ConnectionId kOne{1};
constexpr ConnectionId kTwo{2};
constexpr ConnectionId kThree{3};

class Watches : public ::testing::Test {
 protected:
  std::vector<WatchEvent> run(Operation operation) {
    return table.fire(machine.apply_as(session, std::move(operation))).events;
  }
  // The kinds of the events, having checked that all are for `path`.
  std::vector<EventKind> kinds(const std::vector<WatchEvent>& events, std::string_view path) {
    std::vector<EventKind> kinds;
    for (const WatchEvent& event : events) {
      EXPECT_EQ(event.path, path);
      EXPECT_EQ(event.zxid, machine.state.zxid());
      kinds.push_back(event.kind);
    }
    return kinds;
  }

  static std::vector<EventKind> kinds_only(const std::vector<WatchEvent>& events) {
    std::vector<EventKind> kinds;
    for (const WatchEvent& event : events) kinds.push_back(event.kind);
    return kinds;
  }

  Machine machine;
  SessionId session = machine.open();
  WatchTable table;
};

using Kinds = std::vector<EventKind>;

TEST_F(Watches, DataWatchesSeeCreationChangeAndDeletion) {
  ASSERT_TRUE(table.add(kOne, 1, WatchKind::kData, "/a").ok());
  EXPECT_EQ(kinds(run(create("/a")), "/a"), Kinds{EventKind::kCreated});
  ASSERT_TRUE(table.add(kOne, 1, WatchKind::kData, "/a").ok());
  EXPECT_EQ(kinds(run(SetOp{"/a", "x", -1}), "/a"), Kinds{EventKind::kDataChanged});
  ASSERT_TRUE(table.add(kOne, 1, WatchKind::kData, "/a").ok());
  EXPECT_EQ(kinds(run(DeleteOp{"/a", -1}), "/a"), Kinds{EventKind::kDeleted});
  EXPECT_EQ(table.size(), 0u);
}

TEST_F(Watches, ChildWatchesSeeChildrenComeAndGo) {
  run(create("/a"));
  ASSERT_TRUE(table.add(kOne, 1, WatchKind::kChildren, "/a").ok());
  EXPECT_TRUE(run(SetOp{"/a", "x", -1}).empty());
  EXPECT_EQ(kinds(run(create("/a/b")), "/a"), Kinds{EventKind::kChildrenChanged});
  ASSERT_TRUE(table.add(kOne, 1, WatchKind::kChildren, "/a").ok());
  EXPECT_TRUE(run(SetOp{"/a/b", "x", -1}).empty());
  EXPECT_TRUE(run(create("/a/b/c")).empty());
  run(DeleteOp{"/a/b/c", -1});
  EXPECT_EQ(kinds(run(DeleteOp{"/a/b", -1}), "/a"), Kinds{EventKind::kChildrenChanged});
  ASSERT_TRUE(table.add(kOne, 1, WatchKind::kChildren, "/a").ok());
  EXPECT_EQ(kinds(run(DeleteOp{"/a", -1}), "/a"), Kinds{EventKind::kDeleted});
  EXPECT_EQ(table.size(), 0u);
}

TEST_F(Watches, TheRootHasChildWatches) {
  ASSERT_TRUE(table.add(kOne, 1, WatchKind::kChildren, "/").ok());
  EXPECT_EQ(kinds(run(create("/a")), "/"), Kinds{EventKind::kChildrenChanged});
}

TEST_F(Watches, AWatchFiresOnce) {
  run(create("/a"));
  ASSERT_TRUE(table.add(kOne, 1, WatchKind::kData, "/a").ok());
  EXPECT_EQ(run(SetOp{"/a", "x", -1}).size(), 1u);
  EXPECT_TRUE(run(SetOp{"/a", "y", -1}).empty());
}

TEST_F(Watches, AtMostOneEventAWatchInOneEntry) {
  run(create_ephemeral("/a"));
  run(create_ephemeral("/b"));
  ASSERT_TRUE(table.add(kOne, 1, WatchKind::kChildren, "/").ok());
  EXPECT_EQ(run(CloseSessionOp{}).size(), 1u);
}

TEST_F(Watches, EventsComeInTheOrderOfChangesThenOfRegistration) {
  run(create_ephemeral("/b"));
  run(create_ephemeral("/a"));
  ASSERT_TRUE(table.add(kTwo, 5, WatchKind::kData, "/a").ok());
  ASSERT_TRUE(table.add(kTwo, 4, WatchKind::kData, "/b").ok());
  ASSERT_TRUE(table.add(kOne, 3, WatchKind::kData, "/b").ok());
  const std::vector<WatchEvent> events = run(CloseSessionOp{});
  ASSERT_EQ(events.size(), 3u);
  EXPECT_EQ(events[0].watch, 4u);
  EXPECT_EQ(events[0].connection, kTwo);
  EXPECT_EQ(events[1].watch, 3u);
  EXPECT_EQ(events[2].watch, 5u);
}

TEST_F(Watches, BothKindsOnOnePathAreTwoWatches) {
  run(create("/a"));
  ASSERT_TRUE(table.add(kOne, 1, WatchKind::kData, "/a").ok());
  ASSERT_TRUE(table.add(kOne, 2, WatchKind::kChildren, "/a").ok());
  EXPECT_EQ(kinds(run(DeleteOp{"/a", -1}), "/a"), (Kinds{EventKind::kDeleted, EventKind::kDeleted}));
}

TEST_F(Watches, ASecondRegistrationReplacesTheFirst) {
  ASSERT_TRUE(table.add(kOne, 1, WatchKind::kData, "/a").ok());
  ASSERT_TRUE(table.add(kOne, 1, WatchKind::kData, "/b").ok());
  EXPECT_EQ(table.size(), 1u);
  EXPECT_TRUE(run(create("/a")).empty());
  EXPECT_EQ(run(create("/b")).size(), 1u);
}

TEST_F(Watches, RemovedWatchesAreSilent) {
  ASSERT_TRUE(table.add(kOne, 1, WatchKind::kData, "/a").ok());
  table.remove(kOne, 1);
  table.remove(kOne, 1);
  table.remove(kTwo, 1);
  EXPECT_EQ(table.size(), 0u);
  EXPECT_TRUE(run(create("/a")).empty());
}

TEST_F(Watches, AConnectionTakesItsWatchesAlong) {
  for (uint64_t i = 0; i < 10; ++i) {
    ASSERT_TRUE(
        table.add(kOne, i, i % 2 == 0 ? WatchKind::kData : WatchKind::kChildren, "/" + std::to_string(i % 3))
            .ok());
    ASSERT_TRUE(table.add(kTwo, i, WatchKind::kData, "/" + std::to_string(i % 3)).ok());
  }
  table.drop_connection(kOne);
  EXPECT_EQ(table.size(), 10u);
  const std::vector<WatchEvent> events = run(create("/0"));
  EXPECT_EQ(events.size(), 4u);
  for (const WatchEvent& event : events) EXPECT_EQ(event.connection, kTwo);
  table.drop_connection(kTwo);
  EXPECT_EQ(table.size(), 0u);
  table.drop_connection(kTwo);
}

// ---- watches that stay

TEST_F(Watches, APersistentWatchSeesItsNodeAndItsChildren) {
  ASSERT_TRUE(table.add(kOne, 1, WatchKind::kPersistent, "/a").ok());
  EXPECT_EQ(kinds(run(create("/a")), "/a"), Kinds{EventKind::kCreated});
  EXPECT_EQ(kinds(run(SetOp{"/a", "x", -1}), "/a"), Kinds{EventKind::kDataChanged});
  EXPECT_EQ(kinds(run(create("/a/b")), "/a"), Kinds{EventKind::kChildrenChanged});
  EXPECT_TRUE(run(create("/a/b/c")).empty());
  run(DeleteOp{"/a/b/c", -1});
  EXPECT_EQ(kinds(run(DeleteOp{"/a/b", -1}), "/a"), Kinds{EventKind::kChildrenChanged});
  EXPECT_EQ(kinds(run(DeleteOp{"/a", -1}), "/a"), Kinds{EventKind::kDeleted});
  EXPECT_EQ(table.size(), 1u);
}

TEST_F(Watches, ARecursiveWatchTellsTheChangedPathAndNeverChildrenChanged) {
  ASSERT_TRUE(table.add(kOne, 1, WatchKind::kRecursive, "/a").ok());
  EXPECT_TRUE(run(create("/ab")).empty());
  EXPECT_EQ(kinds(run(create("/a")), "/a"), Kinds{EventKind::kCreated});
  EXPECT_EQ(kinds(run(create("/a/b")), "/a/b"), Kinds{EventKind::kCreated});
  EXPECT_EQ(kinds(run(create("/a/b/c")), "/a/b/c"), Kinds{EventKind::kCreated});
  EXPECT_EQ(kinds(run(SetOp{"/a/b/c", "x", -1}), "/a/b/c"), Kinds{EventKind::kDataChanged});
  EXPECT_EQ(kinds(run(DeleteOp{"/a/b/c", -1}), "/a/b/c"), Kinds{EventKind::kDeleted});
  EXPECT_TRUE(run(SetOp{"/ab", "x", -1}).empty());
}

TEST_F(Watches, TheRootIsWatchedRecursively) {
  ASSERT_TRUE(table.add(kOne, 1, WatchKind::kRecursive, "/").ok());
  EXPECT_EQ(kinds(run(SetOp{"/", "x", -1}), "/"), Kinds{EventKind::kDataChanged});
  EXPECT_EQ(kinds(run(create("/a")), "/a"), Kinds{EventKind::kCreated});
}

Applied entry(std::vector<std::pair<Change::Kind, std::string>> changes) {
  Applied applied;
  applied.zxid = Zxid(7);
  for (auto& [kind, path] : changes) {
    applied.changes.push_back({});
    applied.changes.back().kind = kind;
    applied.changes.back().path = std::move(path);
  }
  return applied;
}

TEST_F(Watches, APersistentWatchTellsWhatAnEntryCameTo) {
  using Kind = Change::Kind;
  ASSERT_TRUE(table.add(kOne, 1, WatchKind::kRecursive, "/").ok());
  const auto kinds_of = [&](std::vector<std::pair<Kind, std::string>> changes) {
    return kinds_only(table.fire(entry(std::move(changes))).events);
  };
  EXPECT_EQ(kinds_of({{Kind::kCreated, "/a"}, {Kind::kDataSet, "/a"}}), Kinds{EventKind::kCreated});
  EXPECT_EQ(kinds_of({{Kind::kDataSet, "/a"}, {Kind::kDataSet, "/a"}}), Kinds{EventKind::kDataChanged});
  EXPECT_EQ(kinds_of({{Kind::kDataSet, "/a"}, {Kind::kDeleted, "/a"}}), Kinds{EventKind::kDeleted});
  EXPECT_EQ(kinds_of({{Kind::kDeleted, "/a"}, {Kind::kCreated, "/a"}}), Kinds{EventKind::kCreated});
  EXPECT_EQ(kinds_of({{Kind::kDataSet, "/b"}, {Kind::kDataSet, "/a"}}),
            (Kinds{EventKind::kDataChanged, EventKind::kDataChanged}));
}

TEST_F(Watches, FeedsOfOnePathShareWhatTheyAreTold) {
  using Kind = Change::Kind;
  for (uint64_t id = 1; id <= 3; ++id) {
    ASSERT_TRUE(table.add(kOne, id, WatchKind::kTreeFeed, "/a").ok());
    ASSERT_TRUE(table.add(kTwo, id, WatchKind::kNodeFeed, "/a").ok());
  }
  const Fired fired =
      table.fire(entry({{Kind::kCreated, "/a"}, {Kind::kCreated, "/a/b"}, {Kind::kDataSet, "/a/b"}}));
  ASSERT_EQ(fired.batches.size(), 6u);
  std::map<ConnectionId, std::set<const StateMachine::PastChange*>> lists;
  for (const FeedBatch& batch : fired.batches) {
    EXPECT_EQ(batch.changes.size(), batch.connection == kOne ? 3u : 2u);
    lists[batch.connection].insert(&batch.changes[0]);
  }
  EXPECT_EQ(lists[kOne].size(), 1u);
  EXPECT_EQ(lists[kTwo].size(), 1u);
  EXPECT_NE(lists[kOne], lists[kTwo]);
  table.drop_connection(kOne);
  table.drop_connection(kTwo);
}

TEST_F(Watches, FeedsOfWhoMaySeeTheSameShareWhatTheyAreTold) {
  using Kind = Change::Kind;
  for (const ConnectionId connection : {kOne, kTwo, kThree}) {
    for (uint64_t id = 1; id <= 2; ++id)
      ASSERT_TRUE(table.add(connection, id, WatchKind::kTreeFeed, "/a").ok());
  }
  Applied applied = entry({{Kind::kCreated, "/a"}, {Kind::kCreated, "/a/b"}});
  applied.changes[1].acl = std::make_shared<const Acl>();
  size_t memory = 0;
  const Fired fired = table.fire(
      applied, [](ConnectionId id, const auto&) { return id != kThree; },
      [&](ConnectionId, const WatchTable::Telling& telling) {
        memory += telling.memory;
        return true;
      },
      [](ConnectionId id) { return id == kThree ? 2 : 1; });
  ASSERT_EQ(fired.batches.size(), 6u);
  std::map<size_t, std::set<const StateMachine::PastChange*>> lists;
  for (const FeedBatch& batch : fired.batches) {
    EXPECT_EQ(batch.changes.size(), batch.connection == kThree ? 1u : 2u);
    lists[batch.changes.size()].insert(&batch.changes[0]);
  }
  EXPECT_EQ(lists[1].size(), 1u);
  EXPECT_EQ(lists[2].size(), 1u);
  EXPECT_GE(memory, 6 * sizeof(FeedBatch) + 3 * sizeof(StateMachine::PastChange));
  EXPECT_LE(memory, 6 * 500u) << "a change that is told to many is there once";
  for (const ConnectionId connection : {kOne, kTwo, kThree}) table.drop_connection(connection);
}

TEST_F(Watches, WhatAConnectionMaySeeIsNotAskedForEachOfItsWatches) {
  using Kind = Change::Kind;
  for (uint64_t id = 1; id <= 100; ++id) {
    for (const ConnectionId connection : {kOne, kTwo, kThree})
      ASSERT_TRUE(table.add(connection, id, WatchKind::kTreeFeed, "/a").ok());
  }
  Applied applied = entry({{Kind::kDataSet, "/a"}, {Kind::kDataSet, "/a/b"}, {Kind::kDataSet, "/a"}});
  applied.changes[0].acl = applied.changes[2].acl = std::make_shared<const Acl>();
  applied.changes[1].acl = std::make_shared<const Acl>();
  int seen = 0, likes = 0, rooms = 0;
  const Fired fired = table.fire(
      applied,
      [&](ConnectionId id, const auto& acl) {
        ++seen;
        return id != kOne || acl == applied.changes[0].acl;
      },
      [&](ConnectionId id, const auto&) {
        if (id == kThree) ++rooms;
        return id != kThree;
      },
      [&](ConnectionId id) {
        ++likes;
        return id.value();
      });
  EXPECT_LE(seen, 9);
  EXPECT_LE(likes, 3);
  EXPECT_EQ(rooms, 1) << "who has no room is told nothing";
  EXPECT_EQ(fired.overrun, std::vector<ConnectionId>{kThree});
  ASSERT_EQ(fired.batches.size(), 200U);
  for (const FeedBatch& batch : fired.batches)
    EXPECT_EQ(batch.changes.size(), batch.connection == kOne ? 2U : 3U);
  table.drop_connection(kOne);
  table.drop_connection(kTwo);
}

TEST_F(Watches, WhoHasNoRoomForAllIsToldNothing) {
  using Kind = Change::Kind;
  for (uint64_t id = 1; id <= 3; ++id) ASSERT_TRUE(table.add(kOne, id, WatchKind::kTreeFeed, "/").ok());
  ASSERT_TRUE(table.add(kOne, 4, WatchKind::kData, "/a").ok());
  ASSERT_TRUE(table.add(kTwo, 1, WatchKind::kTreeFeed, "/").ok());
  const Fired fired = table.fire(entry({{Kind::kCreated, "/a"}, {Kind::kCreated, "/b"}}), {},
                                 [](ConnectionId id, const auto&) { return id != kOne; });
  EXPECT_EQ(fired.overrun, std::vector<ConnectionId>{kOne});
  EXPECT_TRUE(fired.events.empty());
  ASSERT_EQ(fired.batches.size(), 1u);
  EXPECT_EQ(fired.batches[0].connection, kTwo);
  EXPECT_EQ(fired.batches[0].changes.size(), 2u);
  table.drop_connection(kOne);
  table.drop_connection(kTwo);
}

TEST_F(Watches, AFeedTellsEveryChangeOfAnEntryAtOnce) {
  using Kind = Change::Kind;
  ASSERT_TRUE(table.add(kOne, 1, WatchKind::kTreeFeed, "/a").ok());
  ASSERT_TRUE(table.add(kOne, 2, WatchKind::kNodeFeed, "/a").ok());
  const Fired fired = table.fire(entry({{Kind::kCreated, "/a"},
                                        {Kind::kDataSet, "/a"},
                                        {Kind::kCreated, "/a/b"},
                                        {Kind::kDataSet, "/a/b"},
                                        {Kind::kCreated, "/c"}}));
  EXPECT_TRUE(fired.events.empty());
  ASSERT_EQ(fired.batches.size(), 2u);
  const size_t tree = fired.batches[0].watch == 1 ? 0 : 1;
  EXPECT_EQ(fired.batches[tree].changes.size(), 4u);
  EXPECT_EQ(fired.batches[1 - tree].changes.size(), 3u);
  EXPECT_EQ(fired.batches[0].zxid, Zxid(7));
  EXPECT_EQ(table.fed(), std::vector<ConnectionId>{kOne});
  table.drop_connection(kOne);
  EXPECT_TRUE(table.fed().empty());
}

TEST_F(Watches, BothLimitsRefuseWithASentence) {
  WatchTable small(WatchLimits{3, 2});
  ASSERT_TRUE(small.add(kOne, 1, WatchKind::kData, "/a").ok());
  ASSERT_TRUE(small.add(kOne, 2, WatchKind::kData, "/a").ok());
  EXPECT_EQ(small.add(kOne, 3, WatchKind::kData, "/a").code(), ErrorCode::kLimitReached);
  EXPECT_TRUE(small.add(kOne, 2, WatchKind::kData, "/b").ok()) << "in place of an earlier one";
  ASSERT_TRUE(small.add(kTwo, 1, WatchKind::kData, "/a").ok());
  EXPECT_EQ(small.add(kTwo, 2, WatchKind::kData, "/a").code(), ErrorCode::kLimitReached);
  small.remove(kOne, 1);
  EXPECT_TRUE(small.add(kTwo, 2, WatchKind::kData, "/a").ok());
  EXPECT_EQ(small.size(kTwo), 2u);
}

// ---- what was missed

TEST_F(Watches, NothingIsMissedWhereNothingHappened) {
  EXPECT_EQ(missed_since(machine.state, "/a", WatchKind::kData, Zxid(), false), std::nullopt);
  EXPECT_EQ(missed_since(machine.state, "/a", WatchKind::kChildren, Zxid(), false), std::nullopt);
  EXPECT_EQ(missed_since(machine.state, "no path", WatchKind::kData, Zxid(), false), std::nullopt);
  run(create("/a"));
  const Zxid seen = machine.state.zxid();
  EXPECT_EQ(missed_since(machine.state, "/a", WatchKind::kData, seen, true), std::nullopt);
  EXPECT_EQ(missed_since(machine.state, "/a", WatchKind::kChildren, seen, true), std::nullopt);
}

TEST_F(Watches, MissedChangesOfANodeThatWasThere) {
  run(create("/a"));
  const Zxid seen = machine.state.zxid();
  const auto data = [&] { return missed_since(machine.state, "/a", WatchKind::kData, seen, true); };
  const auto children = [&] { return missed_since(machine.state, "/a", WatchKind::kChildren, seen, true); };
  run(create("/a/b"));
  EXPECT_EQ(data(), std::nullopt);
  EXPECT_EQ(children(), EventKind::kChildrenChanged);
  run(DeleteOp{"/a/b", -1});
  EXPECT_EQ(children(), EventKind::kChildrenChanged);
  run(SetOp{"/a", "x", -1});
  EXPECT_EQ(data(), EventKind::kDataChanged);
  run(DeleteOp{"/a", -1});
  EXPECT_EQ(data(), EventKind::kDeleted);
  EXPECT_EQ(children(), EventKind::kDeleted);
  run(create("/a"));
  EXPECT_EQ(data(), EventKind::kDeleted);
  EXPECT_EQ(children(), EventKind::kDeleted);
}

// The node went back to what it was, and nothing about it says so.
TEST_F(Watches, WhatWasSeenBeforeARestoreCountsAsChanged) {
  run(create("/a"));
  const Zxid backup = machine.state.zxid();
  machine.state.begin_anew(1 << 20);
  const auto missed = [&](Zxid seen, WatchKind kind, bool existed) {
    return missed_since(machine.state, "/a", kind, seen, existed);
  };
  for (const Zxid seen : {backup, Zxid(backup.value() + 50)}) {
    EXPECT_EQ(missed(seen, WatchKind::kData, true), EventKind::kDataChanged);
    EXPECT_EQ(missed(seen, WatchKind::kChildren, true), EventKind::kChildrenChanged);
    EXPECT_EQ(missed_since(machine.state, "/b", WatchKind::kData, seen, false), std::nullopt);
  }
  EXPECT_EQ(missed(machine.state.zxid(), WatchKind::kData, true), std::nullopt);
  EXPECT_EQ(missed(machine.state.zxid(), WatchKind::kChildren, true), std::nullopt);
}

TEST_F(Watches, MissedCreationOfANodeThatWasNot) {
  const Zxid seen = machine.state.zxid();
  run(create("/a"));
  EXPECT_EQ(missed_since(machine.state, "/a", WatchKind::kData, seen, false), EventKind::kCreated);
  EXPECT_EQ(missed_since(machine.state, "/a", WatchKind::kChildren, seen, false), std::nullopt);
  run(create("/a/b"));
  EXPECT_EQ(missed_since(machine.state, "/a", WatchKind::kChildren, seen, false),
            EventKind::kChildrenChanged);
}

// Ids and paths that clients choose so that their hashes without a key stand in one place of a table.

TEST(WatchTable, TheEndOfAConnectionLooksAtEachOfItsWatchesOnce) {
  constexpr uint64_t kMany = 20'000;
  WatchTable table;
  for (uint64_t id = 1; id <= kMany; ++id) ASSERT_TRUE(table.add(kOne, id, WatchKind::kNodeFeed, "/a").ok());
  ASSERT_TRUE(table.add(kTwo, 1, WatchKind::kTreeFeed, "/a").ok());
  const uint64_t before = table.rehashed();
  table.drop_connection(kOne);
  EXPECT_EQ(table.rehashed(), before) << "nothing moves for what goes anyway";
  EXPECT_EQ(table.size(), 1U);
  EXPECT_EQ(table.size(kOne), 0U);
  EXPECT_EQ(table.fed(), std::vector<ConnectionId>{kTwo});
  ASSERT_TRUE(table.add(kOne, 1, WatchKind::kData, "/a").ok());
  table.drop_connection(kTwo);
  EXPECT_TRUE(table.fed().empty());
  EXPECT_EQ(table.size(), 1U);
}

// How many others are looked at when the first of many goes.
uint64_t in_the_way_of_one(uint64_t hash_key, const std::vector<uint64_t>& ids) {
  WatchTable table({.hash_key = hash_key});
  for (const uint64_t id : ids) EXPECT_TRUE(table.add(kOne, id, WatchKind::kData, "/a").ok());
  const uint64_t before = table.rehashed();
  table.remove(kOne, ids.front());
  return table.rehashed() - before;
}

TEST(WatchTable, IdsThatStandInOnePlaceDoNotWithAnotherKey) {
  constexpr size_t kMany = 2'000;
  std::vector<uint64_t> ids;
  for (uint64_t id = 0; ids.size() < kMany; ++id) {
    const uint64_t hash = checksum64({reinterpret_cast<const char*>(&id), sizeof(id)});
    if (static_cast<uint32_t>(hash) < 1U << 22) ids.push_back(id);
  }
  ASSERT_GE(in_the_way_of_one(0, ids), kMany - 10) << "these do";
  EXPECT_LT(in_the_way_of_one(1, ids), kMany / 4);
}

TEST(WatchPaths, PathsThatStandInOnePlaceDoNotWithAnotherKey) {
  constexpr size_t kMany = 2'000;
  std::vector<std::string> paths;
  for (uint64_t i = 0; paths.size() < kMany; ++i) {
    std::string path = "/" + std::to_string(i);
    if (static_cast<uint32_t>(checksum64(path)) < 1U << 22) paths.push_back(std::move(path));
  }
  const auto in_the_way = [&paths](uint64_t key) {
    WatchPaths table(key);
    for (const std::string& path : paths) table.find_or_add(path);
    const uint64_t before = table.rehashed();
    table.erase(table.find(paths.front()));
    return table.rehashed() - before;
  };
  ASSERT_GE(in_the_way(0), kMany - 10) << "these do";
  EXPECT_LT(in_the_way(1), kMany / 4);
}

}  // namespace
}  // namespace quorate::kv
