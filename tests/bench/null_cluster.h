// The null cluster: the floor of a replicated write. Three processes, no consensus and no tree, only sockets,
// copies and syncs, in the order that a good leader uses them:
//
//   leader      drains what is ready, sends the whole batch to both followers in one write each, writes and
//   syncs it
//               to its own zero-filled file in place, and answers a request once two of three have synced it;
//   followers   read what is there, write and sync it, acknowledge the last batch in it.
//
// Reads are answered by the leader at once. Nothing here survives a failure: if any process ends, so does the
// run.
#pragma once

#include <array>
#include <string>

#include "base/result.h"
#include "client/bench/net.h"
#include "tests/bench/process.h"
#include "tests/bench/zero_file.h"

namespace quorate::bench {

struct NullCluster {
  std::array<Child, 3> processes;  // the leader is the last
  Port port = 0;                   // the leader's, for clients
};

// Makes its three files in `folder`. Errors: kIo.
Result<NullCluster> start_null_cluster(const std::string& folder, size_t file_bytes = kZeroFileBytes);

// A follower: serves one connection of a leader until it is closed. A batch on the wire is
//   u32 length of the batch | u64 number | bytes
// and is answered by the number of the last batch that is on disk, a u64. Also the other end of L*
// (floors.h).
int run_null_follower(const Fd& listener, const std::string& file_path, size_t file_bytes);
inline constexpr size_t kBatchHeaderBytes = 12;

}  // namespace quorate::bench
