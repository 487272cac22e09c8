// The watched paths: each stands once in an arena, behind the head of its list of watches, and is found by
// its bytes. A path of n bytes takes n + 6, up to four, and five to nine in the table.
//
// Thread safety: none.
//
// A forgotten path's place is used again for one of the same size; memory goes back when no path is left.
//
// Clients choose the paths: who does not know the key cannot choose many that stand in one place of the
// table.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "kv/path.h"
#include "kv/ref_table.h"

namespace quorate::kv {

class WatchPaths {
 public:
  explicit WatchPaths(uint64_t key = 0) : key_(key) {}

  // kNone where it is not watched. REQUIRES of all: a path of 1 to kPathBytesMax bytes.
  Ref find(std::string_view path) const;
  Ref find_or_add(std::string_view path);
  // REQUIRES: its list is empty.
  void erase(Ref path);

  std::string_view text(Ref path) const;  // valid until the path is erased
  // The head of the path's list of watches, a reference of their table's.
  Ref first(Ref path) const;
  void set_first(Ref path, Ref first);
  // Three bits for the owner.
  uint8_t marks(Ref path) const;
  void set_marks(Ref path, uint8_t marks);

  size_t size() const { return table_.size(); }
  size_t bytes() const { return blocks_.size() * kBlockBytes + table_.bytes(); }
  // How often a path was hashed because another came or went, for tests.
  uint64_t rehashed() const { return rehashed_; }

 private:
  static constexpr size_t kUnitBytes = 4;
  static constexpr size_t kBlockUnitBits = 14;
  static constexpr size_t kBlockBytes = kUnitBytes << kBlockUnitBits;
  // The head, then a word with the length less one and the marks, then the bytes.
  static constexpr size_t kHeaderBytes = 6;
  static constexpr size_t kLengthBits = 12;
  static_assert(kPathBytesMax <= size_t{1} << kLengthBits);
  static constexpr size_t kUnitsMax = (kHeaderBytes + kPathBytesMax + kUnitBytes - 1) / kUnitBytes;

  static size_t units_of(size_t length) { return (kHeaderBytes + length + kUnitBytes - 1) / kUnitBytes; }
  char* at(Ref path) {
    return blocks_[path >> kBlockUnitBits].get() + (path & ((1U << kBlockUnitBits) - 1)) * kUnitBytes;
  }
  const char* at(Ref path) const { return const_cast<WatchPaths*>(this)->at(path); }
  uint16_t word(Ref path) const;
  uint64_t hash_of(std::string_view path) const;
  // Of those that are in the way of another.
  auto rehash() {
    return [this](Ref other) {
      ++rehashed_;
      return hash_of(text(other));
    };
  }
  Ref allocate(size_t units);

  uint64_t key_;
  uint64_t rehashed_ = 0;
  RefTable table_;
  std::vector<std::unique_ptr<char[]>> blocks_;
  // Freed places by their size in units; each names the next in its first four bytes.
  std::array<Ref, kUnitsMax + 1> free_{};
  uint32_t block_used_ = 1U << kBlockUnitBits;  // units of the last block
};

}  // namespace quorate::kv
