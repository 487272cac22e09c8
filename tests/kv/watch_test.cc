#include <gtest/gtest.h>

#include "kv/watch_table.h"
#include "tests/kv/machine.h"

namespace quorate::kv {
namespace {

constexpr ConnectionId kOne{1};
constexpr ConnectionId kTwo{2};

class Watches : public ::testing::Test {
 protected:
  std::vector<WatchEvent> run(Operation operation) {
    return table.fire(machine.apply_as(session, std::move(operation)));
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

  Machine machine;
  SessionId session = machine.open();
  WatchTable table;
};

using Kinds = std::vector<EventKind>;

TEST_F(Watches, DataWatchesSeeCreationChangeAndDeletion) {
  table.add(kOne, 1, WatchKind::kData, "/a");
  EXPECT_EQ(kinds(run(create("/a")), "/a"), Kinds{EventKind::kCreated});
  table.add(kOne, 1, WatchKind::kData, "/a");
  EXPECT_EQ(kinds(run(SetOp{"/a", "x", -1}), "/a"), Kinds{EventKind::kDataChanged});
  table.add(kOne, 1, WatchKind::kData, "/a");
  EXPECT_EQ(kinds(run(DeleteOp{"/a", -1}), "/a"), Kinds{EventKind::kDeleted});
  EXPECT_EQ(table.size(), 0u);
}

TEST_F(Watches, ChildWatchesSeeChildrenComeAndGo) {
  run(create("/a"));
  table.add(kOne, 1, WatchKind::kChildren, "/a");
  EXPECT_TRUE(run(SetOp{"/a", "x", -1}).empty());
  EXPECT_EQ(kinds(run(create("/a/b")), "/a"), Kinds{EventKind::kChildrenChanged});
  table.add(kOne, 1, WatchKind::kChildren, "/a");
  EXPECT_TRUE(run(SetOp{"/a/b", "x", -1}).empty());
  EXPECT_TRUE(run(create("/a/b/c")).empty());
  run(DeleteOp{"/a/b/c", -1});
  EXPECT_EQ(kinds(run(DeleteOp{"/a/b", -1}), "/a"), Kinds{EventKind::kChildrenChanged});
  table.add(kOne, 1, WatchKind::kChildren, "/a");
  EXPECT_EQ(kinds(run(DeleteOp{"/a", -1}), "/a"), Kinds{EventKind::kDeleted});
  EXPECT_EQ(table.size(), 0u);
}

TEST_F(Watches, TheRootHasChildWatches) {
  table.add(kOne, 1, WatchKind::kChildren, "/");
  EXPECT_EQ(kinds(run(create("/a")), "/"), Kinds{EventKind::kChildrenChanged});
}

TEST_F(Watches, AWatchFiresOnce) {
  run(create("/a"));
  table.add(kOne, 1, WatchKind::kData, "/a");
  EXPECT_EQ(run(SetOp{"/a", "x", -1}).size(), 1u);
  EXPECT_TRUE(run(SetOp{"/a", "y", -1}).empty());
}

TEST_F(Watches, AtMostOneEventAWatchInOneEntry) {
  run(create_ephemeral("/a"));
  run(create_ephemeral("/b"));
  table.add(kOne, 1, WatchKind::kChildren, "/");
  EXPECT_EQ(run(CloseSessionOp{}).size(), 1u);
}

TEST_F(Watches, EventsComeInTheOrderOfChangesThenOfRegistration) {
  run(create_ephemeral("/b"));
  run(create_ephemeral("/a"));
  table.add(kTwo, 5, WatchKind::kData, "/a");
  table.add(kTwo, 4, WatchKind::kData, "/b");
  table.add(kOne, 3, WatchKind::kData, "/b");
  const std::vector<WatchEvent> events = run(CloseSessionOp{});
  ASSERT_EQ(events.size(), 3u);
  EXPECT_EQ(events[0].watch, 4u);
  EXPECT_EQ(events[0].connection, kTwo);
  EXPECT_EQ(events[1].watch, 3u);
  EXPECT_EQ(events[2].watch, 5u);
}

TEST_F(Watches, BothKindsOnOnePathAreTwoWatches) {
  run(create("/a"));
  table.add(kOne, 1, WatchKind::kData, "/a");
  table.add(kOne, 2, WatchKind::kChildren, "/a");
  EXPECT_EQ(kinds(run(DeleteOp{"/a", -1}), "/a"), (Kinds{EventKind::kDeleted, EventKind::kDeleted}));
}

TEST_F(Watches, ASecondRegistrationReplacesTheFirst) {
  table.add(kOne, 1, WatchKind::kData, "/a");
  table.add(kOne, 1, WatchKind::kData, "/b");
  EXPECT_EQ(table.size(), 1u);
  EXPECT_TRUE(run(create("/a")).empty());
  EXPECT_EQ(run(create("/b")).size(), 1u);
}

TEST_F(Watches, RemovedWatchesAreSilent) {
  table.add(kOne, 1, WatchKind::kData, "/a");
  table.remove(kOne, 1);
  table.remove(kOne, 1);
  table.remove(kTwo, 1);
  EXPECT_EQ(table.size(), 0u);
  EXPECT_TRUE(run(create("/a")).empty());
}

TEST_F(Watches, AConnectionTakesItsWatchesAlong) {
  for (uint64_t i = 0; i < 10; ++i) {
    table.add(kOne, i, i % 2 == 0 ? WatchKind::kData : WatchKind::kChildren, "/" + std::to_string(i % 3));
    table.add(kTwo, i, WatchKind::kData, "/" + std::to_string(i % 3));
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

TEST_F(Watches, MissedCreationOfANodeThatWasNot) {
  const Zxid seen = machine.state.zxid();
  run(create("/a"));
  EXPECT_EQ(missed_since(machine.state, "/a", WatchKind::kData, seen, false), EventKind::kCreated);
  EXPECT_EQ(missed_since(machine.state, "/a", WatchKind::kChildren, seen, false), std::nullopt);
  run(create("/a/b"));
  EXPECT_EQ(missed_since(machine.state, "/a", WatchKind::kChildren, seen, false),
            EventKind::kChildrenChanged);
}

}  // namespace
}  // namespace quorate::kv
