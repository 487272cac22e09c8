#include "client/cli/press_tab.h"

#include <algorithm>

#include "client/cli/words.h"

namespace quorate::cli {

namespace {

size_t common_length(const std::vector<std::string>& candidates) {
  size_t length = candidates.front().size();
  for (const std::string& each : candidates) {
    const auto differs = std::mismatch(
        each.begin(), each.end(), candidates.front().begin(),
        candidates.front().begin() + static_cast<ptrdiff_t>(std::min(length, candidates.front().size())));
    length = std::min(length, static_cast<size_t>(differs.first - each.begin()));
  }
  // Not into the middle of a character of several bytes.
  const std::string& text = candidates.front();
  while (length > 0 && length < text.size() && (static_cast<unsigned char>(text[length]) & 0xc0) == 0x80)
    --length;
  return length;
}

}  // namespace

TabResult press_tab(std::string_view typed, const std::vector<std::string>& candidates) {
  TabResult result;
  if (candidates.empty()) return result;
  // A path and the same with a slash: the only one, and it has children.
  const bool goes_on = candidates.size() == 2 && candidates[1] == candidates[0] + "/";
  if (goes_on && typed == candidates[0]) {
    result.replacement = quote_word(candidates[1], false);
    return result;
  }
  if (candidates.size() == 1) {
    const bool open = candidates[0].ends_with('/');
    result.replacement = open ? quote_word(candidates[0], false) : quote_word(candidates[0]) + " ";
    return result;
  }
  const std::string common = candidates.front().substr(0, common_length(candidates));
  if (common.size() > typed.size()) {
    result.replacement = quote_word(common, goes_on);
    return result;
  }
  const size_t folder = typed.rfind('/') + 1;  // what all have in front is not shown again
  for (const std::string& each : candidates) {
    if (result.shown.size() == kCandidatesShownMax) {
      result.shown.push_back("... " + std::to_string(candidates.size() - kCandidatesShownMax) + " more");
      break;
    }
    result.shown.push_back(each.substr(std::min(folder, each.size())));
  }
  return result;
}

}  // namespace quorate::cli
