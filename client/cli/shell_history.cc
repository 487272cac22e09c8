#include "client/cli/shell_history.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>

namespace quorate::cli {

namespace {

constexpr mode_t kOwnerOnly = 0600;

Status write_all(const std::string& file, int flags, std::string_view bytes) {
  const int fd = open(file.c_str(), flags | O_WRONLY | O_CREAT | O_CLOEXEC, kOwnerOnly);
  bool done = fd >= 0 && fchmod(fd, kOwnerOnly) == 0;
  while (done && !bytes.empty()) {
    const ssize_t wrote = write(fd, bytes.data(), bytes.size());
    done = wrote > 0 || (wrote < 0 && errno == EINTR);
    if (wrote > 0) bytes.remove_prefix(static_cast<size_t>(wrote));
  }
  const int reason = errno;
  if (fd >= 0) close(fd);
  if (done) return {};
  return Error{ErrorCode::kIo, "cannot keep the history in " + file + ": " + std::strerror(reason)};
}

}  // namespace

std::string history_file() {
  const char* const state = std::getenv("XDG_STATE_HOME");
  if (state != nullptr && *state == '/') return std::string(state) + "/quorate/history";
  const char* const home = std::getenv("HOME");
  return home != nullptr && *home == '/' ? std::string(home) + "/.local/state/quorate/history" : "";
}

bool may_be_kept(std::string_view line) {
  return !line.empty() && line.front() != ' ' && line.front() != '\t' &&
         line.find("digest:") == std::string_view::npos;
}

ShellHistory::ShellHistory(std::string file) : file_(std::move(file)) {
  if (file_.empty()) return;
  std::ifstream in(file_, std::ios::binary);
  for (std::string line; std::getline(in, line);)
    if (!line.empty()) lines_.push_back(std::move(line));
  if (lines_.size() > 2 * kHistoryLinesMax) cut();
  if (lines_.size() > kHistoryLinesMax)
    lines_.erase(lines_.begin(), lines_.end() - static_cast<ptrdiff_t>(kHistoryLinesMax));
}

// As a new file in place of the old: a crash leaves one of the two.
void ShellHistory::cut() {
  std::string bytes;
  for (size_t i = lines_.size() - kHistoryLinesMax; i < lines_.size(); ++i) bytes += lines_[i] + "\n";
  const std::string fresh = file_ + "." + std::to_string(getpid());
  if (write_all(fresh, O_TRUNC, bytes).ok() && std::rename(fresh.c_str(), file_.c_str()) == 0) return;
  (void)std::remove(fresh.c_str());
}

Status ShellHistory::add(const std::string& line) {
  lines_.push_back(line);
  if (file_.empty()) return {};
  std::error_code ignored;  // the write says why
  std::filesystem::create_directories(std::filesystem::path(file_).parent_path(), ignored);
  return write_all(file_, O_APPEND, line + "\n");
}

}  // namespace quorate::cli
