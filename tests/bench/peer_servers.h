// Three servers of ZooKeeper or of etcd on loopback, as the benchmark starts, asks and ends them. Their data
// and logs lie in folders of their own: FOLDER/1 and FOLDER/1.log and so on. Both keep their defaults, which
// are durable; what is set beside addresses and folders is said at each.
//
// Thread safety: none.
#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "client/bench/net.h"
#include "tests/bench/process.h"

namespace quorate::bench {

class PeerServers {
 public:
  static constexpr size_t kServers = 3;

  // Both start the servers and wait until they have a leader. `folder` is empty. Errors: kIo, kTimeout after
  // 60 s; the sentence names the log.
  //
  // `jar` is ZooKeeper's, whose manifest names what else it needs. The heap is at most 1,000 MB, as
  // ZooKeeper's own script has it; the limit of connections from one address is off, because all come from
  // one, and the web server for administration is.
  static Result<PeerServers> start_zookeeper(const std::string& java, const std::string& jar,
                                             const std::string& folder);
  static Result<PeerServers> start_etcd(const std::string& etcd, const std::string& folder);

  std::vector<Port> ports() const { return {client_ports_.begin(), client_ports_.end()}; }
  // Which of ports() is the leader's.
  Result<size_t> wait_for_leader() const;

 private:
  // Nothing: it does not answer, or is not part of a quorum.
  using Leads = std::optional<bool> (*)(Port port);

  explicit PeerServers(Leads leads, std::string folder) : leads_(leads), folder_(std::move(folder)) {}
  Result<std::vector<Port>> choose_ports(size_t others);
  Status launch(size_t server, const std::vector<std::string>& arguments);

  Leads leads_;
  std::string folder_;
  std::array<Port, kServers> client_ports_{};
  std::array<Child, kServers> processes_;
};

// What ZooKeeper says to `srvr`, and etcd to a question about its status: does this server lead?
std::optional<bool> zookeeper_leads(std::string_view answer);
std::optional<bool> etcd_leads(std::string_view answer);

}  // namespace quorate::bench
