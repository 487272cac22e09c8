// A client of ZooKeeper's protocol in virtual time: requests of one session, many under way at once, over one
// connection at a time; one-shot watches on the keys and a persistent one on a tree, which it asks for again
// by setWatches2 wherever it comes to.
//
// What it is told is held to the model (tests/sim/model.h), and to ZooKeeper's promises: answers come in the
// order of the requests; what a session is shown never goes back, not over reconnects either; a read shows
// the writes asked for before it and none asked for later; each write is applied once; an event comes before
// an answer that shows its change, and none is lost.
//
// Thread safety: none.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <vector>

#include "proto/zookeeper.h"
#include "tests/sim/workloads.h"
#include "tests/sim/zookeeper_watches.h"

namespace quorate::sim {

class ZookeeperClient final : public ClientMachine {
 public:
  ZookeeperClient(Context& context, Connections& connections, uint32_t number, uint32_t servers, Histories&);

  SessionId session() const override { return SessionId(static_cast<uint64_t>(session_)); }
  // The protocol gives it no way to know.
  bool lease_valid() const override { return false; }
  bool has_requests_in_flight() const override { return !queue_.empty(); }
  bool idle() const override { return queue_.empty() && phase_ == Phase::kReady; }
  void start() override;
  Verdict at_end() const override { return watches_.at_end(name()); }

  void connected(ConnectionId id) override;
  void received(const server::ClientMessage& message) override;
  void lost(ConnectionId id) override;

 private:
  static constexpr size_t kOutstandingMax = 12;
  enum class Phase : uint8_t { kDisconnected, kConnecting, kGreeting, kReady };
  struct Asked {
    int32_t xid = 0;
    zookeeper::RequestBody body;
  };

  // ---- the connection and the session
  void connect();
  void disconnect(std::string_view why);
  void welcomed(const zookeeper::ConnectReply& reply);
  void session_over(std::string_view why);
  void ping();
  void watchdog();
  Duration patience() const { return std::chrono::milliseconds(timeout_ms_ / 3); }

  // ---- requests and answers
  void act_soon();
  void act();
  void one();
  std::string key();
  void set_own();
  void ask(zookeeper::RequestBody body);
  void answered(const zookeeper::Reply& reply);
  void check(const zookeeper::RequestBody& body, const zookeeper::Reply& reply);
  void check_read(const std::string& path, bool with_data, const zookeeper::Reply& reply,
                  const kv::Stat* stat, const std::string& data);
  void own_is(int32_t version);
  void violate(const std::string& what) const;

  const std::string own_;  // the node that nobody else writes
  ZookeeperWatches watches_;

  Phase phase_ = Phase::kDisconnected;
  ConnectionId connection_;
  ServerId server_;
  uint64_t generation_ = 0;
  Instant last_heard_{};
  bool acting_ = false;

  int64_t session_ = 0;
  kv::SessionPassword password_{};
  uint32_t timeout_ms_;
  int32_t next_xid_ = 1;
  int64_t shown_ = 0;  // the last answer's zxid, in this session
  std::deque<Asked> queue_;

  // What the version of the own node can be: each set that was lost with its connection may have been
  // applied. Below 0: there is no node.
  int64_t version_min_ = -1, version_max_ = -1;
  bool maybe_created_ = false;
  uint64_t next_value_ = 1;
};

}  // namespace quorate::sim
