#include "kv/record_list.h"

#include <gtest/gtest.h>

#include <vector>

#include "base/random.h"

namespace quorate::kv {
namespace {

using Twin = std::vector<Record>;

void expect_same(const RecordList& list, const Twin& twin) {
  ASSERT_EQ(list.size(), twin.size());
  ASSERT_EQ(list.empty(), twin.empty());
  size_t at = 0, bytes = 0;
  for (const RecordView& record : list) {
    ASSERT_LT(at, twin.size());
    EXPECT_EQ(record.key, twin[at].key);
    EXPECT_EQ(record.value.has_value(), twin[at].value.has_value());
    EXPECT_EQ(record.value.value_or(""), twin[at].value.value_or(""));
    bytes += twin[at].key.size() + (twin[at].value ? twin[at].value->size() : 0);
    ++at;
  }
  EXPECT_EQ(at, twin.size());
  EXPECT_EQ(list.bytes(), bytes);
  EXPECT_TRUE(twin.empty() || list.back().key == twin.back().key);
}

Record random_record(Random& random) {
  Record record{std::string(random.below(90), 'k'), std::nullopt};
  for (char& c : record.key) c = static_cast<char>(random.below(256));
  // Some need a block of their own, and some have an empty value.
  if (!random.chance(0.2)) record.value = std::string(random.chance(0.05) ? 40'000 : random.below(300), 'v');
  return record;
}

TEST(RecordList, HoldsWhatAVectorWould) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    SCOPED_TRACE(seed);
    Random random(seed);
    RecordList list, other;
    Twin twin, other_twin;
    for (int step = 0; step < 400; ++step) {
      const bool here = random.chance(0.7);
      const Record record = random_record(random);
      (here ? list : other).push_back(record);
      (here ? twin : other_twin).push_back(record);
      if (random.chance(0.03)) {
        list.take(other);
        twin.insert(twin.end(), other_twin.begin(), other_twin.end());
        other_twin.clear();
        expect_same(other, other_twin);
      }
      if (random.chance(0.005)) {
        list.clear();
        twin.clear();
      }
    }
    expect_same(list, twin);
    expect_same(other, other_twin);
  }
}

TEST(RecordList, IsMadeOfAFewBlocks) {
  RecordList list{{"key", "value"}};
  const char* const first = (*list.begin()).key.data();
  for (int i = 0; i < 100'000; ++i) list.push_back({"key", "value"});
  // Nothing moved.
  EXPECT_EQ((*list.begin()).key.data(), first);
}

}  // namespace
}  // namespace quorate::kv
