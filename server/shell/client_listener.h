// The client port. A connection's first bytes tell what it speaks (conversation.h), then it sends framed
// requests; what it is answered is gathered and sent with one write a flush.
//
// Thread safety: none; it lives on the loop's thread.
//
// Connections are closed with a logged reason: a wrong magic or none in time, a frame that is too long, cut,
// or does not parse, answers that the client does not read, or most of what all
// clients do not read.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <set>
#include <string>

#include "base/ids.h"
#include "base/result.h"
#include "base/time.h"
#include "server/client_message.h"
#include "server/shell/address.h"
#include "server/shell/client_codec.h"
#include "server/shell/four_letter_words.h"

namespace boost::asio {
class io_context;
}

namespace quorate::server {

struct ClientListenerOptions {
  size_t frame_bytes_max = kClientFrameBytesMax;
  size_t connections_max = 10'000;
  // From one address; 0: as many as there may be in all.
  size_t connections_per_address_max = 0;
  // Unsent answers and events of one connection; beyond, it is dropped.
  size_t output_bytes_max = 8 << 20;
  // Of all connections together; beyond, those with the most are dropped.
  size_t output_bytes_all_max = 256 << 20;
  // With more than this unsent, no more requests of that connection are read, and none that were held back
  // are asked for.
  size_t output_bytes_crowded = 2 << 20;
  // Four-letter words that are answered.
  std::set<std::string> words{"envi", "isro", "mntr", "ruok", "srvr", "stat"};
  ServerFacts facts;  // that these words tell
  // From the connect to the whole magic.
  Duration magic_timeout = std::chrono::seconds(10);
  // From the first bytes of a frame to its last.
  Duration frame_timeout = std::chrono::seconds(30);
};

class ClientListener {
 public:
  struct Events {
    std::function<void(ClientRequest)> received;
    std::function<void(ZookeeperRequest)> received_zookeeper;
    std::function<void(ConnectionId)> lost;
    // Of a connection for which crowded() was called: most of its output is sent.
    std::function<void(ConnectionId)> drained;
  };

  ClientListener(boost::asio::io_context& loop, const ClientListenerOptions& options);
  ~ClientListener();

  // Binds the port; nobody is answered before start(). Errors: kInUse, kBadConfiguration.
  Status listen(const Address& address);
  // The port that listen() got.
  uint16_t port() const;
  void start(Events events);

  // Queues it; flush() sends. Nothing happens if the connection is gone.
  void send(const ClientMessage& message);
  // Closes it when what was queued is sent; its requests are not read any more.
  void close(ConnectionId connection);
  // Closes it at once, and logs why; `lost` is told before this returns.
  void drop(ConnectionId connection, const std::string& why);
  // Reads no more of its requests until what is queued for it is sent, or nearly; then tells `drained`. Where
  // nothing is queued, until an answer to come has been.
  void crowded(ConnectionId connection);
  void flush();
  size_t connections() const;
  // No more events; every connection is closed behind what its socket still takes.
  void stop();

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace quorate::server
