// What the machine itself takes, measured beside the rest in the same run:
//
//   F    one fdatasync of 256 bytes appended within a zero-filled file
//   R    one round trip of 256 bytes there and 8 back over loopback TCP between two processes
//   L*   R plus the time until the own sync and one peer's are done, when 256 bytes go to two loopback peers
//   and all
//        three sync zero-filled files on the one device at once: what a replicated write must at least take
//
// All are medians, in microseconds. On a machine whose cores are all busy with other work they show when the
// scheduler lets a woken process run (some kernels: at the next tick, 4 ms), not what disk and network take.
#pragma once

#include <string>

#include "base/result.h"
#include "base/time.h"

namespace quorate::bench {

struct Floors {
  double f_us = 0;
  double r_us = 0;
  double l_us = 0;
};

// Each is measured for `each`, with its files in `folder`. Errors: kIo.
Result<Floors> measure_floors(const std::string& folder, Duration each);

}  // namespace quorate::bench
