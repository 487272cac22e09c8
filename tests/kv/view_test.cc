// What the state shows to one session, and what it costs to find out.
#include "kv/view.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "kv/path.h"
#include "tests/kv/machine.h"

namespace quorate::kv {
namespace {

const Credentials kNobody;
const Acl kClosed = {{kAllPermissions, "digest", "alice:secret"}};

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

}  // namespace
}  // namespace quorate::kv
