// The lines that were typed in a shell, in a file of its user's: the newest kHistoryLinesMax of them.
//
// Several shells may share the file: each line is appended at once. The file can be read by its owner alone.
//
// Thread safety: none.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace quorate::cli {

inline constexpr size_t kHistoryLinesMax = 1000;

// $XDG_STATE_HOME/quorate/history, or ~/.local/state/quorate/history; "": there is no home.
std::string history_file();

// Whether a line may be kept: none that begins with a blank, which is how one says so, and none with a digest
// in it, which is nearly a password.
bool may_be_kept(std::string_view line);

class ShellHistory {
 public:
  // Reads what is there, and cuts it where it has grown to twice of what is kept. `file` "": nothing is read
  // and nothing kept.
  explicit ShellHistory(std::string file);

  // Oldest first.
  const std::vector<std::string>& lines() const { return lines_; }
  // Errors: kIo. The line counts all the same.
  Status add(const std::string& line);

 private:
  void cut();

  const std::string file_;
  std::vector<std::string> lines_;
};

}  // namespace quorate::cli
