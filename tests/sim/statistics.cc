#include "tests/sim/statistics.h"

#include <cstdio>
#include <cstring>

namespace quorate::sim {

void Statistics::add(const Statistics& other) {
  static_assert(sizeof(Statistics) % sizeof(uint64_t) == 0);
  constexpr size_t kCount = sizeof(Statistics) / sizeof(uint64_t);
  uint64_t mine[kCount], theirs[kCount];
  std::memcpy(mine, this, sizeof(Statistics));
  std::memcpy(theirs, &other, sizeof(Statistics));
  for (size_t i = 0; i < kCount; ++i) mine[i] += theirs[i];
  std::memcpy(static_cast<void*>(this), mine, sizeof(Statistics));
}

namespace {

// How often each kind of step was taken, and what happened at it.
std::string disk_lines(const Statistics& s) {
  constexpr const char* kNames[] = {"all",           "write",  "sync",           "create",
                                    "rename",        "remove", "make directory", "remove directory",
                                    "sync directory"};
  static_assert(std::size(kNames) == kSimStepKinds);
  std::string lines = "steps of disks         crashes, errors and all:";
  for (size_t kind = 1; kind < kSimStepKinds; ++kind) {
    lines += std::string(kind > 1 ? "; " : " ") + kNames[kind] + " " + std::to_string(s.disk_crashes[kind]) +
             ", " + std::to_string(s.disk_failures[kind]) + " of " + std::to_string(s.disk_steps[kind]);
  }
  return lines + "; write of a store in memory " + std::to_string(s.store_write_faults) + " crashes\n";
}

}  // namespace

std::string report(const Statistics& s, double seconds, unsigned jobs) {
  const auto u = [](uint64_t v) { return static_cast<unsigned long long>(v); };
  const double seeds = s.seeds == 0 ? 1 : static_cast<double>(s.seeds);
  char text[4096];
  std::snprintf(
      text, sizeof(text),
      "seeds                  %llu, %.2f simulated hours, %.1f seeds/s (%.1f a process), %llu events, %llu "
      "steps\n"
      "leader changes         %llu, %llu with requests in flight; %.1f %% of the seeds had one of those\n"
      "operations             %llu ok, %llu unknown, %llu refused; %.0f a seed\n"
      "crashes                %llu kills, %llu at a disk's step, %llu power losses of one server, %llu of "
      "all, %llu clean stops\n"
      "other faults           %llu pauses, %llu client pauses, %llu wiped folders, %llu network cuts, %llu "
      "clock changes\n"
      "disks                  %llu errors injected, %llu full, %llu full but for the log (%llu "
      "times a server sent its clients away), %llu stalls, %llu syncs\n"
      "network                %llu messages, %llu lost, %llu duplicated; %llu client reconnects\n"
      "checked                %llu reads, %llu writes, %llu sequential creates, %llu watch events, %llu "
      "entries\n"
      "locks                  %llu grants, %llu stale tokens refused by the resource\n"
      "sessions               %llu opened, %llu ended, %llu by an operator, %llu ephemeral nodes; %llu "
      "transfers "
      "of leadership asked for\n",
      u(s.seeds), static_cast<double>(s.simulated_ms) / 3'600'000.0, static_cast<double>(s.seeds) / seconds,
      static_cast<double>(s.seeds) / seconds / jobs, u(s.events), u(s.steps), u(s.leader_changes),
      u(s.leader_changes_in_flight), 100.0 * static_cast<double>(s.seeds_with_change_in_flight) / seeds,
      u(s.operations_ok), u(s.operations_unknown), u(s.operations_refused),
      static_cast<double>(s.operations_ok + s.operations_unknown + s.operations_refused) / seeds, u(s.kills),
      u(s.crashes_at_steps), u(s.power_losses), u(s.power_losses_of_all), u(s.stops), u(s.pauses),
      u(s.client_pauses), u(s.wipes), u(s.network_cuts), u(s.clock_changes), u(s.disk_errors), u(s.disk_full),
      u(s.stores_full), u(s.stores_waited_for), u(s.disk_stalls), u(s.syncs), u(s.messages),
      u(s.messages_lost), u(s.messages_duplicated), u(s.reconnects), u(s.reads_checked), u(s.writes_checked),
      u(s.sequential_creates), u(s.watch_events), u(s.entries_committed), u(s.lock_grants),
      u(s.stale_tokens_refused), u(s.sessions_opened), u(s.sessions_ended), u(s.sessions_ended_by_operators),
      u(s.ephemerals_created), u(s.transfers));
  std::string lines = text;
  std::snprintf(text, sizeof(text),
                "state on disk          %llu checkpoints, %llu cuts of a log, %llu starts from a checkpoint, "
                "%llu snapshots "
                "installed of %llu parts sent; %llu seeds on LevelDB\n",
                u(s.checkpoints), u(s.log_cuts), u(s.state_loads), u(s.snapshots_installed),
                u(s.snapshot_parts), u(s.seeds_on_leveldb));
  lines += text;
  std::snprintf(
      text, sizeof(text),
      "held to the log        %llu outcomes, %llu changes told by feeds; %llu feeds begun, %llu "
      "resumed, %llu too late to be\n"
      "trees                  %llu multis done, %llu refused, %llu subtrees deleted, %llu containers, "
      "%llu nodes with a time to live, %llu nodes reaped\n"
      "left behind            %llu servers kept away, of %llu the others had cut their logs; %llu "
      "sessions moved to another server\n",
      u(s.outcomes_checked), u(s.feed_changes), u(s.feeds), u(s.feeds_resumed), u(s.feeds_forgotten),
      u(s.multis), u(s.multis_refused), u(s.recursive_deletes), u(s.containers), u(s.ttl_nodes),
      u(s.nodes_reaped), u(s.lags), u(s.lags_cut_off), u(s.session_moves));
  lines += text;
  std::snprintf(
      text, sizeof(text),
      "kinds of locks         %llu shared grants, %llu permits, %llu upgrades, %llu downgrades, %llu "
      "refused as contended, %llu writes under a lock, %llu taken away, %llu kept for nobody; %llu waiters "
      "expired between others; %llu tokens asked about that hold, %llu that do not\n",
      u(s.shared_grants), u(s.permit_grants), u(s.upgrades), u(s.downgrades), u(s.locks_contended),
      u(s.writes_under_lock), u(s.locks_taken_away), u(s.places_kept), u(s.waiters_expired),
      u(s.tokens_verified), u(s.tokens_not_verified));
  lines += text;
  std::snprintf(
      text, sizeof(text),
      "ZooKeeper's clients    %llu reads, %llu writes, %llu watch events\n"
      "ZooKeeper's recipe     %llu grants, %llu waiters woken by a watch, %llu places found again whose "
      "answer was lost, %llu refused beside another recipe, %llu waiters whose session ended\n",
      u(s.zookeeper_reads), u(s.zookeeper_writes), u(s.zookeeper_watch_events), u(s.foreign_grants),
      u(s.foreign_wakes), u(s.foreign_places_found), u(s.foreign_places_refused), u(s.foreign_waiters_over));
  lines += text;
  std::snprintf(
      text, sizeof(text),
      "the client library     %llu programs started, %llu killed, %llu sessions lost\n"
      "its recipes            %llu changes of counters; %llu barriers passed; double barriers: %llu "
      "entered, %llu left, %llu left by dying; messages: %llu pushed, %llu taken, %llu of these from others, "
      "%llu acknowledged, %llu put aside; %llu leaders, %llu deposed; %llu members joined; shown: %llu "
      "views, %llu copies of subtrees, %llu caches of services; guards of locks: %llu, %llu handed on, %llu "
      "lost; %llu watches fired\n",
      u(s.programs_started), u(s.programs_killed), u(s.library_sessions_lost), u(s.counter_changes),
      u(s.barriers_passed), u(s.double_barriers_entered), u(s.double_barriers_left),
      u(s.double_barriers_died_in), u(s.messages_pushed), u(s.messages_taken),
      u(s.messages_taken_from_others), u(s.messages_acknowledged), u(s.messages_put_aside), u(s.leaders),
      u(s.leaders_deposed), u(s.members_joined), u(s.views_checked), u(s.copies_checked), u(s.caches_checked),
      u(s.guards), u(s.guards_handed_on), u(s.guards_lost), u(s.library_watches_fired));
  lines += text;
  std::snprintf(
      text, sizeof(text),
      "small limits           in %llu seeds: %llu forwarded commands refused, %llu answers that there "
      "is no room, %llu reads put off, %llu connections closed that were to be told too much\n",
      u(s.seeds_with_small_limits), u(s.forwards_refused), u(s.told_overloaded), u(s.reads_put_off),
      u(s.connections_dropped));
  lines += text;
  lines += disk_lines(s);
  if (s.graphs_with_leader + s.graphs_without_leader > 0) {
    std::snprintf(text, sizeof(text),
                  "link graphs            %llu with a leader that stays, %llu where none could\n",
                  u(s.graphs_with_leader), u(s.graphs_without_leader));
    lines += text;
  }
  return lines;
}

}  // namespace quorate::sim
