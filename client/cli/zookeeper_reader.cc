#include "client/cli/zookeeper_reader.h"

#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <memory>
#include <thread>
#include <utility>

#include "proto/zookeeper_codec.h"

namespace quorate::cli {

namespace zk = zookeeper;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

namespace {

// Signals are looked at so often.
constexpr milliseconds kLook{50};
constexpr milliseconds kRetryInterval{100};
// A server that is silent for this part of the patience is left for the next.
constexpr int kTriesInPatience = 3;
// An import asks all the time; the rest is for building and comparing in between.
constexpr int32_t kSessionTimeoutMs = 30'000;
constexpr size_t kReadBytes = 256 << 10;

Error invalid_endpoint(const std::string& endpoint) {
  return {ErrorCode::kInvalidArgument,
          "'" + endpoint + "' is no address of a server: write HOST:PORT, for example 127.0.0.1:2181"};
}

// Sets host and port; an IPv6 address stands in brackets.
bool split_endpoint(const std::string& endpoint, std::string& host, std::string& port) {
  const size_t colon = endpoint.rfind(':');
  if (colon == std::string::npos || colon == 0 || colon + 1 == endpoint.size()) return false;
  host = endpoint.substr(0, colon);
  port = endpoint.substr(colon + 1);
  if (host.front() == '[' && host.back() == ']') host = host.substr(1, host.size() - 2);
  return !host.empty() && std::all_of(port.begin(), port.end(), [](char c) { return c >= '0' && c <= '9'; });
}

}  // namespace

ZookeeperReader::ZookeeperReader(ZookeeperSource source, Signals& signals)
    : source_(std::move(source)), signals_(signals) {}

ZookeeperReader::~ZookeeperReader() {
  if (socket_ >= 0) {
    // So that the server need not wait for the session's timeout. It goes, or it does not.
    std::string bye;
    zk::append_request(bye, {0, zk::CloseSession{}});
    (void)!::send(socket_, bye.data(), bye.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  }
  disconnect();
}

void ZookeeperReader::ask(zk::RequestBody body, Take take) {
  waiting_.push_back({std::move(body), std::move(take)});
}

Status ZookeeperReader::run() {
  heard_ = steady_clock::now();
  while (!waiting_.empty() || !outstanding_.empty()) {
    if (Status connected = keep_connected(); !connected.ok()) return connected;
    while (!waiting_.empty() && outstanding_.size() < kOutstandingMax) {
      const auto xid = static_cast<int32_t>(static_cast<size_t>(first_xid_) + outstanding_.size());
      zk::append_request(to_send_, {xid, waiting_.front().body});
      outstanding_.push_back(std::move(waiting_.front()));
      waiting_.pop_front();
    }
    Status done = wait_for(static_cast<short>(to_send_.empty() ? POLLIN : POLLIN | POLLOUT));
    if (done.code() == ErrorCode::kUnavailable) {
      lost(done.error().message);
      continue;
    }
    if (!done.ok()) return done;
    send_some();
    if (receive_some()) heard_ = steady_clock::now();
    if (Status taken = take_answers(); !taken.ok()) return taken;
  }
  return {};
}

// ---- the connection

void ZookeeperReader::disconnect() {
  if (socket_ >= 0) ::close(socket_);
  socket_ = -1;
  to_send_.clear();
  received_.clear();
  received_at_ = 0;
  // What is not answered is asked again before everything else.
  while (!outstanding_.empty()) {
    waiting_.push_front(std::move(outstanding_.back()));
    outstanding_.pop_back();
  }
  first_xid_ = 1;
}

void ZookeeperReader::lost(const std::string& why) {
  last_error_ = where_ + ": " + why;
  disconnect();
}

Status ZookeeperReader::check_signals() {
  const int signal = signals_.next(0);
  if (!ends_a_command(signal)) return {};
  interrupted_ = signal;
  return Error{ErrorCode::kShuttingDown, "interrupted"};
}

Status ZookeeperReader::keep_connected() {
  bool first = true;
  while (socket_ < 0) {
    if (Status quiet = check_signals(); !quiet.ok()) return quiet;
    if (steady_clock::now() - heard_ > source_.patience)
      return Error{ErrorCode::kUnavailable, "no ZooKeeper server answers: " + last_error_};
    // A round over all servers without a pause, then the next one a little later.
    if (!first && next_endpoint_ % source_.endpoints.size() == 0) std::this_thread::sleep_for(kRetryInterval);
    first = false;
    const std::string& endpoint = source_.endpoints[next_endpoint_++ % source_.endpoints.size()];
    const Status connected = try_connect(endpoint);
    if (connected.ok()) return {};
    disconnect();
    if (connected.code() != ErrorCode::kUnavailable) return connected;
    last_error_ = endpoint + ": " + connected.error().message;
  }
  return {};
}

Status ZookeeperReader::try_connect(const std::string& endpoint) {
  connecting_ = steady_clock::now();
  if (Status opened = open_socket(endpoint); !opened.ok()) return opened;
  return shake_hands(endpoint);
}

Status ZookeeperReader::open_socket(const std::string& endpoint) {
  std::string host, port;
  if (!split_endpoint(endpoint, host, port)) return invalid_endpoint(endpoint);
  addrinfo wanted{};
  wanted.ai_socktype = SOCK_STREAM;
  addrinfo* list = nullptr;
  if (const int code = getaddrinfo(host.c_str(), port.c_str(), &wanted, &list); code != 0)
    return Error{ErrorCode::kUnavailable, std::string("the name cannot be resolved: ") + gai_strerror(code)};
  const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> found(list, &freeaddrinfo);
  Status problem;
  for (const addrinfo* at = list; at != nullptr; at = at->ai_next) {
    socket_ = ::socket(at->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (socket_ < 0) return Error{ErrorCode::kIo, std::string("no socket: ") + std::strerror(errno)};
    int error = 0;
    if (::connect(socket_, at->ai_addr, at->ai_addrlen) != 0) error = errno;
    if (error == EINPROGRESS) {
      if (Status ready = wait_for(POLLOUT); !ready.ok()) return ready;
      socklen_t size = sizeof(error);
      if (getsockopt(socket_, SOL_SOCKET, SO_ERROR, &error, &size) != 0) error = errno;
    }
    if (error == 0) {
      const int on = 1;
      (void)setsockopt(socket_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
      return {};
    }
    problem = Error{ErrorCode::kUnavailable, std::strerror(error)};
    ::close(socket_);
    socket_ = -1;
  }
  return problem;
}

// Session and credentials, each answer waited for.
Status ZookeeperReader::shake_hands(const std::string& endpoint) {
  where_ = endpoint;
  zk::ConnectRequest hello;
  hello.last_zxid_seen = zxid_;
  hello.timeout_ms = kSessionTimeoutMs;
  hello.read_only = false;
  zk::append_connect_request(to_send_, hello);
  for (const client::Credential& credential : source_.credentials)
    zk::append_request(to_send_, {zk::kAuthXid, zk::Auth{0, credential.scheme, credential.proof}});
  for (size_t answered = 0; answered <= source_.credentials.size(); ++answered) {
    auto frame = next_frame_waited_for();
    if (!frame.ok()) return frame.error();
    if (answered == 0) {
      const auto welcome = zk::decode_connect_reply(*frame);
      if (!welcome.ok()) return Error{ErrorCode::kUnavailable, welcome.error().message};
      if (welcome->timeout_ms <= 0) return Error{ErrorCode::kUnavailable, "the server gives no session"};
      continue;
    }
    const auto reply = zk::decode_reply(*frame, zk::OpCode::kAuth);
    if (!reply.ok()) return Error{ErrorCode::kUnavailable, reply.error().message};
    if (reply->error != zk::ErrorCode::kOk)
      return Error{ErrorCode::kDenied,
                   endpoint + " refuses the credentials: look at the file that names them"};
  }
  return {};
}

Result<std::string> ZookeeperReader::next_frame_waited_for() {
  while (true) {
    auto frame = next_frame();
    if (!frame.ok()) return frame.error();
    if (frame->has_value()) return std::move(**frame);
    // A server that wants no more clients, or none that is ahead of it, just ends the connection.
    if (socket_ < 0) return Error{ErrorCode::kUnavailable, "the server has closed the connection"};
    const Status ready = wait_for(static_cast<short>(to_send_.empty() ? POLLIN : POLLIN | POLLOUT));
    if (!ready.ok()) return ready.error();
    send_some();
    (void)receive_some();
  }
}

Status ZookeeperReader::wait_for(short events) {
  while (true) {
    if (Status quiet = check_signals(); !quiet.ok()) return quiet;
    pollfd ready{socket_, events, 0};
    const int count = ::poll(&ready, 1, static_cast<int>(kLook.count()));
    if (count > 0) return {};
    if (count < 0 && errno != EINTR)
      return Error{ErrorCode::kIo, std::string("poll: ") + std::strerror(errno)};
    const milliseconds quiet = source_.patience / kTriesInPatience;
    if (steady_clock::now() - std::max(heard_, connecting_) > quiet)
      return Error{ErrorCode::kUnavailable, "no answer for " + std::to_string(quiet.count()) + " ms"};
  }
}

void ZookeeperReader::send_some() {
  while (!to_send_.empty()) {
    const ssize_t sent = ::send(socket_, to_send_.data(), to_send_.size(), MSG_NOSIGNAL);
    if (sent < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (sent < 0) return lost(std::strerror(errno));
    to_send_.erase(0, static_cast<size_t>(sent));
  }
}

bool ZookeeperReader::receive_some() {
  if (socket_ < 0) return false;
  if (received_at_ > 0) {
    received_.erase(0, received_at_);
    received_at_ = 0;
  }
  const size_t had = received_.size();
  received_.resize(had + kReadBytes);
  const ssize_t got = ::recv(socket_, received_.data() + had, kReadBytes, 0);
  const int error = errno;
  received_.resize(had + (got > 0 ? static_cast<size_t>(got) : 0));
  if (got > 0) return true;
  if (got == 0 || (error != EAGAIN && error != EINTR))
    lost(got == 0 ? "the server has closed the connection" : std::strerror(error));
  return false;
}

// ---- answers

Result<std::optional<std::string>> ZookeeperReader::next_frame() {
  const std::string_view rest = std::string_view(received_).substr(received_at_);
  const auto size = zk::frame_size(rest, kFrameBytesMax);
  if (!size.ok()) return Error{size.code(), where_ + ": " + size.error().message};
  if (*size == 0 || rest.size() < *size) return std::optional<std::string>();
  constexpr size_t kLengthBytes = 4;
  received_at_ += *size;
  return std::optional(std::string(rest.substr(kLengthBytes, *size - kLengthBytes)));
}

Status ZookeeperReader::take_answers() {
  while (socket_ >= 0) {
    auto frame = next_frame();
    if (!frame.ok()) return frame.error();
    if (!frame->has_value()) return {};
    const auto xid = zk::reply_xid(**frame);
    if (xid.ok() && *xid < 0) continue;  // events, pings
    if (!xid.ok() || outstanding_.empty() || *xid != first_xid_)
      return Error{ErrorCode::kMalformed, where_ + " answers what was not asked"};
    auto reply = zk::decode_reply(**frame, zk::op_of(outstanding_.front().body));
    if (!reply.ok()) return Error{reply.code(), where_ + ": " + reply.error().message};
    zxid_ = std::max(zxid_, reply->zxid);
    const Take take = std::move(outstanding_.front().take);
    outstanding_.pop_front();
    ++first_xid_;
    if (Status taken = take(std::move(*reply)); !taken.ok()) return taken;
  }
  return {};
}

}  // namespace quorate::cli
