// A client's machine, whatever protocol it speaks: a name, a clock of its own, and pauses, during which what
// happens to it waits.
//
// Thread safety: none.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <string>
#include <string_view>

#include "server/client_message.h"
#include "tests/sim/clock.h"
#include "tests/sim/connections.h"
#include "tests/sim/context.h"
#include "tests/sim/network.h"

namespace quorate::sim {

class ClientMachine {
 public:
  // `number` from 0 on; the machine is kFirstClientNode + number.
  ClientMachine(Context& context, Connections& connections, uint32_t number, uint32_t servers);
  virtual ~ClientMachine() = default;

  Node node() const { return kFirstClientNode + number_; }
  uint32_t number() const { return number_; }
  const std::string& name() const { return name_; }
  Clock& clock() { return clock_; }
  uint64_t operations_done() const { return operations_done_; }
  virtual SessionId session() const = 0;
  // Whether it may rely on its session, by its own clock, with the 10 % that it allows for clocks that
  // differ.
  virtual bool lease_valid() const = 0;
  virtual bool has_requests_in_flight() const = 0;

  virtual void start() = 0;
  // It starts no new operations from now on, and may be asked whether it is done with the old ones.
  void wind_down() { winding_down_ = true; }
  virtual bool idle() const = 0;
  // When all is healed, quiet and told: what is missing.
  virtual Verdict at_end() const { return std::nullopt; }

  void pause(Duration length);
  void resume();
  bool paused() const { return paused_until_ > context_.now(); }

  // What arrives for this client.
  virtual void connected(ConnectionId id) = 0;
  virtual void received(const server::ClientMessage& message) = 0;
  virtual void lost(ConnectionId id) = 0;

 protected:
  // In this much time by the client's own clock, and not while it is paused.
  void in(Duration local, std::function<void()> action);
  void when_awake(std::function<void()> action);
  Instant local_now() const { return clock_.read(context_.now()); }
  bool winding_down() const { return winding_down_; }
  void done_one() { ++operations_done_; }
  ConnectionId connect_to(ServerId server);
  void leave(ConnectionId connection, ServerId server, std::string_view why);
  ServerId any_server() { return ServerId(1 + static_cast<uint32_t>(random_.below(servers_))); }

  Context& context_;
  Random random_;
  Connections& connections_;

 private:
  void wake();

  const uint32_t number_;
  const uint32_t servers_;
  const std::string name_;
  Clock clock_;
  bool winding_down_ = false;
  SimTime paused_until_{0};
  std::deque<std::function<void()>> deferred_;
  uint64_t operations_done_ = 0;
};

}  // namespace quorate::sim
