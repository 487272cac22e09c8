#include "tests/sim/client_machine.h"

namespace quorate::sim {

ClientMachine::ClientMachine(Context& context, Connections& connections, uint32_t number, uint32_t servers)
    : context_(context),
      random_(context.random.next()),
      connections_(connections),
      number_(number),
      servers_(servers),
      name_("client " + std::to_string(kFirstClientNode + number)),
      clock_(context.now(), Instant(random_.between(Duration(0), std::chrono::hours(100)))) {}

// While it is paused what happens to it waits, and is then done in its order.
void ClientMachine::when_awake(std::function<void()> action) {
  if (!paused() && deferred_.empty()) {
    action();
    return;
  }
  deferred_.push_back(std::move(action));
}

ConnectionId ClientMachine::connect_to(ServerId server) {
  ++context_.statistics.reconnects;
  const ConnectionId connection = connections_.connect(node(), server);
  context_.say(name(), [&] {
    return "connects to " + std::to_string(server.value()) + " as connection " +
           std::to_string(connection.value());
  });
  return connection;
}

void ClientMachine::leave(ConnectionId connection, ServerId server, std::string_view why) {
  context_.say(name(),
               [&] { return "leaves server " + std::to_string(server.value()) + ": " + std::string(why); });
  connections_.client_close(connection);
}

void ClientMachine::wake() {
  while (!paused() && !deferred_.empty()) {
    const std::function<void()> action = std::move(deferred_.front());
    // Left in the queue while it runs, so that what it causes does not overtake what waits.
    action();
    deferred_.pop_front();
  }
}

void ClientMachine::in(Duration local, std::function<void()> action) {
  const SimTime due = clock_.when(clock_.read(context_.now()) + local, context_.now());
  context_.scheduler.at(due, [this, action = std::move(action)] { when_awake(action); });
}

void ClientMachine::pause(Duration length) {
  if (paused()) return;
  context_.say(name_, [&] { return "is paused for " + std::to_string(to_ms(length)) + " ms"; });
  paused_until_ = context_.now() + length;
  context_.scheduler.at(paused_until_, [this] { wake(); });
}

void ClientMachine::resume() {
  paused_until_ = context_.now();
  wake();
}

}  // namespace quorate::sim
