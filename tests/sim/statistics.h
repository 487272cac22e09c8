// What a run of seeds did, so that a green run can be seen to have tried something. Additive over seeds.
#pragma once

#include <cstdint>
#include <string>

#include "tests/sim/sim_file_system.h"

namespace quorate::sim {

// Every member is a uint64_t or an array of them: a worker process sends the whole struct as bytes.
struct Statistics {
  uint64_t seeds = 0, simulated_ms = 0, events = 0, steps = 0;
  uint64_t leader_changes = 0, leader_changes_in_flight = 0, seeds_with_change_in_flight = 0;
  uint64_t operations_ok = 0, operations_unknown = 0, operations_refused = 0;
  uint64_t kills = 0, crashes_at_steps = 0, power_losses = 0, power_losses_of_all = 0, pauses = 0, wipes = 0;
  uint64_t disk_errors = 0, disk_full = 0, stores_full = 0, stores_waited_for = 0, disk_stalls = 0,
           network_cuts = 0, clock_changes = 0, client_pauses = 0;
  uint64_t stops = 0, transfers = 0;
  uint64_t reads_checked = 0, writes_checked = 0, lock_grants = 0, stale_tokens_refused = 0, watch_events = 0;
  uint64_t sequential_creates = 0, sessions_opened = 0, sessions_ended = 0, sessions_ended_by_operators = 0,
           reconnects = 0;
  uint64_t messages = 0, messages_lost = 0, messages_duplicated = 0;
  uint64_t entries_committed = 0, syncs = 0;
  uint64_t checkpoints = 0, log_cuts = 0, state_loads = 0, snapshot_parts = 0, snapshots_installed = 0;
  uint64_t seeds_on_leveldb = 0, ephemerals_created = 0, graphs_with_leader = 0, graphs_without_leader = 0;
  uint64_t outcomes_checked = 0, session_moves = 0, multis = 0, multis_refused = 0, recursive_deletes = 0,
           containers = 0, ttl_nodes = 0, nodes_reaped = 0;
  uint64_t feeds = 0, feeds_resumed = 0, feeds_forgotten = 0, feed_changes = 0;
  uint64_t shared_grants = 0, permit_grants = 0, upgrades = 0, downgrades = 0, locks_contended = 0,
           locks_taken_away = 0, writes_under_lock = 0, places_kept = 0, waiters_expired = 0,
           tokens_verified = 0, tokens_not_verified = 0;
  // Of ZooKeeper's clients; they count among the others', too.
  uint64_t zookeeper_reads = 0, zookeeper_writes = 0, zookeeper_watch_events = 0;
  // Of ZooKeeper's lock recipe.
  uint64_t foreign_grants = 0, foreign_wakes = 0, foreign_places_found = 0, foreign_places_refused = 0,
           foreign_waiters_over = 0;
  // Where limits are small.
  uint64_t seeds_with_small_limits = 0, forwards_refused = 0, told_overloaded = 0, connections_dropped = 0,
           reads_put_off = 0;
  uint64_t lags = 0, lags_cut_off = 0, store_write_faults = 0;
  // Of the programs that use the client library.
  uint64_t programs_started = 0, programs_killed = 0, library_sessions_lost = 0, counter_changes = 0,
           barriers_passed = 0, double_barriers_entered = 0, double_barriers_left = 0,
           double_barriers_died_in = 0, messages_pushed = 0, messages_taken = 0, messages_acknowledged = 0,
           messages_taken_from_others = 0, messages_put_aside = 0, leaders = 0, leaders_deposed = 0,
           members_joined = 0, views_checked = 0, copies_checked = 0, caches_checked = 0, guards = 0,
           guards_handed_on = 0, guards_lost = 0, library_watches_fired = 0;
  SimStepCounts disk_steps{}, disk_crashes{}, disk_failures{};

  void add(const Statistics& other);
};

// Several lines. `seconds`: the time on the wall that it took, on `jobs` processes.
std::string report(const Statistics& statistics, double seconds, unsigned jobs);

}  // namespace quorate::sim
