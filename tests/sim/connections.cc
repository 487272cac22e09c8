#include "tests/sim/connections.h"

#include <string>

#include "tests/sim/describe.h"

namespace quorate::sim {
namespace {
// How long a retransmission waits while the way is cut.
constexpr Duration kRetransmit = std::chrono::milliseconds(70);
}  // namespace

Connections::Connection* Connections::find(ConnectionId id) {
  const auto found = connections_.find(id);
  return found == connections_.end() ? nullptr : &found->second;
}

ConnectionId Connections::connect(Node client, ServerId server) {
  const ConnectionId id(next_++);
  Connection& connection = connections_[id];
  connection.client = client;
  connection.server = server;
  context_.scheduler.after(network_.delay(client, server.value()), [this, id] { arrive(id); });
  return id;
}

void Connections::arrive(ConnectionId id) {
  Connection* connection = find(id);
  if (connection == nullptr) return;
  const Node node = connection->server.value();
  if (!network_.passes(connection->client, node) || !network_.passes(node, connection->client))
    return;  // no answer
  const std::optional<bool> listens = ends_.listens(connection->server);
  if (!listens) return;
  connection->server_end = *listens;
  context_.scheduler.after(network_.delay(node, connection->client), [this, id, ok = *listens] {
    Connection* known = find(id);
    if (known == nullptr || !known->client_end) return;
    const Node client = known->client;
    if (ok) {
      ends_.client_connected(client, id);
    } else {
      connections_.erase(id);
      ends_.client_lost(client, id);
    }
  });
}

void Connections::client_send(ConnectionId id, uint64_t request, server::RequestBody body) {
  Connection* connection = find(id);
  if (connection == nullptr || !connection->client_end) return;
  push_to_server(id, *connection, server::ClientRequest{id, request, std::move(body)});
}

void Connections::client_send(ConnectionId id, ZookeeperBody body) {
  Connection* connection = find(id);
  if (connection == nullptr || !connection->client_end) return;
  push_to_server(id, *connection, server::ZookeeperRequest{id, std::move(body)});
}

void Connections::client_close(ConnectionId id) {
  Connection* connection = find(id);
  if (connection == nullptr || !connection->client_end) return;
  connection->client_end = false;
  connection->to_client.queue.clear();
  push_to_server(id, *connection, Fin{});
}

void Connections::server_send(server::ClientMessage message) {
  Connection* connection = find(message.connection);
  if (connection == nullptr || !connection->server_end) return;
  const ConnectionId id = message.connection;
  push_to_client(id, *connection, std::move(message));
}

void Connections::server_close(ConnectionId id) {
  Connection* connection = find(id);
  if (connection == nullptr || !connection->server_end) return;
  connection->server_end = false;
  const ServerId server = connection->server;
  push_to_client(id, *connection, Fin{});
  ends_.server_lost(server, id);  // as of any connection that ended
}

void Connections::server_died(ServerId server, bool machine_up) {
  for (ConnectionId id : alive()) {
    Connection& connection = connections_.at(id);
    if (connection.server != server || !connection.server_end) continue;
    connection.server_end = false;
    // What the process had handed to its kernel may still arrive before the reset.
    if (context_.random.chance(0.5)) connection.to_client.queue.clear();
    if (machine_up) push_to_client(id, connection, Fin{});
    forget_if_over(id);
  }
}

void Connections::reset(ConnectionId id) {
  Connection* connection = find(id);
  if (connection == nullptr) return;
  connection->to_client.queue.clear();
  connection->to_server.queue.clear();
  push_to_client(id, *connection, Fin{});
  push_to_server(id, *connection, Fin{});
}

std::vector<ConnectionId> Connections::alive() const {
  std::vector<ConnectionId> ids;
  for (const auto& [id, connection] : connections_) ids.push_back(id);
  return ids;
}

void Connections::push_to_server(ConnectionId id, Connection& connection, ToServer payload) {
  Pipe<ToServer>& pipe = connection.to_server;
  const SimTime due = context_.now() + network_.delay(connection.client, connection.server.value());
  pipe.last = std::max(pipe.last, due);
  pipe.queue.emplace_back(pipe.last, std::move(payload));
  if (pipe.pumping) return;
  pipe.pumping = true;
  context_.scheduler.at(pipe.last, [this, id] { pump_to_server(id); });
}

void Connections::push_to_client(ConnectionId id, Connection& connection, ToClient payload) {
  Pipe<ToClient>& pipe = connection.to_client;
  const SimTime due = context_.now() + network_.delay(connection.server.value(), connection.client);
  pipe.last = std::max(pipe.last, due);
  pipe.queue.emplace_back(pipe.last, std::move(payload));
  if (pipe.pumping) return;
  pipe.pumping = true;
  context_.scheduler.at(pipe.last, [this, id] { pump_to_client(id); });
}

void Connections::pump_to_server(ConnectionId id) {
  while (Connection* connection = find(id)) {
    Pipe<ToServer>& pipe = connection->to_server;
    pipe.pumping = false;
    if (pipe.queue.empty()) return;
    SimTime next = pipe.queue.front().first;
    const bool blocked = !network_.passes(connection->client, connection->server.value());
    if (blocked) next = context_.now() + kRetransmit;
    if (blocked || next > context_.now()) {
      pipe.pumping = true;
      context_.scheduler.at(next, [this, id] { pump_to_server(id); });
      return;
    }
    ToServer payload = std::move(pipe.queue.front().second);
    pipe.queue.pop_front();
    at_server(id, *connection, std::move(payload));
  }
}

void Connections::pump_to_client(ConnectionId id) {
  while (Connection* connection = find(id)) {
    Pipe<ToClient>& pipe = connection->to_client;
    pipe.pumping = false;
    if (pipe.queue.empty()) return;
    SimTime next = pipe.queue.front().first;
    const bool blocked = !network_.passes(connection->server.value(), connection->client);
    if (blocked) next = context_.now() + kRetransmit;
    if (blocked || next > context_.now()) {
      pipe.pumping = true;
      context_.scheduler.at(next, [this, id] { pump_to_client(id); });
      return;
    }
    ToClient payload = std::move(pipe.queue.front().second);
    pipe.queue.pop_front();
    at_client(id, *connection, std::move(payload));
  }
}

void Connections::at_server(ConnectionId id, Connection& connection, ToServer payload) {
  if (!connection.server_end) {
    // A machine that is up answers what comes for a dead connection with a reset.
    if (connection.client_end && ends_.listens(connection.server).has_value())
      push_to_client(id, connection, Fin{});
    forget_if_over(id);
    return;
  }
  if (auto* request = std::get_if<server::ClientRequest>(&payload)) {
    context_.say("server " + std::to_string(connection.server.value()), [&] {
      return "client " + std::to_string(connection.client) + " asks: " + describe(request->body);
    });
    ends_.server_received(connection.server, server::ClientReceived{std::move(*request)});
    return;
  }
  if (auto* request = std::get_if<server::ZookeeperRequest>(&payload)) {
    context_.say("server " + std::to_string(connection.server.value()), [&] {
      return "client " + std::to_string(connection.client) + " asks: " + describe(request->body);
    });
    ends_.server_received(connection.server, server::ZookeeperReceived{std::move(*request)});
    return;
  }
  connection.server_end = false;
  const ServerId server = connection.server;
  forget_if_over(id);
  ends_.server_lost(server, id);
}

void Connections::at_client(ConnectionId id, Connection& connection, ToClient payload) {
  if (!connection.client_end) return;
  if (const auto* message = std::get_if<server::ClientMessage>(&payload)) {
    ends_.client_received(connection.client, *message);
    return;
  }
  connection.client_end = false;
  const Node client = connection.client;
  forget_if_over(id);
  ends_.client_lost(client, id);
}

void Connections::forget_if_over(ConnectionId id) {
  const Connection* connection = find(id);
  if (connection != nullptr && !connection->client_end && !connection->server_end) connections_.erase(id);
}

}  // namespace quorate::sim
