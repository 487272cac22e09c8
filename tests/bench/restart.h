// How long a server of a large tree takes to come back, beside a bare scan of what it has on its disk.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/result.h"
#include "tests/bench/quorate_cluster.h"

namespace quorate::bench {

struct Restarts {
  uint32_t nodes = 0;
  // Round by round, in seconds: from the start of the process to its first answer to a read; and LevelDB
  // opened and read from end to end, while the server was stopped.
  std::vector<double> restarts, scans;

  // Of the medians.
  double ratio() const;
};

// Makes the nodes, with paths of 40 bytes and 100 bytes of data, and ends a follower with SIGTERM and starts
// it again, three times. Errors: those of the cluster, of the load, kTimeout, and kIo when its store cannot
// be read.
Result<Restarts> measure_restarts(QuorateCluster& cluster, uint32_t nodes,
                                  const std::function<void(const std::string&)>& progress);

}  // namespace quorate::bench
