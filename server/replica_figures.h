// How many requests a server has answered, and how long each took: from its arrival at the Replica to its
// answer. What the network and the sockets add is not in it.
//
// Thread safety: none.
#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <vector>

#include "base/time.h"

namespace quorate::server {

// Counts of durations, in buckets of at most a quarter of what they count: exact to 1 us below 4 us, and up
// to kMaxUs, which is what everything longer counts as.
class LatencyBuckets {
 public:
  static constexpr size_t kBuckets = 108;
  static constexpr uint64_t kMaxUs = (uint64_t{1} << 28) - 1;  // four minutes and a half

  void add(Duration took) {
    const int64_t us = took.count() / 1000;
    ++counts_[bucket_of(us < 0 ? 0 : static_cast<uint64_t>(us))];
  }

  struct Bucket {
    uint64_t up_to_us = 0;  // and more than those before
    uint64_t count = 0;
    friend bool operator==(const Bucket&, const Bucket&) = default;
  };
  // Those that have any, the shortest first.
  std::vector<Bucket> filled() const {
    std::vector<Bucket> buckets;
    for (size_t i = 0; i < kBuckets; ++i)
      if (counts_[i] > 0) buckets.push_back({last_of(i), counts_[i]});
    return buckets;
  }

  // Four buckets for each power of two.
  static constexpr size_t bucket_of(uint64_t us) {
    if (us < 4) return us;
    if (us > kMaxUs) us = kMaxUs;
    const auto power = static_cast<size_t>(std::bit_width(us)) - 1;
    return 4 * (power - 1) + ((us >> (power - 2)) & 3);
  }
  static constexpr uint64_t last_of(size_t bucket) {
    if (bucket < 4) return bucket;
    const size_t power = bucket / 4 + 1;
    return ((uint64_t{4} + bucket % 4 + 1) << (power - 2)) - 1;
  }

 private:
  std::array<uint64_t, kBuckets> counts_{};
};

// Since the server was started, clients of both protocols together; signs of life are no requests.
struct RequestFigures {
  LatencyBuckets reads, writes;
  Instant at;  // when they were told: rates are differences of two of these
};

}  // namespace quorate::server
