#include "tests/bench/peer_servers.h"

#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <utility>

namespace quorate::bench {
namespace {

constexpr uint64_t kPeerStartMaxNs = 60'000'000'000U;
constexpr useconds_t kAskEveryUs = 100'000;
constexpr size_t kAnswerBytesMax = 64U << 10;

// Asks on a connection of its own, and reads until the server closes it or says nothing for a second.
std::string ask(Port port, std::string_view question) {
  auto fd = connect_to_loopback(port);
  if (!fd.ok()) return {};
  const timeval second{1, 0};
  ::setsockopt(fd->get(), SOL_SOCKET, SO_RCVTIMEO, &second, sizeof(second));
  if (!write_exactly(fd->get(), question.data(), question.size())) return {};
  std::string answer;
  char bytes[4096];
  while (answer.size() < kAnswerBytesMax) {
    const ssize_t count = ::read(fd->get(), bytes, sizeof(bytes));
    if (count <= 0) break;
    answer.append(bytes, static_cast<size_t>(count));
  }
  return answer;
}

std::optional<bool> ask_zookeeper(Port port) { return zookeeper_leads(ask(port, "srvr")); }

std::optional<bool> ask_etcd(Port port) {
  return etcd_leads(ask(port,
                        "POST /v3/maintenance/status HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n"
                        "Content-Length: 2\r\n\r\n{}"));
}

// What stands between `before` and the next `after`; empty where there is no such text.
std::string_view between(std::string_view text, std::string_view before, char after) {
  const size_t at = text.find(before);
  if (at == std::string_view::npos) return {};
  text.remove_prefix(at + before.size());
  return text.substr(0, text.find(after));
}

std::string loopback(Port port) { return "127.0.0.1:" + std::to_string(port); }
std::string url(Port port) { return "http://" + loopback(port); }

}  // namespace

std::optional<bool> zookeeper_leads(std::string_view answer) {
  const std::string_view mode = between(answer, "Mode: ", '\n');
  if (mode == "leader") return true;
  if (mode == "follower") return false;
  return std::nullopt;
}

std::optional<bool> etcd_leads(std::string_view answer) {
  const std::string_view member = between(answer, "\"member_id\":\"", '"');
  const std::string_view leader = between(answer, "\"leader\":\"", '"');
  if (member.empty() || leader.empty() || leader == "0") return std::nullopt;
  return member == leader;
}

// The clients' ports, and as many others for each server.
Result<std::vector<Port>> PeerServers::choose_ports(size_t others) {
  auto ports = free_ports((1 + others) * kServers);
  if (!ports.ok()) return ports.error();
  for (size_t i = 0; i < kServers; ++i) client_ports_[i] = (*ports)[i];
  return std::vector<Port>(ports->begin() + kServers, ports->end());
}

Status PeerServers::launch(size_t server, const std::vector<std::string>& arguments) {
  auto child = spawn(arguments, folder_ + "/" + std::to_string(server + 1) + ".log");
  if (!child.ok()) return child.error();
  processes_[server] = std::move(*child);
  return {};
}

Result<PeerServers> PeerServers::start_zookeeper(const std::string& java, const std::string& jar,
                                                 const std::string& folder) {
  PeerServers servers(ask_zookeeper, folder);
  const auto ports = servers.choose_ports(2);
  if (!ports.ok()) return ports.error();
  std::string members;
  for (size_t i = 0; i < kServers; ++i) {
    members += "server." + std::to_string(i + 1) + "=" + loopback((*ports)[i]) + ":" +
               std::to_string((*ports)[kServers + i]) + "\n";
  }
  for (size_t i = 0; i < kServers; ++i) {
    const std::string data = folder + "/" + std::to_string(i + 1);
    const std::string configuration = data + ".cfg";
    std::error_code failed;
    std::filesystem::create_directories(data, failed);
    std::ofstream(data + "/myid") << i + 1 << "\n";
    std::ofstream file(configuration);
    file << "tickTime=2000\ninitLimit=10\nsyncLimit=5\nmaxClientCnxns=0\nadmin.enableServer=false\n"
         << "dataDir=" << data << "\nclientPortAddress=127.0.0.1\nclientPort=" << servers.client_ports_[i]
         << "\n"
         << members;
    if (!file.flush()) return errno_error("cannot write " + configuration);
    const Status started = servers.launch(
        i,
        {java, "-Xmx1000m", "-cp", jar, "org.apache.zookeeper.server.quorum.QuorumPeerMain", configuration});
    if (!started.ok()) return started.error();
  }
  if (auto leader = servers.wait_for_leader(); !leader.ok()) return leader.error();
  return servers;
}

Result<PeerServers> PeerServers::start_etcd(const std::string& etcd, const std::string& folder) {
  PeerServers servers(ask_etcd, folder);
  const auto peers = servers.choose_ports(1);
  if (!peers.ok()) return peers.error();
  std::string members;
  for (size_t i = 0; i < kServers; ++i) {
    members += (i == 0 ? "" : ",") + std::to_string(i + 1) + "=" + url((*peers)[i]);
  }
  for (size_t i = 0; i < kServers; ++i) {
    const std::string name = std::to_string(i + 1), client = url(servers.client_ports_[i]),
                      peer = url((*peers)[i]);
    const Status started = servers.launch(
        i, {etcd, "--name", name, "--data-dir", folder + "/" + name, "--listen-client-urls", client,
            "--advertise-client-urls", client, "--listen-peer-urls", peer, "--initial-advertise-peer-urls",
            peer, "--initial-cluster", members, "--initial-cluster-state", "new"});
    if (!started.ok()) return started.error();
  }
  if (auto leader = servers.wait_for_leader(); !leader.ok()) return leader.error();
  return servers;
}

Result<size_t> PeerServers::wait_for_leader() const {
  const uint64_t until = now_ns() + kPeerStartMaxNs;
  while (now_ns() < until) {
    std::optional<size_t> leader;
    size_t ready = 0;
    for (size_t i = 0; i < kServers; ++i) {
      const std::string log = folder_ + "/" + std::to_string(i + 1) + ".log";
      if (!processes_[i].running()) return Error{ErrorCode::kIo, "a server ended by itself: see " + log};
      const auto leads = leads_(client_ports_[i]);
      if (leads) ++ready;
      if (leads.value_or(false)) leader = i;
    }
    if (ready == kServers && leader) return *leader;
    ::usleep(kAskEveryUs);
  }
  return Error{ErrorCode::kTimeout, "the servers have no leader after 60 s: see " + folder_ + "/*.log"};
}

}  // namespace quorate::bench
