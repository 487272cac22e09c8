// The server's clocks: the only place that reads them.
//
// Thread safety: free functions without state.
#pragma once

#include "base/time.h"

namespace quorate::server {

// CLOCK_BOOTTIME, which also runs while the machine is suspended, and the wall clock. Sampled after the last
// byte of an input was read, so that a read which arrives after a pause never meets a stale clock.
Now sample_now();
Instant monotonic_now();

}  // namespace quorate::server
