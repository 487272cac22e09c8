// What a tree counts as nodes come and go: quotas' use, references to lists, bytes of data; also where
// changes are taken back. check() counts all of it again.
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "kv/path.h"
#include "kv/tree.h"

namespace quorate::kv {
namespace {

const std::vector<std::string> kPaths = {"/a", "/a/b", "/a/b/c", "/a/b/d", "/a/e", "/ab"};

uint32_t any_acl(Tree& tree) {
  const int which = *rc::gen::inRange(0, 3);
  if (which == 0) return AclTable::kOpen;
  return tree.acls().acquire({{static_cast<uint32_t>(which), "world", "anyone"}});
}

void change(Tree& tree, uint64_t zxid) {
  const Tree::Cause cause{Zxid(zxid), 1, 1};
  const std::string path = *rc::gen::elementOf(kPaths);
  const std::string data(*rc::gen::inRange<size_t>(0, 9), 'x');
  const Place place = tree.find(path);
  const Place parent = tree.find(parent_of(path));
  switch (*rc::gen::inRange(0, 4)) {
    case 0:
      if (place.ref != kNone) tree.set(place, data, false, cause);
      break;
    case 1:
      if (place.ref != kNone) tree.set_acl(place, any_acl(tree), cause);
      break;
    case 2:
      if (place.ref != kNone && tree.child_count(place.ref) == 0) tree.remove(place, cause);
      break;
    default:
      if (place.ref == kNone && parent.ref != kNone) {
        tree.create(parent, path, {data, SessionId(), false, false, 0, any_acl(tree)}, cause);
      }
  }
}

RC_GTEST_PROP(TreeCounts, AreWhatARecountGives, ()) {
  Tree tree;
  uint64_t zxid = 1;
  for (int step = *rc::gen::inRange(0, 60); step > 0; --step) {
    const int kind = *rc::gen::inRange(0, 10);
    if (kind == 0) {
      const std::string path = *rc::gen::elementOf(kPaths);
      tree.set_quota(path, {*rc::gen::inRange(-1, 3), -1, -1, -1});
    } else if (kind < 4) {
      const uint64_t hash = tree.hash() + tree.quotas().hash();
      const bool keep = kind == 1;
      tree.begin();
      for (int i = *rc::gen::inRange(0, 8); i > 0; --i) change(tree, zxid);
      if (keep) {
        tree.keep();
      } else {
        tree.undo();
        RC_ASSERT(tree.hash() + tree.quotas().hash() == hash);
      }
    } else {
      change(tree, zxid);
    }
    ++zxid;
    const auto wrong = tree.check();
    if (wrong) RC_LOG() << *wrong;
    RC_ASSERT(wrong == std::nullopt);
  }
}

TEST(TreeCounts, OfASubtreeStartWithWhatIsThere) {
  Tree tree;
  tree.create(tree.find("/"), "/a", {"123"}, {Zxid(1), 1, 1});
  tree.create(tree.find("/a"), "/a/b", {"45"}, {Zxid(2), 1, 1});
  tree.create(tree.find("/"), "/ab", {"6"}, {Zxid(3), 1, 1});
  tree.set_quota("/a", {-1, 10, -1, -1});
  tree.set_quota("/", {-1, 10, -1, -1});
  tree.set_quota("/not/there", {-1, 10, -1, -1});
  EXPECT_EQ(tree.quotas().find("/a")->used, (QuotaUse{2, 5}));
  EXPECT_EQ(tree.quotas().find("/")->used, (QuotaUse{4, 6}));
  EXPECT_EQ(tree.quotas().find("/not/there")->used, QuotaUse{});
  EXPECT_EQ(tree.data_bytes(), 6U);
}

}  // namespace
}  // namespace quorate::kv
