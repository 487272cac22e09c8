// The watches that a session has by what it asked for and what it was told: one-shot ones and persistent
// ones.
//
// Thread safety: none.
#pragma once

#include <cstdint>
#include <set>
#include <string>

#include "proto/zookeeper.h"

namespace quorate::differential {

class OwnWatches {
 public:
  // In the order in which the answers and the events came.
  void answered(const zookeeper::RequestBody& body, const zookeeper::Reply& reply);
  void told(const zookeeper::Event& event);
  // A new connection, which has these alone.
  void again(const zookeeper::SetWatches& request);

  // By WatcherType's numbers; a persistent watch is of every type.
  bool has(const std::string& path, int32_t type) const;

 private:
  std::set<std::string> data_, children_, persistent_;
};

}  // namespace quorate::differential
