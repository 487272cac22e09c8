// Read-only mode: what ZooKeeper's clients that asked for it may do at a server without a quorum. Such a
// client reads what this server has, however old that is, and may watch it; whatever else it asks for is
// refused as "not read-only".
//
// Nobody replicates its session. Where it came with one of the cluster's it is shown that one again, after a
// look at its password, but nothing keeps that alive meanwhile; where it came without, it gets a number that
// no session of the cluster ever has, so that a server with a quorum sends it away with "expired".
//
// Why it takes a while to begin (ReplicaOptions::read_only_after): elections are not the want of a quorum.
#include <algorithm>
#include <string>
#include <utility>

#include "base/checksum.h"
#include "server/replica_impl.h"
#include "server/replica_zookeeper_words.h"

namespace quorate::server {

namespace zk = zookeeper;

namespace {

// Sessions of the cluster are zxids, which do not come so far.
constexpr uint64_t kLocalSessions = uint64_t{0x7e} << 56;
constexpr uint64_t kLocalCounterMask = 0xffffff;
constexpr uint64_t kLocalBootMask = (uint64_t{1} << 56) - 1 - kLocalCounterMask;

bool is_local(uint64_t session) { return session >> 56 == kLocalSessions >> 56; }

void add_once(kv::Credentials& credentials, kv::Credential added) {
  if (credentials.size() >= kv::kCredentialsMax) return;
  if (std::find(credentials.begin(), credentials.end(), added) == credentials.end())
    credentials.push_back(std::move(added));
}

// What a session without a leader cannot do.
bool needs_quorum(const zk::RequestBody& body) {
  return is_write(body) || std::holds_alternative<zk::Sync>(body) ||
         std::holds_alternative<zk::Check>(body) || std::holds_alternative<zk::Reconfig>(body);
}

}  // namespace

Instant Replica::Impl::read_only_deadline() const {
  if (!options.read_only_after || read_only || leaderless_since == kNever) return kNever;
  return leaderless_since + *options.read_only_after;
}

Duration Replica::Impl::leaderless_for() const {
  return leaderless_since == kNever ? Duration() : now.instant - leaderless_since;
}

// Both ways end the connections that asked for it: here they find a session that can do less, elsewhere, or
// later, one that can do more.
void Replica::Impl::settle_read_only() {
  const auto drop_connections = [this](const auto& concerned) {
    for (auto& [id, connection] : connections) {
      if (connection.zookeeper && concerned(*connection.zookeeper)) zookeeper_drop(id, connection);
    }
  };
  if (!has_state || raft->leader() != ServerId()) {
    leaderless_since = kNever;
    if (!std::exchange(read_only, false)) return;
    log(LogLevel::kInfo, "there is a leader: read-only mode ends");
    return drop_connections([](const ZookeeperClient& client) { return client.read_only; });
  }
  if (leaderless_since == kNever) leaderless_since = now.instant;
  if (read_only || !options.read_only_after || leaderless_for() < *options.read_only_after) return;
  read_only = true;
  log(LogLevel::kWarning, "there is no leader: clients that asked for it are served read-only");
  drop_connections(
      [](const ZookeeperClient& client) { return client.connect.request.read_only.value_or(false); });
}

void Replica::Impl::zookeeper_connect_read_only(ConnectionId id, Connection& connection) {
  ZookeeperClient& client = *connection.zookeeper;
  const zk::ConnectRequest& request = client.connect.request;
  // Others look for a server with a quorum, and so does who saw more than is here.
  if (!request.read_only.value_or(false) ||
      request.last_zxid_seen > static_cast<int64_t>(state.zxid().value()))
    return zookeeper_drop(id, connection);
  const auto asked = static_cast<uint64_t>(request.session);
  kv::Credentials credentials;
  if (asked != 0) {
    if (is_local(asked)) return zookeeper_refuse_session(id, connection);
    // Whether it is over, or was opened elsewhere a moment ago, only a leader could tell.
    if (!state.session(SessionId(asked))) return zookeeper_drop(id, connection);
    if (!state.has_password(SessionId(asked), request.password))
      return zookeeper_refuse_session(id, connection);
    credentials = state.credentials(SessionId(asked));
    std::erase_if(credentials, [](const kv::Credential& c) { return c.scheme == kv::kAddressScheme; });
  }
  if (!client.connect.address.empty())
    add_once(credentials, {std::string(kv::kAddressScheme), client.connect.address});
  const uint64_t boot = checksum64("local sessions", options.raft.boot.value()) & kLocalBootMask;
  SessionId local;
  do {
    local = SessionId(kLocalSessions | boot | (next_local_session++ & kLocalCounterMask));
  } while (local_credentials.contains(local));
  connection.session = local;
  local_credentials[local] = std::move(credentials);
  client.phase = ZookeeperClient::Phase::kOpen;
  client.read_only = true;
  client.timeout_ms = zookeeper_timeout_ms(request);
  zk::ConnectReply reply;
  reply.timeout_ms = static_cast<int32_t>(client.timeout_ms);
  reply.session = static_cast<int64_t>(asked != 0 ? asked : local.value());
  reply.password = asked != 0 ? request.password : client.connect.fresh;
  reply.read_only = true;
  output.clients.push_back({id, reply});
  zookeeper_advance(id, connection);
}

void Replica::Impl::zookeeper_start_read_only(Connection& connection, ZookeeperClient::Waiting& waiting) {
  ZookeeperClient& client = *connection.zookeeper;
  zk::RequestBody& body = waiting.request.body;
  const auto answer = [&waiting](zk::ErrorCode code, zk::ReplyBody what = {}) {
    waiting.reply = zk::Reply{waiting.request.xid, 0, code, std::move(what)};
  };
  if (std::holds_alternative<zk::CloseSession>(body)) return answer(zk::ErrorCode::kOk);
  if (needs_quorum(body)) return answer(zk::ErrorCode::kNotReadOnly);
  if (!std::holds_alternative<zk::Auth>(body) && !offers_sasl(body)) {
    waiting.ready = true;
    return;
  }
  auto proved = zookeeper_prove(client, waiting);
  if (!proved.ok()) return answer(zk::ErrorCode::kAuthFailed);
  if (waiting.reply) return;
  if (*proved) {
    kv::Credentials& credentials = local_credentials[connection.session];
    if ((*proved)->super) add_once(credentials, {std::string(kv::kSuperScheme), {}});
    add_once(credentials, std::move((*proved)->credential));
  }
  answer(zk::ErrorCode::kOk, server::zookeeper_outcome(body, {}));
}

}  // namespace quorate::server
