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

}  // namespace quorate::cli
