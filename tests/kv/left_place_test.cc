// Who left a place in a lock's queue, beside its deletion in the history of changes.
#include <gtest/gtest.h>

#include "kv/checkpoint.h"
#include "kv/view.h"
#include "tests/kv/checkpoints.h"
#include "tests/kv/machine.h"

namespace quorate::kv {
namespace {

class LeftPlaces : public ::testing::Test {
 protected:
  std::string acquire(std::string name, PlaceMode mode = {}) {
    return machine.run(session, AcquireOp{"/l", std::move(name), mode}).path;
  }
  // As the history tells of the deletion of a node the last time.
  std::optional<LeftPlace> left(std::string_view node, const Credentials& who, bool recursive = true) const {
    const auto past = View(machine.state, who).changes_since("/l", Zxid(0), SIZE_MAX, recursive);
    std::optional<LeftPlace> found;
    for (const auto& change : past.value().changes)
      if (change.path == node && change.left != nullptr) found = *change.left;
    return found;
  }
  std::optional<LeftPlace> left(std::string_view node) const { return left(node, nobody); }
  void start_again() {
    Store store;
    write(store, capture_all(machine.state));
    Result<StateMachine> loaded = load(store);
    ASSERT_TRUE(loaded.ok()) << loaded.error().message;
    EXPECT_EQ(describe(*loaded), describe(machine.state));
    machine.state = std::move(*loaded);
  }

