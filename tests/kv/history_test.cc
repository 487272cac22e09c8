#include <gtest/gtest.h>

#include "base/codec.h"
#include "kv/checkpoint.h"
#include "kv/history.h"
#include "kv/view.h"
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

// What may be told of a node that is gone was said by its own list.
TEST(ChangeHistory, KeepsWhoMayBeTold) {
  Machine machine;
  const SessionId owner = machine.open();
  const Credentials nobody;
  const Credentials alice = {{"digest", digest_id("alice:secret").value()}};
  ASSERT_EQ(machine.run(owner, AddCredentialOp{alice[0], false}).code, ErrorCode::kOk);
  const Acl own = {{kAllPermissions, "auth", ""}};
  CreateOp hidden = create("/hidden");
  hidden.acl = own;
  (void)machine.run(owner, create("/open"));
  (void)machine.run(owner, hidden);
  (void)machine.run(owner, create("/hidden/child"));
  hidden.path = "/open/secret";
  (void)machine.run(owner, hidden);
  (void)machine.run(owner, SetOp{"/open/secret", "x", -1});
  (void)machine.run(owner, DeleteOp{"/open/secret", -1});
  (void)machine.run(owner, DeleteOp{"/hidden", -1, true});
  const auto told = [&machine](const Credentials& who, std::string_view root, bool recursive) {
    return text(View(machine.state, who).changes_since(root, Zxid(0), 100, recursive));
  };
  const auto check = [&] {
    EXPECT_EQ(told(nobody, "/", true), "+/open +/hidden/child -/hidden/child ") << "an open node's own list";
    EXPECT_EQ(told(nobody, "/hidden", false), "") << "its children, by its own list";
    EXPECT_EQ(told(nobody, "/open", false), "+/open +/open/secret -/open/secret ") << "as a listing shows";
    EXPECT_EQ(told(alice, "/hidden", false), "+/hidden +/hidden/child -/hidden/child -/hidden ");
    EXPECT_EQ(told(alice, "/open", true), "+/open +/open/secret =/open/secret -/open/secret ");
  };
  check();
  Store store;
  write(store, capture_all(machine.state));
  machine.state = load(store).value();
  check();
}

TEST(ChangeHistory, ListsGoWithTheChangesThatHadThem) {
  Limits limits;
  limits.history_bytes_max = 3'000;
  Machine machine(limits);
  const SessionId session = machine.open();
  Store store;
  for (int i = 0; i < 300; ++i) {
    CreateOp op = create("/n" + std::to_string(i));
    op.acl = {{kRead, "digest", "user" + std::to_string(i % 50) + ":" + std::string(27, 'a') + "="}};
    if (i % 3 == 0) op.acl = {};
    ASSERT_EQ(machine.run(session, op).code, ErrorCode::kOk);
    if (i % 7 != 0) continue;
    write(store, capture_all(machine.state));
    ASSERT_EQ(describe(load(store, limits).value()), describe(machine.state)) << i;
  }
}

TEST(ChangeHistory, DamagedListsAreRefused) {
  Machine machine;
  const SessionId session = machine.open();
  CreateOp op = create("/n");
  op.acl = {{kRead, "world", "anyone"}};
  (void)machine.run(session, op);
  Store store;
  write(store, capture_all(machine.state));
  const std::string key = change_key(machine.state.zxid(), 0);
  ASSERT_TRUE(store.contains(key));
  ASSERT_TRUE(load(store).ok());
  std::string acl;
  append_acl(acl, op.acl);
  std::string open;
  append_acl(open, open_acl());
  for (const std::string& wrong : {std::string("x"), acl + "x", open, std::string(1, '\0')}) {
    store[key] = encode_changes({Change::Kind::kCreated, "/n", wrong});
    EXPECT_EQ(load(store).code(), ErrorCode::kCorruption);
    store[key] = encode_changes({Change::Kind::kCreated, "/n", acl, wrong});
    EXPECT_EQ(load(store).code(), ErrorCode::kCorruption);
  }
  store[key] = std::string("\x02\x00\x00\x00/n", 6);
  EXPECT_FALSE(load(store).ok()) << "version 2 without a list";
}

