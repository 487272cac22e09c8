// What clients ask: writes are encoded and sent on their way, reads wait for a barrier and are then served
// from the own tree.
#include <algorithm>
#include <string>
#include <utility>

#include "kv/path.h"
#include "lock/service.h"
#include "server/replica_impl.h"

namespace quorate::server {

void Replica::Impl::request(ClientRequest request) {
  Connection& connection = connections[request.connection];
  if (connection.closing) return;
  const Asker asker{request.connection, request.id};
  if (const auto* asked = std::get_if<StatusRequest>(&request.body)) return tell_status(asker, *asked);
  if (!raft)
    return refuse(asker, ErrorCode::kNotMember,
                  "the cluster is not formed yet: start every server of the --cluster list");
  if (!has_state) {
    return refuse(asker, ErrorCode::kUnavailable,
                  "this server is receiving the state from another one: ask again later, or another server");
  }
  if (auto* transfer_request = std::get_if<TransferRequest>(&request.body))
    return transfer(asker, *transfer_request);
  if (stuck) {
    return refuse(asker, ErrorCode::kUnavailable,
                  "this server waits for its disk, and applies nothing meanwhile: ask another server");
  }
  if (auto* removed = std::get_if<RemoveWatchRequest>(&request.body)) {
    watches.remove(asker.connection, removed->watch);
    return reply(asker, std::monostate());
  }
  if (auto* write_request = std::get_if<WriteRequest>(&request.body))
    return write(asker, std::move(*write_request));
  if (auto* added = std::get_if<AddCredentialRequest>(&request.body))
    return add_credential(asker, std::move(*added));
  if (const auto* part = std::get_if<SnapshotPartRequest>(&request.body);
      part != nullptr && part->snapshot != 0)
    return read_backup(asker, *part);
  const kv::Origin origin{options.raft.id, options.raft.boot, next_counter};
  if (auto* open = std::get_if<OpenSessionRequest>(&request.body)) {
    const uint32_t timeout_ms =
        std::clamp(open->timeout_ms, options.session_timeout_min_ms, options.session_timeout_max_ms);
    return open_session(asker, kv::OpenSession{origin, timeout_ms, open->password, open->address});
  }
  if (auto* attach = std::get_if<AttachSessionRequest>(&request.body)) {
    return open_session(asker, kv::AttachSession{origin, attach->session, attach->password, attach->address,
                                                 attach->attempt});
  }
  Duration gather{};
  if (std::holds_alternative<PingRequest>(request.body)) {
    if (connection.session == SessionId())
      return refuse(asker, ErrorCode::kSessionRequired, "open or attach a session on this connection first");
    gather = ping_gather(connection.session);
  } else if (barriers.bytes() + deferred_bytes >= options.waiting_reads_bytes_max) {
    return refuse(asker, ErrorCode::kOverloaded,
                  "too many reads are waiting for the cluster: try again later");
  }
  barriers.add({asker, connection.session, std::move(request.body), now.instant, gather});
}

Duration Replica::Impl::ping_gather(SessionId id) const {
  const auto session = state.session(id);
  if (!session) return {};
  const Duration timeout = std::chrono::milliseconds(session->timeout_ms);
  return std::clamp(timeout / 100, options.ping_gather_min, options.ping_gather_max);
}

void Replica::Impl::client_lost(ConnectionId connection) {
  const auto at = connections.find(connection);
  if (at == connections.end()) return;
  if (at->second.zookeeper) zookeeper_figures.outstanding -= at->second.zookeeper->queue.size();
  if (at->second.session != SessionId()) writes.detach(at->second.session);
  // Or it would take the session from the connection that its client has made since.
  if (at->second.opening) (void)writes.finish_opening(at->second.opening_counter);
  local_credentials.erase(at->second.session);
  watches.drop_connection(connection);
  if (transfer_asker && transfer_asker->connection == connection) transfer_asker.reset();
  (void)take_deferred(connection, at->second);
  connections.erase(at);
}

void Replica::Impl::open_session(const Asker& asker, kv::Command command) {
  Connection& connection = connections[asker.connection];
  if (connection.opening || connection.session != SessionId()) {
    return refuse(asker, ErrorCode::kInvalidArgument,
                  "this connection has a session already: use one connection a session");
  }
  if (Status valid = kv::validate(command); !valid.ok())
    return refuse(asker, valid.code(), valid.error().message);
  if (Status room = admit_session(); std::holds_alternative<kv::OpenSession>(command) && !room.ok())
    return refuse(asker, room.code(), room.error().message);
  connection.opening = true;
  connection.opening_counter = next_counter;
  writes.add_opening(next_counter++, asker, Bytes(kv::encode_command(command)), now.instant);
}

void Replica::Impl::write(const Asker& asker, WriteRequest request) {
  const Connection& connection = connections[asker.connection];
  const auto attached = writes.attached(connection.session);
  if (!attached || attached->connection != asker.connection) {
    return refuse(asker, ErrorCode::kSessionRequired, "open or attach a session on this connection first");
  }
  if (writes.contains(connection.session, request.number)) {
    return refuse(asker, ErrorCode::kInvalidArgument,
                  "this number is already on its way over this connection");
  }
  keep_recipes_apart(request.operation);
  const kv::OperationView operation = kv::view_of(request.operation);
  note_hot(operation);
  const size_t reserve = kv::only_frees(operation) ? options.reserve_bytes : 0;
  // What was applied already is answered as it was then.
  const bool fresh = request.number >= state.session(connection.session)->next_number;
  if (Status room = admit(operation); !room.ok() && fresh) {
    return refuse(asker, room.code(), room.error().message);
  }
  const ErrorCode no_room = fresh ? ErrorCode::kOverloaded : ErrorCode::kOutcomeUnknown;
  if (writes.bytes() >= options.pending_bytes_max + reserve) {
    return refuse(asker, no_room,
                  "too many writes are waiting for the cluster: try again, with the same number");
  }
  if (writes.count(connection.session) >= kPendingWritesMax) {
    return refuse(asker, no_room,
                  "more than " + std::to_string(kPendingWritesMax) +
                      " writes of this session are waiting: read their outcomes, then try again, with the "
                      "same number");
  }
  // More than any decoder takes: the only rule that is not left to apply.
  const auto* multi = std::get_if<kv::MultiOp>(&request.operation);
  if (multi != nullptr && multi->operations.size() > kv::kMultiOperationsMax) {
    return refuse(asker, ErrorCode::kTooLarge,
                  "a multi may have " + std::to_string(kv::kMultiOperationsMax) + " operations");
  }
  const uint64_t number = request.number;
  const kv::Command command = kv::SessionRequest{connection.session, attached->epoch, number,
                                                 request.acked_below, std::move(request.operation)};
  Bytes body(kv::encode_command(command));
  if (fresh && reserve == 0 && body.size() > command_bytes_max())
    return refuse(asker, ErrorCode::kTooLarge, "it has more bytes than this cluster's log ever has room for");
  writes.add(connection.session, number, asker.request, std::move(body), now.instant, !fresh);
}

void Replica::Impl::transfer(const Asker& asker, const TransferRequest& request) {
  if (!leads()) {
    const ServerId leader = raft->leader();
    return refuse(asker, ErrorCode::kNotLeader,
                  leader == ServerId() ? "no leader is known"
                                       : "ask the leader, server " + std::to_string(leader.value()));
  }
  if (transfer_asker) return refuse(asker, ErrorCode::kOverloaded, "leadership is being handed over already");
  if (Status started = raft->transfer_leadership(now.instant, request.target); !started.ok()) {
    return refuse(asker, started.code(), started.error().message);
  }
  transfer_asker = asker;
}

void Replica::Impl::settle_transfer() {
  if (!transfer_asker) return;
  if (leads()) {
    if (hands_over()) return;
    refuse(*transfer_asker, ErrorCode::kTimeout,
           "the other server did not take over in time: leadership stays here");
  } else {
    reply(*transfer_asker, std::monostate());
  }
  transfer_asker.reset();
}

bool Replica::Impl::listens(ConnectionId connection) const {
  const auto at = connections.find(connection);
  return at != connections.end() && !at->second.closing;
}

void Replica::Impl::reply(const Asker& asker, ReplyBody body) {
  const auto at = connections.find(asker.connection);
  if (at == connections.end() || at->second.closing) return;
  ClientReply reply{asker.request, {}, state.zxid(), std::move(body)};
  if (const auto* outcome = std::get_if<kv::Outcome>(&reply.body)) {
    reply.error = {outcome->code, outcome->message};
    reply.zxid = outcome->zxid;
  }
  if (at->second.zookeeper) return zookeeper_answered(asker.connection, at->second, reply);
  if (asker.asked != Instant()) request_figures.writes.add(now.instant - asker.asked);
  output.clients.push_back({asker.connection, std::move(reply)});
}

void Replica::Impl::refuse(const Asker& asker, ErrorCode code, std::string message) {
  const auto at = connections.find(asker.connection);
  if (at == connections.end() || at->second.closing) return;
  ClientReply reply{asker.request, {code, std::move(message)}, state.zxid(), std::monostate()};
  if (at->second.zookeeper) return zookeeper_answered(asker.connection, at->second, reply);
  output.clients.push_back({asker.connection, std::move(reply)});
}

}  // namespace quorate::server
