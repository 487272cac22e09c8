// What the state shows to one session, and what it costs to find out.
#include "kv/view.h"

#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

#include "base/random.h"
#include "kv/path.h"
#include "tests/kv/machine.h"

namespace quorate::kv {
namespace {

const Credentials kNobody;
const Acl kClosed = {{kAllPermissions, "digest", "alice:secret"}};
const Acl kUnreadable = {{kAllPermissions & ~kRead, "world", "anyone"}, kClosed.front()};

std::string chain(size_t depth) {
  std::string path;
  for (size_t i = 0; i < depth; ++i) path += "/a";
  return path.empty() ? "/" : path;
}

// The same from below, name by name.
ErrorCode slow_nearest(const View& view, std::string_view path) {
  for (;; path = parent_of(path)) {
    const ErrorCode code = view.get(path).code();
    if (code != ErrorCode::kNoNode) return code;
  }
}

TEST(View, TheDeepestNodeOnTheWayDecides) {
  for (size_t there = 0; there <= 12; ++there) {
    for (size_t closed = 0; closed <= there; ++closed) {
      Machine machine;
      const SessionId session = machine.open();
      for (size_t depth = 1; depth <= there; ++depth) machine.run(session, create(chain(depth)));
      ASSERT_EQ(machine.run(session, SetAclOp{chain(closed), kClosed}).code, ErrorCode::kOk);
      const View view(machine.state, kNobody);
      for (size_t depth = 0; depth <= 20; ++depth) {
        SCOPED_TRACE(testing::Message() << there << " there, " << closed << " closed, asked for " << depth);
        const ErrorCode expected = std::min(there, depth) == closed ? ErrorCode::kDenied : ErrorCode::kOk;
        ASSERT_EQ(slow_nearest(view, chain(depth)), expected);
        ASSERT_EQ(view.nearest_readable(chain(depth)).code(), expected);
      }
    }
  }
}

TEST(View, AnInvalidPathHasNoNodeOnItsWay) {
  const Machine machine;
  const View view(machine.state, kNobody);
  for (const char* path : {"", "a", "/a/", "//"})
    EXPECT_EQ(view.nearest_readable(path).code(), ErrorCode::kBadPath) << path;
}

TEST(View, TheDeepestNodeIsFoundInFewSteps) {
  constexpr size_t kDepth = 2'000;
  constexpr size_t kOneLookUp = 1 + 2 * kDepth / 32;  // at most
  struct {
    size_t there;
    size_t look_ups;
  } const cases[] = {{0, 2}, {1, 4}, {100, 20}, {kDepth / 2, 25}, {kDepth - 1, 25}, {kDepth, 1}};
  for (const auto& c : cases) {
    SCOPED_TRACE(c.there);
    Machine machine;
    CreateOp op = create(chain(c.there));
    op.parents = true;
    if (c.there > 0) {
      ASSERT_EQ(machine.run(machine.open(), op).code, ErrorCode::kOk);
    }
    size_t looked_at = 0;
    EXPECT_TRUE(View(machine.state, kNobody, &looked_at).nearest_readable(chain(kDepth)).ok());
    EXPECT_GE(looked_at, kOneLookUp) << "a long path is not for nothing";
    EXPECT_LE(looked_at, c.look_ups * kOneLookUp);
  }
}

class Queues : public ::testing::Test {
 protected:
  // In any order, some below others, every third for alice alone to read.
  void lock(size_t count) {
    Random random(3);
    for (size_t i = 0; i < count; ++i) {
      std::string path = "/" + std::to_string(random.below(count));
      if (i % 2 == 0) path = "/d" + std::to_string(random.below(5)) + path;
      if (!all_.insert(path).second) continue;
      CreateOp op = create(path);
      op.parents = true;
      if (!machine_.exists(path)) {
        ASSERT_EQ(machine_.run(session_, op).code, ErrorCode::kOk);
      }
      ASSERT_EQ(machine_.run(session_, AcquireOp{path, {}}).code, ErrorCode::kOk);
      if (i % 3 != 0) continue;
      closed_.insert(path);
      ASSERT_EQ(machine_.run(session_, SetAclOp{path, kUnreadable}).code, ErrorCode::kOk);
    }
  }
  std::vector<std::string> slow(const std::string& root, size_t max, const std::string& after) const {
    std::vector<std::string> paths;
    for (const std::string& path : all_) {
      const bool below = root == "/" || path == root || path.starts_with(root + "/");
      if (below && path > after && !closed_.contains(path) && paths.size() < max) paths.push_back(path);
    }
    return paths;
  }

  Machine machine_;
  SessionId session_ = machine_.open();
  std::set<std::string> all_, closed_;
};

TEST_F(Queues, PagesAreThoseOfTheWholeList) {
  lock(60);
  const View view(machine_.state, kNobody);
  std::vector<std::string> places(all_.begin(), all_.end());
  places.insert(places.end(), {"", "/", "/d3", "/none", "~"});
  for (const std::string& root :
       {std::string("/"), std::string("/d3"), std::string("/none"), *all_.begin()}) {
    for (const std::string& after : places) {
      for (const size_t max : {size_t{0}, size_t{1}, size_t{2}, size_t{7}, size_t{1000}, SIZE_MAX}) {
        SCOPED_TRACE(root + " " + after + " " + std::to_string(max));
        ASSERT_EQ(view.queues(root, max, after), slow(root, max, after));
      }
    }
  }
}

TEST_F(Queues, APageLooksAtFewListsOfPermissions) {
  lock(4'000);
  size_t asked = 0;
  const auto paths = machine_.state.queues("/", 10, {}, [&asked](const Acl* acl) {
    ++asked;
    return acl == nullptr;
  });
  EXPECT_EQ(paths, slow("/", 10, {}));
  EXPECT_LT(asked, all_.size() / 10);
}

}  // namespace
}  // namespace quorate::kv
