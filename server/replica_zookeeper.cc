// Clients of ZooKeeper's protocol: how a connection gets its session, and how its requests are answered in
// their order (replica_zookeeper.h says why they are).
#include <algorithm>
#include <string>
#include <utility>

#include "base/check.h"
#include "server/replica_impl.h"
#include "server/replica_zookeeper_quotas.h"
#include "server/replica_zookeeper_words.h"

namespace quorate::server {

namespace zk = zookeeper;

namespace {

// Who connects to a server that has known no leader for longer is sent away at once, to look for another: an
// election takes less.
constexpr Duration kLeaderlessMax = std::chrono::seconds(1);

// What is found out about a session while nothing of it can be answered any more.
bool lost_with(ErrorCode code) {
  switch (code) {
    case ErrorCode::kNoQuorum:
    case ErrorCode::kNotLeader:
    case ErrorCode::kUnavailable:
    case ErrorCode::kShuttingDown:
    case ErrorCode::kSessionMoved:
      return true;
    default:
      return false;
  }
}

int64_t number_of(Zxid zxid) { return static_cast<int64_t>(zxid.value()); }

}  // namespace

// ---- sessions

void Replica::Impl::zookeeper_connect(ConnectionId id, ZookeeperConnect connect) {
  Connection& connection = connections[id];
  if (connection.closing || connection.zookeeper) return;
  connection.zookeeper = std::make_unique<ZookeeperClient>();
  connection.zookeeper->connect = std::move(connect);
  if (!raft || !has_state) return zookeeper_drop(id, connection);
  if (read_only) return zookeeper_connect_read_only(id, connection);
  if (stuck || leaderless_for() >= kLeaderlessMax) return zookeeper_drop(id, connection);
  // A client that saw more than this server has: let this one catch up first.
  if (connection.zookeeper->connect.request.last_zxid_seen > number_of(state.zxid()))
    return barriers.add({{id, kZookeeperCatchUpId}, SessionId(), SyncRequest{}, now.instant});
  zookeeper_attach(id, connection);
}

void Replica::Impl::zookeeper_attach(ConnectionId id, Connection& connection) {
  const ZookeeperConnect& connect = connection.zookeeper->connect;
  const zk::ConnectRequest& request = connect.request;
  const kv::Origin origin{options.raft.id, options.raft.boot, next_counter};
  const Asker asker{id, kZookeeperConnectId};
  if (request.session == 0) {
    const uint32_t timeout_ms = zookeeper_timeout_ms(request);
    return open_session(asker, kv::OpenSession{origin, timeout_ms, connect.fresh, connect.address});
  }
  open_session(asker, kv::AttachSession{origin, SessionId(static_cast<uint64_t>(request.session)),
                                        request.password, connect.address});
}

uint32_t Replica::Impl::zookeeper_timeout_ms(const zk::ConnectRequest& request) const {
  return std::clamp(static_cast<uint32_t>(std::max(request.timeout_ms, 0)), options.session_timeout_min_ms,
                    options.session_timeout_max_ms);
}

void Replica::Impl::zookeeper_opened(ConnectionId id, Connection& connection, const kv::Outcome& outcome) {
  ZookeeperClient& client = *connection.zookeeper;
  const zk::ConnectRequest& request = client.connect.request;
  client.phase = ZookeeperClient::Phase::kOpen;
  client.timeout_ms = outcome.timeout_ms;
  client.next_number = outcome.next_number;
  client.last_sign = now.instant;
  client.figures.last_operation = "SESS";
  client.figures.last_xid = 0;
  client.figures.last_zxid = number_of(outcome.zxid);
  client.figures.last_answer_ms = to_ms(now.instant.time_since_epoch());
  zk::ConnectReply reply;
  reply.timeout_ms = static_cast<int32_t>(outcome.timeout_ms);
  reply.session = static_cast<int64_t>(outcome.session.value());
  reply.password = request.session == 0 ? client.connect.fresh : request.password;
  if (request.read_only) reply.read_only = false;
  output.clients.push_back({id, reply});
  zookeeper_advance(id, connection);
}

// As ZooKeeper says it: a timeout of 0, then the end of the connection.
void Replica::Impl::zookeeper_refuse_session(ConnectionId id, Connection& connection) {
  zk::ConnectReply reply;
  if (connection.zookeeper->connect.request.read_only) reply.read_only = false;
  output.clients.push_back({id, reply});
  zookeeper_drop(id, connection);
}

void Replica::Impl::zookeeper_drop(ConnectionId id, Connection& connection) {
  if (std::exchange(connection.closing, true)) return;
  connection.zookeeper->phase = ZookeeperClient::Phase::kEnded;
  zookeeper_figures.outstanding -= connection.zookeeper->queue.size();
  connection.zookeeper->queue.clear();
  local_credentials.erase(connection.session);
  output.close.push_back(id);
}

// Whatever a client does is a sign of its life, and so is what waits for its turn here. It is sent on often
// enough, and no oftener.
void Replica::Impl::zookeeper_sign(ConnectionId id, Connection& connection) {
  ZookeeperClient& client = *connection.zookeeper;
  if (client.read_only) return;
  if (now.instant - client.last_sign < std::chrono::milliseconds(client.timeout_ms) / 6) return;
  client.last_sign = now.instant;
  barriers.add({{id, kZookeeperSignId},
                connection.session,
                PingRequest{},
                now.instant,
                ping_gather(connection.session)});
}

void Replica::Impl::zookeeper_upkeep() {
  if (zookeeper_figures.outstanding == 0) return;
  for (auto& [id, connection] : connections) {
    if (connection.closing || !connection.zookeeper) continue;
    if (connection.zookeeper->phase != ZookeeperClient::Phase::kOpen) continue;
    if (!connection.zookeeper->queue.empty()) zookeeper_sign(id, connection);
  }
}

// ---- requests

void Replica::Impl::zookeeper_request(ZookeeperRequest request) {
  const ConnectionId id = request.connection;
  if (auto* connect = std::get_if<ZookeeperConnect>(&request.body))
    return zookeeper_connect(id, std::move(*connect));
  const auto at = connections.find(id);
  if (at == connections.end() || at->second.closing || !at->second.zookeeper) return;
  Connection& connection = at->second;
  ZookeeperClient& client = *connection.zookeeper;
  const bool open = client.phase == ZookeeperClient::Phase::kOpen;
  auto& asked = std::get<zk::Request>(request.body);
  if (std::holds_alternative<zk::Ping>(asked.body)) {
    client.last_sign = now.instant;
    if (!open) return;
    if (client.read_only) return zookeeper_tell_alive(id, client, state.zxid());
    if (++client.pings >= kZookeeperQueueMax) zookeeper_hold_back(id, client);
    const Duration gather = ping_gather(connection.session);
    return barriers.add({{id, kZookeeperPingId}, connection.session, PingRequest{}, now.instant, gather});
  }
  if (open) zookeeper_sign(id, connection);
  note_hot(asked.body);
  client.queue.push_back({std::move(asked), now.instant, false, {}, request.bytes});
  client.queue_bytes += request.bytes;
  ++zookeeper_figures.outstanding;
  if (client.queue.size() >= kZookeeperQueueMax || client.queue_bytes >= kZookeeperQueueBytesMax)
    zookeeper_hold_back(id, client);
  if (open) zookeeper_advance(id, connection);
}

// No more of its requests are read until an answer has left: there is one to come.
void Replica::Impl::zookeeper_hold_back(ConnectionId id, ZookeeperClient& client) {
  if (std::exchange(client.held_back, true)) return;
  output.crowded.push_back(id);
}

// What can be done before its turn has come. False: it has to wait until the leader has answered.
bool Replica::Impl::zookeeper_start(ConnectionId id, Connection& connection, uint64_t request) {
  ZookeeperClient::Waiting& waiting = *connection.zookeeper->find(request);
  const zk::RequestBody& body = waiting.request.body;
  if (connection.zookeeper->read_only) {
    zookeeper_start_read_only(connection, waiting);
  } else if (is_write(body) || std::holds_alternative<zk::Auth>(body) || offers_sasl(body)) {
    if (connection.zookeeper->unconfirmed > 0) return false;
    // It is decided from the tree whether there is anything to write at all: not before what the session
    // asked for earlier is in it.
    if (writes_quota(body) && request != connection.zookeeper->front) return false;
    zookeeper_write(id, connection, request);
  } else if (std::holds_alternative<zk::Sync>(body) || options.zookeeper_linearizable_reads) {
    ++connection.zookeeper->unconfirmed;
    barriers.add({{id, request}, connection.session, SyncRequest{}, now.instant});
  } else {
    waiting.ready = true;
  }
  return true;
}

void Replica::Impl::zookeeper_write(ConnectionId id, Connection& connection, uint64_t request) {
  ZookeeperClient& client = *connection.zookeeper;
  ZookeeperClient::Waiting& waiting = *client.find(request);
  const auto answer = [&waiting](ErrorCode code) {
    waiting.reply = zk::Reply{waiting.request.xid, 0, zookeeper_code(code), {}};
  };
  std::optional<kv::Operation> operation;
  const zk::RequestBody& body = waiting.request.body;
  if (auto quota = quota_write(body, state, view_of(connection.session))) {
    if (const auto* code = std::get_if<zk::ErrorCode>(&*quota)) {
      waiting.reply = zk::Reply{waiting.request.xid, 0, *code, {}};
      if (*code == zk::ErrorCode::kOk) waiting.reply->body = server::zookeeper_outcome(body, {});
      return;
    }
    operation = std::move(std::get<kv::SetQuotaOp>(*quota));
  } else if (auto refusal = reserved_refusal(waiting.request)) {
    waiting.reply = std::move(*refusal);
    return;
  } else if (proves_somebody(waiting.request.body)) {
    auto proved = zookeeper_prove(client, waiting);
    if (!proved.ok()) return answer(proved.code());
    if (!*proved && !waiting.reply) return answer(ErrorCode::kOk);
    if (!*proved) return;
    operation = std::move(**proved);
  } else {
    operation = operation_of(waiting.request.body);
  }
  const ErrorCode sent = zookeeper_send(id, connection, request, std::move(*operation));
  if (sent != ErrorCode::kOk) answer(sent);
}

// Not kOk: it is refused here.
ErrorCode Replica::Impl::zookeeper_send(ConnectionId id, Connection& connection, uint64_t request,
                                        kv::Operation operation) {
  ZookeeperClient& client = *connection.zookeeper;
  keep_recipes_apart(operation);
  const kv::OperationView view = kv::view_of(operation);
  if (view.operations.size() > kv::kMultiOperationsMax) return ErrorCode::kTooLarge;
  if (Status room = admit(view); !room.ok()) return room.code();
  const bool frees = kv::only_frees(view);
  const auto attached = writes.attached(connection.session);
  if (!attached || attached->connection != id) return ErrorCode::kSessionExpired;
  const uint64_t number = client.next_number;
  const kv::Command command =
      kv::SessionRequest{connection.session, attached->epoch, number, number, std::move(operation)};
  Bytes body(kv::encode_command(command));
  // Nobody would tell it so: it would wait, and go again, for ever.
  if (!frees && body.size() > command_bytes_max()) return ErrorCode::kTooLarge;
  ++client.next_number;
  writes.add(connection.session, number, request, std::move(body), now.instant);
  if (writes.bytes() >= options.pending_bytes_max) zookeeper_hold_back(id, client);
  return ErrorCode::kOk;
}

// ---- answers

// All that the rest of the replica has to say to such a connection comes by here.
void Replica::Impl::zookeeper_answered(ConnectionId id, Connection& connection, const ClientReply& reply) {
  ZookeeperClient& client = *connection.zookeeper;
  const ErrorCode code = reply.error.code;
  switch (reply.id) {
    case kZookeeperConnectId:
      if (code == ErrorCode::kOk) return zookeeper_opened(id, connection, std::get<kv::Outcome>(reply.body));
      if (code == ErrorCode::kSessionExpired || code == ErrorCode::kBadCredentials)
        return zookeeper_refuse_session(id, connection);
      return zookeeper_drop(id, connection);
    case kZookeeperCatchUpId:
      // It has seen what this cluster never had.
      if (code != ErrorCode::kOk || client.connect.request.last_zxid_seen > number_of(state.zxid()))
        return zookeeper_drop(id, connection);
      return zookeeper_attach(id, connection);
    case kZookeeperPingId:
    case kZookeeperSignId:
      if (code != ErrorCode::kOk) return zookeeper_drop(id, connection);
      if (reply.id == kZookeeperSignId) return;
      --client.pings;
      return zookeeper_tell_alive(id, client, reply.zxid);
    default:
      break;
  }
  if (lost_with(code)) return zookeeper_drop(id, connection);
  zookeeper_outcome(client, reply.id, reply);
  zookeeper_advance(id, connection);
}

void Replica::Impl::zookeeper_tell_alive(ConnectionId id, ZookeeperClient& client, Zxid zxid) {
  client.figures.last_operation = zookeeper_letters(zk::OpCode::kPing);
  output.clients.push_back({id, zk::Reply{zk::kPingXid, number_of(zxid), zk::ErrorCode::kOk, {}}});
}

// A write has an outcome, or what a read or a sync waited for has happened.
void Replica::Impl::zookeeper_outcome(ZookeeperClient& client, uint64_t request, const ClientReply& reply) {
  ZookeeperClient::Waiting* const waiting = client.find(request);
  CHECK(waiting != nullptr);
  if (reply.error.ok() && !std::holds_alternative<kv::Outcome>(reply.body)) {
    waiting->ready = true;
    --client.unconfirmed;
    return;
  }
  zk::Reply& answer = waiting->reply.emplace();
  answer.xid = waiting->request.xid;
  answer.zxid = number_of(reply.zxid);
  const auto* outcome = std::get_if<kv::Outcome>(&reply.body);
  // A multi that was refused says so in the results.
  if (reply.error.ok() || (outcome != nullptr && !outcome->results.empty())) {
    answer.body = server::zookeeper_outcome(waiting->request.body, *outcome);
  } else {
    const bool proof = proves_somebody(waiting->request.body);
    answer.error = proof ? zk::ErrorCode::kAuthFailed : zookeeper_code(reply.error.code);
  }
}

void Replica::Impl::zookeeper_count(ZookeeperClient& client, const ZookeeperClient::Waiting& waiting) {
  const auto ms = static_cast<uint64_t>(to_ms(now.instant - waiting.asked));
  zookeeper_figures.latency.add(ms);
  (is_write(waiting.request.body) ? request_figures.writes : request_figures.reads)
      .add(now.instant - waiting.asked);
  --zookeeper_figures.outstanding;
  ZookeeperConnectionFigures& figures = client.figures;
  figures.latency.add(ms);
  figures.last_operation = zookeeper_letters(zk::op_of(waiting.request.body));
  if (waiting.request.xid >= 0) figures.last_xid = waiting.request.xid;
  figures.last_zxid = waiting.reply->zxid;
  figures.last_answer_ms = to_ms(now.instant.time_since_epoch());
}

// Answers what can be answered, and begins what can be begun by then.
void Replica::Impl::zookeeper_advance(ConnectionId id, Connection& connection) {
  ZookeeperClient& client = *connection.zookeeper;
  do {
    zookeeper_answer(id, connection);
    if (client.phase != ZookeeperClient::Phase::kOpen) return;
    // What is begun may be answered at once.
  } while (zookeeper_start_more(id, connection));
}

// True if anything was begun.
bool Replica::Impl::zookeeper_start_more(ConnectionId id, Connection& connection) {
  ZookeeperClient& client = *connection.zookeeper;
  const uint64_t before = client.next_start;
  const uint64_t end = client.front + client.queue.size();
  while (client.next_start < end && zookeeper_start(id, connection, client.next_start)) ++client.next_start;
  return client.next_start > before;
}

void Replica::Impl::zookeeper_answer(ConnectionId id, Connection& connection) {
  ZookeeperClient& client = *connection.zookeeper;
  while (!client.queue.empty() && client.phase == ZookeeperClient::Phase::kOpen) {
    ZookeeperClient::Waiting& waiting = client.queue.front();
    if (!waiting.reply) {
      if (!waiting.ready || connection.crowded) return;
      waiting.reply = zookeeper_read(id, connection.session, waiting.request);
    }
    if (waiting.reply->zxid == 0) waiting.reply->zxid = number_of(state.zxid());
    const zk::OpCode op = zk::op_of(waiting.request.body);
    const bool last = op == zk::OpCode::kCloseSession || waiting.reply->error == zk::ErrorCode::kAuthFailed;
    zookeeper_count(client, waiting);
    output.clients.push_back({id, std::move(*waiting.reply)});
    client.queue_bytes -= waiting.bytes;
    client.queue.pop_front();
    ++client.front;
    if (last) return zookeeper_drop(id, connection);
    if (connection.turn != turn || connection.turn_bytes < options.turn_reply_bytes_max || connection.crowded)
      continue;
    connection.crowded = true;
    output.crowded.push_back(id);
  }
}

}  // namespace quorate::server
