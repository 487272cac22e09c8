#include "server/shell/zookeeper_conversation.h"

#include <sys/random.h>

#include <string>
#include <utility>

#include "base/check.h"
#include "proto/zookeeper_codec.h"

namespace quorate::server {
namespace {

// A connect request has 44 bytes, or 45.
constexpr size_t kConnectBytesMax = 64;

zookeeper::EventType type_of(kv::EventKind kind) {
  switch (kind) {
    case kv::EventKind::kCreated:
      return zookeeper::EventType::kCreated;
    case kv::EventKind::kDeleted:
      return zookeeper::EventType::kDeleted;
    case kv::EventKind::kDataChanged:
      return zookeeper::EventType::kDataChanged;
    case kv::EventKind::kChildrenChanged:
      break;
  }
  return zookeeper::EventType::kChildrenChanged;
}

struct Encoder {
  std::string& bytes;

  void operator()(const zookeeper::ConnectReply& reply) const {
    zookeeper::append_connect_reply(bytes, reply);
  }
  void operator()(const zookeeper::Reply& reply) const { zookeeper::append_reply(bytes, reply); }
  void operator()(const kv::WatchEvent& event) const {
    const int64_t zxid = event.zxid == Zxid() ? -1 : static_cast<int64_t>(event.zxid.value());
    zookeeper::append_event(bytes, {zxid, type_of(event.kind), zookeeper::kConnectedState, event.path});
  }
  // The replica sends nothing else to a client of this protocol.
  template <class Other>
  void operator()(const Other&) const {
    CHECK(false);
  }
};

class ZookeeperConversation final : public Conversation {
 public:
  explicit ZookeeperConversation(const ConversationOptions& options) : options_(options) {}

  Result<size_t> frame_size(std::string_view bytes) const override {
    return zookeeper::frame_size(bytes, connected_ ? options_.frame_bytes_max : kConnectBytesMax);
  }

  Result<Taken> take(std::string_view frame) override {
    frame.remove_prefix(4);
    if (connected_) {
      auto request = zookeeper::decode_request(frame);
      if (!request.ok()) return request.error();
      return Taken(ZookeeperRequest{options_.connection, std::move(*request), frame.size()});
    }
    auto request = zookeeper::decode_connect_request(frame);
    if (!request.ok()) return request.error();
    connected_ = true;
    ZookeeperConnect connect{*request, {}, options_.address, {}};
    CHECK(getentropy(connect.fresh.data(), connect.fresh.size()) == 0);
    CHECK(getentropy(connect.nonce.data(), connect.nonce.size()) == 0);
    return Taken(ZookeeperRequest{options_.connection, std::move(connect), 0});
  }

  void encode(const ClientMessage& message, OutputQueue& out) override {
    out.write([&message](std::string& bytes) { std::visit(Encoder{bytes}, message.body); });
  }

 private:
  const ConversationOptions options_;
  bool connected_ = false;
};

}  // namespace

std::unique_ptr<Conversation> zookeeper_conversation(const ConversationOptions& options) {
  return std::make_unique<ZookeeperConversation>(options);
}

}  // namespace quorate::server
