// One line on a terminal that says how far something is; nothing elsewhere, and nothing in the first second.
// Whatever is printed next takes its place: print_line() and fail() take it away themselves.
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
  // Shows nothing for so long: what takes less needs no line.
  explicit Progress(std::chrono::milliseconds silence = std::chrono::seconds(1));
  // The line is gone.
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  // `text` is asked for only when it is to be seen: a few times a second.
  void show(const std::function<std::string()>& text);

 private:
  const bool terminal_;
  const std::chrono::steady_clock::time_point first_;  // not before
  std::optional<std::chrono::steady_clock::time_point> shown_;
};

// Takes the line away that is shown, if one is: before anything else is written.
void clear_progress();

}  // namespace quorate::cli
