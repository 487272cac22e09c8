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
  options.capture_pause = Duration::zero();
  options.snapshot_chunk_bytes = 2'000;
  return options;
}

class StateCluster : public Cluster {
 public:
  explicit StateCluster(uint32_t servers, const ReplicaOptions& options = small_options());

  // So many entries of about 100 bytes, each committed and applied where it was asked for, on any server.
  void fill(size_t entries);
  // One write; false if it was not answered, or refused: then the next goes over a connection of its own.
  bool try_write();
  // Writes go to so many nodes; 50 unless told.
  void spread(uint64_t nodes) { spread_ = nodes; }
  bool same_everywhere();
  size_t log_bytes(ServerId id);

 private:
  static std::string path(uint64_t at) { return "/node" + std::to_string(at); }

  ServerId server_;
  ConnectionId connection_;
  bool session_ = false;
  uint64_t connections_ = 0, number_ = 0, writes_ = 0, spread_ = 50;
  std::set<uint64_t> made_;
};

}  // namespace quorate::server::test
