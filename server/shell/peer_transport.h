// Messages between servers over TCP. Each server dials every other one; messages flow from the one that
// dialled, so between two servers there are two connections. Both begin with a handshake each way; a stranger
// is refused with one logged reason at either end.
//
// A connection that is reset, closed or refused is reported at once as lost: a follower's fast failover rests
// on it. Reconnects back off from 20 ms to 1 s, with jitter; names are resolved again each time. Messages to
// a peer that is not connected, or that reads too slowly, are dropped: Raft repeats what matters.
//
// Thread safety: none; it lives on the loop's thread.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "base/time.h"
#include "server/formation.h"
#include "server/peer_message.h"
#include "server/shell/address.h"
#include "server/shell/peer_codec.h"

namespace boost::asio {
class io_context;
}

namespace quorate::server {

struct PeerTransportOptions {
  size_t frame_bytes_max = kPeerFrameBytesMax;
  // Unsent bytes for one peer; beyond, messages to it are dropped.
  size_t output_bytes_max = 64 << 20;
  Duration reconnect_min = std::chrono::milliseconds(20);
  Duration reconnect_max = std::chrono::seconds(1);
  // A connect or a handshake that takes longer is given up.
  Duration connect_timeout = std::chrono::seconds(2);
  Duration handshake_timeout = std::chrono::seconds(10);
  // Bytes that the other end's kernel does not acknowledge for this long end the connection.
  Duration unacknowledged_max = std::chrono::seconds(5);
  // One on which nothing was heard for this long (whole seconds) is probed, at either end, so that a
  // connection that the network has forgotten is noticed before it is needed.
  Duration idle_probe = std::chrono::seconds(30);
  // A server from which something was heard within this time has not been started again: who comes under its
  // number in another run is a second server with that number, and turned away.
  Duration alive_within = std::chrono::seconds(1);
  // A connection that ends sooner was of no use: who dials it anew waits longer each time.
  Duration steady_after = std::chrono::seconds(1);
  // Accepted connections that have not said who they are.
  size_t strangers_max = 64;
};

// What the transport says of this server in its handshakes.
struct PeerIdentity {
  ServerId id;
  Incarnation incarnation;
  BootNonce boot;
  ClusterId cluster;  // 0: not formed yet
  std::string client_address;
};

class PeerTransport {
 public:
  struct Events {
    std::function<void(PeerMessage)> received;
    std::function<void(ServerId)> lost;
    // Where that server's clients reach it, with each handshake.
    std::function<void(ServerId, std::string)> heard_address;
  };

  PeerTransport(boost::asio::io_context& loop, const PeerTransportOptions& options, uint64_t seed);
  ~PeerTransport();

  // Binds the port; nobody is answered before start(). Errors: kInUse, kBadConfiguration.
  Status listen(const Address& address);
  // The port that listen() got.
  uint16_t port() const;
  // `peers` may contain ourselves.
  void start(PeerIdentity identity, const std::vector<PlannedMember>& peers, Events events);
  // The cluster was formed: said again to every peer, before any later message.
  void set_cluster(ClusterId cluster);
  // Whom to dial from now on. Connections to others are closed.
  void set_peers(const std::vector<PlannedMember>& peers);

  // Queues it; flush() sends.
  void send(const PeerMessage& message);
  void flush();
  bool connected(ServerId peer) const;
  // No more events; every connection is closed behind what its socket still takes.
  void stop();

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace quorate::server
