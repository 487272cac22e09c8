#include "client/bench/net.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <memory>

#include "base/check.h"

namespace quorate::bench {
namespace {

sockaddr_in loopback(Port port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

}  // namespace

uint64_t now_ns() {
  timespec t{};
  clock_gettime(CLOCK_MONOTONIC, &t);
  return static_cast<uint64_t>(t.tv_sec) * 1'000'000'000U + static_cast<uint64_t>(t.tv_nsec);
}

Error errno_error(const std::string& what) {
  return Error{ErrorCode::kIo, what + ": " + std::strerror(errno)};
}

void Fd::reset() {
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
}

Result<std::pair<Fd, Port>> listen_on_loopback() {
  Fd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd.valid()) return errno_error("cannot open a socket");
  sockaddr_in address = loopback(0);
  socklen_t size = sizeof(address);
  auto* any = reinterpret_cast<sockaddr*>(&address);
  if (::bind(fd.get(), any, size) != 0 || ::listen(fd.get(), 1024) != 0 ||
      ::getsockname(fd.get(), any, &size) != 0) {
    return errno_error("cannot listen on 127.0.0.1");
  }
  return std::pair<Fd, Port>(std::move(fd), ntohs(address.sin_port));
}

Result<Fd> connect_to_loopback(Port port) {
  Fd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd.valid()) return errno_error("cannot open a socket");
  sockaddr_in address = loopback(port);
  if (::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0) {
    return errno_error("cannot connect to 127.0.0.1:" + std::to_string(port));
  }
  set_nodelay(fd.get());
  return fd;
}

Result<Fd> connect_to(const std::string& host, const std::string& port, int timeout_ms) {
  const std::string where = host + ":" + port;
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (const int wrong = ::getaddrinfo(host.c_str(), port.c_str(), &hints, &found); wrong != 0)
    return Error{ErrorCode::kUnavailable, where + ": " + ::gai_strerror(wrong)};
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> addresses(found, ::freeaddrinfo);
  Error error{ErrorCode::kUnavailable, where + " has no address"};
  for (const addrinfo* address = found; address != nullptr; address = address->ai_next) {
    Fd fd(::socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (!fd.valid()) return errno_error("cannot open a socket");
    // connect(2) waits as long as a write may.
    const timeval patience{timeout_ms / 1000, timeout_ms % 1000 * 1000};
    ::setsockopt(fd.get(), SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
    if (::connect(fd.get(), address->ai_addr, address->ai_addrlen) == 0) {
      set_nodelay(fd.get());
      return fd;
    }
    const char* why = errno == EINPROGRESS ? "no answer" : std::strerror(errno);
    error.message = "cannot connect to " + where + ": " + why;
  }
  return error;
}

Connector to_loopback(std::vector<Port> ports) {
  CHECK(!ports.empty());
  return [ports = std::move(ports)](uint32_t number) {
    return connect_to_loopback(ports[number % ports.size()]);
  };
}

void set_nonblocking(int fd) { CHECK(::fcntl(fd, F_SETFL, ::fcntl(fd, F_GETFL) | O_NONBLOCK) == 0); }

void set_nodelay(int fd) {
  const int on = 1;
  CHECK(::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) == 0);
}

Result<std::vector<Port>> free_ports(size_t count) {
  // Below the range that the kernel gives to outgoing connections, so that none takes a port between two
  // lives of the server that listens on it.
  constexpr uint32_t kFrom = 15'000, kTo = 30'000;
  std::vector<Port> ports;
  const uint32_t start = static_cast<uint32_t>(::getpid()) * 31;
  for (uint32_t i = 0; i < kTo - kFrom && ports.size() < count; ++i) {
    const auto port = static_cast<Port>(kFrom + (start + i) % (kTo - kFrom));
    Fd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (!fd.valid()) return errno_error("cannot open a socket");
    sockaddr_in address = loopback(port);
    if (::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0) ports.push_back(port);
  }
  if (ports.size() < count) return Error{ErrorCode::kInUse, "too few free ports on 127.0.0.1 below 30000"};
  return ports;
}

bool read_exactly(int fd, void* to, size_t size) {
  auto* at = static_cast<char*>(to);
  while (size > 0) {
    const ssize_t n = ::read(fd, at, size);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    at += n;
    size -= static_cast<size_t>(n);
  }
  return true;
}

bool write_exactly(int fd, const void* from, size_t size) {
  const auto* at = static_cast<const char*>(from);
  while (size > 0) {
    const ssize_t n = ::send(fd, at, size, MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    at += n;
    size -= static_cast<size_t>(n);
  }
  return true;
}

ReadOutcome InBuffer::read_from(int fd) {
  if (begin_ == end_) begin_ = end_ = 0;
  if (data_.size() - end_ < kRoom / 2) {
    // What is left of an incomplete frame moves to the front; the buffer grows only for a frame larger than
    // it.
    if (end_ > begin_) std::memmove(data_.data(), data_.data() + begin_, end_ - begin_);
    end_ -= begin_;
    begin_ = 0;
    if (data_.size() - end_ < kRoom / 2) data_.resize(end_ + kRoom);
  }
  const ssize_t n = ::read(fd, data_.data() + end_, data_.size() - end_);
  if (n > 0) {
    end_ += static_cast<size_t>(n);
    return ReadOutcome::kSome;
  }
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) return ReadOutcome::kNothing;
  return ReadOutcome::kClosed;
}

bool OutBuffer::flush(int fd) {
  if (empty()) return true;
  const ssize_t n = ::send(fd, bytes_.data() + sent_, bytes_.size() - sent_, MSG_NOSIGNAL | MSG_DONTWAIT);
  if (n < 0) return errno == EAGAIN || errno == EINTR;
  sent_ += static_cast<size_t>(n);
  if (sent_ == bytes_.size()) {
    bytes_.clear();
    sent_ = 0;
  }
  return true;
}

Poller::Poller() : epoll_(::epoll_create1(EPOLL_CLOEXEC)) { CHECK(epoll_.valid()); }

void Poller::add(int fd, uint64_t token) {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u64 = token;
  CHECK(::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) == 0);
}

void Poller::want_write(int fd, uint64_t token, bool on) {
  epoll_event event{};
  event.events = on ? EPOLLIN | EPOLLOUT : EPOLLIN;
  event.data.u64 = token;
  CHECK(::epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, fd, &event) == 0);
}

const std::vector<Poller::Event>& Poller::wait(int timeout_ms) {
  std::array<epoll_event, 512> raw;  // NOLINT: filled by the kernel
  const int n = ::epoll_wait(epoll_.get(), raw.data(), static_cast<int>(raw.size()), timeout_ms);
  events_.clear();
  for (int i = 0; i < n; ++i) {
    const epoll_event& e = raw[static_cast<size_t>(i)];
    events_.push_back(
        {e.data.u64, (e.events & (EPOLLIN | EPOLLERR | EPOLLHUP)) != 0, (e.events & EPOLLOUT) != 0});
  }
  return events_;
}

}  // namespace quorate::bench
