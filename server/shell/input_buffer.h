// Bytes as they came from one connection, in one piece, until whole frames are taken from the front. Grows
// only with what really arrived, never because of a length that somebody claims.
//
// Thread safety: none.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <memory>
#include <span>
#include <string_view>

#include "base/check.h"

namespace quorate::server {

class InputBuffer {
 public:
  // The space to read into next; at least half of the buffer, which doubles for this when it is nearly full,
  // and when the last read filled all there was.
  std::span<char> space() {
    if (begin_ == end_) begin_ = end_ = 0;
    if (last_read_was_full_ && capacity_ < kBytesRead) make_room();
    last_read_was_full_ = false;
    if (capacity_ - end_ < std::max(kBytesMin, capacity_) / 2) make_room();
    return {storage_.get() + end_, capacity_ - end_};
  }
  // `count` bytes were read into space().
  void filled(size_t count) {
    CHECK(count <= capacity_ - end_);
    last_read_was_full_ = count == capacity_ - end_;
    end_ += count;
  }
  std::string_view bytes() const { return {storage_.get() + begin_, end_ - begin_}; }
  // REQUIRES: count <= bytes().size().
  void consume(size_t count) {
    CHECK(count <= end_ - begin_);
    begin_ += count;
    if (begin_ == end_ && capacity_ > kBytesKept) {
      storage_.reset();
      capacity_ = begin_ = end_ = 0;
    }
  }

 private:
  // All that a connection has which only gives signs of life.
  static constexpr size_t kBytesMin = 1024;
  // Reads get no larger by themselves; only a frame that does not fit lets the buffer grow further.
  static constexpr size_t kBytesRead = 64 << 10;
  // An empty buffer above this is given back.
  static constexpr size_t kBytesKept = 256 << 10;

  void make_room() {
    const size_t used = end_ - begin_;
    const bool enough = capacity_ > 0 && used * 2 <= capacity_ && !last_read_was_full_;
    const size_t capacity = enough ? capacity_ : std::max(kBytesMin, capacity_ * 2);
    if (capacity == capacity_) {
      std::memmove(storage_.get(), storage_.get() + begin_, used);
    } else {
      std::unique_ptr<char[]> grown(new char[capacity]);
      if (used > 0) std::memcpy(grown.get(), storage_.get() + begin_, used);
      storage_ = std::move(grown);
      capacity_ = capacity;
    }
    begin_ = 0;
    end_ = used;
  }

  std::unique_ptr<char[]> storage_;
  size_t capacity_ = 0;
  size_t begin_ = 0, end_ = 0;
  bool last_read_was_full_ = false;
};

}  // namespace quorate::server