// One change each, as they were stored before.
TEST(ChangeHistory, RecordsOfOlderVersionsAreRead) {
  Machine machine;
  const SessionId owner = machine.open();
  for (int i = 0; i < 5; ++i) (void)machine.run(owner, create_ephemeral("/e" + std::to_string(i)));
  CreateOp op = create("/n");
  op.acl = {{kRead, "world", "anyone"}};
  (void)machine.run(machine.open(), op);
  (void)machine.apply(ExpireSessions{{owner}});
  Store store;
  write(store, capture_all(machine.state));
  std::erase_if(store, [](const auto& record) { return record.first.front() == kChangeKey; });
  const auto past = machine.state.changes_since("/", Zxid(0), SIZE_MAX);
  Zxid before;
  uint32_t place = 0;
  for (const StateMachine::PastChange& change : past->changes) {
    place = change.zxid == before ? place + 1 : 0;
    before = change.zxid;
    std::string lists;
    ByteWriter out(lists);
    for (const auto& acl : {change.acl, change.parent_acl}) {
      std::string bytes;
      if (acl != nullptr) append_acl(bytes, *acl);
      out.string(bytes);
    }
    const bool open = change.acl == nullptr && change.parent_acl == nullptr;
    std::string value{static_cast<char>(open ? 1 : 2), static_cast<char>(change.kind)};
    if (!open) value.append(lists);
    store[change_key(change.zxid, place)] = value.append(change.path);
  }
  const Result<StateMachine> loaded = load(store);
  ASSERT_TRUE(loaded.ok()) << loaded.error().message;
  EXPECT_EQ(describe(*loaded), describe(machine.state));
}

// What is forgotten of the oldest record may be any part of it, but nothing else may be missing.
TEST(ChangeHistory, ARecordThatBeginsWithinAnEntryIsReadOnlyWhereThatIsForgotten) {
  Machine machine;
  const SessionId owner = machine.open();
  for (int i = 0; i < 5; ++i) (void)machine.run(owner, create_ephemeral("/e" + std::to_string(i)));
  (void)machine.apply(ExpireSessions{{owner}});
  Store store;
  write(store, capture_all(machine.state));
  MetaRecord meta = decode_meta(store.at(meta_key())).value();
  const std::string tail_key = change_key(machine.state.zxid(), 3);
  std::string tail;
  append_change(tail, {Change::Kind::kDeleted, "/e3"});
  append_change(tail, {Change::Kind::kDeleted, "/e4"});
  std::erase_if(store, [](const auto& record) { return record.first.front() == kChangeKey; });
  store[tail_key] = tail;
  meta.changes = 2;
  store[meta_key()] = encode_meta(meta);
  EXPECT_NE(load(store).error().message.find("gap"), std::string::npos);
  // A whole record that is forgotten should have been erased.
  meta.changes = 0;
  meta.history_floor = machine.state.zxid();
  store[meta_key()] = encode_meta(meta);
  EXPECT_NE(load(store).error().message.find("forgotten"), std::string::npos);
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

TEST(ChangeHistory, LooksForAListOnceWhereAllHaveIt) {
  ChangeHistory history(1 << 20);
  const auto shared = [](std::string id) {
    return std::make_shared<const Acl>(Acl{{kRead, "digest", std::move(id)}});
  };
  const auto one = shared("alice:x"), above = shared("bob:x"), other = shared("carol:x");
  uint64_t zxid = 0;
  const auto add = [&](const auto& acl, const auto& parent_acl) {
    Change change;
    change.path = "/a";
    change.acl = acl;
    change.parent_acl = parent_acl;
    history.add(Zxid(++zxid), std::vector<Change>(10, change));
  };
  for (int i = 0; i < 10; ++i) add(one, above);
  EXPECT_EQ(history.lists_looked_for(), 2U);
  add(other, above);
  add(nullptr, above);
  EXPECT_EQ(history.lists_looked_for(), 3U);
  add(one, nullptr);
  EXPECT_EQ(history.lists_looked_for(), 4U);
  const auto past = history.since("/", Zxid(), SIZE_MAX, Zxid(13));
  ASSERT_TRUE(past.ok());
  ASSERT_EQ(past->changes.size(), 130U);
  EXPECT_EQ(*past->changes[99].acl, *one);
  EXPECT_EQ(*past->changes[99].parent_acl, *above);
  EXPECT_EQ(*past->changes[100].acl, *other);
  EXPECT_EQ(past->changes[110].acl, nullptr);
  EXPECT_EQ(*past->changes[120].acl, *one);
  EXPECT_EQ(past->changes[120].parent_acl, nullptr);
  history.forget_all(Zxid(13));
  EXPECT_EQ(history.bytes(), 0U);
}

}  // namespace
}  // namespace quorate::kv
