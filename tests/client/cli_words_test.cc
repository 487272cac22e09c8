// Lines of the shell: how they are split and quoted, what Tab makes of them, and where a path leads to.
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <string>
#include <vector>

#include "client/cli/press_tab.h"
#include "client/cli/shell_path.h"
#include "client/cli/words.h"

namespace quorate::cli {
namespace {

using Words = std::vector<std::string>;

TEST(Words, AreSplitAsAShellSplitsThem) {
  EXPECT_EQ(*split_words("  a b\t c "), (Words{"a", "b", "c"}));
  EXPECT_EQ(*split_words("'a b'\"c d\"e\\ f ''"), (Words{"a bc de f", ""}));
  EXPECT_EQ(*split_words("'a\\b' \"a\\\"b\""), (Words{"a\\b", "a\"b"}));
  EXPECT_EQ(split_words("a 'b").error().message, "the quote ' is not closed");
  EXPECT_EQ(split_words("a \"b").error().message, "the quote \" is not closed");
  EXPECT_EQ(split_words("a\\").error().message, "it ends with a backslash");
}

RC_GTEST_PROP(Words, WhatIsQuotedComesBackAsOneWord, (const Words& words)) {
  std::string line;
  for (const std::string& word : words) line += (line.empty() ? "" : " ") + quote_word(word);
  RC_ASSERT(*split_words(line) == words);
}

RC_GTEST_PROP(Words, TheLastOfATypedLineBeginsWhereItIsSaidTo, (const std::string& line)) {
  const TypedWords typed = split_typed(line);
  RC_ASSERT(!typed.words.empty());
  RC_ASSERT(typed.last_begins <= line.size());
  RC_ASSERT(split_typed(line.substr(typed.last_begins)).words == Words{typed.words.back()});
}

// Tab completes a word that was begun, whatever it is quoted with.
RC_GTEST_PROP(Words, WhatTabCompletesIsTheOnlyCandidate,
              (const std::string& before, const std::string& more)) {
  RC_PRE(!more.empty());
  const std::string whole = before + more;
  const TabResult tab = press_tab(before, {whole});
  if (whole.ends_with('/')) {
    RC_ASSERT(split_typed(tab.replacement).words.back() == whole);
  } else {
    RC_ASSERT(*split_words(tab.replacement) == Words{whole});
  }
}

TEST(Tab, GoesAsFarAsAllHaveInCommonAndThenShowsThem) {
  EXPECT_EQ(press_tab("/a", {"/app/one", "/app/two"}).replacement, "/app/");
  EXPECT_EQ(press_tab("/app/", {"/app/one", "/app/two"}).shown, (Words{"one", "two"}));
  EXPECT_EQ(press_tab("/app/", {"/app/one", "/app/two"}).replacement, "");
  EXPECT_EQ(press_tab("x", {}).replacement, "");
  EXPECT_TRUE(press_tab("x", {}).shown.empty());
}

TEST(Tab, PutsNoBlankBehindWhatHasChildren) {
  EXPECT_EQ(press_tab("/a", {"/app", "/app/"}).replacement, "/app");
  EXPECT_EQ(press_tab("/app", {"/app", "/app/"}).replacement, "/app/");
  EXPECT_EQ(press_tab("/a", {"/app"}).replacement, "/app ");
  EXPECT_EQ(press_tab("/a", {"/a b"}).replacement, "'/a b' ");
}

TEST(Tab, ShowsABoundedNumber) {
  Words many;
  for (int i = 1000; i < 2000; ++i) many.push_back("/n" + std::to_string(i));
  const TabResult tab = press_tab("/n", {many});
  EXPECT_EQ(tab.replacement, "/n1");
  const TabResult shown = press_tab("/n1", {many});
  ASSERT_EQ(shown.shown.size(), kCandidatesShownMax + 1);
  EXPECT_EQ(shown.shown.back(), "... 900 more");
}

TEST(Tab, DoesNotCutACharacterOfSeveralBytes) {
  EXPECT_EQ(press_tab("/", {"/\u00e4", "/\u00f6"}).replacement, "");
  EXPECT_EQ(press_tab("/", {"/\u00e4a", "/\u00e4b"}).replacement, "/\u00e4");
}

TEST(ShellPath, IsResolvedFromWhereOneIs) {
  EXPECT_EQ(resolve_path("/a/b", "/c"), "/c");
  EXPECT_EQ(resolve_path("/a/b", "c"), "/a/b/c");
  EXPECT_EQ(resolve_path("/", "c/d"), "/c/d");
  EXPECT_EQ(resolve_path("/a/b", "."), "/a/b");
  EXPECT_EQ(resolve_path("/a/b", "./../c"), "/a/c");
  EXPECT_EQ(resolve_path("/a", "../../.."), "/");
  EXPECT_EQ(resolve_path("/", ""), "/");
  // What is wrong stays wrong, to be told so.
  EXPECT_EQ(resolve_path("/a", "b/"), "/a/b/");
  EXPECT_EQ(resolve_path("/a", "b//c"), "/a/b//c");
}

}  // namespace
}  // namespace quorate::cli
