// What the null server and the null cluster's leader share: one epoll loop over the clients' connections that
// reads all that is there, hands over whole frames (null_frame.h), and sends each connection's answers in one
// write.
//
// Thread safety: none.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string_view>
#include <vector>

#include "client/bench/net.h"
#include "tests/bench/null_frame.h"

namespace quorate::bench {

class FrameServer {
 public:
  // A connection's number; never used again, so an answer to a connection that is gone goes nowhere.
  using ClientId = uint32_t;
  using OnFrame = std::function<void(ClientId, const Request&, std::string_view frame)>;
  using OnOther = std::function<void(const Poller::Event&)>;

  // Tokens from here on are the owner's, for its own sockets in poller().
  static constexpr uint64_t kOwnTokens = uint64_t{1} << 33;

  explicit FrameServer(Fd listener);

  Poller& poller() { return poller_; }
  // Waits for something to happen, then takes all that is ready. Frames stay valid during their call only.
  void take_ready(const OnFrame& on_frame, const OnOther& on_other);
  // Queues the answer to a request; flush() sends it.
  void answer(ClientId client, const Request& request);
  // One write for each connection that has answers.
  void flush();

 private:
  struct Client {
    Fd fd;
    InBuffer in;
    OutBuffer out;
    bool dirty = false;
    bool wants_write = false;
  };
  static constexpr uint64_t kListener = uint64_t{1} << 32;

  void accept_one();
  void read(ClientId id, const OnFrame& on_frame);
  void flush_one(ClientId id);

  Fd listener_;
  Poller poller_;
  std::vector<std::unique_ptr<Client>> clients_;  // by ClientId; null once closed
  std::vector<ClientId> dirty_;
};

}  // namespace quorate::bench
