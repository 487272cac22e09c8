// What this server tells of itself: to quorate cluster status, and to who asks with ZooKeeper's four-letter
// words.
#include <algorithm>
#include <memory>
#include <tuple>
#include <utility>

#include "server/replica_impl.h"

namespace quorate::server {
namespace {

// What an item takes in a text beside its paths, about.
constexpr size_t kConnectionBytes = 250;
constexpr size_t kItemBytes = 32;

// Counts what is listed; false: it has no room any more.
class Room {
 public:
  explicit Room(StatusDetail& detail) : detail_(detail) {}
  bool take(size_t bytes) {
    used_ += bytes;
    detail_.cut = detail_.cut || used_ > kStatusDetailBytesMax;
    return !detail_.cut;
  }

 private:
  StatusDetail& detail_;
  size_t used_ = 0;
};

}  // namespace

ServerStatus Replica::Impl::status() const {
  ServerStatus status;
  status.id = options.raft.id;
  status.nodes = state.node_count();
  status.sessions = state.session_count();
  status.connections = connections.size();
  status.watches = watches.size();
  status.ephemerals = state.ephemeral_count();
  status.data_bytes = state.data_bytes();
  status.zookeeper = zookeeper_figures;
  status.state_hash = state.state_hash();
  status.zxid = state.zxid();
  status.applied = state.applied();
  status.disk_full = disk_full;
  const auto address_of = [this](ServerId server) {
    const auto known = client_addresses.find(server);
    return known == client_addresses.end() ? std::string() : known->second;
  };
  if (!raft) {
    for (const PlannedMember& member : options.plan) {
      status.members.push_back(
          {member.id, raft::MemberRole::kVoter, member.address, address_of(member.id), {}});
    }
    return status;
  }
  status.cluster = raft->configuration().cluster_id;
  status.role = raft->role_name();
  status.may_vote = raft->may_vote();
  status.receiving = !has_state || receiver.under_way();
  status.stuck = stuck;
  status.read_only = read_only;
  status.checkpoint = checkpoints.durable();
  status.checkpointing = checkpoints.under_way();
  status.term = raft->term();
  status.leader = raft->leader();
  status.last_index = raft->log().last_index();
  status.committed = raft->committed();
  const auto* leader = std::get_if<raft::Leader>(&raft->role());
  for (const raft::Member& member : raft->configuration().members) {
    MemberStatus view{member.id, member.role, member.address, address_of(member.id), {}};
    if (leader != nullptr && leader->progress.contains(member.id))
      view.match = leader->progress.at(member.id).match;
    status.members.push_back(std::move(view));
  }
  return status;
}

void Replica::Impl::tell_status(const Asker& asker, const StatusRequest& request) {
  ServerStatus told = status();
  auto figures = std::make_shared<RequestFigures>(request_figures);
  figures->at = now.instant;
  told.served = std::move(figures);
  if (request.detail != StatusRequest::Detail::kNone)
    told.detail = std::make_shared<const StatusDetail>(status_detail(request.detail));
  reply(asker, std::move(told));
  if (request.reset == StatusRequest::Reset::kServer) zookeeper_figures.latency = {};
  if (request.reset != StatusRequest::Reset::kConnections) return;
  for (auto& [id, connection] : connections) {
    if (connection.zookeeper) connection.zookeeper->figures = {};
  }
}

StatusDetail Replica::Impl::status_detail(StatusRequest::Detail what) const {
  StatusDetail detail;
  if (what == StatusRequest::Detail::kConnections || what == StatusRequest::Detail::kSessions)
    list_connections(detail);
  if (what == StatusRequest::Detail::kWatches) list_watches(detail);
  if (what == StatusRequest::Detail::kSessions) list_sessions(detail);
  return detail;
}

void Replica::Impl::list_connections(StatusDetail& detail) const {
  Room room(detail);
  for (const auto& [id, connection] : connections) {
    if (!connection.zookeeper || connection.closing) continue;
    if (!room.take(kConnectionBytes)) break;
    const ZookeeperClient& client = *connection.zookeeper;
    detail.connections.push_back(
        {id, connection.session, client.timeout_ms, client.queue.size(), client.figures});
  }
  std::sort(detail.connections.begin(), detail.connections.end(),
            [](const auto& a, const auto& b) { return a.id < b.id; });
}

void Replica::Impl::list_watches(StatusDetail& detail) const {
  Room room(detail);
  watches.for_each([&](ConnectionId id, kv::WatchKind, std::string_view path) {
    if (!room.take(path.size() + kItemBytes)) return;
    const auto at = connections.find(id);
    const SessionId session = at == connections.end() ? SessionId() : at->second.session;
    detail.watches.push_back({session, std::string(path)});
  });
  const auto order = [](const StatusDetail::Watch& w) { return std::tie(w.session, w.path); };
  std::sort(detail.watches.begin(), detail.watches.end(),
            [&](const auto& a, const auto& b) { return order(a) < order(b); });
  // Several kinds of watches at one path are one line.
  const auto end = std::unique(detail.watches.begin(), detail.watches.end(),
                               [&](const auto& a, const auto& b) { return order(a) == order(b); });
  detail.watches.erase(end, detail.watches.end());
}

void Replica::Impl::list_sessions(StatusDetail& detail) const {
  Room room(detail);
  for (const kv::SessionView& session : state.sessions()) {
    if (!room.take(kItemBytes)) return;
    auto& listed = detail.sessions.emplace_back();
    listed.id = session.id;
    listed.timeout_ms = session.timeout_ms;
    if (session.ephemerals == 0) continue;
    for (std::string& path : state.ephemerals(session.id)) {
      if (!room.take(path.size() + kItemBytes)) return;
      listed.ephemerals.push_back(std::move(path));
    }
  }
}

}  // namespace quorate::server
