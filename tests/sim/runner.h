// Many seeds, over worker processes.
#pragma once

#include <cstdint>

#include "tests/sim/world.h"

namespace quorate::sim {

struct RunnerOptions {
  uint64_t first_seed = 1;
  uint64_t seeds = 100;
  unsigned jobs = 1;
  double seconds_max = 0;    // no new seed begins after this; 0: no limit
  bool counts = false;       // a line a seed
  uint32_t link_graphs = 0;  // not seeds but graphs of links between so many servers; 0: seeds
};

// Runs one seed; a failed CHECK is its failure too, like any other rule that was broken.
RunResult run_seed(uint64_t seed, Trace trace = Trace(), uint32_t link_graphs = 0);

// What a failed CHECK does then (set_check_failure_hook()): thrown through the program under test, whose
// objects are not used again.
void fail_run(const std::string& what);

// Prints failures as they come, each with the command that replays it, and the counts at the end. The exit
// code: 0 when every seed passed.
int run_seeds(const RunnerOptions& options, const char* program);

}  // namespace quorate::sim
