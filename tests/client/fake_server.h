// A server on a real socket that says what the test tells it to say: real bytes, scripted answers. Keeps the
// outcomes of writes by their numbers, as the cluster does.
//
// Thread safety: all members; `script` runs on the server's thread, one frame at a time.
#pragma once

#include <sys/socket.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <condition_variable>
#include <cstring>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/check.h"
#include "client/wire.h"

namespace quorate::client {

class FakeServer {
 public:
  // What to send for a frame; `drop` closes the connection without sending anything.
  struct Answer {
    std::vector<api::ServerFrame> frames;
    std::string raw;
    bool drop = false;
  };
  using Script = std::function<Answer(const api::ClientFrame&)>;

  explicit FakeServer(Script script) : script_(std::move(script)) {
    listener_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    CHECK(bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0 &&
          listen(listener_, 16) == 0);
    socklen_t size = sizeof(address);
    CHECK(getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size) == 0);
    port_ = ntohs(address.sin_port);
    acceptor_ = std::thread([this] { accept_all(); });
  }
  ~FakeServer() {
    shutdown(listener_, SHUT_RDWR);
    acceptor_.join();
    {
      const std::lock_guard lock(mutex_);
      for (const int fd : connections_) shutdown(fd, SHUT_RDWR);
    }
    for (std::thread& each : threads_) each.join();
    close(listener_);
  }

  std::string endpoint() const { return "127.0.0.1:" + std::to_string(port_); }

  // Waits until a frame that fits has come.
  api::ClientFrame wait_for(const std::function<bool(const api::ClientFrame&)>& fits) {
    std::unique_lock lock(mutex_);
    while (true) {
      for (const api::ClientFrame& frame : seen_)
        if (fits(frame)) return frame;
      changed_.wait(lock);
    }
  }
  size_t count(const std::function<bool(const api::ClientFrame&)>& fits) {
    const std::lock_guard lock(mutex_);
    size_t n = 0;
    for (const api::ClientFrame& frame : seen_) n += fits(frame) ? 1 : 0;
    return n;
  }
  // To the newest connection.
  void push(const api::ServerFrame& frame) {
    std::string bytes;
    append_frame(bytes, frame);
    const std::lock_guard lock(mutex_);
    CHECK(!connections_.empty());
    send_all(connections_.back(), bytes);
  }
  void drop_connections() {
    const std::lock_guard lock(mutex_);
    for (const int fd : connections_) shutdown(fd, SHUT_RDWR);
  }

 private:
  static void send_all(int fd, const std::string& bytes) {
    size_t sent = 0;
    while (sent < bytes.size()) {
      const ssize_t n = send(fd, bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL);
      if (n <= 0) return;
      sent += static_cast<size_t>(n);
    }
  }
  static bool read_all(int fd, char* to, size_t size) {
    for (size_t have = 0; have < size;) {
      const ssize_t n = recv(fd, to + have, size - have, 0);
      if (n <= 0) return false;
      have += static_cast<size_t>(n);
    }
    return true;
  }

  void accept_all() {
    while (true) {
      const int fd = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
      if (fd < 0) return;
      const std::lock_guard lock(mutex_);
      connections_.push_back(fd);
      threads_.emplace_back([this, fd] { serve(fd); });
    }
  }

  void serve(int fd) {
    std::string magic(kMagic.size(), '\0');
    bool good = read_all(fd, magic.data(), magic.size()) && magic == kMagic;
    while (good) {
      unsigned char size[4];
      if (!read_all(fd, reinterpret_cast<char*>(size), sizeof(size))) break;
      std::string bytes(size[0] | size[1] << 8 | size[2] << 16 | static_cast<size_t>(size[3]) << 24, '\0');
      if (!read_all(fd, bytes.data(), bytes.size())) break;
      api::ClientFrame frame;
      CHECK(frame.ParseFromString(bytes));
      const std::lock_guard lock(mutex_);
      seen_.push_back(frame);
      changed_.notify_all();
      const Answer answer = script_(frame);
      if (answer.drop) break;
      std::string out = answer.raw;
      for (const api::ServerFrame& each : answer.frames) append_frame(out, each);
      send_all(fd, out);
    }
    const std::lock_guard lock(mutex_);
    std::erase(connections_, fd);
    close(fd);
  }

  const Script script_;
  int listener_ = -1;
  uint16_t port_ = 0;
  std::thread acceptor_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<int> connections_;        // guarded by mutex_
  std::vector<std::thread> threads_;    // by the acceptor, then the destructor
  std::vector<api::ClientFrame> seen_;  // guarded by mutex_
};

inline api::ServerFrame ok(const api::ClientFrame& frame) {
  api::ServerFrame out;
  out.mutable_reply()->set_id(frame.id());
  return out;
}

// Sessions are opened and attached to, writes are done, the lock is free, /a holds "hello".
inline FakeServer::Answer friendly(const api::ClientFrame& frame) {
  api::ServerFrame out = ok(frame);
  api::Outcome* outcome =
      frame.has_get() || frame.has_status() ? nullptr : out.mutable_reply()->mutable_outcome();
  if (frame.has_open_session() || frame.has_attach_session()) {
    outcome->set_session(77);
    outcome->set_timeout_ms(10'000);
  } else if (frame.has_write()) {
    outcome->set_zxid(frame.write().number());
    outcome->mutable_stat()->set_version(static_cast<int32_t>(frame.write().number()));
    if (frame.write().has_create()) outcome->set_path(frame.write().create().path());
    if (frame.write().has_acquire()) {
      outcome->set_path(frame.write().acquire().path() + "/lock-0000000001");
      outcome->set_held(true);
      outcome->set_token(41);
    }
  } else if (frame.has_get()) {
    out.mutable_reply()->set_zxid(9);
    out.mutable_reply()->mutable_node()->set_data("hello");
  } else if (frame.has_status()) {
    out.mutable_reply()->mutable_status()->set_id(3);
    out.mutable_reply()->mutable_status()->set_role(3);
  }
  return {{out}, "", false};
}

}  // namespace quorate::client
