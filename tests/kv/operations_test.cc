// Each operation: what it does, every way in which it refuses, and that Stat is exactly ZooKeeper's.
#include <gtest/gtest.h>

#include "kv/path.h"
#include "tests/kv/machine.h"

namespace quorate::kv {
namespace {

class Operations : public ::testing::Test {
 protected:
  void TearDown() override { EXPECT_EQ(machine.state.check_consistency(), std::nullopt); }

  Outcome run(Operation operation) { return machine.run(session, std::move(operation)); }
  // Runs it, expects a refusal with a sentence, and that the tree is as it was.
  void expect_refusal(Operation operation, ErrorCode code) {
    const size_t nodes = machine.state.node_count();
    const Applied applied = machine.apply_as(session, std::move(operation));
    EXPECT_EQ(applied.outcomes.at(0).outcome.code, code);
    EXPECT_FALSE(applied.outcomes.at(0).outcome.message.empty());
    EXPECT_EQ(applied.outcomes.at(0).outcome.path, "");
    EXPECT_TRUE(applied.changes.empty());
    EXPECT_EQ(machine.state.node_count(), nodes);
  }

  Machine machine;
  SessionId session = machine.open();
  SessionId other = machine.open();
};

TEST_F(Operations, TheRootIsThereFromTheStart) {
  EXPECT_EQ(machine.stat("/"), Stat{});
  EXPECT_EQ(machine.state.node_count(), 1u);
}

TEST_F(Operations, CreateTellsPathAndStat) {
  const Outcome made = run(create("/a", "data"));
  EXPECT_EQ(made.code, ErrorCode::kOk);
  EXPECT_EQ(made.path, "/a");
  Stat expected;
  expected.czxid = expected.mzxid = expected.pzxid = Zxid(3);
  expected.ctime_ms = expected.mtime_ms = kFirstWallMs + 30;
  expected.data_length = 4;
  EXPECT_EQ(made.stat, expected);
  EXPECT_EQ(made.zxid, Zxid(3));
  EXPECT_EQ(machine.stat("/a"), expected);
  EXPECT_EQ(machine.state.get("/a")->data, "data");
}

TEST_F(Operations, CreateReportsItsChange) {
  const Applied applied = machine.apply_as(session, create_queued("/q-"));
  ASSERT_EQ(applied.changes.size(), 1u);
  EXPECT_EQ(applied.changes[0].kind, Change::Kind::kCreated);
  EXPECT_EQ(applied.changes[0].path, "/q-0000000000");
  EXPECT_EQ(applied.changes[0].owner, session);
  EXPECT_TRUE(applied.changes[0].sequential);
  EXPECT_EQ(applied.changes[0].czxid, applied.zxid);
}

TEST_F(Operations, CreateRefusesAnExistingNode) {
  run(create("/a"));
  expect_refusal(create("/a"), ErrorCode::kNodeExists);
  expect_refusal(create("/"), ErrorCode::kNodeExists);
}

TEST_F(Operations, CreateRefusesAMissingParent) {
  expect_refusal(create("/a/b"), ErrorCode::kNoNode);
  expect_refusal(create_sequential("/a/"), ErrorCode::kNoNode);
}

TEST_F(Operations, CreateRefusesAnEphemeralParent) {
  run(create_ephemeral("/e"));
  expect_refusal(create("/e/a"), ErrorCode::kNoChildrenForEphemerals);
  expect_refusal(CreateOp{"/e/a/b/c", {}, false, false, true}, ErrorCode::kNoChildrenForEphemerals);
}

TEST_F(Operations, CreateRefusesABadPathAndTooMuchData) {
  expect_refusal(create("a"), ErrorCode::kBadPath);
  expect_refusal(create("/a/"), ErrorCode::kBadPath);
  expect_refusal(create("/" + std::string(kPathBytesMax, 'a')), ErrorCode::kTooLarge);
  expect_refusal(create("/a", std::string(kDataBytesMax + 1, 'x')), ErrorCode::kTooLarge);
  EXPECT_EQ(run(create("/a", std::string(kDataBytesMax, 'x'))).code, ErrorCode::kOk);
}

TEST_F(Operations, CreateWithParentsMakesThemPersistentAndEmpty) {
  const Applied applied = machine.apply_as(session, CreateOp{"/a/b/c", "data", true, false, true});
  EXPECT_EQ(applied.outcomes.at(0).outcome.path, "/a/b/c");
  ASSERT_EQ(applied.changes.size(), 3u);
  EXPECT_EQ(applied.changes[0].path, "/a");
  EXPECT_EQ(applied.changes[1].path, "/a/b");
  EXPECT_EQ(applied.changes[2].path, "/a/b/c");
  EXPECT_EQ(machine.stat("/a/b").ephemeral_owner, SessionId());
  EXPECT_EQ(machine.stat("/a/b").data_length, 0);
  EXPECT_EQ(machine.stat("/a/b/c").ephemeral_owner, session);
  EXPECT_EQ(run(CreateOp{"/a/b/d/e", {}, false, true, true}).path, "/a/b/d/e0000000000");
  expect_refusal(CreateOp{"/a/b/c", {}, false, false, true}, ErrorCode::kNodeExists);
}

TEST_F(Operations, SuffixCountsAllCreatesBelowTheParent) {
  run(create("/q"));
  EXPECT_EQ(run(create_sequential("/q/n-")).path, "/q/n-0000000000");
  run(create("/q/plain"));
  EXPECT_EQ(run(create_sequential("/q/")).path, "/q/0000000002");
  run(DeleteOp{"/q/plain", -1});
  run(DeleteOp{"/q/0000000002", -1});
  EXPECT_EQ(run(create_sequential("/q/n-")).path, "/q/n-0000000003");
  EXPECT_EQ(run(create_sequential("/")).path, "/0000000001");
}

TEST_F(Operations, SequentialCreateRefusesANameThatIsTaken) {
  run(create("/q"));
  run(create("/q/n-0000000001"));
  expect_refusal(create_sequential("/q/n-"), ErrorCode::kNodeExists);
}

TEST_F(Operations, ChildrenChangeTheirParentsStat) {
  run(create("/p"));
  const Zxid made = machine.state.zxid();
  EXPECT_EQ(machine.stat("/p").pzxid, made);
  run(create("/p/a"));
  run(create("/p/b"));
  const Zxid last_create = machine.state.zxid();
  EXPECT_EQ(machine.stat("/p").cversion, 2);
  EXPECT_EQ(machine.stat("/p").num_children, 2);
  EXPECT_EQ(machine.stat("/p").pzxid, last_create);
  run(SetOp{"/p/a", "x", -1});
  EXPECT_EQ(machine.stat("/p").pzxid, last_create);
  EXPECT_EQ(machine.stat("/p").cversion, 2);
  run(DeleteOp{"/p/a", -1});
  EXPECT_EQ(machine.stat("/p").cversion, 3);
  EXPECT_EQ(machine.stat("/p").num_children, 1);
  EXPECT_EQ(machine.stat("/p").pzxid, machine.state.zxid());
  run(DeleteOp{"/p/b", -1});
  EXPECT_EQ(machine.stat("/p").cversion, 4);
  EXPECT_EQ(machine.stat("/p").num_children, 0);
  const Stat p = machine.stat("/p");
  EXPECT_EQ(p.czxid, made);
  EXPECT_EQ(p.mzxid, made);
  EXPECT_EQ(p.version, 0);
}

TEST_F(Operations, GrandchildrenDoNotChangeIt) {
  run(create("/p"));
  run(create("/p/a"));
  const Stat before = machine.stat("/p");
  run(create("/p/a/b"));
  EXPECT_EQ(machine.stat("/p"), before);
}

TEST_F(Operations, SetChangesDataVersionAndTime) {
  run(create("/a", "one"));
  const Stat before = machine.stat("/a");
  const Applied applied = machine.apply_as(session, SetOp{"/a", "second", 0});
  Stat expected = before;
  expected.version = 1;
  expected.mzxid = applied.zxid;
  expected.mtime_ms += 10;
  expected.data_length = 6;
  EXPECT_EQ(applied.outcomes.at(0).outcome.stat, expected);
  EXPECT_EQ(machine.stat("/a"), expected);
  EXPECT_EQ(machine.state.get("/a")->data, "second");
  ASSERT_EQ(applied.changes.size(), 1u);
  EXPECT_EQ(applied.changes[0].kind, Change::Kind::kDataSet);
  EXPECT_EQ(applied.changes[0].path, "/a");
}

TEST_F(Operations, SetRefusesAMissingNodeAndAnotherVersion) {
  expect_refusal(SetOp{"/a", "x", -1}, ErrorCode::kNoNode);
  run(create("/a"));
  expect_refusal(SetOp{"/a", "x", 1}, ErrorCode::kBadVersion);
  run(SetOp{"/a", "x", 0});
  expect_refusal(SetOp{"/a", "x", 0}, ErrorCode::kBadVersion);
  expect_refusal(SetOp{"/a", std::string(kDataBytesMax + 1, 'x'), -1}, ErrorCode::kTooLarge);
  expect_refusal(SetOp{"//", "x", -1}, ErrorCode::kBadPath);
  EXPECT_EQ(run(SetOp{"/", "x", 0}).code, ErrorCode::kOk);
}

TEST_F(Operations, DeleteRemovesAndForgets) {
  run(create("/a", "x"));
  run(SetOp{"/a", "y", -1});
  const Applied applied = machine.apply_as(session, DeleteOp{"/a", 1});
  EXPECT_EQ(applied.outcomes.at(0).outcome.code, ErrorCode::kOk);
  ASSERT_EQ(applied.changes.size(), 1u);
  EXPECT_EQ(applied.changes[0].kind, Change::Kind::kDeleted);
  EXPECT_FALSE(machine.exists("/a"));
  run(create("/a"));
  EXPECT_EQ(machine.stat("/a").version, 0);
}

TEST_F(Operations, DeleteRefusesWhatItCannot) {
  expect_refusal(DeleteOp{"/a", -1}, ErrorCode::kNoNode);
  run(create("/a"));
  expect_refusal(DeleteOp{"/a", 1}, ErrorCode::kBadVersion);
  run(create("/a/b"));
  expect_refusal(DeleteOp{"/a", -1}, ErrorCode::kNotEmpty);
  expect_refusal(DeleteOp{"/", -1}, ErrorCode::kInvalidArgument);
  expect_refusal(DeleteOp{"/a/", -1}, ErrorCode::kBadPath);
}

TEST_F(Operations, AnyoneMayDeleteAnEphemeral) {
  run(create_ephemeral("/e"));
  EXPECT_EQ(machine.state.ephemerals(session), std::vector<std::string>{"/e"});
  EXPECT_EQ(machine.run(other, DeleteOp{"/e", -1}).code, ErrorCode::kOk);
  EXPECT_TRUE(machine.state.ephemerals(session).empty());
}

TEST_F(Operations, ReadsRefuseBadPathsAndMissingNodes) {
  EXPECT_EQ(machine.state.get("x").code(), ErrorCode::kBadPath);
  EXPECT_EQ(machine.state.get("/x").code(), ErrorCode::kNoNode);
  EXPECT_EQ(machine.state.children("/x/").code(), ErrorCode::kBadPath);
  EXPECT_EQ(machine.state.children("/x").code(), ErrorCode::kNoNode);
  EXPECT_EQ(machine.state.get("").code(), ErrorCode::kBadPath);
}

TEST_F(Operations, ChildrenAreListedInTheOrderOfCreation) {
  for (const char* path : {"/z", "/a", "/m"}) run(create(path));
  run(DeleteOp{"/a", -1});
  run(create("/a"));
  EXPECT_EQ(machine.names("/"), (std::vector<std::string>{"z", "m", "a"}));
}

// ---- acquire and release

TEST_F(Operations, AcquireMakesPathAndPlaceInOneEntry) {
  const Applied applied = machine.apply_as(session, AcquireOp{"/locks/a", "me"});
  const Outcome& outcome = applied.outcomes.at(0).outcome;
  EXPECT_EQ(outcome.path, "/locks/a/lock-0000000000");
  EXPECT_TRUE(outcome.held);
  EXPECT_EQ(outcome.token.value(), applied.zxid.value());
  EXPECT_EQ(applied.changes.size(), 3u);
  EXPECT_EQ(machine.state.get(outcome.path)->data, "me");
  EXPECT_EQ(machine.stat(outcome.path).ephemeral_owner, session);
  EXPECT_TRUE(machine.state.get(outcome.path)->sequential);
  EXPECT_EQ(machine.stat("/locks/a").ephemeral_owner, SessionId());
}

TEST_F(Operations, AcquireQueuesBehindTheHolder) {
  run(AcquireOp{"/a", {}});
  const Outcome second = machine.run(other, AcquireOp{"/a", {}});
  EXPECT_EQ(second.path, "/a/lock-0000000001");
  EXPECT_FALSE(second.held);
  EXPECT_EQ(machine.state.first_queued("/a")->owner, session);
  run(ReleaseOp{"/a/lock-0000000000"});
  EXPECT_EQ(machine.state.first_queued("/a")->owner, other);
  EXPECT_EQ(machine.state.first_queued("/a")->czxid.value(), second.token.value());
}

TEST_F(Operations, AcquiringTwiceGivesASecondPlace) {
  EXPECT_TRUE(run(AcquireOp{"/a", {}}).held);
  EXPECT_FALSE(run(AcquireOp{"/a", {}}).held);
}

TEST_F(Operations, AcquireJoinsAKazooQueueWithAKazooName) {
  run(create("/a"));
  run(create_queued("/a/0123456789abcdef0123456789abcdef__lock__"));
  const Outcome outcome = run(AcquireOp{"/a", {}});
  const std::string_view name = name_of(outcome.path);
  ASSERT_EQ(name.size(), 32u + 8 + 10);
  EXPECT_EQ(name.substr(32), "__lock__0000000001");
  EXPECT_EQ(name.find_first_not_of("0123456789abcdef"), 32u);
  EXPECT_FALSE(outcome.held);
  EXPECT_NE(name_of(run(AcquireOp{"/a", {}}).path).substr(0, 32), name.substr(0, 32));
}

TEST_F(Operations, AcquireJoinsACuratorQueue) {
  run(create("/a"));
  run(create_queued("/a/_c_2f1b-lock-"));
  EXPECT_EQ(run(AcquireOp{"/a", {}}).path, "/a/lock-0000000001");
}

TEST_F(Operations, AcquireRefusesWhatIsNoLock) {
  run(create("/data", "x"));
  expect_refusal(AcquireOp{"/data", {}}, ErrorCode::kBadQueue);
  run(create_ephemeral("/ephemeral"));
  expect_refusal(AcquireOp{"/ephemeral", {}}, ErrorCode::kBadQueue);
  expect_refusal(AcquireOp{"/ephemeral/a", {}}, ErrorCode::kNoChildrenForEphemerals);
  run(create("/parent"));
  run(create("/parent/child"));
  expect_refusal(AcquireOp{"/parent", {}}, ErrorCode::kBadQueue);
  run(create("/forged"));
  run(create_ephemeral("/forged/lock-0000000000"));
  expect_refusal(AcquireOp{"/forged", {}}, ErrorCode::kBadQueue);
  run(create("/mixed"));
  run(create_queued("/mixed/lock-"));
  run(create_queued("/mixed/x__lock__"));
  expect_refusal(AcquireOp{"/mixed", {}}, ErrorCode::kBadQueue);
  run(create("/readers"));
  run(create_queued("/readers/__READ__"));
  expect_refusal(AcquireOp{"/readers", {}}, ErrorCode::kBadQueue);
  expect_refusal(AcquireOp{"/a/", {}}, ErrorCode::kBadPath);
  expect_refusal(AcquireOp{"/a", std::string(kDataBytesMax + 1, 'x')}, ErrorCode::kTooLarge);
}

TEST_F(Operations, AcquireLeavesRoomForTheLongestName) {
  const std::string longest = "/" + std::string(kPathBytesMax - 1 - (1 + 32 + 8 + 10), 'a');
  EXPECT_EQ(run(AcquireOp{longest, {}}).code, ErrorCode::kOk);
  expect_refusal(AcquireOp{longest + "a", {}}, ErrorCode::kTooLarge);
}

TEST_F(Operations, AcquireWorksAgainOnceThePathIsClean) {
  run(create("/a"));
  run(create("/a/child"));
  run(DeleteOp{"/a/child", -1});
  EXPECT_EQ(run(AcquireOp{"/a", {}}).path, "/a/lock-0000000001");
}

TEST_F(Operations, ReleaseRefusesWhatIsNotOurs) {
  run(AcquireOp{"/a", {}});
  EXPECT_EQ(machine.run(other, ReleaseOp{"/a/lock-0000000000"}).code, ErrorCode::kNotHolder);
  expect_refusal(ReleaseOp{"/a"}, ErrorCode::kNotHolder);
  run(create_ephemeral("/e"));
  expect_refusal(ReleaseOp{"/e"}, ErrorCode::kNotHolder);
  run(create_sequential("/s"));
  expect_refusal(ReleaseOp{"/s0000000002"}, ErrorCode::kNotHolder);
  expect_refusal(ReleaseOp{"/"}, ErrorCode::kNotHolder);
  expect_refusal(ReleaseOp{"/a/lock-0000000009"}, ErrorCode::kNoNode);
  expect_refusal(ReleaseOp{"//"}, ErrorCode::kBadPath);
  EXPECT_EQ(run(ReleaseOp{"/a/lock-0000000000"}).code, ErrorCode::kOk);
  expect_refusal(ReleaseOp{"/a/lock-0000000000"}, ErrorCode::kNoNode);
}

TEST_F(Operations, WaitersMayLeave) {
  run(AcquireOp{"/a", {}});
  const Outcome waiter = machine.run(other, AcquireOp{"/a", {}});
  EXPECT_EQ(machine.run(other, ReleaseOp{waiter.path}).code, ErrorCode::kOk);
  EXPECT_EQ(machine.state.first_queued("/a")->owner, session);
}

TEST_F(Operations, QueuesAreListedBelowARoot) {
  for (const char* path : {"/b/lock", "/a", "/b", "/bb"}) run(create(path, {}));
  run(create("/b/lock"));
  run(AcquireOp{"/b/lock", {}});
  run(AcquireOp{"/a", {}});
  const Outcome gone = run(AcquireOp{"/bb", {}});
  EXPECT_EQ(machine.state.queues("/", 10), (std::vector<std::string>{"/a", "/b/lock", "/bb"}));
  EXPECT_EQ(machine.state.queues("/", 1), (std::vector<std::string>{"/a"}));
  EXPECT_EQ(machine.state.queues("/b", 10), (std::vector<std::string>{"/b/lock"}));
  EXPECT_EQ(machine.state.queues("/b/lock", 10), (std::vector<std::string>{"/b/lock"}));
  run(ReleaseOp{gone.path});
  EXPECT_EQ(machine.state.queues("/", 10), (std::vector<std::string>{"/a", "/b/lock"}));
}

TEST_F(Operations, WallTimeNeverGoesBack) {
  run(create("/a"));
  const int64_t latest = machine.stamp.wall_ms;
  machine.stamp = {latest - 100'000, 0};
  run(create("/b"));
  EXPECT_EQ(machine.stat("/b").ctime_ms, latest);
  EXPECT_EQ(machine.state.last_stamp().wall_ms, latest);
  EXPECT_EQ(machine.state.last_stamp().cluster_ms, 30);
}

TEST_F(Operations, SkippedEntriesCount) {
  machine.state.skip(Index(3));
  EXPECT_EQ(machine.state.applied(), Index(3));
  EXPECT_EQ(machine.state.zxid(), Zxid(3));
  EXPECT_EQ(run(create("/a")).zxid, Zxid(4));
}

using OperationsDeathTest = Operations;

TEST_F(OperationsDeathTest, EntriesAreAppliedInOrderAndMustBeKnown) {
  EXPECT_DEATH(machine.state.skip(Index(7)), "one after the other");
  EXPECT_DEATH(machine.state.skip(Index(2)), "one after the other");
  EXPECT_DEATH((void)machine.state.apply(Index(3), "short"), "too short");
  EXPECT_DEATH((void)machine.state.apply(Index(3), std::string(kStampBytes, '\0') + "\x02"), "version 2");
  EXPECT_DEATH((void)machine.state.apply(Index(3), std::string(kStampBytes, '\0') + "\x01\x63"),
               "not a command");
}

}  // namespace
}  // namespace quorate::kv
