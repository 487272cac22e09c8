// A client of ZooKeeper's protocol: many requests under way at once; one-shot watches on the keys and a
// persistent one on a tree.
//
// What it is told is held to the model (tests/sim/model.h), and to ZooKeeper's promises: a read shows the
// writes asked for before it and none asked for later; each write is applied once; those of every session are
// in zookeeper_session.h.
//
// Thread safety: none.
#pragma once

#include <cstdint>
#include <string>

#include "tests/sim/zookeeper_session.h"

namespace quorate::sim {

class ZookeeperClient final : public ZookeeperSession {
 public:
  ZookeeperClient(Context& context, Connections& connections, uint32_t number, uint32_t servers, Histories&);

  // It relies on nothing.
  bool lease_valid() const override { return false; }

 private:
  static constexpr size_t kOutstandingMax = 12;

  void act() override;
  void on_ready(bool fresh) override;
  void on_answer(const zookeeper::RequestBody& body, const zookeeper::Reply& reply) override;
  void on_unanswered(const zookeeper::RequestBody& body) override;
  void one();
  std::string key();
  void set_own();
  void own_is(int32_t version);

  const std::string own_;  // the node that nobody else writes

  // What the version of the own node can be: each set that was lost with its connection may have been
  // applied. Below 0: there is no node.
  int64_t version_min_ = -1, version_max_ = -1;
  bool maybe_created_ = false;
  uint64_t next_value_ = 1;
};

}  // namespace quorate::sim
