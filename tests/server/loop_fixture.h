// Runs an event loop until something is true. The deadline only bounds a failure: no passing test waits for
// it.
#pragma once

#include <utility>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/write.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace quorate::server {

inline constexpr std::chrono::seconds kFailureBound(20);

inline bool run_until(boost::asio::io_context& loop, const std::function<bool()>& condition) {
  const auto end = std::chrono::steady_clock::now() + kFailureBound;
  while (!condition()) {
    if (std::chrono::steady_clock::now() >= end) return false;
    loop.restart();
    loop.run_one_for(std::chrono::milliseconds(20));
  }
  return true;
}

// A plain socket at the other end, driven by the same loop, that says what it is told and keeps what it
// hears.
class RawPeer {
 public:
  RawPeer(boost::asio::io_context& loop, uint16_t port) : state_(std::make_shared<State>(loop)) {
    state_->socket.connect({boost::asio::ip::address_v4::loopback(), port});
  }
  ~RawPeer() { close(); }
  RawPeer(const RawPeer&) = delete;
  RawPeer& operator=(const RawPeer&) = delete;

  void send(std::string_view bytes) {
    // A reset by the other side in the middle of this is what some tests are about.
    boost::system::error_code ignored;
    boost::asio::write(state_->socket, boost::asio::buffer(bytes.data(), bytes.size()), ignored);
  }
  void read() { read(state_); }
  void close() {
    boost::system::error_code ignored;
    state_->socket.close(ignored);
  }
  bool closed() const { return state_->closed; }
  const std::string& heard() const { return state_->heard; }
  boost::asio::ip::tcp::socket& socket() { return state_->socket; }

 private:
  // Shared with the pending read, which outlives the object.
  struct State {
    explicit State(boost::asio::io_context& loop) : socket(loop) {}
    boost::asio::ip::tcp::socket socket;
    char buffer[4096];
    std::string heard;
    bool closed = false;
  };
  static void read(const std::shared_ptr<State>& state) {
    state->socket.async_read_some(boost::asio::buffer(state->buffer),
                                  [state](const boost::system::error_code& error, size_t count) {
                                    if (error) {
                                      state->closed = true;
                                      return;
                                    }
                                    state->heard.append(state->buffer, count);
                                    read(state);
                                  });
  }

  std::shared_ptr<State> state_;
};

}  // namespace quorate::server
