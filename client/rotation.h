// Which server to try next, and when: the endpoints in turn, the first round without a pause, then a pause
// that doubles from 10 ms to 1 s, drawn between half and all of it, so that many clients do not come back at
// the same instant.
//
// Thread safety: none.
#pragma once

#include <algorithm>
#include <cstddef>

#include "base/check.h"
#include "base/random.h"
#include "base/time.h"

namespace quorate::client {

inline constexpr Duration kBackOffMin = std::chrono::milliseconds(10);
inline constexpr Duration kBackOffMax = std::chrono::seconds(1);

// The pause after `failures` in a row (1: the first).
inline Duration back_off(Random& random, size_t failures) {
  CHECK(failures > 0);
  const Duration whole =
      std::min(kBackOffMax, kBackOffMin * (int64_t{1} << std::min<size_t>(failures - 1, 10)));
  return random.between(whole / 2, whole);
}

class Rotation {
 public:
  // REQUIRES: endpoints > 0.
  explicit Rotation(size_t endpoints) : endpoints_(endpoints) { CHECK(endpoints > 0); }

  size_t current() const { return current_; }
  // The current one is no good. Returns the pause before the next.
  Duration failed(Random& random) {
    current_ = (current_ + 1) % endpoints_;
    ++failures_;
    return failures_ < endpoints_ ? Duration(0) : back_off(random, failures_ - endpoints_ + 1);
  }
  // The current one does what it is there for.
  void worked() { failures_ = 0; }

 private:
  size_t endpoints_;
  size_t current_ = 0;
  size_t failures_ = 0;
};

}  // namespace quorate::client
