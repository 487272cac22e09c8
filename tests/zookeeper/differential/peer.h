// A client of ZooKeeper's protocol that asks one thing at a time and waits: one session, at one of several
// servers.
//
// Thread safety: none.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <vector>

#include "proto/zookeeper_codec.h"

namespace quorate::differential {

class Peer {
 public:
  // Connects to the server at `at`, modulo their number, with a session of its own. What goes wrong with the
  // connection ends the program with a sentence.
  Peer(std::vector<uint16_t> ports, size_t at, uint32_t timeout_ms);
  ~Peer();
  Peer(const Peer&) = delete;
  Peer& operator=(const Peer&) = delete;

  zookeeper::Reply ask(const zookeeper::RequestBody& body);
  const std::vector<zookeeper::Event>& events() const { return events_; }
  // Events that have arrived since they were taken last.
  std::vector<zookeeper::Event> take_events();
  // Drops the connection and attaches the session to a new one, to the server at `at`.
  void reconnect(size_t at);
  // Whether the server gives the session to another connection, that knows its password or does not quite.
  bool gives_to_another(bool right_password) const;
  // The server has closed it, or it was closed here.
  bool closed() const { return socket_ < 0; }
  int64_t session() const { return session_.session; }
  int64_t last_zxid() const { return last_zxid_; }

 private:
  // Another connection, with what it is answered instead of a session.
  Peer(const Peer& other, const zookeeper::ConnectRequest& request);
  zookeeper::ConnectReply open(const zookeeper::ConnectRequest& request);
  void attach();
  void close();
  void send(const std::string& bytes);
  // False: the connection has ended.
  bool receive(std::string& frame);

  const std::vector<uint16_t> ports_;
  size_t at_;
  const uint32_t timeout_ms_;
  zookeeper::ConnectReply session_;
  int socket_ = -1;
  int32_t xid_ = 0;
  int64_t last_zxid_ = 0;
  std::string input_;
  std::vector<zookeeper::Event> events_;
};

}  // namespace quorate::differential
