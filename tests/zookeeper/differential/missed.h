// What persistent watches have to be told after a reconnect, from what somebody was told who was there all
// the time.
//
// Thread safety: none.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "proto/zookeeper.h"

namespace quorate::differential {

// Persistent watches by their paths; true: recursive.
using Watches = std::map<std::string, bool>;

class Missed {
 public:
  // In the order of the changes, each with its zxid.
  void add(const std::vector<zookeeper::Event>& events) {
    events_.insert(events_.end(), events.begin(), events.end());
  }
  // From now on somebody may be kept from reading `path` and what is below.
  void hide(const std::string& path) { hidden_.insert(path); }

  bool hidden(const std::string& path) const;

  using StatOf = std::function<std::optional<zookeeper::Stat>(const std::string& path)>;
  using Denied = std::function<bool(const std::string& path)>;
  // What is wrong, in a sentence, or "", with what a session was told that has these watches and had seen
  // everything up to `seen`: all that changed and may be read, once for each path, in order, and nothing that
  // did not happen or that `denied` says it may not read.
  std::string wrong(const Watches& watches, int64_t seen, const std::vector<zookeeper::Event>& told,
                    const StatOf& stat_of, const Denied& denied) const;

 private:
  struct Change {
    bool created_first = false;
    bool there = false;
    int64_t last = 0;
  };

  std::vector<zookeeper::Event> events_;
  std::set<std::string> hidden_;
};

}  // namespace quorate::differential
