// What `quorate top` shows, made of two looks at a cluster.
//
// Thread safety: pure functions.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "client/cli/cluster_view.h"

namespace quorate::cli {

inline constexpr size_t kTopPaths = 10;
inline constexpr size_t kTopLocks = 10;

// One look.
struct TopLook {
  ClusterView cluster;
  // Of the servers that tell; and why others do not.
  std::map<ServerId, client::HotPaths> hot;
  std::vector<client::LockInfo> locks;
  std::vector<std::string> notes;  // what could not be seen, and why: a sentence each
};

// Of a server, or of all together; between two looks.
struct Load {
  double reads_per_second = 0, writes_per_second = 0;
  struct Latency {
    std::chrono::microseconds p50{0}, p99{0};
  };
  std::optional<Latency> read, write;  // none: there were no such requests
};

struct TopReport {
  struct Server {
    ServerId id;
    std::string address, role;
    uint64_t connections = 0;
    std::optional<Load> load;  // none: it does not tell, or was not there at the look before
  };
  struct Path {
    std::string path;
    double requests_per_second = 0;
  };
  std::vector<Server> servers;  // by id
  Load all;
  std::vector<Path> paths;  // the hottest first; over all servers
  uint64_t hidden_paths = 0;
  std::vector<client::LockInfo> locks;  // those that somebody waits for, the most waiters first
  std::string summary;
  std::vector<std::string> notes;
};

// `before` none: there are no rates yet.
TopReport top_report(const std::optional<TopLook>& before, const TopLook& now);

nlohmann::json top_json(const TopReport& report);
struct TopLine {
  std::string text;
  bool heading = false;
};
std::vector<TopLine> top_lines(const TopReport& report);

}  // namespace quorate::cli
