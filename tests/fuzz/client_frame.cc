// ClientCodec: a connection's bytes as requests of a client of the native protocol.
#include "base/check.h"
#include "proto/client.pb.h"
#include "server/shell/client_codec.h"
#include "tests/fuzz/message_seeds.h"
#include "tests/fuzz/target.h"

namespace quorate::fuzz {
namespace {

using namespace server;

// What a request asks to replicate is a command like any other.
void check_command(const WriteRequest& write) {
  const kv::Command command =
      kv::SessionRequest{SessionId(3), 1, write.number, write.acked_below, write.operation};
  const std::string bytes = kv::encode_command(command);
  const auto again = kv::decode_command(bytes);
  if (!again.ok()) return;  // beyond what validate() lets pass
  CHECK(kv::encode_command(*again) == bytes);
}

void run(std::string_view bytes) {
  ClientCodec codec;
  while (!bytes.empty()) {
    const auto size = client_frame_size(bytes, kClientFrameBytesMax);
    if (!size.ok() || *size == 0 || *size > bytes.size()) return;
    uint64_t id = 0;
    const auto request = codec.decode(ConnectionId(1), bytes.substr(4, *size - 4), id);
    if (!request.ok()) {
      CHECK(!request.error().message.empty());
      if (request.code() == ErrorCode::kMalformed) return;
    } else {
      CHECK(request->connection == ConnectionId(1) && request->id == id);
      if (const auto* write = std::get_if<WriteRequest>(&request->body)) check_command(*write);
    }
    bytes.remove_prefix(*size);
  }
}

std::vector<std::string> seeds() {
  std::vector<std::string> seeds;
  api::ClientFrame message;
  each_choice(message, [&] { seeds.push_back(frame(message)); });
  std::string pipeline;
  for (const std::string& one : seeds) pipeline += one;
  seeds.push_back(pipeline);
  return seeds;
}

const Target kTarget("client_frame", run, seeds);

}  // namespace
}  // namespace quorate::fuzz
