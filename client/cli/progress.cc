#include "client/cli/progress.h"

#include <unistd.h>
#include <iostream>

namespace quorate::cli {

namespace {
constexpr std::chrono::seconds kSilence{1};
constexpr std::chrono::milliseconds kInterval{200};
}  // namespace

Progress::Progress() : terminal_(isatty(STDERR_FILENO) != 0), begun_(std::chrono::steady_clock::now()) {}

void Progress::show(const std::function<std::string()>& text) {
  if (!terminal_) return;
  const auto now = std::chrono::steady_clock::now();
  if (now - begun_ < kSilence || (shown_ && now - *shown_ < kInterval)) return;
  shown_ = now;
  std::cerr << "\r\033[K" << text() << std::flush;
}

void Progress::end() {
  if (shown_) std::cerr << "\r\033[K" << std::flush;
  shown_.reset();
}

}  // namespace quorate::cli
