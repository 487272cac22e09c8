// What the operator says: flags, or the same names in a TOML file; flags win. Every limit has its name here.
//
// Every error is one sentence that names the flag and says what to do.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "base/time.h"
#include "kv/state_machine.h"
#include "raft/raft.h"
#include "server/formation.h"
#include "server/replica.h"
#include "server/shell/address.h"
#include "server/shell/client_listener.h"
#include "server/shell/peer_transport.h"
#include "server/storage/wal.h"

namespace quorate::server {

struct ServerConfig {
  ServerId id{1};
  std::string data = "./quorate-data";
  // By ascending id, ourselves included. One without an address: alone, no peer port.
  std::vector<PlannedMember> cluster;
  std::optional<Address> listen_peer;
  Address listen_client{"127.0.0.1", 2181};
  std::string advertise_client;  // "": what we listen on

  LogLevel log_level = LogLevel::kInfo;
  std::string log_file;  // "": standard error

  // What was read and has no effect, a line each.
  std::vector<std::string> notices;

  // Throw the state away and end: the next start gets it from the others.
  bool rebuild_state = false;

  // As in ReplicaOptions.
  size_t checkpoint_dirty_bytes = ReplicaOptions().checkpoint_dirty_bytes;
  size_t checkpoint_log_bytes = ReplicaOptions().checkpoint_log_bytes;
  size_t log_kept_bytes = ReplicaOptions().log_kept_bytes;
  raft::Options raft;
  kv::Limits kv;
  // As ReplicaOptions has them.
  std::string super_digest;
  bool refuse_mixed_locks = false;
  bool zookeeper_linearizable_reads = ReplicaOptions().zookeeper_linearizable_reads;
  SaslUsers sasl_users;
  std::optional<Duration> read_only_after;
  uint64_t nodes_max = ReplicaOptions().nodes_max;
  uint64_t data_bytes_max = ReplicaOptions().data_bytes_max;
  uint64_t sessions_max = ReplicaOptions().sessions_max;
  uint32_t session_timeout_min_ms = ReplicaOptions().session_timeout_min_ms;
  uint32_t session_timeout_max_ms = ReplicaOptions().session_timeout_max_ms;
  WalOptions wal;
  PeerTransportOptions peers;
  ClientListenerOptions clients;
};

struct CommandLine {
  // Nothing when the program is to end at once: --help, --version, or a mistake.
  std::optional<ServerConfig> config;
  std::string text;  // to print then
  int exit_code = 0;
};

CommandLine parse_command_line(int argc, const char* const* argv);

// "150ms", "10s", "2m". Errors: kBadConfiguration: a unit is needed.
Result<Duration> parse_duration(const std::string& text);
// "64MiB", "512KiB", "1000B". Errors: kBadConfiguration: a unit is needed.
Result<uint64_t> parse_bytes(const std::string& text);
// "1=10.0.0.1:7001,2=10.0.0.2:7001", in any order. Errors: kBadConfiguration.
Result<std::vector<PlannedMember>> parse_cluster(const std::string& text);

}  // namespace quorate::server
