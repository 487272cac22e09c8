// What the programs that run the recipes of the client library saw.
//
// Thread safety: none.
#pragma once

#include <string>

#include "kv/state_machine.h"
#include "tests/sim/barrier_history.h"
#include "tests/sim/counter_history.h"
#include "tests/sim/tree_past.h"

namespace quorate::sim {

// Everything of theirs is below it.
inline constexpr const char* kRecipesPath = "/r";
inline constexpr const char* kCounterPath = "/r/counter";
inline constexpr const char* kBarrierPath = "/r/barrier";
inline constexpr const char* kDoubleBarrierPath = "/r/double";
inline constexpr uint32_t kDoubleBarrierCount = 2;

struct RecipeHistories {
  // An entry was committed; `state`: behind it.
  Verdict committed(const kv::Applied& applied, const kv::StateMachine& state, Duration time);

  TreePast past;
  CounterHistory counter{past, kCounterPath};
  BarrierHistory barrier{past, kBarrierPath};
  DoubleBarrierHistory double_barrier{past, kDoubleBarrierPath, kDoubleBarrierCount};
};

}  // namespace quorate::sim
