// What one seed will be like: drawn once from the seed, before anything runs, so that every seed leans
// towards faults of its own.
//
// Thread safety: plain values.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/random.h"
#include "kv/state_machine.h"
#include "raft/raft.h"
#include "tests/sim/scheduler.h"

namespace quorate::sim {

enum class Fault : uint8_t {
  kKillLeader,
  kKillAny,
  kKillAll,
  kPowerLossOne,
  kPowerLossAll,
  kCrashAtStep,
  kPauseLeader,
  kPauseAny,
  kIsolateLeader,
  kPartition,
  kOneWayCuts,
  kClientCuts,
  kClog,
  kDiskStall,
  kDiskError,
  kDiskFull,
  kClockRate,
  kWallJump,
  kWipe,
  kPauseClient,
  kBreakConnections,
  kResetPeers,
  kStop,
  kTransfer,
  kLag,
  kCount
};
inline constexpr size_t kFaultCount = static_cast<size_t>(Fault::kCount);
std::string_view fault_name(Fault fault);

// What the programs that use the client library do.
enum class Recipe : uint8_t {
  kCounter,
  kBarrier,
  kDoubleBarrier,
  kQueue,
  kElection,
  kGroup,
  kRegistry,
  kLocks,
  kWatches,
  kCount
};
inline constexpr size_t kRecipeCount = static_cast<size_t>(Recipe::kCount);
std::string_view recipe_name(Recipe recipe);

struct Plan {
  uint32_t servers = 3;
  // The faults go on for this long, then everything is healed.
  Duration trouble = std::chrono::seconds(60);
  Duration heal_max = std::chrono::seconds(40);

  // Clocks run within 5 % of true (so within the 10 % that clients allow for), or (wild) up to 50 % off: then
  // only fencing tokens can keep holders apart.
  bool wild_clocks = false;

  double loss = 0, duplication = 0, slow = 0;  // probabilities; a slow message takes up to slow_max
  Duration delay_min = std::chrono::microseconds(50);
  Duration delay_max = std::chrono::milliseconds(2);
  Duration slow_max = std::chrono::milliseconds(500);

  // The log is synced in the server's one loop (nothing else goes on meanwhile) or beside it.
  bool sync_in_place = true;
  Duration sync_min = std::chrono::microseconds(100);
  Duration sync_max = std::chrono::milliseconds(3);
  uint64_t segment_bytes = 64 << 10;

  raft::Options raft;  // time-outs only

  // Checkpoints on LevelDB over the simulated disk, or on its twin in memory. All limits are tiny, so that a
  // minute sees many checkpoints and servers that the log does not reach.
  bool leveldb = false;
  kv::Limits kv;
  Duration job_max = std::chrono::milliseconds(20);  // of the store
  size_t checkpoint_dirty_bytes = 16 << 10, checkpoint_log_bytes = 32 << 10, log_kept_bytes = 4 << 10,
         log_held_bytes = 64 << 10;
  Duration capture_pause;
  size_t dirty_bytes_max = 64 << 10, capture_slice_bytes = 1 << 10, snapshot_chunk_bytes = 2 << 10;

  // Of what waits, is asked for and is told at once: so small that they are reached. Nothing: the usual ones.
  struct SmallLimits {
    size_t uncommitted_bytes = 0, pending_bytes = 0, waiting_reads_bytes = 0, reserve_bytes = 0;
    size_t turn_bytes = 0, turn_told_bytes = 0, turn_all_told_bytes = 0, entry_told_bytes = 0;
  };
  std::optional<SmallLimits> small_limits;

  uint32_t key_clients = 3, lock_clients = 3, sequence_clients = 1, watch_clients = 1, churn_clients = 1,
           tree_clients = 1, feed_clients = 1, zookeeper_clients = 1, lock_kind_clients = 0, operators = 0,
           zookeeper_lock_clients = 0;
  uint32_t keys = 3, locks = 1;
  bool refuse_mixed_locks = false;  // the servers keep names of several recipes out of one queue
  std::array<uint32_t, kRecipeCount> recipe_clients{};  // by Recipe
  Duration think_max = std::chrono::milliseconds(300);

  Duration gap_min = std::chrono::milliseconds(200);  // between faults
  Duration gap_max = std::chrono::seconds(4);
  std::array<uint32_t, kFaultCount> weights{};
};

Plan draw_plan(uint64_t seed);
// One line, for the trace.
std::string describe(const Plan& plan);

}  // namespace quorate::sim
