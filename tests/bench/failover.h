// How long writes stop when the leader dies, and what a cluster that does nothing costs.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "tests/bench/quorate_cluster.h"

namespace quorate::bench {

struct FailoverTimes {
  std::vector<double> ms;  // sorted
  double median() const;
  double max() const { return ms.empty() ? 0 : ms.back(); }
};

// Each round: a client writes through a survivor (each of the two in turn), the leader gets SIGKILL, and the
// client sends its next write at once; the time runs from the signal to its acknowledgement. A refusal that
// says "try again" is tried again after a millisecond, under the same number. Then the killed server is
// started again, and the next round waits until it has caught up. `progress` hears of each round. Errors:
// kTimeout when a write is not acknowledged within 30 s, and those of the cluster.
Result<FailoverTimes> measure_failover(QuorateCluster& cluster, int rounds,
                                       const std::function<void(const std::string&)>& progress);

// The processor time of all three servers over `time` without a client, as per cent of one core. Errors: kIo.
Result<double> measure_idle(const QuorateCluster& cluster, Duration time);

}  // namespace quorate::bench
