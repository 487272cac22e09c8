// Breaks things on a schedule that the seed draws, and mends everything in the end.
//
// Thread safety: none.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "tests/sim/client_machine.h"
#include "tests/sim/connections.h"
#include "tests/sim/network.h"
#include "tests/sim/sim_server.h"

namespace quorate::sim {

class Nemesis {
 public:
  Nemesis(Context& context, Network& network, Connections& connections,
          std::vector<std::unique_ptr<SimServer>>& servers,
          std::vector<std::unique_ptr<ClientMachine>>& clients)
      : context_(context),
        random_(context.random.next()),
        network_(network),
        connections_(connections),
        servers_(servers),
        clients_(clients) {}

  // Until heal() is called.
  void start();
  // Nothing is broken any more from here on: all servers run, links pass, disks work, clocks are right.
  void heal();
  // Brings a process back that ended for a reason of its own. Called whenever one ends.
  void restart_soon(SimServer& server);

 private:
  void next();
  void strike(Fault fault);
  void strike_process(Fault fault);
  void strike_network(Fault fault);
  std::pair<SimStep, uint64_t> any_step();
  void strike_disk(Fault fault);
  void strike_clock(Fault fault);
  void strike_client(Fault fault);
  void kill_all(bool power);
  void wipe_one();
  void keep_away();
  void bring_back_in_time(SimServer& server, SimTime latest);
  bool is_cut_off(const SimServer& server) const;
  void cut_for(std::vector<std::pair<Node, Node>> links, Duration length);
  void isolate(Node node, bool clients_too);
  void mend_later(Duration length, std::function<void()> mend);

  // A server that runs, the leader if there is one and it is asked for; null if none runs.
  SimServer* victim(bool leader);
  SimServer& any();
  Duration pause_length();

  Context& context_;
  Random random_;
  Network& network_;
  Connections& connections_;
  std::vector<std::unique_ptr<SimServer>>& servers_;
  std::vector<std::unique_ptr<ClientMachine>>& clients_;
  bool healed_ = false;
  size_t wiped_ = 0;
  SimServer* kept_away_ = nullptr;  // down, or cut off from its peers, until they have cut their logs
  bool kept_down_ = false;
};

}  // namespace quorate::sim
