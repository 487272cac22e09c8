// Quorate beside ZooKeeper and etcd, driven by one load generator in one run: three servers of one system at
// a time, round after round, so that whatever else the machine does touches all of them.
//
// In each round a system's servers begin with empty folders. Each kind of load warms them up before the
// first figure is taken, because a server in Java is slow until its code has been compiled.
//
// Locks are taken as each protocol does it: over ZooKeeper's by its recipe (zookeeper_conversation.h), over
// Quorate's own by one request, and of etcd by its lock service.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "client/bench/load.h"
#include "tests/bench/machine.h"
#include "tests/bench/report_text.h"

namespace quorate::bench {

enum class System : uint8_t { kQuorateZookeeper, kQuorateNative, kZookeeper, kEtcd };
inline constexpr size_t kSystems = 4;
// "Quorate, ZooKeeper's protocol"
std::string_view system_name(System system);

struct PeersOptions {
  std::string quorated, java, zookeeper_jar, etcd;  // programs; a system without one is left out
  std::string folder;
  std::vector<std::pair<Work, uint32_t>> loads;  // and how many clients each has
  bool attach_all = false;                       // to all servers in turn; else to the leader
  int rounds = 3;
  Duration system_warm_up{};
  Duration warm_up{};
  Duration measure{};
};

// What one load found with each system, round by round.
struct PeersRow {
  Work work = Work::kSet;
  uint32_t clients = 0;
  std::array<std::vector<Figures>, kSystems> rounds;

  // The median of each figure by itself. REQUIRES: measured(system).
  Figures median(System system) const;
  bool measured(System system) const { return !rounds[static_cast<size_t>(system)].empty(); }
};

struct PeersReport {
  Machine machine;
  double seconds = 0;  // measured for each load, after its warm-up
  bool attach_all = false;
  std::vector<PeersRow> rows;
};

// Fills `report`. A system's round that fails is tried again twice, which `progress` is told. Errors: of the
// server or load that failed then; what was measured before stays.
Status measure_peers(const PeersOptions& options, PeersReport& report,
                     const std::function<void(const std::string&)>& progress);

std::string as_table(const PeersReport& report);
std::string as_json(const PeersReport& report);

}  // namespace quorate::bench
