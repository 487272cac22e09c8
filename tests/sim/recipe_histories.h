// What the programs that run the recipes of the client library saw.
//
// Thread safety: none.
#pragma once

#include <functional>
#include <string>
#include <utility>

#include "kv/state_machine.h"
#include "tests/sim/barrier_history.h"
#include "tests/sim/counter_history.h"
#include "tests/sim/election_history.h"
#include "tests/sim/queue_history.h"
#include "tests/sim/tree_past.h"
#include "tests/sim/view_history.h"
#include "tests/sim/watched_history.h"

namespace quorate::sim {

// Everything of theirs is below it.
inline constexpr const char* kRecipesPath = "/r";
inline constexpr const char* kCounterPath = "/r/counter";
inline constexpr const char* kBarrierPath = "/r/barrier";
inline constexpr const char* kDoubleBarrierPath = "/r/double";
inline constexpr uint32_t kDoubleBarrierCount = 2;
inline constexpr const char* kQueuePath = "/r/queue";
inline constexpr uint32_t kQueueTries = 3;
inline constexpr const char* kElectionPath = "/r/lead";
inline constexpr const char* kGroupPath = "/r/group";
inline constexpr const char* kServicesPath = "/r/services";
inline constexpr const char* kService = "search";
inline constexpr const char* kWatchedPath = "/r/watched";
inline constexpr const char* kServicePath = "/r/services/search";

struct RecipeHistories {
  // As LockHistory has them.
  RecipeHistories(std::function<bool(uint32_t)> lease_valid, bool leases_count)
      : queue(past, kQueuePath, kQueueTries, std::move(lease_valid), leases_count) {}

  // An entry was committed; `state`: behind it.
  Verdict committed(const kv::Applied& applied, const kv::StateMachine& state, Duration time);

  TreePast past;
  CounterHistory counter{past, kCounterPath};
  BarrierHistory barrier{past, kBarrierPath};
  DoubleBarrierHistory double_barrier{past, kDoubleBarrierPath, kDoubleBarrierCount};
  QueueHistory queue;
  ElectionHistory election{past, kElectionPath};
  ViewHistory group{past, kGroupPath};
  CopyHistory copy{past, kGroupPath};
  ViewHistory services{past, kServicePath};
  WatchedHistory watched{past};
};

}  // namespace quorate::sim
