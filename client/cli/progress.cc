#include "client/cli/progress.h"

#include <unistd.h>
#include <iostream>

namespace quorate::cli {

namespace {
constexpr std::chrono::milliseconds kInterval{200};
// There is one terminal, so there is one line.
bool line_shown = false;
}  // namespace

Progress::Progress(std::chrono::milliseconds silence)
    : terminal_(isatty(STDERR_FILENO) != 0), first_(std::chrono::steady_clock::now() + silence) {}

Progress::~Progress() { clear_progress(); }

void Progress::show(const std::function<std::string()>& text) {
  if (!terminal_) return;
  const auto now = std::chrono::steady_clock::now();
  if (now < first_ || (shown_ && now - *shown_ < kInterval)) return;
  shown_ = now;
  line_shown = true;
  std::cerr << "\r\033[K" << text() << std::flush;
}

void clear_progress() {
  if (!line_shown) return;
  line_shown = false;
  std::cerr << "\r\033[K" << std::flush;
}

}  // namespace quorate::cli
