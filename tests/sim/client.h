// A native client with its session, in virtual time, as docs/protocol.md asks it to behave: one connection at
// a time, numbered writes that are sent again under the same number, a lease counted from the sending of the
// last answered ping.
//
// What it does with the session is its workload's choice: workloads derive from it.
//
// Thread safety: none.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "server/client_message.h"
#include "tests/sim/clock.h"
#include "tests/sim/connections.h"
#include "tests/sim/context.h"
#include "tests/sim/network.h"

namespace quorate::sim {

class Client {
 public:
  // `number` from 0 on; the machine is kFirstClientNode + number.
  Client(Context& context, Connections& connections, uint32_t number, uint32_t servers);
  virtual ~Client() = default;

  Node node() const { return kFirstClientNode + number_; }
  uint32_t number() const { return number_; }
  const std::string& name() const { return name_; }
  Clock& clock() { return clock_; }
  SessionId session() const { return session_; }
  // By its own clock, with the 10 % that it allows for clocks that differ.
  bool lease_valid() const { return session_.value() != 0 && clock_.read(context_.now()) < lease_end_; }
  bool has_requests_in_flight() const { return !writes_.empty() || !reads_.empty(); }
  uint64_t operations_done() const { return operations_done_; }

  void start();
  // It starts no new operations from now on, and may be asked whether it is done with the old ones.
  void wind_down() { winding_down_ = true; }
  // When all is healed, quiet and told: what is missing.
  virtual Verdict at_end() const { return std::nullopt; }
  virtual bool idle() const { return writes_.empty() && reads_.empty(); }

  void pause(Duration length);
  void resume();
  bool paused() const { return paused_until_ > context_.now(); }

  // What arrives for this client.
  void connected(ConnectionId id);
  void received(const server::ClientMessage& message);
  void lost(ConnectionId id);

 protected:
  // The outcome, or nothing when the session ended first: it may or may not have been applied.
  using WriteDone = std::function<void(const kv::Outcome*)>;
  // REQUIRES: session_ready().
  void write(kv::Operation operation, WriteDone done);
  // REQUIRES: session_ready() and no write under way.
  void close_session();
  // To another server, perhaps, with whatever is under way. REQUIRES: session_ready().
  void move() { disconnect("it moves on"); }
  // Sent again on other servers until there is an answer.
  using ReadDone = std::function<void(const server::ClientReply&)>;
  void read(server::RequestBody body, ReadDone done);
  // Sent once; no answer if the connection is lost.
  void ask_once(server::RequestBody body, ReadDone done);
  // In this much time by the client's own clock, and not while it is paused.
  void in(Duration local, std::function<void()> action);

  // A request may be sent.
  bool session_ready() const { return phase_ == Phase::kReady && !closing_; }
  bool has_writes_in_flight() const { return !writes_.empty(); }
  ConnectionId connection() const { return connection_; }
  bool winding_down() const { return winding_down_; }
  uint32_t timeout_ms() const { return timeout_ms_; }
  void done_one() { ++operations_done_; }

  // A session is open on this connection; `fresh`: a new one. Writes under way were sent again before, reads
  // are after.
  virtual void on_ready(bool fresh) = 0;
  // Every write under way has been told that it is unknown.
  virtual void on_session_lost() = 0;
  virtual void on_grant(const lock::Grant&) {}
  virtual void on_watch(const kv::WatchEvent&) {}
  virtual void on_feed(const kv::FeedBatch&) {}
  virtual void on_progress(Zxid) {}

  Context& context_;
  Random random_;

 private:
  enum class Phase : uint8_t { kDisconnected, kConnecting, kGreeting, kReady };
  struct Write {
    kv::Operation operation;
    WriteDone done;
  };
  struct Read {
    server::RequestBody body;
    ReadDone done;
    bool once = false;
  };
  // What an answer on this connection belongs to.
  struct Asked {
    enum class What : uint8_t { kOpen, kAttach, kPing, kWrite, kRead } what;
    uint64_t key = 0;  // the write's number, or the read's
    Instant sent{};
  };

  void when_awake(std::function<void()> action);
  void wake();
  void connect_soon(Duration after);
  void connect();
  void disconnect(std::string_view why);
  void greet();
  void greeted(const server::ClientReply& reply, const Asked& asked);
  void session_lost(std::string_view why);
  void send(server::RequestBody body, Asked asked);
  void send_write(uint64_t number);
  void send_writes_again_soon();
  void answered(const server::ClientReply& reply);
  void write_answered(uint64_t number, const server::ClientReply& reply);
  void read_answered(uint64_t key, const server::ClientReply& reply);
  void ping();
  void watchdog();
  Duration patience() const;

  Connections& connections_;
  const uint32_t number_;
  const uint32_t servers_;
  const std::string name_;
  Clock clock_;
  bool winding_down_ = false;
  SimTime paused_until_{0};
  std::deque<std::function<void()>> deferred_;
  uint64_t operations_done_ = 0;

  // The connection.
  Phase phase_ = Phase::kDisconnected;
  ConnectionId connection_;
  ServerId server_;
  uint64_t connection_generation_ = 0;
  uint64_t next_request_ = 1;
  std::map<uint64_t, Asked> asked_;
  Instant last_heard_{};

  // The session.
  SessionId session_;
  kv::SessionPassword password_{};
  uint32_t wished_timeout_ms_ = 0, timeout_ms_ = 0;
  // Whether its attaches say which of its connections is the newest.
  const bool counts_attempts_;
  ServerId attached_to_;  // the server that it was attached to last, 0: none yet
  Instant lease_end_{};
  bool closing_ = false;
  uint64_t next_number_ = 1;
  std::map<uint64_t, Write> writes_;
  bool resend_scheduled_ = false;
  uint64_t next_read_ = 1;
  std::map<uint64_t, Read> reads_;
};

}  // namespace quorate::sim
