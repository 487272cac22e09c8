#include "server/shell/conversation.h"

#include <utility>

#include "server/shell/four_letter_words.h"
#include "server/shell/zookeeper_conversation.h"

namespace quorate::server {
namespace {

// Quorate's own protocol (docs/protocol.md). All connections share a codec and its memory.
class NativeConversation final : public Conversation {
 public:
  NativeConversation(const ConversationOptions& options, ClientCodec& codec)
      : options_(options), codec_(codec) {}

  Result<size_t> frame_size(std::string_view bytes) const override {
    return client_frame_size(bytes, options_.frame_bytes_max);
  }
  Result<Taken> take(std::string_view frame) override {
    uint64_t id = 0;
    auto request = codec_.decode(options_.connection, frame.substr(4), id);
    if (!request.ok() && request.code() == ErrorCode::kMalformed) return request.error();
    if (!request.ok()) {
      return Taken(
          ClientMessage{options_.connection, ClientReply{id, request.error(), Zxid(), std::monostate()}});
    }
    if (auto* open = std::get_if<OpenSessionRequest>(&request->body)) open->address = options_.address;
    if (auto* attach = std::get_if<AttachSessionRequest>(&request->body)) attach->address = options_.address;
    return Taken(std::move(*request));
  }
  void encode(const ClientMessage& message, OutputQueue& out) override { codec_.encode(message, out); }

 private:
  const ConversationOptions options_;
  ClientCodec& codec_;
};

}  // namespace

Result<Greeting> greet(std::string_view bytes, const ConversationOptions& options, ClientCodec& codec,
                       ListenerFigures& figures) {
  if (bytes.size() < kGreetingBytes) return Greeting();
  if (is_four_letter_word(bytes.substr(0, kGreetingBytes)))
    return Greeting{four_letter_conversation(options, figures), 0};
  if (bytes.substr(0, kGreetingBytes) != kClientMagic.substr(0, kGreetingBytes))
    return Greeting{zookeeper_conversation(options), 0};
  const std::string_view magic = bytes.substr(0, kClientMagic.size());
  if (magic != kClientMagic.substr(0, magic.size()))
    return Error{ErrorCode::kMalformed, "it does not speak the client protocol of Quorate"};
  if (magic.size() < kClientMagic.size()) return Greeting();
  return Greeting{std::make_unique<NativeConversation>(options, codec), kClientMagic.size()};
}

}  // namespace quorate::server
