#include "tests/bench/quorate_cluster.h"

#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cstring>

#include "client/bench/native_conversation.h"
#include "proto/client.pb.h"
#include "raft/raft.h"

namespace quorate::bench {
namespace {

constexpr uint64_t kLevelMaxNs = 30'000'000'000U;
constexpr useconds_t kAskEveryUs = 20'000;
constexpr int kStopMs = 10'000;
constexpr uint32_t kFrameBytesMax = 1U << 20;

}  // namespace

Result<api::ServerFrame> ask(Port port, api::ClientFrame request) {
  const Error none{ErrorCode::kUnavailable, "127.0.0.1:" + std::to_string(port) + " does not answer"};
  auto fd = connect_to_loopback(port);
  if (!fd.ok()) return fd.error();
  const timeval second{1, 0};
  ::setsockopt(fd->get(), SOL_SOCKET, SO_RCVTIMEO, &second, sizeof(second));

  request.set_id(1);
  const std::string out = std::string(kNativeMagic) + frame_of(request);
  if (!write_exactly(fd->get(), out.data(), out.size())) return none;
  uint32_t length = 0;
  if (!read_exactly(fd->get(), &length, sizeof(length)) || length > kFrameBytesMax) return none;
  std::string bytes(length, '\0');
  api::ServerFrame answer;
  if (!read_exactly(fd->get(), bytes.data(), length) || !answer.ParseFromString(bytes)) return none;
  return answer;
}

Result<ServerView> ask_status(Port port) {
  api::ClientFrame request;
  request.mutable_status();
  const auto answer = ask(port, std::move(request));
  if (!answer.ok()) return answer.error();
  if (!answer->reply().has_status())
    return Error{ErrorCode::kUnavailable, "127.0.0.1:" + std::to_string(port) + " gives no status"};
  const api::ServerStatus& status = answer->reply().status();
  return ServerView{status.role() == static_cast<uint32_t>(raft::RoleName::kLeader),
                    status.leader(),
                    status.term(),
                    status.committed(),
                    status.applied(),
                    status.last_index(),
                    status.sessions(),
                    status.checkpoint(),
                    status.checkpointing(),
                    status.receiving()};
}

Result<QuorateCluster> QuorateCluster::start(const std::string& quorated, const std::string& folder,
                                             const std::vector<std::string>& options) {
  QuorateCluster cluster;
  cluster.quorated_ = quorated;
  cluster.folder_ = folder;
  cluster.options_ = options;
  auto ports = free_ports(2 * kServers);
  if (!ports.ok()) return ports.error();
  for (size_t i = 0; i < kServers; ++i) {
    cluster.client_ports_[i] = (*ports)[i];
    cluster.peer_ports_[i] = (*ports)[kServers + i];
  }
  for (size_t i = 0; i < kServers; ++i) {
    if (Status status = cluster.launch(i); !status.ok()) return status.error();
  }
  if (auto leader = cluster.wait_until_level(); !leader.ok()) return leader.error();
  return cluster;
}

Status QuorateCluster::launch(size_t server) {
  std::string members;
  for (size_t i = 0; i < kServers; ++i) {
    if (i > 0) members += ',';
    members += std::to_string(i + 1) + "=127.0.0.1:" + std::to_string(peer_ports_[i]);
  }
  const std::string id = std::to_string(server + 1);
  std::vector<std::string> arguments{quorated_,
                                     "--id",
                                     id,
                                     "--data",
                                     folder_ + "/" + id,
                                     "--cluster",
                                     members,
                                     "--client",
                                     "127.0.0.1:" + std::to_string(client_ports_[server])};
  arguments.insert(arguments.end(), options_.begin(), options_.end());
  auto child = spawn(arguments, folder_ + "/" + id + ".log");
  if (!child.ok()) return child.error();
  processes_[server] = std::move(*child);
  return {};
}

Status QuorateCluster::restart(size_t server) {
  processes_[server].kill_and_wait();
  return launch(server);
}

std::optional<size_t> QuorateCluster::level_leader() const {
  std::array<ServerView, kServers> views;
  for (size_t i = 0; i < kServers; ++i) {
    auto view = ask_status(client_ports_[i]);
    if (!view.ok()) return std::nullopt;
    views[i] = *view;
  }
  const uint32_t leader = views[0].leader;
  if (leader == 0 || leader > kServers || !views[leader - 1].leads) return std::nullopt;
  const uint64_t target = views[leader - 1].committed;
  for (const ServerView& view : views) {
    if (view.leader != leader || view.term != views[0].term || view.applied < target) return std::nullopt;
  }
  return leader - 1;
}

Result<size_t> QuorateCluster::wait_until_level() const {
  const uint64_t until = now_ns() + kLevelMaxNs;
  while (now_ns() < until) {
    if (const auto leader = level_leader()) return *leader;
    for (size_t i = 0; i < kServers; ++i) {
      if (!processes_[i].running()) {
        const std::string id = std::to_string(i + 1);
        return Error{ErrorCode::kIo, "server " + id + " ended by itself: see " + folder_ + "/" + id + ".log"};
      }
    }
    ::usleep(kAskEveryUs);
  }
  return Error{ErrorCode::kTimeout,
               "the servers did not agree on a leader within 30 s: see " + folder_ + "/*.log"};
}

bool QuorateCluster::stop() {
  bool clean = true;
  for (Child& process : processes_) clean = process.stop(kStopMs) && clean;
  return clean;
}

}  // namespace quorate::bench
