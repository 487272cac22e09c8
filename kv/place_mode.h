// How a place in a lock's queue holds, and how that stands in its node's data:
//
//   NAME                                      exclusive; whatever another client wrote, too
//   quorate:MODE[;delay=MS][;gone]:NAME       MODE: exclusive, shared or permit/N
//
// So the mode is wherever the node is (on disk, in a backup, in a log), and other clients, who do not know
// it, take every place for an exclusive one and wait for it.
//
// Thread safety: plain values and functions.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace quorate::kv {

enum class Mode : uint8_t { kExclusive = 0, kShared = 1, kPermit = 2 };

inline constexpr uint32_t kPermitsMax = 10'000;
inline constexpr uint32_t kLockDelayMsMax = 3'600'000;

struct PlaceMode {
  Mode mode = Mode::kExclusive;
  uint32_t permits = 0;   // of kPermit: how many the semaphore has; else 0
  uint32_t delay_ms = 0;  // how long the place is kept for nobody when the session of its holder expires
  // It is kept so: a node with a time to live, that holds as the one did that it stands for.
  bool gone = false;

  friend bool operator==(const PlaceMode&, const PlaceMode&) = default;
};

struct PlaceData {
  PlaceMode mode;
  std::string_view name;  // who it says it is; within the data that was read
  bool marked = false;    // the data says the mode
};
PlaceData read_place(std::string_view data);

// The name as it is, of what is plainly exclusive.
std::string write_place(const PlaceMode& mode, std::string_view name);

// "shared", "one of 3 permits"
std::string mode_text(const PlaceMode& mode);

}  // namespace quorate::kv
