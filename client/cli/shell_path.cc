#include "client/cli/shell_path.h"

#include <algorithm>

namespace quorate::cli {

std::string resolve_path(std::string_view folder, std::string_view text) {
  if (text.starts_with('/')) return std::string(text);
  std::string path(folder == "/" ? "" : folder);
  while (!text.empty()) {
    const size_t end = std::min(text.find('/'), text.size());
    const std::string_view part = text.substr(0, end);
    if (part == "..") {
      path.resize(path.empty() ? 0 : path.rfind('/'));
    } else if (part != ".") {
      path += '/';
      path += part;
    }
    // "a/" keeps its slash: it is wrong, and to be told so.
    if (end + 1 == text.size() && part != "." && part != "..") path += '/';
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return path.empty() ? "/" : path;
}

}  // namespace quorate::cli
