// A machine's clocks: a monotonic one that runs too fast or too slow, and a wall clock that jumps.
//
// Thread safety: none.
#pragma once

#include "base/time.h"
#include "tests/sim/scheduler.h"

namespace quorate::sim {

class Clock {
 public:
  static constexpr int64_t kTrueRatePpm = 1'000'000;  // local nanoseconds for a million virtual ones

  Clock() = default;
  Clock(SimTime now, Instant start) : base_(start), since_(now) {}

  Instant read(SimTime now) const {
    return base_ + Duration(scale((now - since_).count(), rate_ppm_, kTrueRatePpm));
  }
  Now sample(SimTime now) const { return Now{read(now), kWallStartMs + to_ms(now) + wall_offset_ms_}; }
  // The first virtual time at which the clock shows at least `local`; never before `now`.
  SimTime when(Instant local, SimTime now) const {
    if (local <= read(now)) return now;
    if (local - base_ > kFarAway) return now + kFarAway;
    SimTime t = since_ + Duration(scale((local - base_).count(), kTrueRatePpm, rate_ppm_));
    while (read(t) < local) t += Duration(1);
    return t < now ? now : t;
  }

  int64_t rate_ppm() const { return rate_ppm_; }
  void set_rate(SimTime now, int64_t ppm) {
    base_ = read(now);
    since_ = now;
    rate_ppm_ = ppm;
  }
  void jump_wall(int64_t ms) { wall_offset_ms_ += ms; }
  // The machine was booted: its monotonic clock begins somewhere else.
  void restart(SimTime now, Instant start) {
    base_ = start;
    since_ = now;
  }

 private:
  static constexpr int64_t kWallStartMs = 1'700'000'000'000;
  static constexpr Duration kFarAway = std::chrono::hours(10);

  static int64_t scale(int64_t value, int64_t by, int64_t over) {
    return value / over * by + value % over * by / over;
  }

  Instant base_{};
  SimTime since_{0};
  int64_t rate_ppm_ = kTrueRatePpm;
  int64_t wall_offset_ms_ = 0;
};

}  // namespace quorate::sim
