// The frames that the null server and the null cluster understand, and the load's adapter for them:
//
//   u32 length of what follows | u8 step | u32 slot | u32 key | value (set: 100 bytes)      request
//   u32 length of what follows | u8 step | u32 slot | u32 key | value (get: 100 bytes)      answer
//
// All little-endian. Like the native protocol's frames they are length-prefixed, so both are driven by one
// loop.
#pragma once

#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>

#include "client/bench/conversation.h"

namespace quorate::bench {

inline constexpr size_t kNullHeaderBytes = 13;

inline bool null_step_writes(Step step) { return step != Step::kGet; }

inline void put_null_frame(const Request& request, size_t value_bytes, std::string& out) {
  char header[kNullHeaderBytes];
  const auto length = static_cast<uint32_t>(kNullHeaderBytes - 4 + value_bytes);
  std::memcpy(header, &length, 4);
  header[4] = static_cast<char>(request.step);
  std::memcpy(header + 5, &request.slot, 4);
  std::memcpy(header + 9, &request.key, 4);
  out.append(header, kNullHeaderBytes);
  out.append(value_bytes, 'v');
}

struct NullFrame {
  Request request;
  size_t bytes;  // with the length; 0: broken
};

// Nothing while the first frame is incomplete.
inline std::optional<NullFrame> take_null_frame(std::string_view in) {
  if (in.size() < kNullHeaderBytes) return std::nullopt;
  uint32_t length = 0;
  std::memcpy(&length, in.data(), 4);
  NullFrame frame{{static_cast<Step>(in[4]), 0, 0}, 0};
  if (length < kNullHeaderBytes - 4 || length > (1U << 20)) return frame;
  if (in.size() < 4 + size_t{length}) return std::nullopt;
  std::memcpy(&frame.request.slot, in.data() + 5, 4);
  std::memcpy(&frame.request.key, in.data() + 9, 4);
  frame.bytes = 4 + size_t{length};
  return frame;
}

class NullConversation final : public Conversation {
 public:
  bool open(std::string&) override { return false; }
  void request(const Request& request, std::string& out) override {
    put_null_frame(request, null_step_writes(request.step) ? kValueBytes : 0, out);
  }
  Heard hear(std::string_view in, std::string&) override {
    const auto frame = take_null_frame(in);
    if (!frame) return {};
    if (frame->bytes == 0) return {Heard::Kind::kBroken, 0, 0, ErrorCode::kMalformed, "a bad frame length"};
    return {Heard::Kind::kDone, frame->bytes, frame->request.slot, ErrorCode::kOk, {}};
  }
  bool close(std::string&) override { return false; }
};

}  // namespace quorate::bench
