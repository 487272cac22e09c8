// The network between servers, and between clients and servers, in virtual time.
//
// Between servers a message may be lost, doubled, delayed and overtaken, and a direction between two machines
// may be cut while the other one works. That is worse than the TCP connections of the real server, which keep
// an order; nothing may rest on it.
//
// Thread safety: none.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <utility>

#include "server/peer_message.h"
#include "tests/sim/context.h"

namespace quorate::sim {

// A machine on the network: servers have their id, clients are counted from kFirstClientNode.
using Node = uint32_t;
inline constexpr Node kFirstClientNode = 1000;

class Network {
 public:
  using Deliver = std::function<void(const server::PeerMessage&)>;

  Network(Context& context, Deliver deliver) : context_(context), deliver_(std::move(deliver)) {}

  // Between servers.
  void send(const server::PeerMessage& message);
  // A delay as this link has it now.
  Duration delay(Node from, Node to);
  bool passes(Node from, Node to) const { return !cut_.contains({from, to}); }

  void cut(Node from, Node to) { cut_.insert({from, to}); }
  void mend(Node from, Node to) { cut_.erase({from, to}); }
  // Nothing is lost, but what is sent until then arrives only after it.
  void clog(Node from, Node to, SimTime until) { clogged_[{from, to}] = until; }
  void mend_all() {
    cut_.clear();
    clogged_.clear();
  }

 private:
  void deliver_after(Duration delay, const server::PeerMessage& message);

  Context& context_;
  Deliver deliver_;
  std::set<std::pair<Node, Node>> cut_;
  std::map<std::pair<Node, Node>, SimTime> clogged_;
};

}  // namespace quorate::sim
