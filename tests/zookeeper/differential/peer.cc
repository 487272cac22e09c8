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
namespace {

constexpr size_t kFrameBytesMax = 16 << 20;

[[noreturn]] void give_up(const std::string& what) {
  std::fprintf(stderr, "differential: %s\n", what.c_str());
  std::exit(2);
}

}  // namespace

Peer::Peer(std::string host, uint16_t port, uint32_t timeout_ms)
    : host_(std::move(host)), port_(port), timeout_ms_(timeout_ms) {
  open();
}
Peer::~Peer() { close(); }

void Peer::open() {
  socket_ = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port_);
  inet_pton(AF_INET, host_.c_str(), &address.sin_addr);
  if (::connect(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0)
    give_up("cannot connect to " + host_ + ":" + std::to_string(port_));
  const int on = 1;
  setsockopt(socket_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  input_.clear();
  zookeeper::ConnectRequest request;
  request.timeout_ms = static_cast<int32_t>(timeout_ms_);
  request.session = session_.session;
  request.password = session_.password;
  request.last_zxid_seen = last_zxid_;
  request.read_only = false;
  std::string bytes;
  zookeeper::append_connect_request(bytes, request);
  send(bytes);
  std::string frame;
  if (!receive(frame)) give_up("the server closed the connection instead of giving a session");
  const auto reply = zookeeper::decode_connect_reply(frame);
  if (!reply.ok()) give_up(reply.error().message);
  if (reply->timeout_ms <= 0) give_up("the session has expired");
  session_ = *reply;
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
    const auto size = zookeeper::frame_size(input_, kFrameBytesMax);
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

zookeeper::Reply Peer::ask(const zookeeper::RequestBody& body) {
  const zookeeper::OpCode op = zookeeper::op_of(body);
  int32_t xid = ++xid_;
  if (op == zookeeper::OpCode::kAuth) xid = zookeeper::kAuthXid;
  if (op == zookeeper::OpCode::kSetWatches || op == zookeeper::OpCode::kSetWatches2)
    xid = zookeeper::kSetWatchesXid;
  std::string bytes;
  zookeeper::append_request(bytes, {xid, body});
  send(bytes);
  std::string frame;
  while (receive(frame)) {
    const auto number = zookeeper::reply_xid(frame);
    if (!number.ok()) give_up(number.error().message);
    if (*number == zookeeper::kNotificationXid) {
      const auto event = zookeeper::decode_event(frame);
      if (!event.ok()) give_up(event.error().message);
      events_.push_back(*event);
      continue;
    }
    const auto reply = zookeeper::decode_reply(frame, op);
    if (!reply.ok()) give_up(reply.error().message);
    if (reply->xid != xid) give_up("an answer to another request than the one that was asked");
    if (reply->zxid > 0) last_zxid_ = reply->zxid;
    if (op == zookeeper::OpCode::kCloseSession) close();
    return *reply;
  }
  return {xid, 0, zookeeper::ErrorCode::kConnectionLoss, {}};
}

std::vector<zookeeper::Event> Peer::take_events() { return std::exchange(events_, {}); }

void Peer::reconnect() {
  close();
  open();
}

}  // namespace quorate::differential
