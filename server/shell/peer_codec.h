// What servers say to each other, as bytes: proto/peer.proto describes the frame. Entries and commands travel
// as they are, behind the header; a decoded message's are views of the one block that the body was received
// in.
//
// Thread safety: a codec is one owner's; the functions are free of state.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <variant>

#include "base/bytes.h"
#include "base/ids.h"
#include "base/result.h"
#include "server/peer_message.h"
#include "server/shell/output_queue.h"

namespace quorate::server {

inline constexpr uint32_t kPeerProtocolVersion = 1;
// Header and body of one frame.
inline constexpr size_t kPeerFrameBytesMax = 16 << 20;
// The first frame of a connection, from somebody we do not know yet.
inline constexpr size_t kPeerHandshakeBytesMax = 4096;
// Commands in one Forward frame; more are sent as several frames, in their order.
inline constexpr size_t kForwardFrameBytes = 1 << 20;
// Commands in one ForwardRefused frame, as with those.
inline constexpr size_t kRefusalsMax = 100'000;

struct Handshake {
  uint32_t protocol_version = kPeerProtocolVersion;
  ServerId from, to;
  ClusterId cluster;  // 0: not formed yet
  Incarnation incarnation;
  BootNonce boot;
  std::string client_address;
};

// Who is at the other end, as its handshake said: not repeated in each message.
struct PeerEnvelope {
  ServerId from, to;
  BootNonce boot;
};

using PeerFrame = std::variant<Handshake, PeerMessage>;

class PeerCodec {
 public:
  PeerCodec();
  ~PeerCodec();

  void encode(const Handshake& handshake, OutputQueue& out);
  void encode(const PeerMessage& message, OutputQueue& out);
  // `frame` is what follows the first length. The body is copied once, into a block of its own size: a view
  // of the receive buffer would keep all of it in memory for as long as one small entry lives in the log.
  // Errors: kMalformed, kCorruption (an entry's checksum) with what is wrong.
  Result<PeerFrame> decode(std::string_view frame, const PeerEnvelope& envelope);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// The size of the whole frame that `bytes` begins with, its length field included, or 0 if the length is not
// there yet. Errors: kTooLarge over `bytes_max`, kMalformed for a length that no frame has.
Result<size_t> peer_frame_size(std::string_view bytes, size_t bytes_max);

}  // namespace quorate::server
