#include "client/cli/words.h"

namespace quorate::cli {

namespace {

// What reads a line character by character, and where it has come to.
struct Splitter {
  std::vector<std::string> words;
  size_t last_begins = 0;
  bool in_word = false;
  char quote = 0;          // that is open; 0: none
  bool backslash = false;  // stood last

  void take(char c, size_t at) {
    const bool blank = c == ' ' || c == '\t' || c == '\r';
    if (quote == 0 && !backslash && blank) {
      in_word = false;
      return;
    }
    if (!in_word) {
      words.emplace_back();
      last_begins = at;
    }
    in_word = true;
    if (backslash) {
      words.back() += c;
      backslash = false;
    } else if (quote == 0 && (c == '\'' || c == '"')) {
      quote = c;
    } else if (c == quote) {
      quote = 0;
    } else if (c == '\\' && quote != '\'') {
      backslash = true;
    } else {
      words.back() += c;
    }
  }
};

Splitter split(std::string_view line) {
  Splitter splitter;
  for (size_t i = 0; i < line.size(); ++i) splitter.take(line[i], i);
  return splitter;
}

}  // namespace

Result<std::vector<std::string>> split_words(std::string_view line) {
  Splitter splitter = split(line);
  if (splitter.backslash) return Error{ErrorCode::kInvalidArgument, "it ends with a backslash"};
  if (splitter.quote != 0)
    return Error{ErrorCode::kInvalidArgument, std::string("the quote ") + splitter.quote + " is not closed"};
  return std::move(splitter.words);
}

TypedWords split_typed(std::string_view line) {
  Splitter splitter = split(line);
  if (!splitter.in_word) {
    splitter.words.emplace_back();
    splitter.last_begins = line.size();
  }
  return {std::move(splitter.words), splitter.last_begins};
}

std::string quote_word(std::string_view word, bool whole) {
  constexpr std::string_view kSpecial = " \t\r'\"\\#";
  if (whole && word.empty()) return "''";
  if (word.find_first_of(kSpecial) == std::string_view::npos) return std::string(word);
  std::string quoted = "'";
  for (const char c : word) {
    if (c == '\'')
      quoted += "'\\''";
    else
      quoted += c;
  }
  return whole ? quoted + "'" : quoted;
}

}  // namespace quorate::cli
