#include <gtest/gtest.h>

#include "tests/kv/checkpoints.h"
#include "tests/kv/machine.h"

namespace quorate::kv {
namespace {

std::string text(const Result<StateMachine::PastChanges>& past) {
  std::string out;
  for (const auto& change : past.value().changes) {
    out.append(described::kind(change.kind)).append(change.path).append(" ");
  }
  return out;
}

TEST(ChangeHistory, TellsWhatChangedAtAPathAndBelow) {
  Machine machine;
  const SessionId session = machine.open();
  (void)machine.run(session, create("/a"));
  (void)machine.run(session, create("/a/b"));
  (void)machine.run(session, create("/ab"));
  (void)machine.run(session, SetOp{"/a/b", "x", -1});
  const Zxid middle = machine.state.zxid();
  (void)machine.run(session, DeleteOp{"/a/b", -1});
  (void)machine.run(session, DeleteOp{"/a", -1});
  const StateMachine& state = machine.state;
  EXPECT_EQ(text(state.changes_since("/", Zxid(0), 100)), "+/a +/a/b +/ab =/a/b -/a/b -/a ");
  EXPECT_EQ(text(state.changes_since("/a", Zxid(0), 100)), "+/a +/a/b =/a/b -/a/b -/a ");
  EXPECT_EQ(text(state.changes_since("/a/b", Zxid(0), 100)), "+/a/b =/a/b -/a/b ");
  EXPECT_EQ(text(state.changes_since("/a", middle, 100)), "-/a/b -/a ");
  EXPECT_EQ(text(state.changes_since("/a", state.zxid(), 100)), "");
  EXPECT_EQ(text(state.changes_since("/nowhere", Zxid(0), 100)), "");
}

TEST(ChangeHistory, SaysHowFarItHasLooked) {
  Machine machine;
  const SessionId session = machine.open();
  for (int i = 0; i < 10; ++i) (void)machine.run(session, create("/n" + std::to_string(i)));
  Zxid from(0);
  std::string all;
  int parts = 0;
  while (from < machine.state.zxid()) {
    const auto past = machine.state.changes_since("/", from, 3);
    all += text(past);
    ASSERT_GT(past->up_to, from);
    from = past->up_to;
    ++parts;
  }
  EXPECT_EQ(all, "+/n0 +/n1 +/n2 +/n3 +/n4 +/n5 +/n6 +/n7 +/n8 +/n9 ");
  EXPECT_EQ(parts, 4);
}

TEST(ChangeHistory, NeverGivesHalfAnEntry) {
  Machine machine;
  const SessionId session = machine.open();
  const SessionId owner = machine.open();
  for (int i = 0; i < 5; ++i) (void)machine.run(owner, create_ephemeral("/e" + std::to_string(i)));
  (void)machine.run(session, create("/x"));
  const Zxid before = machine.state.zxid();
  (void)machine.apply(ExpireSessions{{owner}});
  const Zxid expiry = machine.state.zxid();
  (void)machine.run(session, create("/y"));
  const auto past = machine.state.changes_since("/", before, 2);
  EXPECT_EQ(text(past), "-/e0 -/e1 -/e2 -/e3 -/e4 ");
  EXPECT_EQ(past->up_to, expiry);
}

TEST(ChangeHistory, IsBoundedInBytesAndSaysWhatIsGone) {
  Limits limits;
  limits.history_bytes_max = 150'000;
  Machine machine(limits);
  const SessionId session = machine.open();
  EXPECT_EQ(machine.state.history_floor(), Zxid(0));
  for (int i = 0; i < 10'000; ++i) (void)machine.run(session, create("/n" + std::to_string(i)));
  const StateMachine& state = machine.state;
  const Zxid floor = state.history_floor();
  EXPECT_GT(floor, Zxid(0));
  const auto kept = state.changes_since("/", floor, SIZE_MAX);
  ASSERT_TRUE(kept.ok());
  EXPECT_EQ(kept->changes.front().zxid, floor.next());
  EXPECT_EQ(kept->changes.back().path, "/n9999");
  size_t bytes = 0;
  for (const auto& change : kept->changes) bytes += change.path.size() + 11;
  EXPECT_LE(bytes, limits.history_bytes_max);
  EXPECT_GT(bytes + 100, limits.history_bytes_max);
  const auto gone = state.changes_since("/", floor.prev(), 10);
  ASSERT_FALSE(gone.ok());
  EXPECT_EQ(gone.code(), ErrorCode::kHistoryGone);
  EXPECT_NE(gone.error().message.find(std::to_string(floor.value())), std::string::npos);
  // From anywhere in the middle, over blocks' borders.
  for (uint64_t since = floor.value(); since < state.zxid().value(); since += 97) {
    const auto past = state.changes_since("/", Zxid(since), 1);
    ASSERT_TRUE(past.ok());
    ASSERT_EQ(past->changes.size(), 1U);
    EXPECT_EQ(past->changes[0].zxid, Zxid(since + 1));
  }
}

TEST(ChangeHistory, AnEntryLargerThanAllOfItLeavesNothing) {
  Limits limits;
  limits.history_bytes_max = 20;
  Machine machine(limits);
  const SessionId session = machine.open();
  (void)machine.run(session, create("/" + std::string(100, 'x')));
  EXPECT_EQ(machine.state.history_floor(), machine.state.zxid());
  EXPECT_EQ(text(machine.state.changes_since("/", machine.state.zxid(), 10)), "");
}

TEST(ChangeHistory, ALowerLimitForgetsAtTheNextStart) {
  Machine machine;
  const SessionId session = machine.open();
  for (int i = 0; i < 100; ++i) (void)machine.run(session, create("/n" + std::to_string(i)));
  Store store;
  write(store, capture_all(machine.state));
  Limits limits;
  limits.history_bytes_max = 300;
  machine.state = load(store, limits).value();
  const Zxid floor = machine.state.history_floor();
  EXPECT_GT(floor, Zxid(50));
  (void)machine.run(session, SetOp{"/n0", "x", -1});
  write(store, capture_all(machine.state));
  EXPECT_EQ(describe(load(store, limits).value()), describe(machine.state));
}

}  // namespace
}  // namespace quorate::kv
