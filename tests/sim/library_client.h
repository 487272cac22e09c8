// A machine on which a program runs that uses the client library: the real one (client/), recipes and all, in
// virtual time. What the library asks of its host (client/host.h) is given by this machine: its clock, its
// share of chance, and fibers in place of threads. The engine's frames go over the simulated connections as
// the bytes of the protocol, through the codecs of both sides.
//
// The program is the workload's: live(). It is begun again, with a new client, whenever it has come to an
// end: when its session is over, or it was killed. It is killed as processes are: whatever it waits for is
// told at once that the client was closed, so that it ends; nothing that it does from then on leaves the
// machine.
//
// Thread safety: none.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "client/host.h"
#include "tests/sim/client_machine.h"
#include "tests/sim/fiber.h"

namespace quorate::sim {

class LibraryClient : public ClientMachine {
 public:
  LibraryClient(Context& context, Connections& connections, uint32_t number, uint32_t servers);
  ~LibraryClient() override;

  SessionId session() const override;
  bool lease_valid() const override;
  bool has_requests_in_flight() const override;
  void start() override;
  bool idle() const override { return ended_; }
  void connected(ConnectionId id) override;
  void received(const server::ClientMessage& message) override;
  void lost(ConnectionId id) override;

 protected:
  // ---- for the program: on its fibers

  // From one start to the end: while goes_on(). Runs at least until the client has no more use.
  virtual void live(client::Client& client) = 0;
  bool goes_on(const client::Client& client) const;
  bool killed() const { return killed_; }
  void sleep(Duration local);
  // A short time, or (rarely, in times of trouble) so long that the session may end meanwhile.
  void think();
  // Ends the run if something is wrong.
  void check(const Verdict& verdict) const;
  // Whether an operation of the library was done. Errors that say that the servers, or the session, did not
  // let it be done are expected; others are not.
  bool served(const Error& error);
  template <class T>
  bool served(const Result<T>& result) {
    return served(result.ok() ? Error{} : result.error());
  }
  client::Host& host();
  uint32_t timeout_ms() const { return timeout_ms_; }
  // Of this machine, since the run began: no two programs on it have the same.
  uint64_t life() const { return life_; }
  // Connections that it tried.
  uint64_t links() const { return links_; }

 private:
  class MachineHost;
  class MachineLoop;
  struct Waiter;

  void run();
  void plan_kill();
  void start_fiber(std::shared_ptr<Fiber> fiber);
  void resume(Fiber& fiber);
  void look_at_waiters();
  void look_again_at(Instant until);

  const std::unique_ptr<MachineHost> host_;
  const uint32_t timeout_ms_;
  std::vector<ServerId> endpoints_;
  std::vector<std::shared_ptr<Fiber>> fibers_;  // those that have not ended
  std::vector<Waiter*> waiters_;
  MachineLoop* loop_ = nullptr;  // of the client that runs, if one does
  uint64_t life_ = 0, links_ = 0;
  bool killed_ = false, ended_ = true;
};

}  // namespace quorate::sim
