#include "tests/sim/plan.h"

#include <sstream>

#include "base/check.h"

namespace quorate::sim {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;

struct Usual {
  Fault fault;
  std::string_view name;
  uint32_t weight;
};
constexpr Usual kUsual[] = {
    {Fault::kKillLeader, "kill the leader", 8},
    {Fault::kKillAny, "kill a server", 4},
    {Fault::kKillAll, "kill all", 1},
    {Fault::kPowerLossOne, "power loss of one", 3},
    {Fault::kPowerLossAll, "power loss of all", 2},
    {Fault::kCrashAtStep, "crash at a step of the disk", 7},
    {Fault::kPauseLeader, "pause the leader", 4},
    {Fault::kPauseAny, "pause a server", 2},
    {Fault::kIsolateLeader, "cut the leader off from its peers", 4},
    {Fault::kPartition, "partition", 3},
    {Fault::kOneWayCuts, "one-way cuts", 3},
    {Fault::kClientCuts, "cut clients off", 2},
    {Fault::kClog, "clog a link", 2},
    {Fault::kDiskStall, "stall a disk", 3},
    {Fault::kDiskError, "fail a step of a disk", 2},
    {Fault::kDiskFull, "fill a disk", 2},
    {Fault::kClockRate, "change a clock's rate", 2},
    {Fault::kWallJump, "jump a wall clock", 1},
    {Fault::kWipe, "wipe a folder", 1},
    {Fault::kPauseClient, "pause a client", 4},
    {Fault::kBreakConnections, "break client connections", 3},
    {Fault::kResetPeers, "reset peer connections", 2},
    {Fault::kStop, "stop the leader cleanly", 2},
    {Fault::kTransfer, "transfer leadership", 2},
    {Fault::kLag, "keep a server away until the others have cut their logs", 3},
};
static_assert(std::size(kUsual) == kFaultCount);

void draw_network(Random& random, Plan& plan) {
  // A third of the seeds have a good network, so that rare schedules of the other faults are reached too.
  if (random.chance(0.66))
    plan.loss = random.chance(0.5) ? 0.02 : 0.30 * static_cast<double>(random.below(101)) / 100;
  if (random.chance(0.66)) plan.duplication = 0.50 * static_cast<double>(random.below(101)) / 100;
  if (random.chance(0.5)) plan.slow = 0.1 * static_cast<double>(random.below(101)) / 100;
  plan.delay_min = random.between(microseconds(20), microseconds(200));
  plan.delay_max = plan.delay_min + random.between(microseconds(50), milliseconds(6));
  plan.slow_max = random.between(milliseconds(20), seconds(3));
}

void draw_raft(Random& random, Plan& plan) {
  plan.raft.heartbeat_interval = random.chance(0.5) ? milliseconds(10) : milliseconds(25);
  // A lossy network needs time-outs that outlast several lost heartbeats: with the usual ones there is never
  // a leader for long.
  if (plan.loss > 0.1) {
    plan.raft.election_timeout_min = milliseconds(300);
    plan.raft.election_timeout_max = milliseconds(600);
  }
  if (random.chance(0.3)) plan.raft.inflight_messages_max = 2;
  if (random.chance(0.3)) plan.raft.append_bytes_max = 400;
}

void draw_checkpoints(Random& random, Plan& plan) {
  const auto bytes = [&random](uint64_t low, uint64_t high) { return low + random.below(high - low + 1); };
  plan.leveldb = random.below(10) == 0;
  plan.kv.history_bytes_max = bytes(1 << 10, 64 << 10);
  plan.job_max = random.between(milliseconds(1), milliseconds(60));
  plan.checkpoint_dirty_bytes = bytes(4 << 10, 32 << 10);
  plan.checkpoint_log_bytes = bytes(8 << 10, 64 << 10);
  plan.log_kept_bytes = random.chance(0.3) ? 0 : bytes(0, 16 << 10);
  plan.log_held_bytes = plan.log_kept_bytes + bytes(0, 128 << 10);
  // Sometimes so little that apply has to wait for almost every checkpoint.
  plan.dirty_bytes_max = 1'000 + plan.checkpoint_dirty_bytes * bytes(0, 4);
  plan.capture_slice_bytes = bytes(1, random.chance(0.5) ? 100 : 4 << 10);
  plan.snapshot_chunk_bytes = bytes(200, 8 << 10);
  plan.capture_pause =
      random.chance(0.5) ? Duration::zero() : random.between(Duration::zero(), milliseconds(4));
}

void draw_faults(Random& random, Plan& plan) {
  for (const Usual& usual : kUsual) {
    // Every seed leaves some faults out and takes some more of others, so that they meet in many mixtures.
    const uint32_t factor = static_cast<uint32_t>(random.below(4));
    plan.weights[static_cast<size_t>(usual.fault)] = usual.weight * factor;
  }
  plan.weights[static_cast<size_t>(Fault::kKillLeader)] += 2;
  plan.weights[static_cast<size_t>(Fault::kPauseLeader)] += 1;
  plan.gap_max = random.between(milliseconds(800), seconds(6));
}

// Of a third of the seeds.
void draw_limits(Random& random, Plan& plan) {
  if (!random.chance(0.33)) return;
  const auto bytes = [&random](uint64_t low, uint64_t high) { return low + random.below(high - low + 1); };
  Plan::SmallLimits& limits = plan.small_limits.emplace();
  limits.uncommitted_bytes = bytes(1 << 10, 4 << 10);
  limits.pending_bytes = bytes(800, 4 << 10);
  limits.waiting_reads_bytes = bytes(2 << 10, 8 << 10);
  limits.reserve_bytes = bytes(100, 1 << 10);
  limits.turn_bytes = bytes(1, 1 << 10);
  limits.turn_told_bytes = bytes(512, 4 << 10);
  limits.turn_all_told_bytes = bytes(256, 8 << 10);
  limits.entry_told_bytes = bytes(512, 8 << 10);
}

// Of two thirds of the seeds, one recipe, run by several programs.
void draw_recipe(Random& random, Plan& plan) {
  const uint32_t programs = 2 + static_cast<uint32_t>(random.below(4));
  const uint64_t recipe = random.below(kRecipeCount + kRecipeCount / 2);
  if (recipe < kRecipeCount) plan.recipe_clients[recipe] = programs;
}

}  // namespace

