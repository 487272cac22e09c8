// A hash table from paths to nodes, of 32-bit references: what they refer to, and so how it compares, is the
// caller's to know. Built so that a search costs one miss of the cache for the table and one for the node: a
// bucket is a cache line, and holds eight bits of each hash, so that a search looks at the nodes that are
// most likely the one, and at hardly any other.
//
// Thread safety: none.
//
// Invariants: no more than 7/8 of the places are taken; a reference stands in the bucket that its hash names,
// or in one behind where that was full; `passed` of a bucket counts the references that stand behind it
// though it lay on their way. So a search ends at the first bucket where that is 0 (or after one round), and
// nothing has to move when a reference is erased.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <vector>

#include "base/check.h"
#include "base/checksum.h"
#include "kv/slab.h"

namespace quorate::kv {

// What a path is hashed with in a table. Clients choose the paths: who does not know the key cannot choose
// many that stand side by side. It is not put over the checksum that states are compared with: whoever
// makes paths that have one of these would have them in one place under each key.
class PathKey {
 public:
  explicit PathKey(uint64_t key) : key_(key) {}
  uint32_t operator()(std::string_view path) const {
    return static_cast<uint32_t>(checksum64(path, key_) >> 32);
  }

 private:
  uint64_t key_;
};

class PathTable {
 public:
  // `is(ref)`: whether this is the one that is looked for. kNone where there is none.
  template <class Is>
  Ref find(uint32_t hash, const Is& is) const {
    const size_t first = home(hash);
    size_t at = first;
    do {
      const Bucket& bucket = buckets_[at];
      for (uint64_t match = matches(bucket, tag(hash)); match != 0; match &= match - 1) {
        const Ref ref = bucket.refs[first_place(match)];
        if (ref != kNone && is(ref)) return ref;
      }
      if (bucket.passed == 0) return kNone;
      at = next(at);
    } while (at != first);
    return kNone;
  }
  // REQUIRES: there is room(), and `ref` is not in.
  void insert(uint32_t hash, Ref ref) {
    CHECK(room() > 0);
    ++size_;
    for (size_t at = home(hash);; at = next(at)) {
      Bucket& bucket = buckets_[at];
      if (const size_t place = place_of(bucket, kNone); place < kPlaces) {
        bucket.refs[place] = ref;
        bucket.tags[place] = tag(hash);
        return;
      }
      ++bucket.passed;
    }
  }
  // REQUIRES: `ref` is in.
  void erase(uint32_t hash, Ref ref) {
    CHECK(size_ > 0);
    --size_;
    for (size_t at = home(hash);; at = next(at)) {
      Bucket& bucket = buckets_[at];
      if (const size_t place = place_of(bucket, ref); place < kPlaces) {
        bucket.refs[place] = kNone;
        return;
      }
      CHECK(bucket.passed > 0);
      --bucket.passed;
    }
  }

  // How many more can be inserted.
  size_t room() const { return buckets_.size() * kPlaces / 8 * 7 - size_; }
  // Empties it and gives it room for so many, and half as many more if it was `growing`. The caller inserts
  // all again.
  void reset(size_t count, bool growing) {
    const size_t wanted = std::max(count * 8 / (kPlaces * 7) + 2, growing ? buckets_.size() / 2 * 3 : 0);
    buckets_ = {};  // first: two tables of a large tree would be held at once
    buckets_.resize(std::max(wanted, kBucketsMin));
    size_ = 0;
  }

  // ---- what a search will look at, for a caller that has something else to do meanwhile

  void prefetch(uint32_t hash) const { __builtin_prefetch(&buckets_[home(hash)]); }
  // The reference that find() would look at first, in the first bucket alone; or kNone.
  Ref likely(uint32_t hash) const {
    const Bucket& bucket = buckets_[home(hash)];
    const uint64_t match = matches(bucket, tag(hash));
    return match == 0 ? kNone : bucket.refs[first_place(match)];
  }

  size_t bytes() const { return buckets_.capacity() * sizeof(Bucket); }
  // How many buckets a search looks at, at most. Looks at all; for tests.
  size_t longest_search() const {
    size_t longest = 0, run = 0;
    for (size_t i = 0; i < 2 * buckets_.size() && longest < buckets_.size(); ++i) {
      run = buckets_[i % buckets_.size()].passed == 0 ? 0 : run + 1;
      longest = std::max(longest, run);
    }
    return longest + 1;
  }

 private:
  static constexpr size_t kPlaces = 12;
  static constexpr size_t kBucketsMin = 8;

  struct alignas(64) Bucket {
    std::array<uint8_t, kPlaces> tags{};  // of a free place: anything
    uint32_t passed = 0;
    std::array<Ref, kPlaces> refs{};  // kNone: free
  };
  static_assert(sizeof(Bucket) == 64);

  // The bucket follows from the upper bits, the tag from the lower ones.
  size_t home(uint32_t hash) const { return static_cast<size_t>((uint64_t{hash} * buckets_.size()) >> 32); }
  static uint8_t tag(uint32_t hash) { return static_cast<uint8_t>(hash); }
  size_t next(size_t at) const { return at + 1 == buckets_.size() ? 0 : at + 1; }
  // A bit for each place that has this tag, and sometimes for one behind it that has not: the eight first
  // places have bits 0, 8, 16 and so on, the others bits 1, 9, 17 and 25. Eight bytes are compared at once.
  static uint64_t matches(const Bucket& bucket, uint8_t tag) {
    constexpr uint64_t kOnes = 0x0101010101010101;
    uint64_t first = 0;
    uint32_t last = 0;
    std::memcpy(&first, bucket.tags.data(), sizeof(first));
    std::memcpy(&last, bucket.tags.data() + sizeof(first), sizeof(last));
    const auto zero_bytes = [](uint64_t word) { return (word - kOnes) & ~word & kOnes << 7; };
    const uint64_t of_first = zero_bytes(first ^ kOnes * tag);
    const uint64_t of_last = zero_bytes((last | ~uint64_t{0xffffffff}) ^ (kOnes * tag & 0xffffffff));
    return of_first >> 7 | of_last >> 6;
  }
  static size_t first_place(uint64_t match) {
    const auto bit = static_cast<size_t>(std::countr_zero(match));
    return bit / 8 + bit % 8 * 8;
  }
  // kPlaces where there is none.
  static size_t place_of(const Bucket& bucket, Ref ref) {
    size_t place = 0;
    while (place < kPlaces && bucket.refs[place] != ref) ++place;
    return place;
  }

  std::vector<Bucket> buckets_ = std::vector<Bucket>(kBucketsMin);
  size_t size_ = 0;
};

}  // namespace quorate::kv
