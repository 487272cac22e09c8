// States made of nodes that were read elsewhere.
#include <gtest/gtest.h>

#include "kv/state_import.h"
#include "tests/kv/checkpoints.h"
#include "tests/kv/machine.h"

namespace quorate::kv {
namespace {

constexpr uint64_t kEpoch = uint64_t{7} << 32;  // zxids as ZooKeeper's have them

NodeRecord node(uint64_t czxid, uint64_t creates = 0) {
  NodeRecord record;
  record.czxid = record.mzxid = Zxid(czxid);
  record.ctime_ms = record.mtime_ms = 1'700'000'000'000;
  record.creates = creates;
  record.pzxid = creates != 0 ? Zxid(czxid + 5) : Zxid();
  return record;
}

std::string bytes_of(const Acl& acl) {
  std::string bytes;
  append_acl(bytes, acl);
  return bytes;
}

TEST(StateImport, KeepsStatsAndGoesOnFromThem) {
  StateImport import;
  ASSERT_TRUE(import.add("/", node(0, 3)).ok());
  NodeRecord queue = node(kEpoch + 1, 41);
  queue.mzxid = Zxid(kEpoch + 9);
  queue.version = 12;
  queue.aversion = 3;
  queue.data = "data";
  const std::string acl = bytes_of({{kRead, "sasl", "bob"}, {kAllPermissions, "digest", "anna:hash"}});
  queue.acl = acl;
  ASSERT_TRUE(import.add("/queue", queue).ok());
  ASSERT_TRUE(import.add("/queue/a", node(kEpoch + 2)).ok());
  auto state = import.finish(Zxid(kEpoch + 100));
  ASSERT_TRUE(state.ok()) << state.error().message;

  const NodeView read = state->get("/queue").value();
  EXPECT_EQ(read.data, "data");
  EXPECT_EQ(read.stat.mzxid, Zxid(kEpoch + 9));
  EXPECT_EQ(read.stat.version, 12);
  EXPECT_EQ(read.stat.aversion, 3);
  EXPECT_EQ(read.stat.cversion, 2 * 41 - 1);
  EXPECT_EQ(read.stat.num_children, 1);
  EXPECT_EQ(read.acl->front().scheme, "sasl");
  EXPECT_EQ(state->zxid(), Zxid(kEpoch + 100));
  EXPECT_EQ(state->applied(), Index());
  EXPECT_EQ(state->history_floor(), state->zxid());
  EXPECT_EQ(state->check_consistency(), std::nullopt);
}

// An ensemble with an authentication provider of its own has schemes that are known nowhere else.
TEST(StateImport, AListOfAnUnknownSchemeIsKeptAlsoInTheHistory) {
  StateImport import;
  ASSERT_TRUE(import.add("/", node(0, 1)).ok());
  NodeRecord theirs = node(kEpoch + 1);
  const std::string acl = bytes_of({{kRead, "world", "anyone"}, {kAllPermissions, "kerb", "anna"}});
  theirs.acl = acl;
  ASSERT_TRUE(import.add("/theirs", theirs).ok());
  Machine machine;
  machine.state = import.finish(Zxid(kEpoch + 8)).value();
  const SessionId session = machine.open();
  const SessionId admin = machine.open();
  ASSERT_EQ(machine.run(admin, AddCredentialOp{{"digest", "root:hash"}, true}).code, ErrorCode::kOk);
  EXPECT_EQ(machine.run(session, SetOp{"/theirs", "x"}).code, ErrorCode::kDenied);
  ASSERT_EQ(machine.run(admin, SetOp{"/theirs", "x"}).code, ErrorCode::kOk);
  ASSERT_EQ(machine.run(admin, create("/theirs/child")).code, ErrorCode::kOk);
  machine.state.mark_all_changed();
  Store store;
  write(store, capture_all(machine.state));
  const auto again = load(store);
  ASSERT_TRUE(again.ok()) << again.error().message;
  EXPECT_EQ(describe(*again), describe(machine.state));
}

TEST(StateImport, IsLoadedFromItsRecordsAndBeginsAnewAboveItsZxids) {
  StateImport import;
  ASSERT_TRUE(import.add("/", node(0, 2)).ok());
  ASSERT_TRUE(import.add("/a", node(kEpoch + 1, 7)).ok());
  ASSERT_TRUE(import.set_quota("/a", {.count_soft = 5, .count_hard = 9}).ok());
  auto state = import.finish(Zxid(kEpoch + 8));
  ASSERT_TRUE(state.ok());
  state->mark_all_changed();
  Store store;
  write(store, capture_all(*state));
  auto again = load(store);
  ASSERT_TRUE(again.ok()) << again.error().message;
  EXPECT_EQ(describe(*again), describe(*state));
  EXPECT_EQ(again->quota("/a")->limits.count_hard, 9);

  again->begin_anew(again->zxid().value() + 1000);
  EXPECT_EQ(again->applied(), Index());
  EXPECT_EQ(again->zxid(), Zxid(kEpoch + 1008));
  EXPECT_EQ(again->get("/a").value().stat.czxid, Zxid(kEpoch + 1));
}

TEST(StateImport, SiblingsOfOneTransactionStandByTheirOrder) {
  StateImport import;
  ASSERT_TRUE(import.add("/", node(0, 4)).ok());
  NodeRecord first = node(kEpoch + 4), second = node(kEpoch + 4), early = node(kEpoch + 1);
  second.order = 1;
  ASSERT_TRUE(import.add("/a", second).ok());
  ASSERT_TRUE(import.add("/b", first).ok());
  ASSERT_TRUE(import.add("/c", early).ok());
  const auto state = import.finish(Zxid(kEpoch + 4));
  ASSERT_TRUE(state.ok());
  std::string names;
  const auto children = state->children("/");
  for (const Child& child : *children) names += child.name;
  EXPECT_EQ(names, "cba");
}

TEST(StateImport, ContainersAndTimesToLiveAreWhatTheyAre) {
  StateImport import;
  ASSERT_TRUE(import.add("/", node(0, 2)).ok());
  NodeRecord box = node(kEpoch + 1, 1);
  box.container = true;
  NodeRecord mortal = node(kEpoch + 2);
  mortal.ttl_ms = mortal.due_ms = 5'000;
  ASSERT_TRUE(import.add("/box", box).ok());
  ASSERT_TRUE(import.add("/mortal", mortal).ok());
  const auto state = import.finish(Zxid(kEpoch + 8));
  ASSERT_TRUE(state.ok());
  EXPECT_EQ(state->get("/box")->kind, NodeKind::kContainer);
  EXPECT_EQ(state->get("/mortal")->ttl_ms, 5'000);
  EXPECT_TRUE(state->next_reap().has_value());
}

TEST(StateImport, RefusesWhatNoTreeCanHold) {
  StateImport import;
  ASSERT_TRUE(import.add("/", node(0, 9)).ok());
  NodeRecord ephemeral = node(kEpoch + 1);
  ephemeral.owner = SessionId(5);
  EXPECT_EQ(import.add("/e", ephemeral).code(), ErrorCode::kInvalidArgument);
  EXPECT_EQ(import.add("/x/y", node(kEpoch + 1)).code(), ErrorCode::kCorruption);
  EXPECT_EQ(import.add("/a//b", node(kEpoch + 1)).code(), ErrorCode::kCorruption);
  EXPECT_EQ(import.set_quota("a", {.count_hard = 1}).code(), ErrorCode::kInvalidArgument);
  EXPECT_EQ(import.set_quota("/a", {}).code(), ErrorCode::kInvalidArgument);
  EXPECT_EQ(import.set_quota("/a", {.count_hard = -7}).code(), ErrorCode::kInvalidArgument);
}

TEST(StateImport, RefusesMoreChildrenThanWereMade) {
  StateImport import;
  ASSERT_TRUE(import.add("/", node(0, 1)).ok());
  ASSERT_TRUE(import.add("/a", node(kEpoch + 1)).ok());
  ASSERT_TRUE(import.add("/b", node(kEpoch + 2)).ok());
  EXPECT_EQ(import.finish(Zxid(kEpoch + 2)).code(), ErrorCode::kCorruption);
}

TEST(StateImport, RefusesANodeOfALaterZxid) {
  StateImport import;
  ASSERT_TRUE(import.add("/", node(0, 1)).ok());
  ASSERT_TRUE(import.add("/a", node(kEpoch + 1)).ok());
  EXPECT_EQ(import.finish(Zxid(kEpoch)).code(), ErrorCode::kInvalidArgument);
}

}  // namespace
}  // namespace quorate::kv
