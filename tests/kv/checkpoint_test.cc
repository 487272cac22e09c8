// Captures and what a loader refuses. Random histories are in tests/property/kv_checkpoint_test.cc.
#include <gtest/gtest.h>

#include "kv/checkpoint.h"
#include "tests/kv/checkpoints.h"
#include "tests/kv/machine.h"

namespace quorate::kv {
namespace {

size_t bytes_of(const RecordList& records) { return records.bytes(); }

size_t count_of(const RecordList& records, char kind) {
  size_t count = 0;
  for (const RecordView& record : records) count += record.key.front() == kind ? 1 : 0;
  return count;
}

// With something of every kind in it.
class Rich : public Machine {
 public:
  explicit Rich(const Limits& limits = {}) : Machine(limits) {
    const SessionId first = apply(OpenSession{{ServerId(1), BootNonce(7), 1}, 10'000, {1}, "192.0.2.1"})
                                .origin_outcomes.at(0)
                                .outcome.session;
    const SessionId second = open({2});
    (void)run(first, create("/a", "data"));
    (void)run(first, create("/a/b"));
    (void)run(first, create("/a-b"));
    (void)run(first, SetOp{"/a", "other data", -1});
    (void)run(first, AcquireOp{"/lock", "first"});
    (void)run(second, AcquireOp{"/lock", "second"});
    (void)run(second, create_ephemeral("/a/e"));
    (void)run(first, create_sequential("/a/s"));
    (void)run(first, create("/gone"));
    (void)run(first, DeleteOp{"/gone", -1});
  }
  Store stored() {
    Store store;
    write(store, capture_all(state));
    return store;
  }
};

TEST(Capture, OfAnEmptyStateHasTheRootAlone) {
  StateMachine state;
  const RecordList records = capture_all(state);
  EXPECT_EQ(count_of(records, kMetaKey), 1U);
  EXPECT_EQ(count_of(records, kNodeKey), 1U);
  EXPECT_EQ(records.size(), 2U);
  Store store;
  write(store, records);
  EXPECT_EQ(describe(load(store).value()), describe(state));
}

TEST(Capture, HasNothingTwiceWhereNothingChanged) {
  Rich machine;
  EXPECT_GT(machine.state.dirty_bytes(), 500U);
  (void)capture_all(machine.state);
  EXPECT_EQ(machine.state.dirty_bytes(), 0U);
  const RecordList again = capture_all(machine.state);
  ASSERT_EQ(again.size(), 1U);
  EXPECT_EQ((*again.begin()).key, meta_key());
}

TEST(Capture, WhatCameAndWentInBetweenLeavesNoRecord) {
  Rich machine;
  const SessionId session = machine.open();
  (void)capture_all(machine.state);
  const size_t before = machine.state.dirty_bytes();
  (void)machine.run(session, create("/t", "some data"));
  EXPECT_GT(machine.state.dirty_bytes(), before);
  (void)machine.run(session, DeleteOp{"/t", -1});
  const RecordList records = capture_all(machine.state);
  for (const RecordView& record : records) EXPECT_NE(record.key, node_key("/t"));
  EXPECT_EQ(count_of(records, kNodeKey), 1U);  // the root, whose counts changed
}

TEST(Capture, IsOneAtATime) {
  StateMachine state;
  RecordList records;
  EXPECT_DEATH((void)state.capture(1, records), "no capture was begun");
  state.begin_capture();
  EXPECT_DEATH(state.begin_capture(), "one capture at a time");
}

TEST(Capture, SlicesKeepToTheirBytes) {
  Machine machine;
  const SessionId session = machine.open();
  for (int i = 0; i < 500; ++i)
    (void)machine.run(session, create("/n" + std::to_string(i), std::string(100, 'x')));
  machine.state.begin_capture();
  size_t slices = 0;
  for (bool complete = false; !complete; ++slices) {
    RecordList records;
    complete = machine.state.capture(1'000, records);
    EXPECT_LE(bytes_of(records), 1'000U + 200U);
  }
  EXPECT_GT(slices, 50U);
}

TEST(Capture, AThousandChangesAmongManyNodesCostWhatChanged) {
  Machine machine;
  const SessionId session = machine.open();
  constexpr int kNodes = 20'000;
  const auto path = [](int i) { return "/p" + std::to_string(i % 100) + "/n" + std::to_string(i); };
  for (int i = 0; i < 100; ++i) (void)machine.run(session, create("/p" + std::to_string(i)));
  for (int i = 0; i < kNodes; ++i) (void)machine.run(session, create(path(i), std::string(100, 'x')));
  (void)capture_all(machine.state);
  size_t changed = 0;
  for (int i = 0; i < 1'000; ++i) {
    (void)machine.run(session, SetOp{path(i * 7), std::string(100, 'y'), -1});
    changed += path(i * 7).size() + 100;
  }
  const size_t expected = machine.state.dirty_bytes();
  const RecordList records = capture_all(machine.state);
  EXPECT_EQ(count_of(records, kNodeKey), 1'000U);
  EXPECT_LE(count_of(records, kChangeKey), 10U) << "one record for many changes";
  EXPECT_EQ(count_of(records, kSessionKey), 1U);
  EXPECT_LE(bytes_of(records), 2 * changed);
  EXPECT_GE(expected * 5, bytes_of(records) * 4);
  EXPECT_LE(expected * 4, bytes_of(records) * 5);
}

// ---- loading

TEST(Load, PassesOverRecordsOfOthers) {
  Rich machine;
  Store store = machine.stored();
  store["a"] = "which state this is";
  store["x"] = "something else";
  EXPECT_EQ(describe(load(store).value()), describe(machine.state));
}

TEST(Load, GoesOnWhereItWas) {
  Rich machine;
  machine.state = load(machine.stored()).value();
  EXPECT_EQ(machine.state.check_consistency(), std::nullopt);
  // The repeated attach is known, and so is what waits in the queue.
  const Applied again = machine.apply(OpenSession{{ServerId(1), BootNonce(7), 1}, 10'000, {1}, "192.0.2.1"});
  EXPECT_EQ(again.origin_outcomes.at(0).outcome.session, machine.state.sessions().at(0).id);
  const SessionId first = machine.state.sessions().at(0).id;
  const std::string holder = "/lock/" + std::string(machine.state.first_queued("/lock")->name);
  EXPECT_EQ(machine.run(first, ReleaseOp{holder}).code, ErrorCode::kOk);
  EXPECT_TRUE(machine.state.first_queued("/lock").has_value());
  (void)machine.apply(ExpireSessions{{machine.state.sessions().at(1).id}});
  EXPECT_FALSE(machine.state.first_queued("/lock").has_value());
  EXPECT_FALSE(machine.exists("/a/e"));
}

// Every record missing, and every key at another place.
TEST(Load, RefusesWhatIsMissingOrOutOfOrder) {
  Rich machine;
  const Store store = machine.stored();
  for (const auto& [key, value] : store) {
    Store less = store;
    less.erase(key);
    const Result<StateMachine> loaded = load(less);
    EXPECT_EQ(loaded.code(), ErrorCode::kCorruption) << key;

    StateLoader twice;
    ASSERT_TRUE(twice.add(key, value).ok() || key.front() != kMetaKey);
    EXPECT_EQ(twice.add(key, value).code(), ErrorCode::kCorruption) << key;
    EXPECT_EQ(twice.finish().code(), ErrorCode::kCorruption);
  }
  EXPECT_EQ(StateLoader().add("", "").code(), ErrorCode::kCorruption);
  EXPECT_EQ(StateLoader().finish().code(), ErrorCode::kCorruption);
}

// Whatever is loaded must be sound enough to go on with: damage that no hash covers may pass, as other valid
// values.
void expect_refused_or_sound(const Store& store) {
  Result<StateMachine> loaded = load(store);
  if (!loaded.ok()) {
    EXPECT_TRUE(loaded.code() == ErrorCode::kCorruption || loaded.code() == ErrorCode::kUnsupported)
        << loaded.error().message;
    return;
  }
  ASSERT_EQ(loaded->check_consistency(), std::nullopt);
  Machine machine;
  machine.stamp = loaded->last_stamp();
  machine.state = std::move(*loaded);
  machine.stamp = {kFirstWallMs, 0};
  const SessionId session = machine.open();
  EXPECT_EQ(machine.run(session, create("/after", "x")).code, ErrorCode::kOk);
  EXPECT_EQ(machine.run(session, DeleteOp{"/after", -1}).code, ErrorCode::kOk);
  EXPECT_TRUE(machine.state.changes_since("/", machine.state.history_floor(), 10'000).ok());
  EXPECT_TRUE(load([&] {
                Store again = store;
                write(again, capture_all(machine.state));
                return again;
              }())
                  .ok());
}

TEST(Load, EveryFlippedBitIsRefusedOrHarmless) {
  Rich machine;
  const Store store = machine.stored();
  size_t refused = 0;
  size_t all = 0;
  for (const auto& [key, value] : store) {
    for (size_t bit = 0; bit < (key.size() + value.size()) * 8; ++bit) {
      Store damaged = store;
      damaged.erase(key);
      std::string bytes = key + value;
      bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ (1 << bit % 8));
      damaged[bytes.substr(0, key.size())] = bytes.substr(key.size());
      expect_refused_or_sound(damaged);
      ++all;
      refused += load(damaged).ok() ? 0 : 1;
    }
  }
  EXPECT_GT(refused * 10, all * 5) << refused << " of " << all;
}

TEST(Load, EveryShortenedOrLengthenedRecordIsRefusedOrHarmless) {
  Rich machine;
  const Store store = machine.stored();
  for (const auto& [key, value] : store) {
    for (size_t size = 0; size <= value.size(); ++size) {
      Store damaged = store;
      damaged[key] = size == value.size() ? value + "x" : value.substr(0, size);
      expect_refused_or_sound(damaged);
    }
  }
}

TEST(Load, TellsALaterVersion) {
  Rich machine;
  const Store store = machine.stored();
  for (const auto& [key, value] : store) {
    Store later = store;
    later[key][0] = 9;
    const Result<StateMachine> loaded = load(later);
    ASSERT_FALSE(loaded.ok());
    EXPECT_EQ(loaded.code(), ErrorCode::kUnsupported) << key;
    EXPECT_NE(loaded.error().message.find("update it"), std::string::npos);
  }
}

// ---- records that parse and cannot be: each with the one thing wrong

class Crafted : public ::testing::Test {
 protected:
  Crafted() : store_(machine_.stored()), meta_(decode_meta(store_.at(meta_key())).value()) {}

  void expect_refused(std::string_view in_message) {
    store_[meta_key()] = encode_meta(meta_);
    const Result<StateMachine> loaded = load(store_);
    ASSERT_FALSE(loaded.ok());
    EXPECT_EQ(loaded.code(), ErrorCode::kCorruption);
    EXPECT_NE(loaded.error().message.find(in_message), std::string::npos) << loaded.error().message;
  }

  Rich machine_;
  Store store_;
  MetaRecord meta_;
};

TEST_F(Crafted, AChangeAboveTheLastEntry) {
  store_[change_key(machine_.state.zxid().next(), 0)] = encode_changes({Change::Kind::kCreated, "/x"});
  ++meta_.changes;
  expect_refused("history");
}

TEST_F(Crafted, AHistoryThatForgetsTheFuture) {
  for (auto at = store_.begin(); at != store_.end();)
    at = at->first.front() == kChangeKey ? store_.erase(at) : std::next(at);
  meta_.changes = 0;
  meta_.history_floor = machine_.state.zxid().next();
  expect_refused("history");
}

TEST_F(Crafted, AnEntryWithoutItsFirstChange) {
  store_[change_key(machine_.state.zxid(), 5)] = encode_changes({Change::Kind::kCreated, "/x"});
  ++meta_.changes;
  expect_refused("gap");
}

TEST_F(Crafted, AHistoryWithABadPath) {
  for (const std::string& path : {std::string("x"), std::string("/x/"), "/" + std::string(70'000, 'x')}) {
    Store before = store_;
    for (auto& [key, value] : store_) {
      if (key.front() == kChangeKey) value = encode_changes({Change::Kind::kCreated, path});
    }
    expect_refused("path");
    store_ = before;
  }
}

TEST_F(Crafted, ANodeFromTheFuture) {
  NodeRecord node;
  node.czxid = node.mzxid = machine_.state.zxid().next();
  store_[node_key("/a/future")] = encode_node(node);
  ++meta_.nodes;
  expect_refused("/a/future");
}

TEST_F(Crafted, ASessionFromTheFuture) {
  Session session;
  session.epoch = 1;
  session.id = SessionId(machine_.state.zxid().value() + 1);
  store_[session_key(session.id)] = encode_session(session);
  ++meta_.sessions;
  expect_refused("session");
}

TEST_F(Crafted, ANodeWithoutItsParent) {
  store_[node_key("/nowhere/x")] = encode_node(NodeRecord{});
  ++meta_.nodes;
  expect_refused("parent");
}

TEST_F(Crafted, ANodeBelowAnEphemeral) {
  store_[node_key("/a/e/x")] = encode_node(NodeRecord{});
  ++meta_.nodes;
  expect_refused("parent");
}

TEST_F(Crafted, AnEphemeralOfNobody) {
  NodeRecord node;
  node.czxid = node.mzxid = Zxid(1);
  node.owner = SessionId(4'000);
  store_[node_key("/a/x")] = encode_node(node);
  NodeRecord above = decode_node(store_.at(node_key("/a"))).value();
  const std::string data(above.data);
  ++above.creates;
  above.data = data;
  store_[node_key("/a")] = encode_node(above);
  ++meta_.nodes;
  expect_refused("session");
}

TEST_F(Crafted, ARootThatSomebodyOwns) {
  NodeRecord root = decode_node(store_.at(node_key("/"))).value();
  const std::string data(root.data);
  root.data = data;
  root.sequential = true;
  store_[node_key("/")] = encode_node(root);
  expect_refused("what no node can be");
}

TEST_F(Crafted, AQuotaOfNoPathOrBelowNothing) {
  ++meta_.quotas;
  for (const char* path : {"", "q", "/q/"}) {
    const Store before = store_;
    store_[quota_key(path)] = encode_quota({10, -1, -1, -1});
    expect_refused("quota");
    store_ = before;
  }
  store_[quota_key("/q")] = encode_quota({-2, -1, -1, -1});
  expect_refused("quota");
}

TEST_F(Crafted, APathThatNoneCanHave) {
  for (const char* path : {"", "x", "/a/", "/a/..", "//"}) {
    const Store before = store_;
    store_[node_key(path)] = encode_node(NodeRecord{});
    ++meta_.nodes;
    expect_refused("");
    --meta_.nodes;
    store_ = before;
  }
}

TEST_F(Crafted, AnotherHash) {
  ++meta_.state_hash;
  expect_refused("hash");
}

TEST_F(Crafted, MoreNodesThanMemory) {
  meta_.nodes = UINT64_MAX;
  expect_refused("missing");
}

// ---- lists of permissions, which stand in each node's record

Acl long_list(size_t entries) {
  Acl acl = open_acl();
  for (size_t i = 1; i < entries; ++i)
    acl.push_back({kRead, "digest", std::to_string(i) + ":" + std::string(900, 'x')});
  return acl;
}

TEST(Capture, CountsTheListThatEachRecordHas) {
  Limits limits;
  limits.made_bytes_max = SIZE_MAX;
  Machine machine(limits);
  const SessionId session = machine.open();
  CreateOp top = create("/x");
  top.acl = long_list(20);
  ASSERT_EQ(machine.run(session, top).code, ErrorCode::kOk);
  (void)capture_all(machine.state);
  std::string deep = "/x";
  while (deep.size() < 4'000) deep += "/a";
  ASSERT_EQ(machine.run(session, AcquireOp{deep, {}}).code, ErrorCode::kOk);
  const size_t counted = machine.state.dirty_bytes();
  const size_t taken = bytes_of(capture_all(machine.state));
  EXPECT_GT(counted, taken / 2);
  EXPECT_LT(counted, taken * 2);
  EXPECT_EQ(machine.state.dirty_bytes(), 0U);
}

TEST(Capture, CountsTheListThatTheRecordWillHave) {
  constexpr size_t kLong = 80'000;  // of a hundred entries, at least
  Machine machine;
  const SessionId session = machine.open();
  ASSERT_EQ(machine.run(session, create("/x")).code, ErrorCode::kOk);
  (void)capture_all(machine.state);
  ASSERT_EQ(machine.run(session, SetAclOp{"/x", long_list(100), -1}).code, ErrorCode::kOk);
  EXPECT_GT(machine.state.dirty_bytes(), kLong);
  ASSERT_EQ(machine.run(session, MultiOp{{SetAclOp{"/x", open_acl(), -1}, CheckOp{"/none"}}}).code,
            ErrorCode::kNoNode);
  EXPECT_GT(machine.state.dirty_bytes(), kLong) << "it has it again";
  ASSERT_EQ(machine.run(session, SetAclOp{"/x", open_acl(), -1}).code, ErrorCode::kOk);
  EXPECT_LT(machine.state.dirty_bytes(), kLong / 10);
  ASSERT_EQ(machine.run(session, MultiOp{{SetAclOp{"/x", long_list(100), -1}, CheckOp{"/none"}}}).code,
            ErrorCode::kNoNode);
  EXPECT_LT(machine.state.dirty_bytes(), kLong / 10);
  ASSERT_EQ(machine.run(session, SetAclOp{"/x", long_list(100), -1}).code, ErrorCode::kOk);
  ASSERT_EQ(machine.run(session, DeleteOp{"/x", -1}).code, ErrorCode::kOk);
  EXPECT_LT(machine.state.dirty_bytes(), 2 * kLong) << "that of the history, which has it once";
}

TEST(Capture, CountsTheDataThatAMultiTookBack) {
  constexpr size_t kLong = 100'000;
  Machine machine;
  const SessionId session = machine.open();
  ASSERT_EQ(machine.run(session, create("/x", std::string(kLong, 'x'))).code, ErrorCode::kOk);
  for (int i = 0; i < 3; ++i) {
    ASSERT_EQ(machine.run(session, MultiOp{{SetOp{"/x", {}, -1}, CheckOp{"/none"}}}).code,
              ErrorCode::kNoNode);
  }
  EXPECT_GT(machine.state.dirty_bytes(), kLong);
  EXPECT_LT(machine.state.dirty_bytes(), 2 * kLong);
}

}  // namespace
}  // namespace quorate::kv
