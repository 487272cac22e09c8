// Containers, nodes with a time to live, and whole subtrees that go at once.
#include <gtest/gtest.h>

#include "tests/kv/machine.h"

namespace quorate::kv {
namespace {

CreateOp container(std::string path) { return {std::move(path), {}, false, false, false, true}; }
CreateOp living(std::string path, int64_t ttl_ms) {
  return {std::move(path), {}, false, false, false, false, ttl_ms};
}

class KindsTest : public ::testing::Test {
 protected:
  Outcome run(Operation operation) { return machine_.run(session_, std::move(operation)); }
  void expect_refusal(Operation operation, ErrorCode code) {
    const size_t nodes = machine_.state.node_count();
    const Outcome outcome = run(std::move(operation));
    EXPECT_EQ(outcome.code, code) << outcome.message;
    EXPECT_FALSE(outcome.message.empty());
    EXPECT_EQ(machine_.state.node_count(), nodes);
    EXPECT_EQ(machine_.state.check_consistency(), std::nullopt);
  }
  std::vector<std::string> reapable() const {
    return machine_.state.reapable(machine_.stamp.cluster_ms, 100, 1 << 20);
  }
  Applied reap() { return machine_.apply(ReapNodes{reapable()}); }

  Machine machine_;
  SessionId session_ = machine_.open();
};

TEST_F(KindsTest, ANodeTellsOfWhatKindItIs) {
  ASSERT_EQ(run(create("/p")).code, ErrorCode::kOk);
  ASSERT_EQ(run(create_ephemeral("/e")).code, ErrorCode::kOk);
  ASSERT_EQ(run(container("/c")).code, ErrorCode::kOk);
  ASSERT_EQ(run(living("/t", 1'000)).code, ErrorCode::kOk);
  std::vector<NodeKind> kinds;
  const std::vector<Child> children = machine_.state.children("/").value();
  for (const Child& child : children) kinds.push_back(child.kind);
  EXPECT_EQ(kinds, (std::vector<NodeKind>{NodeKind::kPersistent, NodeKind::kEphemeral, NodeKind::kContainer,
                                          NodeKind::kTtl}));
  EXPECT_EQ(machine_.state.get("/t")->kind, NodeKind::kTtl);
  EXPECT_EQ(machine_.state.get("/t")->ttl_ms, 1'000);
  // Clients see no owner, as in ZooKeeper.
  EXPECT_EQ(machine_.stat("/c").ephemeral_owner, SessionId());
  EXPECT_EQ(machine_.stat("/t").ephemeral_owner, SessionId());
}

TEST_F(KindsTest, ANodeIsOfOneKind) {
  expect_refusal(CreateOp{"/a", {}, true, false, false, true}, ErrorCode::kInvalidArgument);
  expect_refusal(CreateOp{"/a", {}, true, false, false, false, 1}, ErrorCode::kInvalidArgument);
  expect_refusal(CreateOp{"/a", {}, false, false, false, true, 1}, ErrorCode::kInvalidArgument);
  expect_refusal(CreateOp{"/a", {}, false, true, false, true}, ErrorCode::kInvalidArgument);
  EXPECT_EQ(run(CreateOp{"/a", {}, false, true, false, false, 1}).path, "/a0000000000");
}

TEST_F(KindsTest, ATimeToLiveHasLimits) {
  expect_refusal(living("/t", 0), ErrorCode::kInvalidTtl);
  expect_refusal(living("/t", -1), ErrorCode::kInvalidTtl);
  expect_refusal(living("/t", kTtlMsMax + 1), ErrorCode::kInvalidTtl);
  EXPECT_EQ(run(living("/t", kTtlMsMax)).code, ErrorCode::kOk);
}

TEST_F(KindsTest, AnEmptyListOrAWrongSchemeIsRefused) {
  ASSERT_EQ(run(create("/a")).code, ErrorCode::kOk);
  expect_refusal(SetAclOp{"/a", {}}, ErrorCode::kInvalidAcl);
  expect_refusal(SetAclOp{"/a", {{kRead, "wrld", "anyone"}}}, ErrorCode::kInvalidAcl);
  CreateOp op = create("/b");
  op.acl = {{kRead, "wrld", "anyone"}};
  expect_refusal(op, ErrorCode::kInvalidAcl);
}

TEST_F(KindsTest, AListOfPermissionsHasItsVersion) {
  ASSERT_EQ(run(create("/a")).code, ErrorCode::kOk);
  const Stat before = machine_.stat("/a");
  expect_refusal(SetAclOp{"/a", {{kAllPermissions, "world", "anyone"}}, 1}, ErrorCode::kBadVersion);
  const Applied applied =
      machine_.apply_as(session_, SetAclOp{"/a", {{kAllPermissions, "world", "anyone"}}, 0});
  EXPECT_TRUE(applied.changes.empty());
  Stat expected = before;
  expected.aversion = 1;
  EXPECT_EQ(applied.outcomes.at(0).outcome.stat, expected);
  EXPECT_EQ(machine_.stat("/a"), expected);
  expect_refusal(SetAclOp{"/b", {{kAllPermissions, "world", "anyone"}}}, ErrorCode::kNoNode);
}

// ---- what the cluster removes

TEST_F(KindsTest, AContainerGoesBehindItsLastChild) {
  ASSERT_EQ(run(container("/c")).code, ErrorCode::kOk);
  EXPECT_EQ(machine_.state.next_reap(), std::nullopt);
  ASSERT_EQ(run(create("/c/a")).code, ErrorCode::kOk);
  EXPECT_TRUE(reapable().empty());
  ASSERT_EQ(run(DeleteOp{"/c/a"}).code, ErrorCode::kOk);
  EXPECT_LE(machine_.state.next_reap(), machine_.stamp.cluster_ms);
  EXPECT_EQ(reapable(), std::vector<std::string>{"/c"});
  const Applied applied = reap();
  ASSERT_EQ(applied.changes.size(), 1U);
  EXPECT_EQ(applied.changes[0].kind, Change::Kind::kDeleted);
  EXPECT_EQ(applied.changes[0].path, "/c");
  EXPECT_FALSE(machine_.exists("/c"));
}

TEST_F(KindsTest, AContainerInAContainerTakesTwoSteps) {
  ASSERT_EQ(run(container("/c")).code, ErrorCode::kOk);
  ASSERT_EQ(run(container("/c/d")).code, ErrorCode::kOk);
  ASSERT_EQ(run(create_ephemeral("/c/d/e")).code, ErrorCode::kOk);
  (void)machine_.apply(ExpireSessions{{session_}});
  EXPECT_EQ(reapable(), std::vector<std::string>{"/c/d"});
  (void)reap();
  EXPECT_EQ(reapable(), std::vector<std::string>{"/c"});
  (void)reap();
  EXPECT_EQ(machine_.state.node_count(), 1U);
}

TEST_F(KindsTest, WhatIsUsedAgainBeforeItIsReapedStays) {
  ASSERT_EQ(run(container("/c")).code, ErrorCode::kOk);
  ASSERT_EQ(run(create("/c/a")).code, ErrorCode::kOk);
  ASSERT_EQ(run(DeleteOp{"/c/a"}).code, ErrorCode::kOk);
  ASSERT_EQ(run(living("/t", 20)).code, ErrorCode::kOk);
  machine_.stamp.cluster_ms += 20;
  const std::vector<std::string> due = reapable();
  EXPECT_EQ(due, (std::vector<std::string>{"/c", "/t"}));
  ASSERT_EQ(run(create("/c/b")).code, ErrorCode::kOk);
  ASSERT_EQ(run(SetOp{"/t", "used"}).code, ErrorCode::kOk);
  EXPECT_TRUE(machine_.apply(ReapNodes{due}).changes.empty());
  EXPECT_TRUE(machine_.exists("/c"));
  EXPECT_TRUE(machine_.exists("/t"));
}

TEST_F(KindsTest, OnlyWhatIsDueIsReapedWhoeverAsks) {
  ASSERT_EQ(run(create("/p")).code, ErrorCode::kOk);
  ASSERT_EQ(run(container("/c")).code, ErrorCode::kOk);
  ASSERT_EQ(run(living("/t", 1'000'000)).code, ErrorCode::kOk);
  EXPECT_TRUE(machine_.apply(ReapNodes{{"/", "/p", "/c", "/t", "/none", "no path", ""}}).changes.empty());
}

TEST_F(KindsTest, ATimeToLiveIsCountedInClusterTime) {
  ASSERT_EQ(run(living("/t", 100)).code, ErrorCode::kOk);
  const int64_t made = machine_.stamp.cluster_ms;
  EXPECT_EQ(machine_.state.next_reap(), made + 100);
  machine_.stamp.wall_ms += 1'000'000;
  EXPECT_TRUE(machine_.state.reapable(made + 99, 10, 100).empty());
  EXPECT_EQ(machine_.state.reapable(made + 100, 10, 100).size(), 1U);
  ASSERT_EQ(run(create("/t/child")).code, ErrorCode::kOk);
  EXPECT_EQ(machine_.state.next_reap(), std::nullopt);
}

TEST_F(KindsTest, WhatIsDueTheLongestIsReapedFirst) {
  for (const int ttl : {30, 10, 20})
    ASSERT_EQ(run(living("/" + std::to_string(ttl), ttl)).code, ErrorCode::kOk);
  machine_.stamp.cluster_ms += 100;
  EXPECT_EQ(machine_.state.reapable(machine_.stamp.cluster_ms, 2, 100).size(), 2U);
  EXPECT_EQ(machine_.state.reapable(machine_.stamp.cluster_ms, 100, 1).size(), 1U);
  EXPECT_EQ(reap().changes.size(), 3U);
}

// ---- whole subtrees

TEST_F(KindsTest, ASubtreeGoesInOneEntryChildrenBeforeParents) {
  for (const char* path : {"/a", "/a/b", "/a/b/c", "/a/d", "/ab"})
    ASSERT_EQ(run(create(path)).code, ErrorCode::kOk);
  const Applied applied = machine_.apply_as(session_, DeleteOp{"/a", -1, true});
  std::vector<std::string> paths;
  for (const Change& change : applied.changes) paths.push_back(change.path);
  EXPECT_EQ(paths, (std::vector<std::string>{"/a/b/c", "/a/b", "/a/d", "/a"}));
  EXPECT_TRUE(machine_.exists("/ab"));
  EXPECT_EQ(machine_.state.check_consistency(), std::nullopt);
}

TEST_F(KindsTest, ASubtreeIsGuardedByItsRootsVersion) {
  ASSERT_EQ(run(create("/a")).code, ErrorCode::kOk);
  ASSERT_EQ(run(create("/a/b")).code, ErrorCode::kOk);
  expect_refusal(DeleteOp{"/a", 1, true}, ErrorCode::kBadVersion);
  expect_refusal(DeleteOp{"/a", 0, false}, ErrorCode::kNotEmpty);
  expect_refusal(DeleteOp{"/", -1, true}, ErrorCode::kInvalidArgument);
  expect_refusal(DeleteOp{"/none", -1, true}, ErrorCode::kNoNode);
  EXPECT_EQ(run(DeleteOp{"/a", 0, true}).code, ErrorCode::kOk);
}

TEST(RecursiveDelete, HasALimitAndSaysHowManyThereAre) {
  Limits limits;
  limits.recursive_delete_max = 10;
  Machine machine(limits);
  const SessionId session = machine.open();
  (void)machine.run(session, create("/a"));
  for (int i = 0; i < 9; ++i) (void)machine.run(session, create("/a/" + std::to_string(i)));
  (void)machine.run(session, create("/a/0/x"));
  const Outcome refused = machine.run(session, DeleteOp{"/a", -1, true});
  EXPECT_EQ(refused.code, ErrorCode::kTooManyNodes);
  EXPECT_NE(refused.message.find("11 nodes; at most 10"), std::string::npos) << refused.message;
  EXPECT_EQ(machine.state.node_count(), 12U);
  (void)machine.run(session, DeleteOp{"/a/0/x"});
  EXPECT_EQ(machine.run(session, DeleteOp{"/a", -1, true}).code, ErrorCode::kOk);
  EXPECT_EQ(machine.state.node_count(), 1U);
}

TEST(RecursiveDelete, TwoInOneMultiHaveOneLimit) {
  Limits limits;
  limits.recursive_delete_max = 5;
  Machine machine(limits);
  const SessionId session = machine.open();
  for (const char* path : {"/a", "/a/x", "/a/y", "/b", "/b/x", "/b/y"})
    (void)machine.run(session, create(path));
  const DeleteOp a{"/a", -1, true}, b{"/b", -1, true};
  EXPECT_EQ(machine.run(session, MultiOp{{a, b}}).code, ErrorCode::kTooManyNodes);
  EXPECT_EQ(machine.state.node_count(), 7U);
  EXPECT_EQ(machine.run(session, MultiOp{{a}}).code, ErrorCode::kOk);
  EXPECT_EQ(machine.run(session, MultiOp{{b}}).code, ErrorCode::kOk);
}

TEST(RecursiveDelete, TakesFiftyThousandAtOnce) {
  Machine machine;
  const SessionId session = machine.open();
  (void)machine.run(session, create("/a"));
  for (int i = 0; i < 49'999; ++i) (void)machine.run(session, create("/a/" + std::to_string(i)));
  EXPECT_EQ(machine.apply_as(session, DeleteOp{"/a", -1, true}).changes.size(), 50'000U);
  EXPECT_EQ(machine.state.node_count(), 1U);
}

}  // namespace
}  // namespace quorate::kv
