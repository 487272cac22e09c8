#include "client/bench/histogram.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

namespace quorate::bench {
namespace {

TEST(Histogram, AnEmptyOneSaysZero) {
  Histogram h;
  EXPECT_EQ(h.percentile(0.5), 0U);
  EXPECT_EQ(h.count(), 0U);
}

TEST(Histogram, SmallValuesAreExact) {
  Histogram h;
  for (uint64_t v = 1; v <= 100; ++v) h.record(v);
  EXPECT_EQ(h.percentile(0), 1U);
  EXPECT_EQ(h.percentile(0.5), 50U);
  EXPECT_EQ(h.percentile(0.99), 99U);
  EXPECT_EQ(h.percentile(1), 100U);
}

TEST(Histogram, TakesTheLargestAndTheSmallestValue) {
  Histogram h;
  h.record(0);
  h.record(UINT64_MAX);
  EXPECT_EQ(h.percentile(0), 0U);
  EXPECT_NEAR(static_cast<double>(h.percentile(1)), std::pow(2.0, 64), std::pow(2.0, 64) * 0.004);
}

TEST(Histogram, ClearForgetsEverything) {
  Histogram h;
  h.record(1'000'000);
  h.clear();
  h.record(5);
  EXPECT_EQ(h.count(), 1U);
  EXPECT_EQ(h.percentile(1), 5U);
}

// Against the slow twin: all values sorted, the one of the rank taken.
RC_GTEST_PROP(Histogram, PercentilesAreWithinFourThousandthsOfTheSortedValues, ()) {
  const auto values = *rc::gen::nonEmpty(rc::gen::container<std::vector<uint64_t>>(
      rc::gen::apply([](uint64_t bits, int shift) { return bits >> shift; }, rc::gen::arbitrary<uint64_t>(),
                     rc::gen::inRange(0, 64))));
  const double share = *rc::gen::element(0.0, 0.1, 0.5, 0.9, 0.99, 0.999, 1.0);
  Histogram h;
  for (const uint64_t v : values) h.record(v);
  std::vector<uint64_t> sorted = values;
  std::sort(sorted.begin(), sorted.end());
  const auto rank =
      std::max<size_t>(1, static_cast<size_t>(std::ceil(share * static_cast<double>(sorted.size()))));
  const auto exact = static_cast<double>(sorted[rank - 1]);
  RC_ASSERT(h.count() == values.size());
  RC_ASSERT(std::abs(static_cast<double>(h.percentile(share)) - exact) <= exact * 0.004);
}

}  // namespace
}  // namespace quorate::bench
