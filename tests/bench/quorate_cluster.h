// Three quorated processes on loopback, as the benchmark starts, asks, kills and restarts them. Their data
// and logs lie in folders of their own: FOLDER/1 and FOLDER/1.log and so on.
//
// Thread safety: none.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "client/bench/net.h"
#include "tests/bench/native_frames.h"
#include "tests/bench/process.h"

namespace quorate::bench {

// What a server says of itself.
struct ServerView {
  bool leads = false;
  uint32_t leader = 0;  // 0: none known
  uint64_t term = 0;
  uint64_t committed = 0;
  uint64_t applied = 0;
  uint64_t last_index = 0;
  uint64_t sessions = 0;
  uint64_t checkpoint = 0;  // the newest durable one
  bool checkpointing = false;
  bool receiving = false;  // the state, from another server
};

// Asks the server on a connection of its own, without a session. Errors: kUnavailable when it does not answer
// within a second.
Result<api::ServerFrame> ask(Port port, api::ClientFrame request);
// Asks the server on a connection of its own. Errors: kUnavailable when it does not answer within a second.
Result<ServerView> ask_status(Port port);

class QuorateCluster {
 public:
  static constexpr size_t kServers = 3;

  // Starts the program `quorated` three times and waits until all agree on a leader. Errors: kIo, kTimeout.
  // `options` are given to each.
  static Result<QuorateCluster> start(const std::string& quorated, const std::string& folder,
                                      const std::vector<std::string>& options = {});

  const std::string& folder() const { return folder_; }
  Port port(size_t server) const { return client_ports_[server]; }
  std::vector<Port> ports() const { return {client_ports_.begin(), client_ports_.end()}; }
  const Child& process(size_t server) const { return processes_[server]; }
  Child& process(size_t server) { return processes_[server]; }
  // Collects a killed server's process and starts it again over the same data.
  Status restart(size_t server);
  // Until all three know one leader and have applied what it had committed; gives the leader's position, 0
  // to 2. Errors: kTimeout after 30 s, kIo when a server ended by itself; the sentence names its log.
  Result<size_t> wait_until_level() const;
  // SIGTERM to all. False if one did not end with 0 within 10 s.
  bool stop();

 private:
  Status launch(size_t server);
  // The leader's position if all are level, or nothing.
  std::optional<size_t> level_leader() const;

  std::string quorated_, folder_;
  std::vector<std::string> options_;
  std::array<Port, kServers> client_ports_{};
  std::array<Port, kServers> peer_ports_{};
  std::array<Child, kServers> processes_;
};

}  // namespace quorate::bench
