// Which paths are asked for most: a bounded count of a stream of paths (Metwally, Agrawal and El Abbadi,
// "Efficient computation of frequent and top-k elements in data streams", 2005: Space-Saving).
//
// A path that is asked for is counted in its slot; one that has none takes over the slot that counts least,
// with its count, which may then be too high by that much (`surplus`). So every path that came more often
// than one in kHotPathsMax of all has a slot, and what it came is between count - surplus and count. All
// counts are halved every kHotPathsHalfTime: what they tell is the last while, and window() is how long that
// is.
//
// count() is O(1): it is called for every request.
//
// Thread safety: none.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"

namespace quorate::server {

inline constexpr size_t kHotPathsMax = 128;
inline constexpr Duration kHotPathsHalfTime = std::chrono::seconds(10);
// A longer one is not counted: the slots take kHotPathsMax times so much memory at most.
inline constexpr size_t kHotPathBytesMax = 1024;

class HotPaths {
 public:
  HotPaths();

  void count(std::string_view path, Instant now);

  struct Hot {
    std::string path;
    uint64_t count = 0, surplus = 0;
  };
  // All that are counted, the hottest first, at the time of the last count() or of `now`, whichever is later.
  std::vector<Hot> hottest(Instant now);
  // For so long a path would have to come once a second to have as high a count as it has seconds.
  Duration window(Instant now);

 private:
  struct Slot {
    std::string path;
    uint64_t hash = 0;
    uint64_t count = 0, surplus = 0;
    uint16_t place = 0;  // in order_
    uint16_t group = 0;
  };
  // Slots of one count stand together in order_: [begin, end).
  struct Group {
    uint64_t count = 0;
    uint16_t begin = 0, end = 0;
  };
  static constexpr size_t kTableSize = 512;  // a power of two, well above kHotPathsMax
  static constexpr uint16_t kNone = UINT16_MAX;

  void advance(Instant now);
  void halve();
  void group_anew();
  void increment(uint16_t slot);
  uint16_t find(std::string_view path, uint64_t hash) const;
  void put(uint16_t slot);
  void take_out(uint16_t slot);

  std::array<Slot, kHotPathsMax> slots_;
  std::array<uint16_t, kHotPathsMax> order_{};  // slots by ascending count
  // Invariant: each place of order_ is in the group of its slot, whose count is the slot's.
  std::array<Group, kHotPathsMax> groups_{};
  std::vector<uint16_t> free_groups_;
  std::array<uint16_t, kTableSize> table_{};  // slots by hash, with linear probing
  Instant halved_{};                          // when last
  Duration window_{};                         // at halved_
  bool begun_ = false;
};

}  // namespace quorate::server
