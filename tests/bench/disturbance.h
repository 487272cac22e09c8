// What writes at half load feel of what the servers do beside them: checkpoints of the state, and a snapshot
// that streams to a server that lags.
//
// Half load is half of the rate at which 256 clients with one write each are served on the same servers right
// before. Writes are begun at that rate whatever becomes of those before, and an operation's time runs from
// when it was due, so that a pause is seen by all that it delays.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/result.h"

namespace quorate::bench {

inline constexpr size_t kDisturbancePairs = 7;
// Plain time is taken in two halves. Where these differ by more, the machine was busy with something else,
// and the pair is taken again.
inline constexpr double kPlainsApartMax = 1.15;

// The time right before, in which nothing else went on, and the time in which it did.
struct DisturbedPair {
  double plain_p99_us = 0, during_p99_us = 0;
  double plains_ratio = 1;  // of the p99s of the two halves of the plain time, the larger to the smaller
  double during_ms = 0;
  double ratio() const { return plain_p99_us > 0 ? during_p99_us / plain_p99_us : 0; }
};

struct Disturbance {
  double rate = 0;     // of the writes
  uint64_t nodes = 0;  // in the tree
  std::vector<DisturbedPair> pairs;
  size_t repeated = 0;  // taken again
  bool unquiet =
      false;  // the machine was never quiet often enough: pairs that differ by more are among these
  // Medians.
  double ratio() const;
  double plains_ratio() const;
};

using Progress = std::function<void(const std::string&)>;

// Both start three servers of their own in `folder`, with the limits that make happen often what is measured.
// Checkpoints of about 100,000 changed nodes each, as they come by themselves. Errors: those of the cluster,
// kTimeout.
Result<Disturbance> measure_checkpoints(const std::string& quorated, const std::string& folder,
                                        const Progress& progress);
// A follower is killed, and started again when the log does not reach back to it any more.
Result<Disturbance> measure_snapshots(const std::string& quorated, const std::string& folder,
                                      const Progress& progress);

}  // namespace quorate::bench
