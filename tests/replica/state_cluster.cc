#include "tests/replica/state_cluster.h"

namespace quorate::server::test {

StateCluster::StateCluster(uint32_t servers, const ReplicaOptions& options) : Cluster(servers, options) {
  elect();
}

void StateCluster::fill(size_t entries) {
  for (size_t i = 0; i < entries; ++i) {
    while (!try_write()) {
    }
  }
}

bool StateCluster::try_write() {
  const ServerId server = leader() != ServerId() ? leader() : elect();
  if (server != server_ || !session_) {
    server_ = server;
    connection_ = ConnectionId(1000 + ++connections_);
    session_ = open(server, connection_).code == ErrorCode::kOk;
    number_ = 0;
    if (!session_) return false;
  }
  ++number_;
  // Some nodes go again, and others are set, so that a state is more than its log.
  const uint64_t at = writes_ % spread_;
  kv::Operation operation = kv::CreateOp{path(at), std::string(40, 'x')};
  if (made_.contains(at)) operation = kv::SetOp{path(at), "write " + std::to_string(writes_)};
  ++writes_;
  const ClientReply reply = call(server, connection_, WriteRequest{number_, number_, operation});
  const bool done = reply.error.code == ErrorCode::kOk || reply.error.code == ErrorCode::kNodeExists;
  if (done) made_.insert(at);
  if (!done) session_ = false;
  return done;
}

bool StateCluster::same_everywhere() {
  for (const auto& [id, node] : nodes()) {
    if (!node.replica || node.replica->state().applied() != replica(leader()).state().applied()) return false;
    if (node.replica->state().state_hash() != replica(leader()).state().state_hash()) return false;
  }
  return true;
}

size_t StateCluster::log_bytes(ServerId id) {
  const raft::Log& log = replica(id).raft()->log();
  size_t sum = 0;
  for (Index at = log.first_index(); at <= log.last_index(); at = at.next()) sum += log.at(at).encoded.size();
  return sum;
}

}  // namespace quorate::server::test
