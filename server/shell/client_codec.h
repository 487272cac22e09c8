// The native client protocol as bytes: proto/client.proto describes the frames.
//
// Thread safety: a codec is one owner's.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

#include "base/ids.h"
#include "base/result.h"
#include "server/client_message.h"
#include "server/shell/output_queue.h"

namespace quorate::server {

inline constexpr std::string_view kClientMagic = "QUORATE1";
// One request; room for a multi of kv::kMultiBytesMax and kv::kMultiOperationsMax operations.
inline constexpr size_t kClientFrameBytesMax = 3 << 20;

class ClientCodec {
 public:
  ClientCodec();
  ~ClientCodec();

  // `frame` is what follows the length. Errors: kMalformed when the connection cannot go on; kUnsupported and
  // kInvalidArgument when this one request is refused: `id` is set for the answer.
  Result<ClientRequest> decode(ConnectionId connection, std::string_view frame, uint64_t& id);
  // Appends the frame with its length.
  void encode(const ClientMessage& message, OutputQueue& out);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// The size of the whole frame that `bytes` begins with, its length field included, or 0 if the length is not
// there yet. Errors: kTooLarge over `bytes_max`.
Result<size_t> client_frame_size(std::string_view bytes, size_t bytes_max);

}  // namespace quorate::server
