// Objects of one type in chunks, named by 32-bit references: half of a pointer's size, no malloc header,
// addresses that stay.
//
// Thread safety: none.
//
// Invariant: 0 is never handed out, so it can mean "none".
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "base/check.h"

namespace quorate::kv {

using Ref = uint32_t;
inline constexpr Ref kNone = 0;

template <class T>
class Slab {
 public:
  // A default T.
  Ref allocate() {
    if (!free_.empty()) {
      const Ref ref = free_.back();
      free_.pop_back();
      return ref;
    }
    CHECK_MSG(next_ != 0, "more than 2^32 nodes");
    if (next_ >> kChunkBits == chunks_.size()) chunks_.push_back(std::make_unique<T[]>(kChunkSize));
    return next_++;
  }
  void release(Ref ref) {
    (*this)[ref] = T{};
    free_.push_back(ref);
  }

  T& operator[](Ref ref) { return chunks_[ref >> kChunkBits][ref & (kChunkSize - 1)]; }
  const T& operator[](Ref ref) const { return chunks_[ref >> kChunkBits][ref & (kChunkSize - 1)]; }

  // All references handed out so far are below; released ones hold a default T.
  Ref end() const { return next_; }
  // How many are handed out.
  size_t size() const { return next_ - 1 - free_.size(); }
  size_t bytes() const { return chunks_.size() * kChunkSize * sizeof(T) + free_.capacity() * sizeof(Ref); }

 private:
  static constexpr uint32_t kChunkBits = 8;
  static constexpr uint32_t kChunkSize = 1U << kChunkBits;

  std::vector<std::unique_ptr<T[]>> chunks_;
  std::vector<Ref> free_;
  Ref next_ = 1;
};

}  // namespace quorate::kv
