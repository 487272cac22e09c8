// The little of sockets that a load generator needs, on raw system calls so that what it costs is known: one
// read takes all that is there, one write sends all that is queued.
//
// Thread safety: none.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace quorate::bench {

// CLOCK_MONOTONIC in nanoseconds.
uint64_t now_ns();

// An Error of kIo: what was tried and what errno says.
Error errno_error(const std::string& what);

// Owns a file descriptor.
class Fd {
 public:
  Fd() = default;
  explicit Fd(int fd) : fd_(fd) {}
  Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Fd& operator=(Fd&& other) noexcept {
    if (this != &other) {
      reset();
      fd_ = std::exchange(other.fd_, -1);
    }
    return *this;
  }
  ~Fd() { reset(); }

  int get() const { return fd_; }
  bool valid() const { return fd_ >= 0; }
  void reset();

 private:
  int fd_ = -1;
};

// A port of 127.0.0.1.
using Port = uint16_t;

// A listening socket on a free port of the loopback interface.
Result<std::pair<Fd, Port>> listen_on_loopback();
// A connected socket without Nagle's delay, blocking. Loopback only, so it does not wait.
Result<Fd> connect_to_loopback(Port port);
// Gives connection `number` of a run its socket: connected, without Nagle's delay, blocking.
using Connector = std::function<Result<Fd>(uint32_t number)>;
// A connected socket as above to any host, by its name or address; waits up to `timeout_ms` for each address.
// Errors: kUnavailable.
Result<Fd> connect_to(const std::string& host, const std::string& port, int timeout_ms);
// Connection i goes to ports[i % size] of 127.0.0.1. REQUIRES: there is one.
Connector to_loopback(std::vector<Port> ports);
void set_nonblocking(int fd);
void set_nodelay(int fd);
// `count` ports that were free a moment ago, for programs that want theirs on the command line.
Result<std::vector<Port>> free_ports(size_t count);

// Blocking, all of it; false on error or end of file.
bool read_exactly(int fd, void* to, size_t size);
bool write_exactly(int fd, const void* from, size_t size);

enum class ReadOutcome { kSome, kNothing, kClosed };

// Bytes that came in and were not consumed yet.
class InBuffer {
 public:
  // One read(2) of as much as fits; room is at least kRoom bytes.
  ReadOutcome read_from(int fd);
  // Valid until the next read_from().
  std::string_view bytes() const { return {data_.data() + begin_, end_ - begin_}; }
  void consume(size_t size) { begin_ += size; }

 private:
  static constexpr size_t kRoom = 256 * 1024;

  std::vector<char> data_;
  size_t begin_ = 0;  // Invariant: begin_ <= end_ <= data_.size().
  size_t end_ = 0;
};

// Bytes that wait to be sent.
class OutBuffer {
 public:
  std::string& bytes() { return bytes_; }
  bool empty() const { return sent_ == bytes_.size(); }
  size_t size() const { return bytes_.size() - sent_; }
  // One write(2) of all that waits, if anything does. False if the connection is broken; a full socket is
  // not.
  bool flush(int fd);

 private:
  std::string bytes_;
  size_t sent_ = 0;
};

// An epoll set. A token comes back with each event.
class Poller {
 public:
  struct Event {
    uint64_t token;
    bool readable;  // also on error and hang-up, so that the read finds out
    bool writable;
  };

  Poller();
  void add(int fd, uint64_t token);
  // Whether the token is also told when the socket can be written to.
  void want_write(int fd, uint64_t token, bool on);
  // Waits up to `timeout_ms` (-1: for ever). The events are valid until the next call.
  const std::vector<Event>& wait(int timeout_ms);

 private:
  Fd epoll_;
  std::vector<Event> events_;
};

}  // namespace quorate::bench
