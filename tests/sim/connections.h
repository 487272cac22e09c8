// Client connections, as TCP gives them: in order, nothing lost and nothing doubled while a connection lives,
// and it may break at any time, of which each end learns on its own, or never.
//
// Thread safety: none.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <variant>
#include <vector>

#include "server/replica.h"
#include "tests/sim/context.h"
#include "tests/sim/network.h"

namespace quorate::sim {

class Connections {
 public:
  // What the ends do with what arrives.
  struct Ends {
    // A listening socket: false when no process listens there (the machine refuses), nothing when the machine
    // is off.
    std::function<std::optional<bool>(ServerId)> listens;
    std::function<void(ServerId, server::Input)> server_received;
    std::function<void(ServerId, ConnectionId)> server_lost;
    std::function<void(Node, ConnectionId)> client_connected;
    std::function<void(Node, const server::ClientMessage&)> client_received;
    std::function<void(Node, ConnectionId)> client_lost;
  };

  Connections(Context& context, Network& network, Ends ends)
      : context_(context), network_(network), ends_(std::move(ends)) {}

  // The client's end. The answer is client_connected or client_lost, some time later, or nothing.
  ConnectionId connect(Node client, ServerId server);
  void client_send(ConnectionId id, uint64_t request, server::RequestBody body);
  // The same from a client of ZooKeeper's protocol.
  using ZookeeperBody = decltype(server::ZookeeperRequest::body);
  void client_send(ConnectionId id, ZookeeperBody body);
  void client_close(ConnectionId id);

  // The server's end. Names that are not known any more are passed over.
  void server_send(server::ClientMessage message);
  void server_close(ConnectionId id);
  // The process of a server ended: with `machine_up` its clients get a reset, without it they hear nothing.
  void server_died(ServerId server, bool machine_up);

  // Something between them reset the connection: both ends are told, what was under way is lost.
  void reset(ConnectionId id);
  std::vector<ConnectionId> alive() const;

 private:
  struct Fin {};
  using ToServer = std::variant<server::ClientRequest, server::ZookeeperRequest, Fin>;
  using ToClient = std::variant<server::ClientMessage, Fin>;
  template <class Payload>
  struct Pipe {
    std::deque<std::pair<SimTime, Payload>> queue;
    SimTime last{0};
    bool pumping = false;
  };
  struct Connection {
    Node client = 0;
    ServerId server;
    bool client_end = true, server_end = false;
    Pipe<ToServer> to_server;
    Pipe<ToClient> to_client;
  };

  void arrive(ConnectionId id);
  void push_to_server(ConnectionId id, Connection& connection, ToServer payload);
  void push_to_client(ConnectionId id, Connection& connection, ToClient payload);
  void pump_to_server(ConnectionId id);
  void pump_to_client(ConnectionId id);
  void at_server(ConnectionId id, Connection& connection, ToServer payload);
  void at_client(ConnectionId id, Connection& connection, ToClient payload);
  void forget_if_over(ConnectionId id);
  Connection* find(ConnectionId id);

  Context& context_;
  Network& network_;
  Ends ends_;
  uint64_t next_ = 1;
  std::map<ConnectionId, Connection> connections_;
};

}  // namespace quorate::sim
