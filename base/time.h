// Time types. Nothing here reads a clock: time is handed in.
//
// Inside the program durations are 64-bit nanoseconds; on the wire and in the log they are milliseconds.
#pragma once

#include <chrono>
#include <cstdint>

namespace quorate {

using Duration = std::chrono::nanoseconds;

// A clock that never jumps and also runs while the machine is suspended (CLOCK_BOOTTIME in the server).
// It deliberately has no now().
struct Monotonic {
  using duration = Duration;
  using rep = duration::rep;
  using period = duration::period;
  using time_point = std::chrono::time_point<Monotonic, Duration>;
  static constexpr bool is_steady = true;
};
using Instant = Monotonic::time_point;

inline constexpr Instant kNever = Instant::max();

// What a step is told about time. `wall_ms` (since 1970, UTC) is for people to read and decides nothing.
struct Now {
  Instant instant;
  int64_t wall_ms = 0;
};

constexpr int64_t to_ms(Duration d) { return std::chrono::duration_cast<std::chrono::milliseconds>(d).count(); }

}  // namespace quorate
