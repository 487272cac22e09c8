// Lines as a shell would split them.
//
// Thread safety: pure functions.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace quorate::cli {

// Words between blanks; '...' takes what is in it as it is, "..." and a word without quotes take \ before any
// character for that character. Errors: kInvalidArgument for a quote that is not closed.
Result<std::vector<std::string>> split_words(std::string_view line);

// A line that is being typed, up to the cursor. Its last word may be empty, and its quote open.
struct TypedWords {
  std::vector<std::string> words;  // at least one
  size_t last_begins = 0;          // where the last one stands in the line, its quotes with it
};
TypedWords split_typed(std::string_view line);

// `word` so that split_words() gives it back as one word. What is only begun is quoted without its end:
// `whole` false leaves a quote open.
std::string quote_word(std::string_view word, bool whole = true);

}  // namespace quorate::cli
