// The tree alone: taking changes back, the order within one entry, what is due.
#include "kv/tree.h"

#include <gtest/gtest.h>

#include "base/random.h"
#include "kv/path.h"

namespace quorate::kv {
namespace {

class TreeTest : public ::testing::Test {
 protected:
  Tree::Cause next() {
    cause_.zxid = cause_.zxid.next();
    cause_.wall_ms += 10;
    cause_.cluster_ms += 10;
    return cause_;
  }
  void create(const std::string& path, const NewNode& made = {}) {
    (void)tree_.create(tree_.find(parent_of(path)), path, made, cause_);
  }
  void remove(const std::string& path) { tree_.remove(tree_.find(path), cause_); }
  void set(const std::string& path, std::string_view data) {
    tree_.set(tree_.find(path), data, false, cause_);
  }

  // All that can be read of a node and those below it.
  std::string described(const std::string& path = "/") const {
    const Ref ref = tree_.find(path).ref;
    const Stat s = tree_.stat(ref);
    std::string text = path + " '" + std::string(tree_.node(ref).data()) + "' ";
    for (const int64_t value :
         {static_cast<int64_t>(s.czxid.value()), static_cast<int64_t>(s.mzxid.value()),
          static_cast<int64_t>(s.pzxid.value()), s.ctime_ms, s.mtime_ms, int64_t{s.version},
          int64_t{s.cversion}, int64_t{s.aversion}, static_cast<int64_t>(s.ephemeral_owner.value()),
          int64_t{s.data_length}, int64_t{s.num_children}, int64_t{tree_.node(ref).acl},
          int64_t{tree_.node(ref).order}, int64_t{tree_.node(ref).own_flags()}, tree_.rare(ref).due_ms}) {
      text += std::to_string(value) + " ";
    }
    text += "\n";
    for (const Child& child : tree_.children(ref)) text += described(join_path(path, child.name));
    return text;
  }
  std::string owned(SessionId session) const {
    std::string text;
    for (Ref ref = tree_.first_owned(session); ref != kNone; ref = tree_.next_owned(ref))
      text += tree_.path(ref) + " ";
    return text;
  }

