// Every target with its seeds and with bytes near to them, the same in each run. What libFuzzer found once is
// among the seeds.
#include <gtest/gtest.h>

#include "base/random.h"
#include "tests/fuzz/target.h"

namespace quorate::fuzz {
namespace {

std::string near_miss(std::string bytes, const std::string& other, Random& random) {
  for (uint64_t changes = 1 + random.below(3); changes > 0; --changes) {
    const size_t at = random.below(bytes.size() + 1);
    const auto byte = static_cast<char>(random.chance(0.3) ? random.below(2) * 255 : random.below(256));
    switch (random.below(5)) {
      case 0:
        bytes.insert(at, 1 + random.below(4), byte);
        break;
      case 1:
        bytes.erase(at, 1 + random.below(8));
        break;
      case 2:
        bytes.replace(at, std::string::npos, other.substr(std::min(at, other.size())));
        break;
      case 3:
        bytes.resize(at);
        break;
      default:
        if (at < bytes.size()) bytes[at] = byte;
    }
  }
  return bytes;
}

class Fuzz : public testing::TestWithParam<const Target*> {};

TEST_P(Fuzz, BearsItsSeedsAndBytesNearToThem) {
  const std::vector<std::string> seeds = GetParam()->seeds();
  ASSERT_FALSE(seeds.empty());
  GetParam()->run("");
  Random random(1);
  for (const std::string& seed : seeds) {
    GetParam()->run(seed);
    const size_t step = 1 + seed.size() / 64;
    for (size_t size = 0; size < seed.size(); size += step) GetParam()->run(seed.substr(0, size));
  }
  for (int i = 0; i < 500; ++i) {
    const std::string& other = seeds[random.below(seeds.size())];
    GetParam()->run(near_miss(seeds[random.below(seeds.size())], other, random));
  }
}

INSTANTIATE_TEST_SUITE_P(Targets, Fuzz, testing::ValuesIn(Target::all()),
                         [](const auto& target) { return std::string(target.param->name); });

}  // namespace
}  // namespace quorate::fuzz
