// Frames on the wire, and what the schema's messages mean in the library's own types.
//
// Thread safety: plain functions and values.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/time.h"
#include "client/quorate/types.h"
#include "proto/client.pb.h"

namespace quorate::client {

inline constexpr std::string_view kMagic = "QUORATE1";
// What a server may send in one frame: a longer one is no frame of ours.
inline constexpr size_t kFrameBytesMax = 64 << 20;

void append_frame(std::string& out, const google::protobuf::MessageLite& message);

// Takes the frames out of a stream of bytes.
class FrameReader {
 public:
  void append(const char* bytes, size_t size) { buffer_.append(bytes, size); }
  // The next whole frame; none: more bytes are needed. Errors: kTooLarge, kMalformed; the stream is then of
  // no more use.
  Result<std::optional<api::ServerFrame>> next();

 private:
  std::string buffer_;
  size_t used_ = 0;
};

// What a refusal means for the request and for the connection.
enum class Verdict {
  kFinal,      // the answer, good or bad
  kRetryHere,  // not applied; the same server, later
  kRetryElsewhere,
  kReattach,  // our attachment is not the newest: connect again
  kSessionLost,
};
Verdict judge(ErrorCode code);

// 0 or a code this library does not know become kUnsupported with the server's sentence.
Error error_of(const api::Reply& reply);

Stat stat_of(const api::Stat& stat);
Contender contender_of(const api::Contender& contender);
LockInfo lock_of(const api::Lock& lock);
ServerStatus status_of(const api::ServerStatus& status);

}  // namespace quorate::client
