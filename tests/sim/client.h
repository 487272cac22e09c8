// A native client with its session, in virtual time, as docs/protocol.md asks it to behave: one connection at
// a time, numbered writes that are sent again under the same number, a lease counted from the sending of the
// last answered ping.
//
// What it does with the session is its workload's choice: workloads derive from it.
//
// Thread safety: none.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "tests/sim/client_machine.h"

namespace quorate::sim {

class Client : public ClientMachine {
 public:
  Client(Context& context, Connections& connections, uint32_t number, uint32_t servers);

  SessionId session() const override { return session_; }
  bool lease_valid() const override { return session_.value() != 0 && local_now() < lease_end_; }
  bool has_requests_in_flight() const override { return !writes_.empty() || !reads_.empty(); }

  void start() override;
  bool idle() const override { return writes_.empty() && reads_.empty(); }

  void connected(ConnectionId id) override;
  void received(const server::ClientMessage& message) override;
  void lost(ConnectionId id) override;

 protected:
  // The outcome, or nothing when the session ended first: it may or may not have been applied.
  using WriteDone = std::function<void(const kv::Outcome*)>;
  // REQUIRES: session_ready().
  void write(kv::Operation operation, WriteDone done);
  // REQUIRES: session_ready() and no write under way.
  void close_session();
  // Says who it is; numbered as a write. REQUIRES: session_ready().
  void prove(std::string scheme, std::string proof, WriteDone done);
  // To another server, perhaps, with whatever is under way. REQUIRES: session_ready().
  void move() { disconnect("it moves on"); }
  // Sent again on other servers until there is an answer.
  using ReadDone = std::function<void(const server::ClientReply&)>;
  void read(server::RequestBody body, ReadDone done);
  // Sent once; no answer if the connection is lost.
  void ask_once(server::RequestBody body, ReadDone done);
  // A request may be sent.
  bool session_ready() const { return phase_ == Phase::kReady && !closing_; }
  bool has_writes_in_flight() const { return !writes_.empty(); }
  ConnectionId connection() const { return connection_; }
  uint32_t timeout_ms() const { return timeout_ms_; }

  // A session is open on this connection; `fresh`: a new one. Writes under way were sent again before, reads
  // are after.
  virtual void on_ready(bool fresh) = 0;
  // Every write under way has been told that it is unknown.
  virtual void on_session_lost() = 0;
  virtual void on_grant(const lock::Grant&) {}
  virtual void on_loss(const lock::Loss&) {}
  virtual void on_watch(const kv::WatchEvent&) {}
  virtual void on_feed(const kv::FeedBatch&) {}
  virtual void on_progress(Zxid) {}

 private:
  enum class Phase : uint8_t { kDisconnected, kConnecting, kGreeting, kReady };
  struct Write {
    std::variant<kv::Operation, kv::Credential> what;  // a credential: its proof for its id
    WriteDone done;
    bool refused = false;  // since it was last sent
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
    bool over = false;  // by then an operator had been told that the session is over
  };

  void connect_soon(Duration after);
  void connect();
  void disconnect(std::string_view why);
  void greet();
  void greeted(const server::ClientReply& reply, const Asked& asked);
  void session_lost(std::string_view why);
  void send(server::RequestBody body, Asked asked);
  void send_write(uint64_t number);
  void send_writes_again_soon();
  void check_refused(uint64_t number) const;
  void answered(const server::ClientReply& reply);
  void write_answered(uint64_t number, const server::ClientReply& reply);
  void read_answered(uint64_t key, const server::ClientReply& reply);
  void ping();
  void watchdog();
  Duration patience() const;

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
