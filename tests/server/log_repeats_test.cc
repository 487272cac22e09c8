// Who does the same wrong thing over and over does not fill the log.
#include "server/shell/log_repeats.h"

#include <gtest/gtest.h>

namespace quorate::server {
namespace {

constexpr Duration kSecond = std::chrono::seconds(1);
const Instant kStart(std::chrono::seconds(100));

TEST(LogRepeats, TheFirstAtOnceThenOnceAMinuteWithACount) {
  LogRepeats repeats;
  EXPECT_EQ(repeats.admit("a", "line", kStart), "line");
  for (int i = 1; i < 60; ++i) EXPECT_EQ(repeats.admit("a", "line", kStart + i * kSecond), "");
  EXPECT_EQ(repeats.admit("a", "line", kStart + 60 * kSecond),
            "line (and 59 times since this was last told)");
  EXPECT_EQ(repeats.admit("a", "line", kStart + 61 * kSecond), "");
  EXPECT_EQ(repeats.admit("a", "line", kStart + 600 * kSecond),
            "line (and 1 times since this was last told)");
  EXPECT_EQ(repeats.admit("a", "line", kStart + 700 * kSecond), "line");
}

TEST(LogRepeats, OtherNewsAreToldAtOnce) {
  LogRepeats repeats;
  EXPECT_EQ(repeats.admit("a", "one", kStart), "one");
  EXPECT_EQ(repeats.admit("b", "two", kStart), "two");
}

TEST(LogRepeats, KeepsABoundedNumberOfKinds) {
  LogRepeats repeats;
  for (size_t i = 0; i < LogRepeats::kKindsMax; ++i)
    EXPECT_EQ(repeats.admit(std::to_string(i), "line", kStart), "line");
  EXPECT_EQ(repeats.admit("0", "line", kStart), "");
  EXPECT_EQ(repeats.admit("one more", "line", kStart), "line");
  EXPECT_EQ(repeats.admit("0", "line", kStart), "line") << "all were forgotten to make room";
}

}  // namespace
}  // namespace quorate::server
