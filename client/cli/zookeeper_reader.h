// Reads of a ZooKeeper ensemble over its own protocol, many at once; as `import --zookeeper` needs them. Any
// server that speaks the protocol will do, Quorate's included.
//
// A connection that breaks is replaced, at the next of the servers, and what was not answered is asked again:
// reads may be repeated. A server that is behind one that answered before is refused by the protocol itself
// (last_zxid_seen).
//
// Thread safety: none. Answers are handed out by run(), on the thread that calls it.
#pragma once

#include <chrono>
#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "client/cli/signals.h"
#include "client/quorate/client.h"
#include "proto/zookeeper.h"

namespace quorate::cli {

struct ZookeeperSource {
  std::vector<std::string> endpoints;  // HOST:PORT
  std::vector<client::Credential> credentials;
  // How long to go on without any answer.
  std::chrono::milliseconds patience{10'000};
};

class ZookeeperReader {
 public:
  // A node may hold as much as its ensemble was told; a list of children has all names in it.
  static constexpr size_t kFrameBytesMax = size_t{1} << 30;
  // What was sent and not answered; more is kept until there is room.
  static constexpr size_t kOutstandingMax = 400;

  // An error ends run() with it.
  using Take = std::function<Status(zookeeper::Reply)>;

  ZookeeperReader(ZookeeperSource source, Signals& signals);
  ~ZookeeperReader();
  ZookeeperReader(const ZookeeperReader&) = delete;
  ZookeeperReader& operator=(const ZookeeperReader&) = delete;

  // Asked by run(), in this order; an answer may ask for more.
  void ask(zookeeper::RequestBody body, Take take);
  // Until everything is answered. Errors: kUnavailable when no server answers for `patience`, naming the last
  // reason; kDenied where credentials are refused; kShuttingDown after a signal; kInvalidArgument for an
  // endpoint that is none; those of `take`. After an error the reader is not to be used again.
  Status run();
  // The highest that an answer has named.
  int64_t zxid() const { return zxid_; }
  int interrupted() const { return interrupted_; }

 private:
  struct Asked {
    zookeeper::RequestBody body;
    Take take;
  };

  Status keep_connected();
  Status try_connect(const std::string& endpoint);
  Status open_socket(const std::string& endpoint);
  Status shake_hands(const std::string& endpoint);
  // Waits until the socket is ready for `events`, up to the end of patience. Errors: kUnavailable,
  // kShuttingDown.
  Status wait_for(short events);
  Status check_signals();
  void send_some();
  // Whether there was something.
  bool receive_some();
  // Takes the next whole frame out of what was received.
  Result<std::optional<std::string>> next_frame();
  // While nothing else is asked.
  Result<std::string> next_frame_waited_for();
  Status take_answers();
  void disconnect();
  void lost(const std::string& why);

  const ZookeeperSource source_;
  Signals& signals_;
  int socket_ = -1;
  size_t next_endpoint_ = 0;
  std::string where_;  // the endpoint of socket_
  std::string last_error_;
  std::string to_send_, received_;
  size_t received_at_ = 0;  // what is before was taken
  std::deque<Asked> waiting_, outstanding_;
  int32_t first_xid_ = 1;  // of the first that is outstanding
  int64_t zxid_ = 0;
  int interrupted_ = 0;
  std::chrono::steady_clock::time_point heard_, connecting_;
};

}  // namespace quorate::cli
