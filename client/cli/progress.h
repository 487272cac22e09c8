// One line on a terminal that says how far something is; nothing elsewhere, and nothing in the first second.
//
// Thread safety: none.
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>

namespace quorate::cli {

class Progress {
 public:
  Progress();
  // The line is gone.
  ~Progress() { end(); }
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  // `text` is asked for only when it is to be seen: a few times a second.
  void show(const std::function<std::string()>& text);
  void end();

 private:
  const bool terminal_;
  const std::chrono::steady_clock::time_point begun_;
  std::optional<std::chrono::steady_clock::time_point> shown_;
};

}  // namespace quorate::cli
