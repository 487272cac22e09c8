// What it takes to hand one lock over to the next of many who wait for it: after a release, after the
// holder's session was closed, and after the holder was killed.
//
// Every contender is a session on a connection of its own. All that any of them is told is counted: a
// hand-over is to wake one, the one that has waited longest.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/result.h"
#include "client/bench/histogram.h"
#include "client/bench/net.h"

namespace quorate::bench {

struct HandOvers {
  uint32_t waiters = 0;
  // From the release, or the end of the session, until the next one has heard that it holds.
  double released_p50_us = 0, released_p99_us = 0;
  double closed_p50_us = 0;
  std::vector<double> killed_ms;  // from the end of the holder's connection, without another word
  uint32_t killed_timeout_ms = 0;
  uint64_t hand_overs = 0;  // of all three kinds
  uint64_t woken = 0;       // whoever was told anything because of them
  bool in_order = true;     // each time it was the one that had waited longest
};

// Lines up `waiters` behind one holder at the server of `port`, and lets all of them have the lock in turn: a
// tenth of them, 50 at most, close their session in place of a release, and `killed` of them fall silent.
// Errors: kIo where the machine gives no more descriptors, kTimeout, kUnavailable.
Result<HandOvers> measure_hand_overs(Port port, uint32_t waiters, uint32_t killed,
                                     const std::function<void(const std::string&)>& progress);

}  // namespace quorate::bench
