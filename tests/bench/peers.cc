#include "tests/bench/peers.h"

#include <filesystem>
#include <memory>
#include <set>
#include <utility>

#include "client/bench/native_conversation.h"
#include "client/bench/zookeeper_conversation.h"
#include "tests/bench/etcd_conversation.h"
#include "tests/bench/peer_servers.h"
#include "tests/bench/quorate_cluster.h"

namespace quorate::bench {
namespace {

constexpr uint32_t kWarmUpClients = 64;
// Of one system's round: on a machine that has other things to do a server may lose its quorum now and then.
constexpr int kAttempts = 3;

// One system's servers, while the last copy lives.
struct Running {
  std::vector<Port> ports;
  std::function<Result<size_t>()> leader;
  std::shared_ptr<void> servers;
};

// Servers, and by what they are driven: Quorate's by two protocols.
struct Started {
  std::string name;
  std::function<Result<Running>(const std::string& folder)> start;
  std::vector<std::pair<System, ConversationFactory>> driven;
};

template <class Servers, class Leader>
Running running(Servers servers, Leader leader) {
  auto kept = std::make_shared<Servers>(std::move(servers));
  return {kept->ports(), [kept, leader] { return ((*kept).*leader)(); }, kept};
}

ConversationFactory zookeeper_clients() {
  return [](uint32_t) { return std::make_unique<ZookeeperConversation>(); };
}

std::vector<Started> systems_of(const PeersOptions& options) {
  std::vector<Started> systems;
  if (!options.quorated.empty()) {
    const auto start = [&options](const std::string& folder) -> Result<Running> {
      auto cluster = QuorateCluster::start(options.quorated, folder);
      if (!cluster.ok()) return cluster.error();
      return running(std::move(*cluster), &QuorateCluster::wait_until_level);
    };
    const ConversationFactory native = [](uint32_t number) {
      return std::make_unique<NativeConversation>(number);
    };
    systems.push_back({"Quorate",
                       start,
                       {{System::kQuorateZookeeper, zookeeper_clients()}, {System::kQuorateNative, native}}});
  }
  if (!options.zookeeper_jar.empty()) {
    const auto start = [&options](const std::string& folder) -> Result<Running> {
      auto servers = PeerServers::start_zookeeper(options.java, options.zookeeper_jar, folder);
      if (!servers.ok()) return servers.error();
      return running(std::move(*servers), &PeerServers::wait_for_leader);
    };
    systems.push_back({"ZooKeeper", start, {{System::kZookeeper, zookeeper_clients()}}});
  }
  if (!options.etcd.empty()) {
    const auto start = [&options](const std::string& folder) -> Result<Running> {
      auto servers = PeerServers::start_etcd(options.etcd, folder);
      if (!servers.ok()) return servers.error();
      return running(std::move(*servers), &PeerServers::wait_for_leader);
    };
    const ConversationFactory clients = [](uint32_t) { return std::make_unique<EtcdConversation>(); };
    systems.push_back({"etcd", start, {{System::kEtcd, clients}}});
  }
  return systems;
}

class Round {
 public:
  Round(const PeersOptions& options, PeersReport& report, const Running& servers)
      : options_(options), report_(report), servers_(servers) {}

  // Of a round that failed nothing is kept.

  Status run(const Started& started, const std::function<void(const std::string&)>& progress) {
    for (const auto& [system, conversation] : started.driven) {
      if (Status warm = warm_up(conversation); !warm.ok()) return warm;
    }
    std::vector<std::pair<std::vector<Figures>*, Figures>> found;
    for (PeersRow& row : report_.rows) {
      progress(started.name + ": " + std::string(work_name(row.work)) +
               ", clients: " + std::to_string(row.clients));
      for (const auto& [system, conversation] : started.driven) {
        auto result = load(row.work, shape_of(row.clients), conversation, options_.warm_up, options_.measure);
        if (!result.ok()) return result.error();
        found.emplace_back(&row.rounds[static_cast<size_t>(system)], figures_of(*result));
      }
    }
    for (const auto& [rounds, figures] : found) rounds->push_back(figures);
    return {};
  }

 private:
  Status warm_up(const ConversationFactory& conversation) {
    auto prepared = load(Work::kPrepare, {1, 1}, conversation, {}, {});
    if (!prepared.ok()) return prepared.error();
    std::set<Work> works;
    for (const PeersRow& row : report_.rows) works.insert(row.work);
    for (const Work work : works) {
      auto warm = load(work, shape_of(kWarmUpClients), conversation, {}, options_.system_warm_up);
      if (!warm.ok()) return warm.error();
    }
    return {};
  }

  Result<LoadResult> load(Work work, Shape shape, const ConversationFactory& conversation, Duration warm_up,
                          Duration measure) const {
    auto leader = servers_.leader();
    if (!leader.ok()) return leader.error();
    LoadOptions load;
    load.connect =
        to_loopback(options_.attach_all ? servers_.ports : std::vector<Port>{servers_.ports[*leader]});
    load.conversation = conversation;
    load.shape = shape;
    load.work = work;
    load.warm_up = warm_up;
    load.measure = measure;
    return run_load(load);
  }

  const PeersOptions& options_;
  PeersReport& report_;
  const Running& servers_;
};

// Its servers have ended when it returns.
Status run_servers(const PeersOptions& options, const Started& started, const std::string& folder,
                   PeersReport& report, const std::function<void(const std::string&)>& progress) {
  progress(started.name + ": starting three servers");
  auto servers = started.start(folder);
  if (!servers.ok()) return servers.error();
  return Round(options, report, *servers).run(started, progress);
}

// The folder stays when something failed: the logs are in it.
Status run_system(const PeersOptions& options, const Started& started, PeersReport& report,
                  const std::function<void(const std::string&)>& progress) {
  const std::string folder = options.folder + "/" + started.name;
  std::error_code failed;
  std::filesystem::remove_all(folder, failed);
  std::filesystem::create_directories(folder, failed);
  if (failed) return Error{ErrorCode::kIo, "cannot make " + folder + ": " + failed.message()};
  if (Status done = run_servers(options, started, folder, report, progress); !done.ok())
    return Error{done.code(), started.name + ": " + done.error().message};
  std::filesystem::remove_all(folder, failed);
  return {};
}

}  // namespace

Status measure_peers(const PeersOptions& options, PeersReport& report,
                     const std::function<void(const std::string&)>& progress) {
  report.machine = describe_machine(options.folder);
  report.seconds = std::chrono::duration<double>(options.measure).count();
  report.attach_all = options.attach_all;
  for (const auto& [work, clients] : options.loads) report.rows.push_back({work, clients, {}});
  const std::vector<Started> systems = systems_of(options);
  for (int round = 1; round <= options.rounds; ++round) {
    progress("round " + std::to_string(round) + " of " + std::to_string(options.rounds));
    for (const Started& started : systems) {
      Status done = run_system(options, started, report, progress);
      for (int attempt = 1; !done.ok() && attempt < kAttempts; ++attempt) {
        progress(done.error().message + "; once more");
        done = run_system(options, started, report, progress);
      }
      if (!done.ok()) return done;
    }
  }
  return {};
}

}  // namespace quorate::bench