  Machine machine;
  const Credentials nobody{};
  SessionId session = machine.open();
};

TEST_F(LeftPlaces, WhoAndWhenAreToldAlsoAfterAStart) {
  const std::string first = acquire("me");
  const Stat came = machine.stat(first);
  const PlaceMode permit{Mode::kShared, 0, 70};
  const std::string second = acquire("you:and more", permit);
  EXPECT_FALSE(left(first));
  (void)machine.run(session, ReleaseOp{first});
  const int64_t gone = machine.stamp.wall_ms;
  (void)machine.run(session, DeleteOp{"/l", -1, true});
  const auto check = [&] {
    EXPECT_EQ(left(first), (LeftPlace{session, came.czxid, came.ctime_ms, gone, {}, "me"}));
    ASSERT_TRUE(left(second));
    EXPECT_EQ(left(second)->mode, permit);
    EXPECT_EQ(left(second)->name, "you:and more");
    EXPECT_EQ(left(second)->left_ms, gone + 10);
  };
  check();
  start_again();
  check();
}

TEST_F(LeftPlaces, AnExpiredHolderIsToldAndThenTheEndOfHisDelay) {
  const std::string place = acquire("me", {Mode::kExclusive, 0, 5});
  const Zxid czxid = machine.stat(place).czxid;
  (void)machine.apply(ExpireSessions{{session}});
  ASSERT_TRUE(left(place));
  EXPECT_EQ(left(place)->session, session);
  EXPECT_EQ(left(place)->czxid, czxid);
  (void)machine.apply(ReapNodes{{place}});
  ASSERT_FALSE(machine.exists(place));
  EXPECT_EQ(left(place)->session, SessionId());
  EXPECT_EQ(left(place)->name, "me");
  EXPECT_EQ(left(place)->left_ms, machine.stamp.wall_ms);
  start_again();
  EXPECT_EQ(left(place)->session, SessionId());
}

TEST_F(LeftPlaces, PlacesOfOtherClientsAreToldAndNothingElse) {
  (void)machine.run(session, create("/l"));
  CreateOp kazoo = create_queued("/l/abc__lock__");
  kazoo.data = "host.1.2";
  const std::string place = machine.run(session, kazoo).path;
  const std::string other = machine.run(session, create_queued("/l/n_")).path;  // of no recipe
  (void)machine.run(session, create_ephemeral("/l/lock-1"));
  (void)machine.run(session, create("/l/lock-2"));
  (void)machine.run(session, DeleteOp{"/l", -1, true});
  ASSERT_TRUE(left(place));
  EXPECT_EQ(left(place)->name, "host.1.2");
  EXPECT_FALSE(left(other));
  EXPECT_FALSE(left("/l/lock-1"));
  EXPECT_FALSE(left("/l/lock-2"));
}

// Records without such places are those of version 3: an older server reads them.
TEST_F(LeftPlaces, WhatIsNoPlaceIsStoredAsBefore) {
  (void)machine.run(session, create("/l"));
  (void)machine.run(session, create_queued("/l/n_"));
  (void)machine.run(session, DeleteOp{"/l", -1, true});
  const auto versions = [&] {
    std::string found;
    machine.state.mark_all_changed();
    for (const RecordView& record : capture_all(machine.state))
      if (record.key.front() == kChangeKey && record.value) found.push_back(record.value->front());
    return found;
  };
  EXPECT_EQ(versions(), "\x03");
  (void)machine.run(session, ReleaseOp{acquire("me")});
  EXPECT_EQ(versions(), "\x04");
}

TEST_F(LeftPlaces, OfALongNameTheFrontIsKept) {
  std::string name(kLeftNameBytesMax, 'x');
  (void)machine.run(session, ReleaseOp{acquire(name + "y", {Mode::kPermit, kPermitsMax, kLockDelayMsMax})});
  start_again();
  const auto past = machine.state.changes_since("/l", Zxid(0), SIZE_MAX);
  EXPECT_EQ(past->changes.back().left->name, name);
}

// A list of permissions of the lock's path is that of the places, too.
TEST_F(LeftPlaces, NobodyIsToldOfAPlaceThatHeMightNotRead) {
  const Credentials alice = {{"digest", digest_id("alice:secret").value()}};
  ASSERT_EQ(machine.run(session, AddCredentialOp{alice[0], false}).code, ErrorCode::kOk);
  CreateOp lock = create("/l");
  lock.acl = {{kAllPermissions, "auth", ""}};
  (void)machine.run(session, lock);
  const std::string place = acquire("me");
  (void)machine.run(session, ReleaseOp{place});
  EXPECT_TRUE(left(place, alice));
  EXPECT_FALSE(left(place));
  // Whoever may read the parent by now is told that the child went, and not whose it was.
  (void)machine.run(session, SetAclOp{"/l", open_acl(), -1});
  EXPECT_FALSE(left(place));
  EXPECT_FALSE(left(place, nobody, false));
  // A place of its own list in an open lock.
  CreateOp own = create_queued("/l/lock-");
  own.acl = {{kAllPermissions, "auth", ""}};
  const std::string hidden = machine.run(session, own).path;
  (void)machine.run(session, DeleteOp{hidden, -1});
  const auto told = View(machine.state, nobody).changes_since("/l", Zxid(0), SIZE_MAX, false);
  EXPECT_EQ(told->changes.back().path, hidden);
  EXPECT_FALSE(left(hidden, nobody, false));
  EXPECT_TRUE(left(hidden, alice, false));
  EXPECT_TRUE(left(hidden, alice));
}

// What the history costs: that of an ordinary change is not more than it was.
TEST_F(LeftPlaces, CountInTheHistorysBytes) {
  Limits limits;
  limits.history_bytes_max = 2'000;
  machine = Machine(limits);
  session = machine.open();
  for (int i = 0; i < 100; ++i) (void)machine.run(session, ReleaseOp{acquire(std::string(60, 'n'))});
  const auto kept = machine.state.changes_since("/l", machine.state.history_floor(), SIZE_MAX);
  size_t bytes = 0;
  for (const auto& change : kept->changes) {
    bytes += change.path.size() + 11;
    if (change.left != nullptr) bytes += 1 + encode_left_place(*change.left).size();
  }
  EXPECT_LE(bytes, limits.history_bytes_max);
  EXPECT_GT(bytes + 150, limits.history_bytes_max);
  start_again();
}

// ---- records

std::string value_of(std::string_view left, Change::Kind kind = Change::Kind::kDeleted) {
  return encode_changes({kind, "/l/lock-0000000000", {}, {}, left});
}

TEST(LeftPlaceRecords, WhatIsWrittenIsRead) {
  for (const int64_t ms : {INT64_MIN, int64_t{-1}, int64_t{0}, kFirstWallMs, INT64_MAX}) {
    for (const int64_t other : {INT64_MIN, int64_t{0}, ms, INT64_MAX}) {
      const LeftPlace place{
          SessionId(UINT64_MAX), Zxid(UINT64_MAX), ms, other, {Mode::kPermit, 3, 7, true}, "a:b"};
      EXPECT_EQ(decode_left_place(encode_left_place(place)), place);
    }
  }
}

TEST(LeftPlaceRecords, WhatNoStateCanHaveIsRefused) {
  Machine machine;
  const SessionId session = machine.open();
  const std::string place = machine.run(session, AcquireOp{"/l", "me"}).path;
  (void)machine.run(session, ReleaseOp{place});
  Store store;
  write(store, capture_all(machine.state));
  std::erase_if(store, [](const auto& record) { return record.first.front() == kChangeKey; });
  MetaRecord meta = decode_meta(store.at(meta_key())).value();
  meta.changes = 1;
  meta.history_floor = machine.state.zxid().prev();
  store[meta_key()] = encode_meta(meta);
  std::string& value = store[change_key(machine.state.zxid(), 0)];
  const LeftPlace good{session, machine.state.zxid().prev(), 5, 6, {}, "me"};
  value = value_of(encode_left_place(good));
  ASSERT_TRUE(load(store).ok()) << load(store).error().message;

  LeftPlace later = good;
  later.czxid = machine.state.zxid().next();
  LeftPlace longer = good;
  longer.name = std::string(kLeftNameBytesMax, 'x');
  const std::string plain = encode_left_place(good);
  const std::string exclusive = plain.substr(0, plain.size() - 2) + "quorate:exclusive:me";
  for (const std::string& wrong : {encode_left_place(later), encode_left_place(longer) + "x",
                                   std::string("\x01"), std::string("\x80\x00")}) {
    value = value_of(wrong);
    EXPECT_EQ(load(store).code(), ErrorCode::kCorruption) << wrong;
  }
  value = value_of(exclusive);
  EXPECT_TRUE(load(store).ok()) << "a name that looks like a mode";
  value = value_of(plain, Change::Kind::kCreated);
  EXPECT_EQ(load(store).code(), ErrorCode::kCorruption) << "nobody leaves what is created";
  value = value_of({});
  value.front() = 4;
  EXPECT_EQ(load(store).code(), ErrorCode::kCorruption) << "version 4 without such a place";
  value = value_of(plain);
  value.front() = 3;
  EXPECT_EQ(load(store).code(), ErrorCode::kCorruption) << "version 3 with one";
  value.front() = 5;
  EXPECT_EQ(load(store).code(), ErrorCode::kUnsupported);
}

// As a server stored it that knew no version 4: a lock was taken and released.
TEST(LeftPlaceRecords, AStateOfVersionThreeIsReadAndGoesOn) {
  Machine machine;
  const SessionId session = machine.open();
  const std::string place = machine.run(session, AcquireOp{"/l", "me"}).path;
  (void)machine.run(session, ReleaseOp{place});
  Store store;
  write(store, capture_all(machine.state));
  std::string& value = store.at(change_key(Zxid(2), 0));
  ASSERT_EQ(value.front(), 4);
  // Two created by entry 2, a deletion by entry 3: distance, kind, size of the path, path.
  value = std::string(
      "\x03"
      "\x00\x00\x02/l"
      "\x00\x00\x12/l/lock-0000000000"
      "\x01\x01\x12/l/lock-0000000000",
      48);
  Result<StateMachine> loaded = load(store);
  ASSERT_TRUE(loaded.ok()) << loaded.error().message;
  EXPECT_EQ(loaded->state_hash(), machine.state.state_hash());
  machine.state = std::move(*loaded);
  const auto old = machine.state.changes_since("/l", Zxid(1), SIZE_MAX);
  ASSERT_EQ(old->changes.size(), 3U);
  EXPECT_EQ(old->changes[2].left, nullptr);
  // What comes is of version 4, beside what was.
  const std::string next = machine.run(session, AcquireOp{"/l", "you"}).path;
  (void)machine.run(session, ReleaseOp{next});
  write(store, capture_all(machine.state));
  EXPECT_EQ(value.front(), 3);
  Result<StateMachine> again = load(store);
  ASSERT_TRUE(again.ok()) << again.error().message;
  EXPECT_EQ(describe(*again), describe(machine.state));
  EXPECT_EQ(again->changes_since("/l", Zxid(1), SIZE_MAX)->changes.back().left->name, "you");
}

}  // namespace
}  // namespace quorate::kv
