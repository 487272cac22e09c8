#include "kv/path_numbers.h"

#include <gtest/gtest.h>

#include "tests/kv/colliding_paths.h"

namespace quorate::kv {
namespace {

TEST(PathNumbers, AreGivenInTheOrderInWhichPathsComeFirst) {
  PathNumbers numbers;
  const std::vector<std::string> paths = {"/b", "/a", "/b", "/a/b", "/a"};
  const std::vector<std::pair<size_t, bool>> expected = {
      {0, true}, {1, true}, {0, false}, {2, true}, {1, false}};
  for (size_t i = 0; i < paths.size(); ++i) {
    const auto [number, first] = numbers.of(paths[i]);
    EXPECT_EQ(number, expected[i].first) << i;
    EXPECT_EQ(first, expected[i].second) << i;
  }
}

TEST(PathNumbers, TellPathsOfOneChecksumApart) {
  const std::vector<std::string> paths = paths_of_one_checksum(1'000);
  PathNumbers numbers;
  for (size_t i = 0; i < paths.size(); ++i) {
    ASSERT_EQ(checksum64(paths[i]), checksum64(paths[0]));
    EXPECT_EQ(numbers.of(paths[i]).number, i);
  }
  for (size_t i = 0; i < paths.size(); ++i) {
    EXPECT_EQ(numbers.of(paths[i]).number, i);
    EXPECT_FALSE(numbers.of(paths[i]).first);
  }
}

}  // namespace
}  // namespace quorate::kv
