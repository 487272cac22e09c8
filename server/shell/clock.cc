#include "server/shell/clock.h"

#include <ctime>

namespace quorate::server {

Instant monotonic_now() {
  timespec at{};
  ::clock_gettime(CLOCK_BOOTTIME, &at);
  return Instant(std::chrono::seconds(at.tv_sec) + std::chrono::nanoseconds(at.tv_nsec));
}

Now sample_now() {
  timespec at{};
  ::clock_gettime(CLOCK_REALTIME, &at);
  return {monotonic_now(), static_cast<int64_t>(at.tv_sec) * 1000 + at.tv_nsec / 1'000'000};
}

}  // namespace quorate::server
