// What happened, a line an event, as prose. Off unless somebody reads it: formatting costs more than
// simulating.
//
//   if (trace.on()) trace.line(now, "server 2", "is killed");
//
// Thread safety: none.
#pragma once

#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>

#include "tests/sim/scheduler.h"

namespace quorate::sim {

class Trace {
 public:
  // Off.
  Trace() = default;
  // `file` may be null: then only the hash is kept.
  explicit Trace(std::FILE* file) : on_(true), file_(file) {}

  bool on() const { return on_; }
  void line(SimTime now, std::string_view who, std::string_view what);
  // Over every line so far: equal runs have equal hashes.
  uint64_t hash() const { return hash_; }
  uint64_t lines() const { return lines_; }

 private:
  bool on_ = false;
  std::FILE* file_ = nullptr;
  uint64_t hash_ = 0;
  uint64_t lines_ = 0;
};

}  // namespace quorate::sim
