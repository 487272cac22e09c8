// What Tab makes of a line in a shell.
//
// Thread safety: pure functions.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace quorate::cli {

inline constexpr size_t kCandidatesShownMax = 100;

// What Tab makes of a line whose last word may become one of `candidates`.
struct TabResult {
  std::string replacement;         // of the last word; "": nothing changes
  std::vector<std::string> shown;  // to choose from
};
// As much as all candidates have in common; a blank behind the only one, unless more may follow it.
TabResult press_tab(std::string_view typed, const std::vector<std::string>& candidates);

}  // namespace quorate::cli
