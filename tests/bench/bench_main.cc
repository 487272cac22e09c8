// quorate-bench: measures a three-server cluster on this machine beside the machine's own floors, in one run.
//
// Each load runs against the null (null_server.h, null_cluster.h) and against Quorate right after each other,
// so that what else the machine does touches both. Exit code: 0 if all that was asked for ran, 1 if not, 2
// for wrong usage.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <iostream>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "client/bench/load.h"
#include "client/bench/native_conversation.h"
#include "tests/bench/disturbance.h"
#include "tests/bench/failover.h"
#include "tests/bench/floors.h"
#include "tests/bench/null_cluster.h"
#include "tests/bench/null_frame.h"
#include "tests/bench/null_server.h"
#include "tests/bench/peers.h"
#include "tests/bench/quorate_cluster.h"
#include "tests/bench/report.h"
#include "tests/bench/restart.h"
#include "tests/bench/sessions.h"
#include "tests/bench/waiters.h"

namespace quorate::bench {
namespace {

constexpr Duration kWarmUp = std::chrono::seconds(1);
constexpr Duration kFloorTime = std::chrono::seconds(1);
constexpr Duration kIdleTime = std::chrono::seconds(10);
constexpr Duration kSessionsTime = std::chrono::seconds(15);
// What a load leaves to be done is done: segments of the log made ready, a checkpoint, sessions that expire.
constexpr Duration kSettleTime = std::chrono::seconds(5);
constexpr Duration kSystemWarmUp = std::chrono::seconds(5);
constexpr int kFailoverRounds = 20;
constexpr uint32_t kWaiters[] = {100, 1'000};
constexpr uint32_t kKilledHolders = 5;
constexpr uint32_t kRestartNodes = 1'000'000;
const std::vector<uint32_t> kPeersClients{1, 64, 1024};
constexpr std::pair<Work, uint32_t> kPeersLocks[] = {
    {Work::kLock, 1}, {Work::kLock, 256}, {Work::kHandOver, 100}};

struct Options {
  std::string quorated;  // empty: only the floors and the nulls
  std::string folder;
  double seconds = 5;
  std::vector<uint32_t> clients;  // empty: as many as the kind of run has by itself
  std::vector<std::string> only;
  std::string attach = "leader";
  int rounds = 0;  // 0: as many as the kind of run has by itself
  uint32_t sessions = 20'000;
  bool json = false;
  bool peers = false;
  std::string java = "/usr/bin/java", zookeeper_jar, etcd;

  bool wants(std::string_view part) const {
    return only.empty() || std::find(only.begin(), only.end(), part) != only.end();
  }
  Duration measure() const {
    return std::chrono::duration_cast<Duration>(std::chrono::duration<double>(seconds));
  }
};

void progress(const std::string& line) { std::fprintf(stderr, "quorate-bench: %s\n", line.c_str()); }

class Bench {
 public:
  explicit Bench(const Options& options) : options_(options) {}

  // False if something that was asked for did not run; each failure was told on stderr.
  bool run() {
    report_.machine = describe_machine(options_.folder);
    report_.seconds = options_.seconds;
    report_.attach = options_.attach;
    if (options_.wants("floors")) floors();
    if (wants_loads()) loads();
    if (cluster_ || start_cluster()) {
      if (options_.wants("idle")) idle();
      if (options_.wants("waiters")) waiters();
      if (options_.wants("sessions")) sessions();
      if (options_.wants("failover")) failover();
      if (options_.wants("restart")) restart();
      progress("stopping the servers");
      if (!cluster_->stop()) failed("a server did not end cleanly after SIGTERM");
    }
    if (!options_.quorated.empty()) {
      if (options_.wants("checkpoint")) disturbance("checkpoint", measure_checkpoints, report_.checkpoint);
      if (options_.wants("snapshot")) disturbance("snapshot", measure_snapshots, report_.snapshot);
    }
    return complete_;
  }
  const Report& report() const { return report_; }

 private:
  static constexpr Work kWorks[] = {Work::kSet, Work::kGet, Work::kMixed, Work::kLock};

  void failed(const std::string& what) {
    complete_ = false;
    progress("FAILED: " + what);
  }

  bool wants_loads() const {
    return std::any_of(std::begin(kWorks), std::end(kWorks),
                       [&](Work work) { return options_.wants(work_name(work)); });
  }

  std::vector<uint32_t> clients() const {
    return options_.clients.empty() ? std::vector<uint32_t>{1, 16, 64, 256, 1024} : options_.clients;
  }

  void floors() {
    progress("measuring the machine's floor");
    auto floors = measure_floors(options_.folder, kFloorTime);
    if (floors.ok()) {
      report_.floors = *floors;
    } else {
      failed(floors.error().message);
    }
  }

  bool start_nulls() {
    progress("starting the null server and the null cluster");
    auto server = start_null_server();
    auto cluster = start_null_cluster(options_.folder);
    if (!server.ok() || !cluster.ok()) {
      failed(server.ok() ? cluster.error().message : server.error().message);
      return false;
    }
    null_server_ = std::move(*server);
    null_cluster_ = std::move(*cluster);
    return true;
  }

  // Starts Quorate and makes the keys, once. False if there is none, wanted or not.
  bool start_cluster() {
    if (cluster_) return true;
    if (options_.quorated.empty() || cluster_failed_) return false;
    if (!wants_loads() && !options_.wants("idle") && !options_.wants("failover") &&
        !options_.wants("sessions") && !options_.wants("waiters") && !options_.wants("restart"))
      return false;
    progress("starting three servers");
    auto cluster = QuorateCluster::start(options_.quorated, options_.folder);
    if (!cluster.ok()) {
      cluster_failed_ = true;
      failed(cluster.error().message);
      return false;
    }
    cluster_ = std::move(*cluster);
    auto prepared = quorate_load(Work::kPrepare, {1, 1});
    if (!prepared.ok()) failed("making the keys: " + prepared.error().message);
    return true;
  }

  LoadOptions load_options(Work work, Shape shape) const {
    LoadOptions load;
    load.shape = shape;
    load.work = work;
    load.warm_up = kWarmUp;
    load.measure = options_.measure();
    return load;
  }

  Result<LoadResult> null_load(Work work, Shape shape) const {
    LoadOptions load = load_options(work, shape);
    load.connect = to_loopback({work == Work::kGet ? null_server_.port : null_cluster_.port});
    load.conversation = [](uint32_t) { return std::make_unique<NullConversation>(); };
    return run_load(load);
  }

  Result<LoadResult> quorate_load(Work work, Shape shape) const {
    auto leader = cluster_->wait_until_level();
    if (!leader.ok()) return leader.error();
    LoadOptions load = load_options(work, shape);
    load.connect = to_loopback(options_.attach == "all" ? cluster_->ports()
                                                        : std::vector<Port>{cluster_->port(*leader)});
    load.conversation = [](uint32_t number) { return std::make_unique<NativeConversation>(number); };
    return run_load(load);
  }

  void loads() {
    if (!start_nulls()) return;
    start_cluster();
    for (const Work work : kWorks) {
      if (!options_.wants(work_name(work))) continue;
      for (const uint32_t clients : clients()) row(work, clients);
    }
    null_server_ = {};
    null_cluster_ = {};
  }

  void row(Work work, uint32_t clients) {
    const std::string name = std::string(work_name(work)) + ", clients: " + std::to_string(clients);
    const Shape shape = shape_of(clients);
    progress(name);
    auto floor = null_load(work, shape);
    if (!floor.ok()) {
      failed(name + ": the null: " + floor.error().message);
      return;
    }
    Row row{work, clients, std::nullopt, work == Work::kGet ? "null server" : "null cluster",
            figures_of(*floor)};
    if (cluster_) {
      auto quorate = quorate_load(work, shape);
      if (quorate.ok()) {
        row.quorate = figures_of(*quorate);
      } else {
        failed(name + ": " + quorate.error().message);
      }
    }
    report_.rows.push_back(row);
  }

  void idle() {
    progress("measuring the idle servers");
    ::usleep(static_cast<useconds_t>(kSettleTime / std::chrono::microseconds(1)));
    auto percent = measure_idle(*cluster_, kIdleTime);
    if (percent.ok()) {
      report_.idle_percent = *percent;
    } else {
      failed("idle: " + percent.error().message);
    }
  }

  void waiters() {
    for (const uint32_t count : kWaiters) {
      auto leader = cluster_->wait_until_level();
      auto found = leader.ok() ? measure_hand_overs(cluster_->port(*leader), count, kKilledHolders, progress)
                               : Result<HandOvers>(leader.error());
      if (!found.ok()) {
        failed("waiters: " + found.error().message);
        return;
      }
      report_.waiters.push_back(std::move(*found));
    }
  }

  void sessions() {
    auto figures = measure_sessions(*cluster_, options_.sessions, kSessionsTime, progress);
    if (figures.ok()) {
      report_.sessions = std::move(*figures);
    } else {
      failed("sessions: " + figures.error().message);
    }
  }

  void failover() {
    auto times =
        measure_failover(*cluster_, options_.rounds == 0 ? kFailoverRounds : options_.rounds, progress);
    if (times.ok()) {
      report_.failover = std::move(*times);
    } else {
      failed("failover: " + times.error().message);
    }
  }

  void restart() {
    auto found = measure_restarts(*cluster_, kRestartNodes, progress);
    if (found.ok()) {
      report_.restart = std::move(*found);
    } else {
      failed("restart: " + found.error().message);
    }
  }

  template <class Measure>
  void disturbance(const std::string& name, Measure measure, std::optional<Disturbance>& figures) {
    auto measured = measure(options_.quorated, options_.folder + "/" + name,
                            [&](const std::string& line) { progress(name + ": " + line); });
    if (measured.ok()) {
      figures = std::move(*measured);
    } else {
      failed(name + ": " + measured.error().message);
    }
  }

  const Options& options_;
  Report report_;
  NullServer null_server_;
  NullCluster null_cluster_;
  std::optional<QuorateCluster> cluster_;
  bool cluster_failed_ = false;
  bool complete_ = true;
};

// Prints what was measured, also when something failed on the way. False if it did.
bool run_peers(const Options& options) {
  PeersOptions peers;
  peers.quorated = options.quorated;
  peers.java = options.java;
  peers.zookeeper_jar = options.zookeeper_jar;
  peers.etcd = options.etcd;
  peers.folder = options.folder;
  for (const Work work : {Work::kSet, Work::kGet}) {
    if (!options.wants(work_name(work))) continue;
    for (const uint32_t clients : options.clients.empty() ? kPeersClients : options.clients)
      peers.loads.emplace_back(work, clients);
  }
  for (const auto& [work, clients] : kPeersLocks) {
    if (options.wants(work_name(work))) peers.loads.emplace_back(work, clients);
  }
  if (options.rounds != 0) peers.rounds = options.rounds;
  peers.attach_all = options.attach == "all";
  peers.system_warm_up = kSystemWarmUp;
  peers.warm_up = kWarmUp;
  peers.measure = options.measure();
  PeersReport report;
  const Status done = measure_peers(peers, report, progress);
  if (!done.ok()) progress("FAILED: " + done.error().message);
  std::cout << (options.json ? as_json(report) : as_table(report));
  return done.ok();
}

int run(int argc, char** argv) {
  Options options;
  CLI::App app{"Measures a three-server Quorate cluster beside the machine's own floors."};
  app.add_option("--quorated", options.quorated,
                 "the server's program; without it only the floors are measured");
  app.add_option("--folder", options.folder, "an empty folder on the disk to be measured")
      ->required()
      ->check(CLI::ExistingDirectory);
  app.add_option("--seconds", options.seconds, "how long each load is measured, after 1 s of warm-up")
      ->check(CLI::Range(0.1, 3600.0))
      ->capture_default_str();
  app.add_option("--clients", options.clients,
                 "how many at once, a list; above 256 they share 64 connections")
      ->delimiter(',')
      ->check(CLI::Range(1U, 4096U));
  app.add_option("--only", options.only, "parts to run, a list; without it all")
      ->delimiter(',')
      ->check(CLI::IsMember({"set", "get", "mixed", "lock", "failover", "idle", "sessions", "floors",
                             "checkpoint", "snapshot", "handover", "waiters", "restart"}));
  app.add_option("--attach", options.attach, "which server the clients connect to")
      ->check(CLI::IsMember({"leader", "all"}))
      ->capture_default_str();
  app.add_option("--rounds", options.rounds,
                 "how often the leader is killed (20), or each system is measured with --peers (3)")
      ->check(CLI::Range(1, 1000));
  app.add_option("--sessions", options.sessions,
                 "how many sessions are kept alive, as far as there are descriptors")
      ->check(CLI::Range(1U, 1'000'000U))
      ->capture_default_str();
  app.add_flag("--peers", options.peers, "in place of all else: beside the peers that are named");
  app.add_option("--zookeeper", options.zookeeper_jar, "ZooKeeper's jar");
  app.add_option("--java", options.java, "the program that runs it");
  app.add_option("--etcd", options.etcd, "etcd's program");
  app.add_flag("--json", options.json, "one JSON object in place of the table");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  if (!options.quorated.empty() && ::access(options.quorated.c_str(), X_OK) != 0) {
    progress("'" + options.quorated +
             "' is no program that can be run: build quorated, or name another --quorated.");
    return 2;
  }
  if (options.peers) return run_peers(options) && std::cout.flush() ? 0 : 1;
  Bench bench(options);
  const bool complete = bench.run();
  std::cout << (options.json ? as_json(bench.report()) : as_table(bench.report()));
  return complete && std::cout.flush() ? 0 : 1;
}

}  // namespace
}  // namespace quorate::bench

int main(int argc, char** argv) { return quorate::bench::run(argc, argv); }
