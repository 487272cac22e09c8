#include "client/bench/histogram.h"

#include <algorithm>
#include <cmath>

#include "base/check.h"

namespace quorate::bench {

void Histogram::clear() {
  buckets_.fill(0);
  count_ = 0;
}

uint64_t Histogram::value_of(size_t bucket) {
  if (bucket < 2 * kSub) return bucket;
  const int shift = static_cast<int>(bucket / kSub) - 1;
  const uint64_t low = (static_cast<uint64_t>(bucket % kSub) + kSub) << shift;
  return low + (uint64_t{1} << shift) / 2;
}

uint64_t Histogram::percentile(double share) const {
  CHECK(share >= 0 && share <= 1);
  if (count_ == 0) return 0;
  const auto rank =
      std::max<uint64_t>(1, static_cast<uint64_t>(std::ceil(share * static_cast<double>(count_))));
  uint64_t seen = 0;
  for (size_t i = 0; i < kBuckets; ++i) {
    seen += buckets_[i];
    if (seen >= rank) return value_of(i);
  }
  return value_of(kBuckets - 1);
}

}  // namespace quorate::bench
