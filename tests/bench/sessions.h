// What sessions cost that only stay alive, and what their end costs others.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "tests/bench/quorate_cluster.h"

namespace quorate::bench {

inline constexpr uint32_t kIdleSessionTimeoutMs = 10'000;

struct IdleSessions {
  uint32_t sessions = 0;
  double cpu_percent = 0;  // of one core, all three servers together
  double bytes_each = 0;   // resident growth of all three servers, for each session
  uint64_t entries = 0;    // that the log grew by while they were kept alive
};

struct SessionsFigures {
  std::vector<IdleSessions> idle;               // after each further ten thousand
  uint32_t expired = 0;                         // how many were silent at once
  double expiry_ms = 0;                         // from the first that was gone to the last
  double p99_before_us = 0, p99_during_us = 0;  // of somebody else's writes
};

// Opens up to `sessions_max` sessions in steps of ten thousand, spread over the servers, a connection each,
// pings each every third of its timeout for `time`, and then lets them all fall silent together. Errors: kIo
// when the machine gives no more descriptors, kTimeout, and those of the cluster.
Result<SessionsFigures> measure_sessions(const QuorateCluster& cluster, uint32_t sessions_max, Duration time,
                                         const std::function<void(const std::string&)>& progress);

}  // namespace quorate::bench