  Tree tree_;
  Tree::Cause cause_;
};

TEST_F(TreeTest, NodesOfOneEntryStandInTheOrderInWhichItMadeThem) {
  next();
  create("/b");
  create("/a");
  create("/c");
  next();
  create("/0");
  std::string names;
  for (const Child& child : tree_.children(tree_.find("/").ref)) {
    names += std::string(child.name) + std::to_string(child.order) + " ";
  }
  EXPECT_EQ(names, "b0 a1 c2 00 ");
  EXPECT_EQ(tree_.check(), std::nullopt);
}

TEST_F(TreeTest, ARemovedNodeComesBackBetweenItsNeighbours) {
  const SessionId session(7);
  const NewNode queued{{}, session, true};
  next();
  create("/l");
  for (const char* path : {"/l/lock-1", "/l/lock-2", "/l/lock-3"}) {
    next();
    create(path, queued);
  }
  const std::string before = described();
  const std::string owned_before = owned(session);
  const uint64_t hash = tree_.hash();
  next();
  tree_.begin();
  remove("/l/lock-2");
  remove("/l/lock-1");
  create("/l/lock-4", queued);
  remove("/l/lock-3");
  remove("/l/lock-4");
  remove("/l");
  tree_.undo();
  EXPECT_EQ(described(), before);
  EXPECT_EQ(owned(session), owned_before);
  EXPECT_EQ(tree_.hash(), hash);
  EXPECT_EQ(tree_.check(), std::nullopt);
}

TEST_F(TreeTest, WhatIsKeptStays) {
  next();
  tree_.begin();
  create("/a", {"one"});
  set("/a", "two");
  create("/a/b");
  remove("/a/b");
  tree_.keep();
  EXPECT_EQ(tree_.node(tree_.find("/a").ref).data(), "two");
  EXPECT_EQ(tree_.find("/a/b").ref, kNone);
  EXPECT_EQ(tree_.check(), std::nullopt);
}

TEST_F(TreeTest, PermissionsComeBackWithTheirVersion) {
  next();
  create("/a");
  const uint64_t hash = tree_.hash();
  const uint32_t acl = tree_.acls().acquire({{kRead, "world", "anyone"}});
  tree_.begin();
  tree_.set_acl(tree_.find("/a"), acl, cause_);
  EXPECT_EQ(tree_.stat(tree_.find("/a").ref).aversion, 1);
  EXPECT_NE(tree_.hash(), hash);
  tree_.undo();
  EXPECT_EQ(tree_.stat(tree_.find("/a").ref).aversion, 0);
  EXPECT_EQ(tree_.hash(), hash);
  EXPECT_EQ(tree_.acls().size(), 1U);
  EXPECT_EQ(tree_.check(), std::nullopt);
}

TEST_F(TreeTest, AContainerIsDueOnceItsLastChildIsGone) {
  next();
  create("/c", {{}, {}, false, true});
  EXPECT_EQ(tree_.next_due(), std::nullopt);
  create("/c/a");
  EXPECT_EQ(tree_.next_due(), std::nullopt);
  remove("/c/a");
  EXPECT_EQ(tree_.due_nodes(0, 10), std::vector<Ref>{tree_.find("/c").ref});
  create("/c/b");
  EXPECT_EQ(tree_.next_due(), std::nullopt);
}

TEST_F(TreeTest, ATimeToLiveBeginsAnewWithEachSet) {
  next();
  create("/t", {{}, {}, false, false, 100});
  EXPECT_EQ(tree_.next_due(), cause_.cluster_ms + 100);
  next();
  set("/t", "x");
  EXPECT_EQ(tree_.next_due(), cause_.cluster_ms + 100);
  EXPECT_TRUE(tree_.due_nodes(cause_.cluster_ms + 99, 10).empty());
  EXPECT_EQ(tree_.due_nodes(cause_.cluster_ms + 100, 10).size(), 1U);
  create("/t/child");
  EXPECT_EQ(tree_.next_due(), std::nullopt);
  remove("/t/child");
  remove("/t");
  EXPECT_EQ(tree_.next_due(), std::nullopt);
  EXPECT_EQ(tree_.check(), std::nullopt);
}

// Any changes, taken back: nothing tells that they were made. Kept: they are as if made one by one.
TEST_F(TreeTest, AnyChangesCanBeTakenBack) {
  Random random(7);
  const auto any_path = [&] {
    std::string path;
    const uint64_t depth = 1 + random.below(3);
    for (uint64_t i = 0; i < depth; ++i)
      path += "/" + std::string(1, static_cast<char>('a' + random.below(4)));
    return path;
  };
  const auto change = [&] {
    const std::string path = any_path();
    const Place place = tree_.find(path);
    const Place parent = tree_.find(parent_of(path));
    if (place.ref == kNone) {
      if (parent.ref == kNone || tree_.node(parent.ref).ephemeral()) return;
      NewNode made;
      made.data = std::string_view("some data").substr(0, random.below(9));
      const uint64_t kind = random.below(4);
      if (kind == 1) made.owner = SessionId(1 + random.below(2));
      if (kind == 2) made.container = true;
      if (kind == 3) made.ttl_ms = static_cast<int64_t>(1 + random.below(100));
      made.sequential = random.below(2) == 0;
      if (random.below(3) == 0) made.acl = tree_.acls().acquire({{kWrite, "world", "anyone"}});
      (void)tree_.create(parent, path, made, cause_);
    } else if (const uint64_t what = random.below(4); what == 0) {
      tree_.set_acl(
          place, tree_.acls().acquire({{static_cast<uint32_t>(random.below(3)), "world", "anyone"}}), cause_);
    } else if (what == 1 || tree_.child_count(place.ref) != 0) {
      set(path, std::string_view("other data").substr(0, random.below(10)));
    } else {
      remove(path);
    }
  };
  for (int round = 0; round < 2'000; ++round) {
    next();
    const std::string before = described();
    const std::string owned_before = owned(SessionId(1)) + "," + owned(SessionId(2));
    const uint64_t hash = tree_.hash();
    tree_.begin();
    for (uint64_t changes = random.below(8); changes > 0; --changes) change();
    const bool keep = random.below(2) == 0;
    keep ? tree_.keep() : tree_.undo();
    ASSERT_EQ(tree_.check(), std::nullopt);
    if (keep) continue;
    ASSERT_EQ(described(), before);
    ASSERT_EQ(owned(SessionId(1)) + "," + owned(SessionId(2)), owned_before);
    ASSERT_EQ(tree_.hash(), hash);
  }
}

}  // namespace
}  // namespace quorate::kv
