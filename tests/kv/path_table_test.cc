// The table of paths against a std::multimap, with hashes that fill buckets and run over.
#include "kv/path_table.h"

#include <gtest/gtest.h>

#include <map>
#include <set>
#include <vector>

#include "base/random.h"

namespace quorate::kv {
namespace {

class PathTableTest : public ::testing::Test {
 protected:
  void insert(uint32_t hash) {
    if (table_.room() == 0) grow();
    const Ref ref = next_++;
    table_.insert(hash, ref);
    hash_of_[ref] = hash;
  }
  void erase(Ref ref) {
    table_.erase(hash_of_.at(ref), ref);
    hash_of_.erase(ref);
  }
  void grow() {
    table_.reset(hash_of_.size() + 1, true);
    for (const auto& [ref, hash] : hash_of_) table_.insert(hash, ref);
  }
  bool finds(uint32_t hash, Ref wanted) const {
    return table_.find(hash, [&](Ref ref) { return ref == wanted; }) == wanted;
  }
  // All that a search for this hash asks about.
  std::set<Ref> asked(uint32_t hash) const {
    std::set<Ref> refs;
    EXPECT_EQ(table_.find(hash,
                          [&](Ref ref) {
                            EXPECT_TRUE(refs.insert(ref).second) << "asked twice";
                            return false;
                          }),
              kNone);
    return refs;
  }

  PathTable table_;
  std::map<Ref, uint32_t> hash_of_;
  Ref next_ = 1;
};

TEST_F(PathTableTest, FindsWhatIsInAmongAnyHashes) {
  Random random(1);
  for (int step = 0; step < 20'000; ++step) {
    // Few upper bits, so that buckets run over, and few lower ones, so that tags are the same.
    const auto hash = static_cast<uint32_t>(random.below(16) << 28 | random.below(4));
    if (hash_of_.size() < 400 && random.below(5) < 3) {
      insert(hash);
    } else if (!hash_of_.empty()) {
      auto at = hash_of_.lower_bound(static_cast<Ref>(random.below(next_)));
      if (at == hash_of_.end()) at = hash_of_.begin();
      erase(at->first);
    }
    const std::set<Ref> refs = asked(hash);
    for (const auto& [ref, its] : hash_of_) {
      EXPECT_TRUE(finds(its, ref));
      if (its == hash) {
        EXPECT_TRUE(refs.contains(ref));
      }
    }
    for (const Ref ref : refs) EXPECT_TRUE(hash_of_.contains(ref));
    if (::testing::Test::HasFailure()) break;
  }
}

TEST_F(PathTableTest, AllOfOneHashFindRoomAndGoAgain) {
  for (int i = 0; i < 500; ++i) insert(7);
  EXPECT_EQ(asked(7).size(), 500U);
  while (!hash_of_.empty()) erase(hash_of_.begin()->first);
  EXPECT_TRUE(asked(7).empty());
  EXPECT_EQ(table_.likely(7), kNone);
}

TEST_F(PathTableTest, ASearchHardlyAsksAboutOthers) {
  Random random(2);
  for (int i = 0; i < 100'000; ++i) insert(static_cast<uint32_t>(random.below(uint64_t{1} << 32)));
  size_t others = 0;
  for (const auto& [ref, hash] : hash_of_) others += asked(hash).size() - 1;
  // Ten in a bucket, one in 256 of which has the same tag; and the buckets behind some.
  EXPECT_LT(others, hash_of_.size() / 10);
}

TEST_F(PathTableTest, HasTheRoomThatWasAskedFor) {
  for (size_t count = 0; count < 5'000; ++count) {
    table_.reset(count, false);
    EXPECT_GE(table_.room(), count);
  }
}

}  // namespace
}  // namespace quorate::kv
