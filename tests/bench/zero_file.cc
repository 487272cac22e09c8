#include "tests/bench/zero_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>

namespace quorate::bench {

Result<ZeroFile> ZeroFile::create(const std::string& path, size_t bytes) {
  Fd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
  if (!fd.valid()) return errno_error("cannot create " + path);
  const std::string zeros(1U << 20, '\0');
  for (size_t done = 0; done < bytes;) {
    const ssize_t n = ::write(fd.get(), zeros.data(), std::min(zeros.size(), bytes - done));
    if (n <= 0) return errno_error("cannot fill " + path);
    done += static_cast<size_t>(n);
  }
  if (::fsync(fd.get()) != 0) return errno_error("cannot sync " + path);
  return ZeroFile(std::move(fd), bytes);
}

bool ZeroFile::write_and_sync(std::string_view bytes) {
  while (!bytes.empty()) {
    if (offset_ + std::min(bytes.size(), size_) > size_) offset_ = 0;
    const std::string_view piece = bytes.substr(0, size_);
    const ssize_t n = ::pwrite(fd_.get(), piece.data(), piece.size(), static_cast<off_t>(offset_));
    if (n < 0 || static_cast<size_t>(n) != piece.size()) return false;
    offset_ += piece.size();
    bytes.remove_prefix(piece.size());
  }
  return ::fdatasync(fd_.get()) == 0;
}

}  // namespace quorate::bench
