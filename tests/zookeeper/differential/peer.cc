#include "tests/zookeeper/differential/peer.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <utility>

namespace quorate::differential {

using namespace zookeeper;

namespace {

constexpr size_t kFrameBytesMax = 16 << 20;

[[noreturn]] void give_up(const std::string& what) {
  std::fprintf(stderr, "differential: %s\n", what.c_str());
  std::exit(2);
}

}  // namespace

Peer::Peer(std::vector<uint16_t> ports, size_t at, uint32_t timeout_ms)
    : ports_(std::move(ports)), at_(at), timeout_ms_(timeout_ms) {
  attach();
}
Peer::~Peer() { close(); }

ConnectReply Peer::open(const ConnectRequest& request) {
  const uint16_t port = ports_[at_ % ports_.size()];
  socket_ = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  inet_pton(AF_INET, "127.0.0.1", &address.sin_addr);
  if (::connect(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0)
    give_up("cannot connect to port " + std::to_string(port));
  const int on = 1;
  setsockopt(socket_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  input_.clear();
  std::string bytes;
  append_connect_request(bytes, request);
  send(bytes);
  std::string frame;
  if (!receive(frame)) give_up("the server closed the connection instead of giving a session");
  const auto reply = decode_connect_reply(frame);
  if (!reply.ok()) give_up(reply.error().message);
  return *reply;
}

void Peer::attach() {
  ConnectRequest request;
  request.timeout_ms = static_cast<int32_t>(timeout_ms_);
  request.session = session_.session;
  request.password = session_.password;
  request.last_zxid_seen = last_zxid_;
  request.read_only = false;
  const ConnectReply reply = open(request);
  if (reply.timeout_ms <= 0) give_up("the session has expired");
  session_ = reply;
}

Peer::Peer(const Peer& other, const ConnectRequest& request)
    : ports_(other.ports_), at_(other.at_), timeout_ms_(other.timeout_ms_) {
  session_ = open(request);
}

bool Peer::gives_to_another(bool right_password) const {
  ConnectRequest request;
  request.timeout_ms = static_cast<int32_t>(timeout_ms_);
  request.session = session_.session;
  request.password = session_.password;
  if (!right_password) request.password[0] ^= 1;
  request.read_only = false;
  const Peer another(*this, request);
  return another.session_.timeout_ms > 0;
}

void Peer::close() {
  if (socket_ >= 0) ::close(socket_);
  socket_ = -1;
}

void Peer::send(const std::string& bytes) {
  for (size_t sent = 0; sent < bytes.size();) {
    const ssize_t count = ::send(socket_, bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL);
    if (count <= 0) return close();
    sent += static_cast<size_t>(count);
  }
}

bool Peer::receive(std::string& frame) {
  while (socket_ >= 0) {
    const auto size = frame_size(input_, kFrameBytesMax);
    if (!size.ok()) give_up(size.error().message);
    if (*size > 0 && *size <= input_.size()) {
      frame = input_.substr(4, *size - 4);
      input_.erase(0, *size);
      return true;
    }
    char buffer[65536];
    const ssize_t count = ::recv(socket_, buffer, sizeof(buffer), 0);
    if (count <= 0) {
      close();
      return false;
    }
    input_.append(buffer, static_cast<size_t>(count));
  }
  return false;
}

Reply Peer::ask(const RequestBody& body) {
  const OpCode op = op_of(body);
  int32_t xid = ++xid_;
  if (op == OpCode::kPing) xid = kPingXid;
  if (op == OpCode::kAuth) xid = kAuthXid;
  if (op == OpCode::kSetWatches || op == OpCode::kSetWatches2) xid = kSetWatchesXid;
  std::string bytes;
  append_request(bytes, {xid, body});
  send(bytes);
  std::string frame;
  while (receive(frame)) {
    const auto number = reply_xid(frame);
    if (!number.ok()) give_up(number.error().message);
    if (*number == kNotificationXid) {
      const auto event = decode_event(frame);
      if (!event.ok()) give_up(event.error().message);
      events_.push_back(*event);
      continue;
    }
    const auto reply = decode_reply(frame, op);
    if (!reply.ok()) give_up(reply.error().message);
    if (reply->xid != xid) give_up("an answer to another request than the one that was asked");
    if (reply->zxid > 0) last_zxid_ = reply->zxid;
    if (op == OpCode::kCloseSession) close();
    return *reply;
  }
  return {xid, 0, zookeeper::ErrorCode::kConnectionLoss, {}};
}

std::vector<Event> Peer::take_events() { return std::exchange(events_, {}); }

void Peer::reconnect(size_t at) {
  close();
  at_ = at;
  attach();
}

}  // namespace quorate::differential
