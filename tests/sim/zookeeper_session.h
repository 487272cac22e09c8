// A session of ZooKeeper's protocol in virtual time, over one connection at a time: requests and answers in
// their order, pings, and one-shot watches (and a persistent one) that are asked for again wherever it comes
// to. What it asks for is up to those that derive from it.
//
// Held to ZooKeeper's promises here: answers come in the order of the requests; what a session is shown never
// goes back, not over reconnects either; an event comes before an answer that shows its change.
//
// Thread safety: none.
#pragma once

#include <cstdint>
#include <deque>
#include <string>

#include "proto/zookeeper.h"
#include "tests/sim/workloads.h"
#include "tests/sim/zookeeper_watches.h"

namespace quorate::sim {

inline const zookeeper::Acl kOpenToAll = {{31, "world", "anyone"}};
Zxid zxid_of(int64_t number);
kv::Stat stat_of(const zookeeper::Stat& stat);

class ZookeeperSession : public ClientMachine {
 public:
  // `watched_root`: of a persistent watch.
  ZookeeperSession(Context& context, Connections& connections, uint32_t number, uint32_t servers,
                   std::string watched_root);

  SessionId session() const override { return SessionId(static_cast<uint64_t>(session_)); }
  bool has_requests_in_flight() const override { return !queue_.empty(); }
  bool idle() const override { return queue_.empty() && ready(); }
  void start() override;
  Verdict at_end() const override { return watches_.at_end(name()); }

  void connected(ConnectionId id) override;
  void received(const server::ClientMessage& message) override;
  void lost(ConnectionId id) override;

 protected:
  // Every now and then while the session can be used.
  virtual void act() = 0;
  // The session can be used over this connection; what was not answered over the one before is not asked
  // again.
  virtual void on_ready(bool fresh) = 0;
  virtual void on_answer(const zookeeper::RequestBody& body, const zookeeper::Reply& reply) = 0;
  // Its connection is lost, and whether it was done is not known.
  virtual void on_unanswered(const zookeeper::RequestBody& body) = 0;
  virtual void on_event(const kv::WatchEvent&) {}
  virtual void on_session_over() {}

  bool ready() const { return phase_ == Phase::kReady; }
  // Sent now. REQUIRES: ready().
  void ask(zookeeper::RequestBody body);
  size_t asked() const { return queue_.size(); }
  // It comes back after so long, or soon.
  void disconnect(std::string_view why, Duration away = {});
  void violate(const std::string& what) const;
  // The answer is that of a read at its zxid; `stat` is null where there is no node.
  void check_read(const std::string& path, bool with_data, const zookeeper::Reply& reply,
                  const kv::Stat* stat, const std::string& data) const;
  void check_list(const std::string& path, const zookeeper::Reply& reply) const;
  uint32_t timeout_ms() const { return timeout_ms_; }
  // By the local clock: a sign of life that was sent so early enough before the end of the session was
  // answered. What ZooKeeper's own clients allow for: two thirds of the timeout.
  bool heard_in_time() const { return session_ != 0 && local_now() < lease_end_; }

  ZookeeperWatches watches_;

 private:
  enum class Phase : uint8_t { kDisconnected, kConnecting, kGreeting, kReady };
  struct Asked {
    int32_t xid = 0;
    zookeeper::RequestBody body;
  };

  void connect();
  void welcomed(const zookeeper::ConnectReply& reply);
  void answered(const zookeeper::Reply& reply);
  void session_over(std::string_view why);
  void act_soon();
  void ping();
  void watchdog();
  void alive(Instant sent);
  Duration patience() const { return std::chrono::milliseconds(timeout_ms_ / 3); }

  Phase phase_ = Phase::kDisconnected;
  ConnectionId connection_;
  ServerId server_;
  uint64_t generation_ = 0;
  Instant last_heard_{};
  bool acting_ = false;

  int64_t session_ = 0;
  kv::SessionPassword password_{};
  uint32_t timeout_ms_;
  Instant lease_end_{};
  Instant greeted_{};          // when this connection's first words were sent
  std::deque<Instant> pings_;  // when those that are not answered were sent
  int32_t next_xid_ = 1;
  int64_t shown_ = 0;  // the last answer's zxid, in this session
  std::deque<Asked> queue_;
};

}  // namespace quorate::sim
