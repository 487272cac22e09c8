#include "kv/path.h"

#include <gtest/gtest.h>

#include "kv/text.h"

namespace quorate::kv {
namespace {

TEST(Path, AcceptsAbsolutePaths) {
  for (const char* path : {"/", "/a", "/a/b", "/a.b/..c/...", "/ space", "/\xc3\xa4/\xe4\xb8\xad",
                           "/\xef\xa4\x80", "/\xef\xbf\xaf", "/~", "/\xc2\xa0"}) {
    EXPECT_TRUE(validate_path(path).ok()) << path;
  }
}

void expect_bad(std::string_view path, bool sequential = false) {
  EXPECT_EQ(validate_path(path, sequential).code(), ErrorCode::kBadPath) << shown(path);
}

TEST(Path, RefusesWhatIsNotAbsolute) {
  expect_bad("");
  expect_bad("a");
  expect_bad("a/b");
}

TEST(Path, RefusesEmptyComponentsAndTrailingSlashes) {
  expect_bad("//");
  expect_bad("/a//b");
  expect_bad("//a");
  expect_bad("/a/");
}

TEST(Path, RefusesRelativeComponents) {
  expect_bad("/.");
  expect_bad("/..");
  expect_bad("/a/./b");
  expect_bad("/a/../b");
  expect_bad("/a/..");
}

TEST(Path, RefusesForbiddenCharactersAtBothEndsOfTheirRanges) {
  expect_bad(std::string_view("/a\0b", 4));
  expect_bad("/\x01");
  expect_bad("/\x1f");
  expect_bad("/\x7f");
  expect_bad("/\xc2\x80");          // U+0080
  expect_bad("/\xc2\x9f");          // U+009F
  expect_bad("/\xee\x80\x80");      // U+E000
  expect_bad("/\xef\xa3\xbf");      // U+F8FF
  expect_bad("/\xef\xbf\xb0");      // U+FFF0
  expect_bad("/\xef\xbf\xbf");      // U+FFFF
  expect_bad("/\xf0\x9f\x98\x80");  // beyond U+FFFF: surrogates to PathUtils
}

TEST(Path, RefusesWhatIsNotUtf8) {
  expect_bad("/\x80");          // continuation without a lead
  expect_bad("/\xc3");          // cut
  expect_bad("/\xc3/a");        // cut by the next component
  expect_bad("/\xc0\xaf");      // overlong "/"
  expect_bad("/\xe0\x80\xaf");  // overlong
  expect_bad("/\xed\xa0\x80");  // surrogate
  expect_bad("/\xf8\x88\x80\x80\x80");
  expect_bad("/\xff");
}

TEST(Path, SequentialMayEndWithASlash) {
  EXPECT_TRUE(validate_path("/queue/", true).ok());
  EXPECT_TRUE(validate_path("/queue/lock-", true).ok());
  EXPECT_TRUE(validate_path("/", true).ok());
  expect_bad("/queue//", true);
  expect_bad("//", true);
  expect_bad("/queue//a", true);
}

TEST(Path, LengthIsBounded) {
  const std::string longest = "/" + std::string(kPathBytesMax - 1, 'a');
  EXPECT_TRUE(validate_path(longest).ok());
  EXPECT_EQ(validate_path(longest + "a").code(), ErrorCode::kTooLarge);
  // The suffix counts.
  EXPECT_EQ(validate_path(longest, true).code(), ErrorCode::kTooLarge);
  EXPECT_TRUE(validate_path(longest.substr(kSequenceDigits), true).code() == ErrorCode::kBadPath);
  EXPECT_TRUE(validate_path(longest.substr(0, kPathBytesMax - kSequenceDigits), true).ok());
}

TEST(Path, TakesApartAndJoins) {
  EXPECT_EQ(parent_of("/a/b"), "/a");
  EXPECT_EQ(parent_of("/a"), "/");
  EXPECT_EQ(name_of("/a/b"), "b");
  EXPECT_EQ(name_of("/a"), "a");
  EXPECT_EQ(join_path("/", "a"), "/a");
  EXPECT_EQ(join_path("/a", "b"), "/a/b");
}

TEST(Text, QuotesWhatCannotBePrinted) {
  EXPECT_EQ(shown("/a"), "\"/a\"");
  EXPECT_EQ(shown(std::string_view("/\0\xff\"", 4)), "\"/\\x00\\xff\\x22\"");
  EXPECT_EQ(shown("/" + std::string(200, 'a')), "\"/" + std::string(99, 'a') + "...\"");
}

TEST(Text, SequenceHasTenDigitsAndThenGrows) {
  const auto sequence = [](uint64_t value) {
    std::string text;
    append_sequence(text, value);
    return text;
  };
  EXPECT_EQ(sequence(0), "0000000000");
  EXPECT_EQ(sequence(2147483648), "2147483648");
  EXPECT_EQ(sequence(9999999999), "9999999999");
  EXPECT_EQ(sequence(10000000000), "10000000000");
}

}  // namespace
}  // namespace quorate::kv
