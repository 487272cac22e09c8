// What a terminal is shown of texts that anybody may have written.
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <string>

#include "client/cli/command.h"

namespace quorate::cli {
namespace {

TEST(Text, OrdersToATerminalAreShownAndNotObeyed) {
  EXPECT_EQ(visible("worker-7 pid 12"), "worker-7 pid 12");
  EXPECT_EQ(visible("B\u00e4r \u20ac \U0001f43b"), "B\u00e4r \u20ac \U0001f43b");
  EXPECT_EQ(visible("\x1b[2J\n\x7f"), "\\x1b[2J\\x0a\\x7f");
  EXPECT_EQ(visible("\u009b2J"), "\\xc2\\x9b2J");  // C1's own way to begin an order
  EXPECT_EQ(visible("\xe9 \x9b \xc3"), "\\xe9 \\x9b \\xc3");
  EXPECT_EQ(visible(std::string(kShownBytesMax, 'x')), std::string(kShownBytesMax, 'x'));
  EXPECT_EQ(visible(std::string(1 << 20, 'x')), std::string(kShownBytesMax, 'x') + "...");
}

TEST(Text, ATableIsShownSo) {
  const std::vector<std::string> lines = table_lines({{"NAME", "HOLDER"}, {"a\x1b", "b\nc"}});
  EXPECT_EQ(lines, (std::vector<std::string>{"NAME   HOLDER", "a\\x1b  b\\x0ac"}));
}

RC_GTEST_PROP(Text, WhateverItIsNothingIsObeyed, (const std::string& text)) {
  const std::string shown = visible(text);
  RC_ASSERT(std::none_of(shown.begin(), shown.end(), [](char c) {
    return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
  }));
  RC_ASSERT(is_utf8(shown));
}

}  // namespace
}  // namespace quorate::cli
