// A file written full of zeros and synced, so that later writes into it allocate nothing: what a log on a
// disk can at best be. Writes go on behind each other and begin again at the front when the end is reached.
//
// Thread safety: none.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "base/result.h"
#include "client/bench/net.h"

namespace quorate::bench {

inline constexpr size_t kZeroFileBytes = 64U << 20;

class ZeroFile {
 public:
  // Replaces what is at `path`. Errors: kIo.
  static Result<ZeroFile> create(const std::string& path, size_t bytes = kZeroFileBytes);

  // One pwrite (more where the bytes are more than the file has) and one fdatasync. False on an error.
  bool write_and_sync(std::string_view bytes);

 private:
  ZeroFile(Fd fd, size_t bytes) : fd_(std::move(fd)), size_(bytes) {}

  Fd fd_;
  size_t size_;
  size_t offset_ = 0;  // Invariant: offset_ <= size_.
};

}  // namespace quorate::bench
