// One simulated run, from its seed to its verdict: servers, clients, network and nemesis; a time of trouble,
// then everything is healed and progress is demanded.
//
//   World world(42, Trace(stdout));
//   RunResult result = world.run();
//
// Thread safety: none, but worlds share nothing: one a thread, or one a process. (CHECK's hook is global.)
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tests/sim/client_machine.h"
#include "tests/sim/connections.h"
#include "tests/sim/context.h"
#include "tests/sim/nemesis.h"
#include "tests/sim/network.h"
#include "tests/sim/oracle.h"
#include "tests/sim/sim_server.h"
#include "tests/sim/workloads.h"

namespace quorate::sim {

struct RunResult {
  std::optional<std::string> failure;
  Statistics statistics;
  uint64_t trace_hash = 0;  // 0 without a trace
};

class World {
 public:
  World(uint64_t seed, Trace trace, std::optional<Plan> plan = std::nullopt);
  ~World();

  RunResult run();

  // For tests that make their own trouble.
  Context& context() { return context_; }
  Network& network() { return network_; }
  SimServer& server(size_t i) { return *servers_.at(i); }
  size_t server_count() const { return servers_.size(); }
  void start_servers();
  void start_clients();
  // The highest index that any server has known to be committed.
  Index committed() const { return oracle_.committed(); }
  void run_for(Duration length);
  // Mends everything, and then in turn: a leader that all follow, every client served, all servers at one
  // state, every history true. Throws Violation.
  void heal_and_check();
  // Runs on until it is true; false when that took longer.
  template <class Condition>
  bool run_until(Condition condition, Duration longest);
  // The one server that leads and that all others follow, or null.
  SimServer* agreed_leader();

 private:
  static constexpr Duration kLookEvery = std::chrono::milliseconds(20);

  Connections::Ends ends();
  Oracle::Hooks hooks();
  void add_clients();
  ClientMachine* client(Node node);
  void process_ended(SimServer& server, bool machine_up);
  bool may_rely(const ClientMachine& client) const;
  void expiry_committed(SessionId session);
  void trouble();
  void demand_progress();
  void demand_agreement();
  void audit();
  std::string who_stands_where() const;

  Context context_;
  Network network_;
  Connections connections_;
  Oracle oracle_;
  Histories histories_;
  std::vector<std::unique_ptr<SimServer>> servers_;
  std::vector<std::unique_ptr<ClientMachine>> clients_;
  Nemesis nemesis_;
};

template <class Condition>
bool World::run_until(Condition condition, Duration longest) {
  const SimTime end = context_.now() + longest;
  while (!condition()) {
    if (context_.now() >= end) return false;
    run_for(kLookEvery);
  }
  return true;
}

}  // namespace quorate::sim
