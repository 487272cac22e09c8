// Memory that lies, found by recomputing what is kept.
#include <gtest/gtest.h>

#include "kv/tree.h"
#include "tests/kv/machine.h"

namespace quorate::kv {
namespace {

bool round_is_ok(StateMachine& state, size_t slice = 3) {
  std::optional<bool> ok;
  while (!ok) ok = state.scrub(slice);
  return *ok;
}

class Scrub : public ::testing::Test {
 protected:
  Scrub() : session_(machine_.open()) {
    (void)machine_.run(session_, create("/p"));
    for (int i = 0; i < 20; ++i) (void)machine_.run(session_, create("/p/n" + std::to_string(i), "data"));
    (void)machine_.run(session_, create("/empty"));
  }
  StateMachine& state() { return machine_.state; }

  Machine machine_;
  SessionId session_;
};

TEST_F(Scrub, FindsSoundMemorySound) {
  EXPECT_TRUE(round_is_ok(state(), 1));
  EXPECT_TRUE(round_is_ok(state(), 1'000));
}

TEST_F(Scrub, FindsAFlippedBitOfDataOrOfAField) {
  for (const char* path : {"/p/n7", "/empty", "/", "/p"}) {
    EXPECT_TRUE(round_is_ok(state()));
    ASSERT_TRUE(state().damage_node(path));
    EXPECT_FALSE(round_is_ok(state())) << path;
    ASSERT_TRUE(state().damage_node(path));  // flips it back
  }
  EXPECT_FALSE(state().damage_node("/nowhere"));
}

TEST_F(Scrub, FindsItInTheNextRoundWhereTheCursorHasPassed) {
  EXPECT_EQ(state().scrub(15), std::nullopt);
  ASSERT_TRUE(state().damage_node("/p/n0"));
  EXPECT_TRUE(round_is_ok(state()));
  EXPECT_FALSE(round_is_ok(state()));
}

// The set takes the flipped node's hash out, which was never put in.
TEST(ScrubAlone, FindsItAfterTheNodeWasChanged) {
  for (const size_t scrubbed : {0U, 15U}) {
    Machine machine;
    const SessionId session = machine.open();
    for (int i = 0; i < 20; ++i) (void)machine.run(session, create("/n" + std::to_string(i), "data"));
    if (scrubbed > 0) {
      EXPECT_EQ(machine.state.scrub(scrubbed), std::nullopt);
    }
    ASSERT_TRUE(machine.state.damage_node("/n3"));
    (void)machine.run(session, SetOp{"/n3", "other", -1});
    if (scrubbed > 0) (void)round_is_ok(machine.state);
    EXPECT_FALSE(round_is_ok(machine.state));
    // And after it is gone.
    (void)machine.run(session, DeleteOp{"/n3", -1});
    EXPECT_FALSE(round_is_ok(machine.state));
  }
}

TEST_F(Scrub, ASliceIsOfSoManyNodes) {
  const size_t nodes = state().node_count();
  for (size_t i = 1; i < nodes; ++i) EXPECT_EQ(state().scrub(1), std::nullopt);
  EXPECT_EQ(state().scrub(1), std::optional<bool>(true));
}

// ---- what no hash covers

class ScrubTree : public ::testing::Test {
 protected:
  ScrubTree() {
    for (const char* path : {"/a", "/b", "/a/c", "/a/d"}) make(path);
  }
  void make(const char* path) {
    const std::string above = std::string(path).substr(0, std::string(path).rfind('/'));
    (void)tree_.create(tree_.find(above.empty() ? "/" : above), path, {}, {Zxid(++zxid_)});
  }
  bool ok() { return tree_.scrub(100).value(); }
  Node& node(const char* path) { return tree_.node_to_damage(tree_.find(path).ref); }

  Tree tree_;
  uint64_t zxid_ = 0;
};

TEST_F(ScrubTree, FindsDamagedReferences) {
  ASSERT_TRUE(ok());
  const auto damage = [&](auto& field) {
    const auto before = field;
    for (int bit : {0, 1, 14, 31}) {
      field = before ^ (1U << bit);
      EXPECT_FALSE(ok()) << bit;
      field = before;
      EXPECT_TRUE(ok());
    }
  };
  Node& c = node("/a/c");
  damage(c.parent);
  damage(c.prev);
  damage(c.next);
  damage(c.part);
  damage(c.path_hash);
  damage(node("/a").part);
}

TEST_F(ScrubTree, FindsAFlippedName) {
  Node& c = node("/a/c");
  c.payload[0] = 'x';
  EXPECT_FALSE(ok());
  c.payload[0] = 'c';
  EXPECT_TRUE(ok());
}

}  // namespace
}  // namespace quorate::kv
