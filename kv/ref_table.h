// An open-addressing hash table of 32-bit references: what they refer to, and so how it hashes and compares,
// is the caller's to know. Five bytes a slot, four to seven slots of eight in use.
//
// Thread safety: none.
//
// A byte of each hash stands beside its reference, so that a search looks at what a reference means only
// where it is most likely the one.
#pragma once

#include <cstdint>
#include <memory>
#include <utility>

#include "base/check.h"
#include "kv/slab.h"

namespace quorate::kv {

class RefTable {
 public:
  // `is(ref)`: whether this is the one that is looked for. kNone where there is none.
  template <class Is>
  Ref find(uint64_t hash, const Is& is) const {
    if (size_ == 0) return kNone;
    for (uint32_t at = home(hash); refs_[at] != kNone; at = next(at)) {
      if (tags_[at] == tag(hash) && is(refs_[at])) return refs_[at];
    }
    return kNone;
  }
  // `hash_of(ref)`: of any that is in. REQUIRES: `ref` is not in.
  template <class HashOf>
  void insert(uint64_t hash, Ref ref, const HashOf& hash_of) {
    if ((uint64_t{size_} + 1) * 8 > uint64_t{capacity_} * 7) resize(capacity_ + capacity_ / 2 + 4, hash_of);
    put(hash, ref);
    ++size_;
  }
  // REQUIRES: `ref` is in.
  template <class HashOf>
  void erase(uint64_t hash, Ref ref, const HashOf& hash_of) {
    CHECK(size_ > 0);
    uint32_t hole = home(hash);
    while (refs_[hole] != ref) {
      CHECK(refs_[hole] != kNone);
      hole = next(hole);
    }
    // Whatever could stand nearer to its home moves up, so that no search ends at the hole too early.
    for (uint32_t at = next(hole); refs_[at] != kNone; at = next(at)) {
      const uint32_t wanted = home(hash_of(refs_[at]));
      const bool between = hole <= at ? wanted > hole && wanted <= at : wanted > hole || wanted <= at;
      if (between) continue;
      refs_[hole] = refs_[at];
      tags_[hole] = tags_[at];
      hole = at;
    }
    refs_[hole] = kNone;
    --size_;
    if (size_ == 0) {
      *this = RefTable();
    } else if (uint64_t{size_} * 8 < capacity_) {
      resize(size_ * 2 + 4, hash_of);
    }
  }
  // One that is in, or kNone.
  Ref any() const {
    for (uint32_t at = 0; at < capacity_; ++at) {
      if (refs_[at] != kNone) return refs_[at];
    }
    return kNone;
  }
  template <class Visit>
  void for_each(const Visit& visit) const {
    for (uint32_t at = 0; at < capacity_; ++at) {
      if (refs_[at] != kNone) visit(refs_[at]);
    }
  }
  uint32_t size() const { return size_; }
  size_t bytes() const { return size_t{capacity_} * (sizeof(Ref) + 1); }

  RefTable() = default;
  RefTable(RefTable&& other) noexcept { *this = std::move(other); }
  RefTable& operator=(RefTable&& other) noexcept {
    refs_ = std::move(other.refs_);
    tags_ = std::move(other.tags_);
    capacity_ = std::exchange(other.capacity_, 0);
    size_ = std::exchange(other.size_, 0);
    return *this;
  }

 private:
  uint32_t home(uint64_t hash) const {
    return static_cast<uint32_t>((static_cast<uint64_t>(static_cast<uint32_t>(hash)) * capacity_) >> 32);
  }
  static uint8_t tag(uint64_t hash) { return static_cast<uint8_t>(hash >> 56); }
  uint32_t next(uint32_t at) const { return at + 1 == capacity_ ? 0 : at + 1; }
  void put(uint64_t hash, Ref ref) {
    uint32_t at = home(hash);
    while (refs_[at] != kNone) at = next(at);
    refs_[at] = ref;
    tags_[at] = tag(hash);
  }
  template <class HashOf>
  void resize(uint32_t capacity, const HashOf& hash_of) {
    CHECK(capacity > size_);
    const std::unique_ptr<Ref[]> old = std::exchange(refs_, std::make_unique<Ref[]>(capacity));
    const uint32_t old_capacity = std::exchange(capacity_, capacity);
    tags_ = std::make_unique<uint8_t[]>(capacity);
    for (uint32_t at = 0; at < old_capacity; ++at) {
      if (old[at] != kNone) put(hash_of(old[at]), old[at]);
    }
  }

  std::unique_ptr<Ref[]> refs_;
  std::unique_ptr<uint8_t[]> tags_;
  uint32_t capacity_ = 0;
  uint32_t size_ = 0;
};

}  // namespace quorate::kv
