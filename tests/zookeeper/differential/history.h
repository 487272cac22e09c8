// Random session histories: what is asked next, whatever has been answered. Few paths, so that operations
// meet.
//
// Thread safety: none.
#pragma once

#include <string>

#include "base/random.h"
#include "proto/zookeeper.h"

namespace quorate::differential {

class History {
 public:
  // Histories of even seeds set one-shot watches, those of odd ones persistent ones: ZooKeeper up to 3.8
  // makes a persistent watch a one-shot, or the other way round, where both are set on one path.
  explicit History(uint64_t seed) : random_(seed), persistent_(seed % 2 == 1) {}

  zookeeper::RequestBody next();
  // As a client that comes back asks for its one-shot watches again; the zxid is left to the caller.
  zookeeper::SetWatches watches_again();
  bool persistent() const { return persistent_; }
  uint64_t below(uint64_t bound) { return random_.below(bound); }

 private:
  std::string path();
  std::string data();
  int32_t version();
  zookeeper::Acl acl();
  zookeeper::Create create();
  zookeeper::Multi multi();
  zookeeper::MultiRead many();
  zookeeper::RequestBody watch_request();
  bool one_in(uint64_t count) { return random_.below(count) == 0; }

  Random random_;
  const bool persistent_;
};

}  // namespace quorate::differential
