// The languages of the client port: what one connection's bytes mean, and how it is answered. The listener
// looks after the bytes, the replica after the meaning.
//
// The first four bytes tell which it is: the beginning of Quorate's magic, a four-letter word, or the length
// of ZooKeeper's first message (which no letters can be: they would be a length of hundreds of megabytes).
//
// Thread safety: none; a conversation is its connection's.
#pragma once

#include <functional>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <variant>

#include "base/ids.h"
#include "base/result.h"
#include "server/client_message.h"
#include "server/shell/client_codec.h"
#include "server/shell/output_queue.h"

namespace quorate::server {

class Conversation {
 public:
  virtual ~Conversation() = default;

  // The size of the whole frame that `bytes` begins with, or 0 if that is not known yet. Errors: the
  // connection cannot go on.
  virtual Result<size_t> frame_size(std::string_view bytes) const = 0;
  // What a whole frame asks: of the replica, or what it is answered at once. Errors: as above.
  using Taken = std::variant<ClientRequest, ZookeeperRequest, ClientMessage>;
  virtual Result<Taken> take(std::string_view frame) = 0;
  virtual void encode(const ClientMessage& message, OutputQueue& out) = 0;
  // Nothing more is to be read; what was encoded is the last.
  virtual bool ended() const { return false; }
};

struct ListenerFigures;
struct ServerFacts;

struct ConversationOptions {
  ConnectionId connection;
  size_t frame_bytes_max = kClientFrameBytesMax;
  std::string address{};                         // where the connection comes from
  const std::set<std::string>* words = nullptr;  // four-letter words that are allowed
  const ServerFacts* facts = nullptr;            // what they tell; both outlive the conversation
};

// What has to be read before it is known which language it is.
inline constexpr size_t kGreetingBytes = 4;

// What a connection's first bytes open. `consumed`: how many of them are no frame. Nothing while too few are
// there to tell. Errors: kMalformed for a magic that is nearly right.
struct Greeting {
  std::unique_ptr<Conversation> conversation;
  size_t consumed = 0;
};
Result<Greeting> greet(std::string_view bytes, const ConversationOptions& options, ClientCodec& codec,
                       ListenerFigures& figures);

}  // namespace quorate::server
