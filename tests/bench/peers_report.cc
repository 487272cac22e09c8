// How the figures of several systems are shown: each beside ZooKeeper's.
#include <algorithm>

#include "base/check.h"
#include "tests/bench/peers.h"

namespace quorate::bench {
namespace {

constexpr System kAll[] = {System::kQuorateZookeeper, System::kQuorateNative, System::kZookeeper,
                           System::kEtcd};

// The product's aims: how one system's figure stands to another's.
struct Aim {
  Work work;
  uint32_t clients;
  System own, peer;
  const char* figure;
  double Figures::*value;
  bool at_least;
  double ratio;
};
constexpr Aim kAims[] = {
    {Work::kSet, 64, System::kQuorateZookeeper, System::kZookeeper, "ops/s", &Figures::rate, true, 4},
    {Work::kSet, 64, System::kQuorateZookeeper, System::kZookeeper, "p99", &Figures::p99_us, false, 0.25},
    {Work::kSet, 1024, System::kQuorateZookeeper, System::kZookeeper, "ops/s", &Figures::rate, true, 4},
    {Work::kSet, 1024, System::kQuorateZookeeper, System::kZookeeper, "p99", &Figures::p99_us, false, 0.25},
    {Work::kGet, 64, System::kQuorateZookeeper, System::kZookeeper, "ops/s", &Figures::rate, true, 2},
    {Work::kGet, 64, System::kQuorateZookeeper, System::kZookeeper, "p99", &Figures::p99_us, false, 0.25},
    {Work::kGet, 1024, System::kQuorateZookeeper, System::kZookeeper, "ops/s", &Figures::rate, true, 2},
    {Work::kGet, 1024, System::kQuorateZookeeper, System::kZookeeper, "p99", &Figures::p99_us, false, 0.25},
    {Work::kLock, 1, System::kQuorateNative, System::kZookeeper, "pairs/s", &Figures::rate, true, 2},
    {Work::kLock, 1, System::kQuorateNative, System::kEtcd, "pairs/s", &Figures::rate, true, 2},
    {Work::kLock, 1, System::kQuorateZookeeper, System::kZookeeper, "pairs/s", &Figures::rate, true, 3},
    {Work::kLock, 256, System::kQuorateNative, System::kZookeeper, "pairs/s", &Figures::rate, true, 8},
    {Work::kLock, 256, System::kQuorateNative, System::kEtcd, "pairs/s", &Figures::rate, true, 8},
    {Work::kHandOver, 100, System::kQuorateNative, System::kZookeeper, "p50", &Figures::p50_us, false, 0.25},
    {Work::kHandOver, 100, System::kQuorateZookeeper, System::kZookeeper, "p50", &Figures::p50_us, false,
     1.0 / 3},
};

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const size_t half = values.size() / 2;
  return values.size() % 2 == 1 ? values[half] : (values[half - 1] + values[half]) / 2;
}

std::string ratio_text(double value, double of) { return of > 0 ? format("%.2f x", value / of) : "-"; }

Cells cells_of(const PeersRow& row, System system) {
  const Figures own = row.median(system);
  Cells cells{std::string(work_name(row.work)),
              with_commas(row.clients),
              std::string(system_name(system)),
              with_commas(own.rate),
              time_text(own.p50_us),
              time_text(own.p99_us)};
  if (row.measured(System::kZookeeper)) {
    const Figures beside = row.median(System::kZookeeper);
    cells.insert(cells.end(), {ratio_text(own.rate, beside.rate), ratio_text(own.p50_us, beside.p50_us),
                               ratio_text(own.p99_us, beside.p99_us)});
  } else {
    cells.insert(cells.end(), 3, "-");
  }
  return cells;
}

std::string aims(const PeersReport& report) {
  std::vector<Cells> table;
  for (const Aim& aim : kAims) {
    for (const PeersRow& row : report.rows) {
      if (row.work != aim.work || row.clients != aim.clients) continue;
      if (!row.measured(aim.own) || !row.measured(aim.peer)) continue;
      const double own = row.median(aim.own).*aim.value, peer = row.median(aim.peer).*aim.value;
      const bool met = aim.at_least ? own >= aim.ratio * peer : own <= aim.ratio * peer;
      table.push_back(
          {format("aim: %s, %s clients, ", std::string(work_name(aim.work)).c_str(),
                  with_commas(aim.clients).c_str()) +
               std::string(system_name(aim.own)) +
               format(": at %s %.2f x the %s of ", aim.at_least ? "least" : "most", aim.ratio, aim.figure) +
               std::string(system_name(aim.peer)),
           ratio_text(own, peer), verdict(met)});
    }
  }
  return table.empty() ? "" : "\n" + aligned(table);
}

}  // namespace

std::string_view system_name(System system) {
  static constexpr std::array<std::string_view, kSystems> kNames{
      "Quorate, ZooKeeper's protocol", "Quorate, its own protocol", "ZooKeeper", "etcd, gRPC"};
  return kNames[static_cast<size_t>(system)];
}

Figures PeersRow::median(System system) const {
  CHECK(measured(system));
  const auto of = [&](double Figures::*figure) {
    std::vector<double> values;
    for (const Figures& round : rounds[static_cast<size_t>(system)]) values.push_back(round.*figure);
    return bench::median(std::move(values));
  };
  return {of(&Figures::rate), of(&Figures::p50_us), of(&Figures::p99_us), of(&Figures::p999_us)};
}

std::string as_table(const PeersReport& report) {
  size_t rounds = 0;
  std::vector<Cells> table{{"work", "clients", "system", "ops/s", "p50", "p99", "ops/s of ZooKeeper's",
                            "p50 of its", "p99 of its"}};
  for (const PeersRow& row : report.rows) {
    for (const System system : kAll) {
      if (!row.measured(system)) continue;
      rounds = std::max(rounds, row.rounds[static_cast<size_t>(system)].size());
      table.push_back(cells_of(row, system));
    }
  }
  return "machine: " + report.machine.describe() + "\n" +
         format(
             "load: %zu-byte values, %u keys, %.1f s after 1 s of warm-up, medians of %zu rounds, clients "
             "attached to %s\n",
             kValueBytes, kKeys, report.seconds, rounds,
             report.attach_all ? "all servers in turn" : "the leader") +
         "Over ZooKeeper's protocol the server attached to answers a get; the other two are "
         "linearizable.\n\n" +
         aligned(table) + aims(report);
}

std::string as_json(const PeersReport& report) {
  std::string text = "{\"machine\": " + json_machine(report.machine) +
                     format(", \"seconds\": %.3f, \"attach\": ", report.seconds) +
                     json_string(report.attach_all ? "all" : "leader") + ", \"loads\": [";
  bool first = true;
  for (const PeersRow& row : report.rows) {
    for (const System system : kAll) {
      if (!row.measured(system)) continue;
      text += first ? "" : ", ";
      first = false;
      text += "{\"work\": " + json_string(std::string(work_name(row.work))) +
              format(", \"clients\": %u, \"system\": ", row.clients) +
              json_string(std::string(system_name(system))) +
              ", \"median\": " + json_figures(row.median(system)) + ", \"rounds\": [";
      const std::vector<Figures>& rounds = row.rounds[static_cast<size_t>(system)];
      for (size_t i = 0; i < rounds.size(); ++i) text += (i == 0 ? "" : ", ") + json_figures(rounds[i]);
      text += "]}";
    }
  }
  return text + "]}\n";
}

}  // namespace quorate::bench
