#include "client/cli/words.h"

namespace quorate::cli {

Result<std::vector<std::string>> split_words(std::string_view line) {
  std::vector<std::string> words;
  bool in_word = false;
  char quote = 0;
  for (size_t i = 0; i < line.size(); ++i) {
    const char c = line[i];
    const bool blank = c == ' ' || c == '\t' || c == '\r';
    if (quote == 0 && blank) {
      in_word = false;
      continue;
    }
    if (!in_word) words.emplace_back();
    in_word = true;
    if (quote == 0 && (c == '\'' || c == '"')) {
      quote = c;
    } else if (c == quote) {
      quote = 0;
    } else if (c == '\\' && quote != '\'') {
      if (++i == line.size()) return Error{ErrorCode::kInvalidArgument, "it ends with a backslash"};
      words.back() += line[i];
    } else {
      words.back() += c;
    }
  }
  if (quote != 0)
    return Error{ErrorCode::kInvalidArgument, std::string("the quote ") + quote + " is not closed"};
  return words;
}

}  // namespace quorate::cli