std::string_view recipe_name(Recipe recipe) {
  constexpr std::string_view kNames[] = {"counter", "barrier",  "double barrier", "queue",  "election",
                                         "group",   "registry", "locks",          "watches"};
  static_assert(std::size(kNames) == kRecipeCount);
  return kNames[static_cast<size_t>(recipe)];
}

std::string_view fault_name(Fault fault) {
  for (const Usual& usual : kUsual) {
    if (usual.fault == fault) return usual.name;
  }
  CHECK_MSG(false, "a fault without a name");
}

Plan draw_plan(uint64_t seed) {
  Random random(seed ^ 0x706c616eU);
  Plan plan;
  const uint64_t size = random.below(20);
  plan.servers = size == 0 ? 1 : size < 6 ? 5 : 3;
  plan.wild_clocks = random.chance(0.25);
  draw_network(random, plan);
  plan.sync_in_place = random.chance(0.5);
  plan.sync_max = plan.sync_min + random.between(microseconds(100), milliseconds(5));
  plan.segment_bytes = random.chance(0.5) ? 16 << 10 : 64 << 10;
  draw_raft(random, plan);
  plan.key_clients = 2 + static_cast<uint32_t>(random.below(3));
  plan.lock_clients = 2 + static_cast<uint32_t>(random.below(3));
  plan.churn_clients = static_cast<uint32_t>(random.below(3));
  plan.keys = 1 + static_cast<uint32_t>(random.below(4));
  plan.tree_clients = static_cast<uint32_t>(random.below(3)) > 0 ? 1 : 0;
  plan.feed_clients = 1;
  plan.locks = 1 + static_cast<uint32_t>(random.below(2));
  plan.think_max = random.between(milliseconds(120), milliseconds(600));
  draw_faults(random, plan);
  draw_checkpoints(random, plan);
  plan.zookeeper_clients = static_cast<uint32_t>(random.below(3));
  plan.lock_kind_clients =
      static_cast<uint32_t>(random.below(2)) * (2 + static_cast<uint32_t>(random.below(3)));
  // Half of the seeds keep the rules about leases without an exception.
  plan.operators = static_cast<uint32_t>(random.below(2));
  draw_recipe(random, plan);
  // Half of the seeds; they stand in for as many native ones.
  plan.zookeeper_lock_clients = random.chance(0.5) ? 1 + static_cast<uint32_t>(random.below(2)) : 0;
  plan.lock_clients -= plan.zookeeper_lock_clients / 2;
  plan.refuse_mixed_locks = random.chance(0.5);
  draw_limits(random, plan);
  return plan;
}

std::string describe(const Plan& plan) {
  std::ostringstream out;
  out << plan.servers << " servers, loss " << plan.loss << ", duplication " << plan.duplication << ", slow "
      << plan.slow << " up to " << to_ms(plan.slow_max) << " ms, delay up to "
      << plan.delay_max.count() / 1000 << " us, sync "
      << (plan.sync_in_place ? "in place" : "beside the loop") << " up to " << plan.sync_max.count() / 1000
      << " us, clocks " << (plan.wild_clocks ? "up to 50 % off" : "within 5 %")
      << ", clients: " << plan.key_clients << " keys, " << plan.lock_clients << " locks, "
      << plan.lock_kind_clients << " all kinds of them, " << plan.sequence_clients << " sequences, "
      << plan.watch_clients << " watches, " << plan.churn_clients << " coming and going, "
      << plan.tree_clients << " trees, " << plan.feed_clients << " feeds, " << plan.zookeeper_clients
      << " of ZooKeeper's, " << plan.zookeeper_lock_clients << " with locks"
      << (plan.refuse_mixed_locks ? " kept apart, " : ", ") << plan.operators << " operators; checkpoints "
      << (plan.leveldb ? "on LevelDB" : "in memory") << " from " << plan.checkpoint_dirty_bytes
      << " bytes of changes or " << plan.checkpoint_log_bytes << " of log, of which " << plan.log_kept_bytes
      << " are kept";
  if (const auto& limits = plan.small_limits) {
    out << "; room for " << limits->uncommitted_bytes << " bytes without a quorum, " << limits->pending_bytes
        << " of writes and " << limits->waiting_reads_bytes << " of reads that wait, in a turn "
        << limits->turn_bytes << " of answers, " << limits->turn_told_bytes
        << " of changes to one connection and " << limits->turn_all_told_bytes << " to all, "
        << limits->entry_told_bytes << " of one entry";
  }
  for (size_t recipe = 0; recipe < kRecipeCount; ++recipe) {
    if (plan.recipe_clients[recipe] == 0) continue;
    out << "; " << plan.recipe_clients[recipe] << " programs: " << recipe_name(static_cast<Recipe>(recipe));
  }
  return out.str();
}

}  // namespace quorate::sim
