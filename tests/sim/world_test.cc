// Whole runs: they repeat byte for byte, they pass, and every way to cut directed links between three servers
// is safe.
#include "tests/sim/world.h"

#include <gtest/gtest.h>

#include "tests/sim/runner.h"

namespace quorate::sim {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

TEST(World, TheSameSeedGivesTheSameRun) {
  for (uint64_t seed : {3, 8, 11}) {
    const RunResult first = run_seed(seed, Trace(nullptr));
    const RunResult second = run_seed(seed, Trace(nullptr));
    EXPECT_NE(first.trace_hash, 0u);
    EXPECT_EQ(first.trace_hash, second.trace_hash);
    EXPECT_NE(run_seed(seed + 100, Trace(nullptr)).trace_hash, first.trace_hash);
  }
}

TEST(World, ATraceChangesNothing) {
  const Statistics with = run_seed(5, Trace(nullptr)).statistics;
  const Statistics without = run_seed(5).statistics;
  EXPECT_EQ(with.steps, without.steps);
  EXPECT_EQ(with.entries_committed, without.entries_committed);
}

TEST(World, TheFirstSeedsPassAndAreHard) {
  Statistics all;
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    const RunResult result = run_seed(seed);
    EXPECT_FALSE(result.failure.has_value()) << "seed " << seed << ": " << *result.failure;
    EXPECT_GE(result.statistics.simulated_ms, 60'000u) << "seed " << seed;
    EXPECT_GE(result.statistics.operations_ok, 200u) << "seed " << seed;
    all.add(result.statistics);
  }
  EXPECT_GE(all.seeds_with_change_in_flight, 16u);
  EXPECT_GT(all.power_losses_of_all, 0u);
  EXPECT_GT(all.wipes, 0u);
  // What breaks, each in every way.
  EXPECT_GT(all.kills, 0u);
  EXPECT_GT(all.stops, 0u);
  EXPECT_GT(all.power_losses, 0u);
  EXPECT_GT(all.pauses, 0u);
  EXPECT_GT(all.client_pauses, 0u);
  EXPECT_GT(all.network_cuts, 0u);
  EXPECT_GT(all.messages_lost, 0u);
  EXPECT_GT(all.messages_duplicated, 0u);
  EXPECT_GT(all.clock_changes, 0u);
  EXPECT_GT(all.disk_errors, 0u);
  EXPECT_GT(all.disk_full, 0u);
  EXPECT_GT(all.disk_stalls, 0u);
  EXPECT_GT(all.store_write_faults, 0u);
  EXPECT_GT(all.transfers, 0u);
  EXPECT_GT(all.lags, 0u);
  EXPECT_GT(all.lags_cut_off, 0u);
  // What servers do of their own accord.
  EXPECT_GT(all.seeds_on_leveldb, 0u);
  EXPECT_GT(all.checkpoints, 0u);
  EXPECT_GT(all.log_cuts, 0u);
  EXPECT_GT(all.state_loads, 0u);
  EXPECT_GT(all.snapshots_installed, 0u);
  // What limits do that are small.
  EXPECT_GT(all.seeds_with_small_limits, 0u);
  EXPECT_GT(all.forwards_refused, 0u);
  EXPECT_GT(all.told_overloaded, 0u);
  EXPECT_GT(all.reads_put_off, 0u);
  EXPECT_GT(all.connections_dropped, 0u);
  // What clients do, and what they are told.
  EXPECT_GT(all.reads_checked, all.zookeeper_reads);
  EXPECT_GT(all.writes_checked, all.zookeeper_writes);
  EXPECT_GT(all.watch_events, all.zookeeper_watch_events);
  EXPECT_GT(all.zookeeper_reads, 0u);
  EXPECT_GT(all.zookeeper_writes, 0u);
  EXPECT_GT(all.zookeeper_watch_events, 0u);
  EXPECT_GT(all.outcomes_checked, 0u);
  EXPECT_GT(all.sequential_creates, 0u);
  EXPECT_GT(all.ephemerals_created, 0u);
  EXPECT_GT(all.multis, 0u);
  EXPECT_GT(all.multis_refused, 0u);
  EXPECT_GT(all.recursive_deletes, 0u);
  EXPECT_GT(all.containers, 0u);
  EXPECT_GT(all.ttl_nodes, 0u);
  EXPECT_GT(all.nodes_reaped, 0u);
  EXPECT_GT(all.feeds, 0u);
  EXPECT_GT(all.feeds_resumed, 0u);
  EXPECT_GT(all.feeds_forgotten, 0u);
  EXPECT_GT(all.feed_changes, 0u);
  EXPECT_GT(all.session_moves, 0u);
  EXPECT_GT(all.sessions_ended, 0u);
  EXPECT_GT(all.sessions_ended_by_operators, 0u);
  // Locks, in every way that there is to have one, to wait for one, and to lose one.
  EXPECT_GT(all.lock_grants, 0u);
  EXPECT_GT(all.shared_grants, 0u);
  EXPECT_GT(all.permit_grants, 0u);
  EXPECT_GT(all.upgrades, 0u);
  EXPECT_GT(all.downgrades, 0u);
  EXPECT_GT(all.locks_contended, 0u);
  EXPECT_GT(all.writes_under_lock, 0u);
  EXPECT_GT(all.locks_taken_away, 0u);
  EXPECT_GT(all.places_kept, 0u);
  EXPECT_GT(all.waiters_expired, 0u);
  EXPECT_GT(all.tokens_verified, 0u);
  EXPECT_GT(all.tokens_not_verified, 0u);
  // ZooKeeper's recipe beside native clients.
  EXPECT_GT(all.foreign_grants, 0u);
  EXPECT_GT(all.foreign_wakes, 0u);
  EXPECT_GT(all.foreign_places_found, 0u);
  EXPECT_GT(all.foreign_places_refused, 0u);
  EXPECT_GT(all.foreign_waiters_over, 0u);
}

// In seeds that have no other fault, so that a few are enough.
TEST(World, SomeSeedsCrashAtEachKindOfStepOfADisk) {
  set_check_failure_hook(fail_run);
  Statistics all;
  const auto reached = [&] {
    // A folder is removed about once in seven seeds: a crash right there is for many more than these.
    for (const SimStep kind : {SimStep::kWrite, SimStep::kSync, SimStep::kCreate, SimStep::kRename,
                               SimStep::kRemove, SimStep::kMakeDirectory, SimStep::kSyncDirectory}) {
      if (all.disk_crashes[static_cast<size_t>(kind)] == 0) return false;
    }
    return true;
  };
  for (uint64_t seed = 1; seed <= 100 && !reached(); ++seed) {
    Plan plan = draw_plan(seed);
    plan.weights.fill(0);
    plan.weights[static_cast<size_t>(Fault::kCrashAtStep)] = 1;
    const RunResult result = World(seed, Trace(), plan).run();
    EXPECT_FALSE(result.failure.has_value()) << "seed " << seed << ": " << *result.failure;
    all.add(result.statistics);
  }
  EXPECT_TRUE(reached());
}

// Each of the library's recipes in times of trouble: programs that are killed, sessions that run out in the
// middle of all.
TEST(World, EveryRecipeOfTheLibraryIsRunInTrouble) {
  Statistics all;
  for (size_t recipe = 0; recipe < kRecipeCount; ++recipe) {
    Statistics its;
    for (uint64_t seed = 1; seed <= 4; ++seed) {
      Plan plan = draw_plan(seed);
      plan.recipe_clients = {};
      plan.recipe_clients[recipe] = 4;
      set_check_failure_hook(fail_run);
      const RunResult result = World(seed, Trace(), plan).run();
      EXPECT_FALSE(result.failure.has_value())
          << recipe_name(static_cast<Recipe>(recipe)) << ", seed " << seed << ": " << *result.failure;
      its.add(result.statistics);
    }
    EXPECT_GT(its.programs_killed, 0u) << recipe_name(static_cast<Recipe>(recipe));
    EXPECT_GT(its.library_sessions_lost, 0u) << recipe_name(static_cast<Recipe>(recipe));
    all.add(its);
  }
  EXPECT_GT(all.counter_changes, 0u);
  EXPECT_GT(all.barriers_passed, 0u);
  EXPECT_GT(all.double_barriers_left, 0u);
  EXPECT_GT(all.double_barriers_died_in, 0u);
  EXPECT_GT(all.messages_acknowledged, 0u);
  EXPECT_GT(all.messages_taken_from_others, 0u);
  EXPECT_GT(all.messages_put_aside, 0u);
  EXPECT_GT(all.leaders, 0u);
  EXPECT_GT(all.leaders_deposed, 0u);
  EXPECT_GT(all.members_joined, 0u);
  EXPECT_GT(all.views_checked, 0u);
  EXPECT_GT(all.copies_checked, 0u);
  EXPECT_GT(all.caches_checked, 0u);
  EXPECT_GT(all.guards, 0u);
  EXPECT_GT(all.guards_handed_on, 0u);
  EXPECT_GT(all.guards_lost, 0u);
  EXPECT_GT(all.library_watches_fired, 0u);
}

// A holder that slept through the end of its lease writes with a token that was overtaken: rare, and the
// point of tokens.
TEST(World, SomeSeedsMakeAHolderWriteTooLate) {
  uint64_t refused = 0;
  for (uint64_t seed = 1; seed <= 200 && refused == 0; ++seed)
    refused += run_seed(seed).statistics.stale_tokens_refused;
  EXPECT_GT(refused, 0u);
}

// A plan without any trouble of its own.
Plan calm(uint32_t servers) {
  Plan plan;
  plan.servers = servers;
  plan.key_clients = 3;
  plan.lock_clients = 2;
  return plan;
}

TEST(World, CalmServersServeEverybody) {
  set_check_failure_hook([](const std::string& what) { throw Violation(what); });
  for (uint32_t servers : {1, 3, 5}) {
    World world(servers, Trace(), calm(servers));
    world.start_servers();
    world.start_clients();
    world.run_for(seconds(5));
    const uint64_t changes = world.context().statistics.leader_changes;
    EXPECT_EQ(changes, 0u);
    world.heal_and_check();
  }
}

// The directed links among three servers, as the bits of `graph`.
struct Graph {
  explicit Graph(unsigned bits) {
    unsigned bit = 0;
    for (Node a = 1; a <= 3; ++a) {
      for (Node b = 1; b <= 3; ++b) {
        if (a != b) passes[a][b] = (bits >> bit++ & 1) != 0;
      }
    }
  }
  // Some server has two-way links to enough others for a quorum.
  bool has_hub() const {
    return (passes[1][2] && passes[2][1]) || (passes[1][3] && passes[3][1]) || (passes[2][3] && passes[3][2]);
  }
  bool passes[4][4] = {};
};

TEST(World, EveryGraphOfDirectedLinksIsSafeAndLeadsWhereItCan) {
  set_check_failure_hook([](const std::string& what) { throw Violation(what); });
  unsigned with_hub = 0;
  for (unsigned bits = 0; bits < 64; ++bits) {
    const Graph graph(bits);
    World world(1000 + bits, Trace(), calm(3));
    world.start_servers();
    // Before the cut all three have the same log, so that each is as complete as the others.
    ASSERT_TRUE(world.run_until([&] { return world.agreed_leader() != nullptr; }, seconds(10)));
    world.run_for(seconds(1));
    for (Node a = 1; a <= 3; ++a) {
      for (Node b = 1; b <= 3; ++b) {
        if (a != b && !graph.passes[a][b]) world.network().cut(a, b);
      }
    }
    world.run_for(seconds(1));  // whoever led without a quorum has stepped down
    world.start_clients();
    const Index before = world.committed();
    const bool served = world.run_until([&] { return world.committed() > before + 20; }, seconds(20));
    if (graph.has_hub()) {
      ++with_hub;
      EXPECT_TRUE(served) << "graph " << bits;
    } else {
      EXPECT_FALSE(served) << "graph " << bits;
    }
    world.run_for(seconds(3));
    EXPECT_NO_THROW(world.heal_and_check()) << "graph " << bits;
  }
  EXPECT_EQ(with_hub, 37u);  // 64 less 27, where none of the three pairs is linked both ways
}

// The same with logs that differ, and with five servers.
TEST(World, GraphsOfLinksBetweenServersWhoseLogsDifferLeadWhereTheyCan) {
  Statistics counts;
  const auto run = [&](uint32_t servers, uint64_t graph) {
    const RunResult result = run_seed(graph, Trace(), servers);
    EXPECT_FALSE(result.failure.has_value()) << servers << " servers, " << graph << ": " << *result.failure;
    counts.add(result.statistics);
  };
  for (uint64_t graph = 64; graph < 128; ++graph) run(3, graph);
  for (uint64_t graph = 1; graph <= 40; ++graph) run(5, graph);
  EXPECT_GE(counts.graphs_with_leader, 40u);
  EXPECT_GE(counts.graphs_without_leader, 20u);
}

// A bit of a node in a follower's memory changes: the scrub finds it within a minute, and that server stops.
TEST(World, ABitThatFlipsInMemoryStopsItsServerWithinAMinute) {
  set_check_failure_hook([](const std::string& what) { throw Violation(what); });
  World world(7, Trace(), calm(3));
  world.start_servers();
  world.start_clients();
  world.run_for(seconds(5));
  const SimServer* leader = world.agreed_leader();
  ASSERT_NE(leader, nullptr);
  SimServer& follower = world.server(leader == &world.server(0) ? 1 : 0);
  auto& state = const_cast<kv::StateMachine&>(follower.replica()->state());
  ASSERT_TRUE(state.damage_node("/"));
  std::string stopped;
  try {
    world.run_for(seconds(60));
  } catch (const Violation& violation) {
    stopped = violation.what();
  }
  EXPECT_NE(stopped.find(follower.name() + " stops: a node in memory differs"), std::string::npos) << stopped;
}

}  // namespace
}  // namespace quorate::sim
