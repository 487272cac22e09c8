// A cluster with checkpoints and snapshots that are small enough for a test, and a client that writes to it.
#pragma once

#include <string>

#include "tests/replica/cluster.h"

namespace quorate::server::test {

inline ReplicaOptions small_options() {
  ReplicaOptions options;
  options.checkpoint_dirty_bytes = 20'000;
  options.checkpoint_log_bytes = 40'000;
  options.log_kept_bytes = 10'000;
  options.capture_slice_bytes = 2'000;
  options.snapshot_chunk_bytes = 2'000;
  return options;
}

class StateCluster : public Cluster {
 public:
  explicit StateCluster(uint32_t servers, const ReplicaOptions& options = small_options())
      : Cluster(servers, options) {
    elect();
  }

  // So many entries of about 100 bytes, each committed and applied where it was asked for, on any server.
  void fill(size_t entries) {
    for (size_t i = 0; i < entries; ++i) {
      while (!try_write()) {
      }
    }
  }
  // One write; false if it was not answered, or refused: then the next goes over a connection of its own.
  bool try_write() {
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
  // Writes go to so many nodes; 50 unless told.
  void spread(uint64_t nodes) { spread_ = nodes; }
  bool same_everywhere() {
    for (const auto& [id, node] : nodes()) {
      if (!node.replica || node.replica->state().applied() != replica(leader()).state().applied())
        return false;
      if (node.replica->state().state_hash() != replica(leader()).state().state_hash()) return false;
    }
    return true;
  }
  size_t log_bytes(ServerId id) {
    const raft::Log& log = replica(id).raft()->log();
    size_t sum = 0;
    for (Index at = log.first_index(); at <= log.last_index(); at = at.next())
      sum += log.at(at).encoded.size();
    return sum;
  }

 private:
  static std::string path(uint64_t at) { return "/node" + std::to_string(at); }

  ServerId server_;
  ConnectionId connection_;
  bool session_ = false;
  uint64_t connections_ = 0, number_ = 0, writes_ = 0, spread_ = 50;
  std::set<uint64_t> made_;
};

}  // namespace quorate::server::test
