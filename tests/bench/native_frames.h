// Quorate's own protocol by its generated classes, for what need not be faster than what it measures.
#pragma once

#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>

#include "proto/client.pb.h"

namespace quorate::bench {

inline std::string frame_of(const api::ClientFrame& frame) {
  const std::string body = frame.SerializeAsString();
  const auto length = static_cast<uint32_t>(body.size());
  std::string bytes(reinterpret_cast<const char*>(&length), sizeof(length));
  return bytes.append(body);
}

// The first frame of `in`, which it is taken from; nothing while it is not whole. `broken` is set if it does
// not parse.
inline std::optional<api::ServerFrame> take_frame(std::string& in, bool& broken) {
  uint32_t length = 0;
  if (in.size() < sizeof(length)) return std::nullopt;
  std::memcpy(&length, in.data(), sizeof(length));
  if (in.size() - sizeof(length) < length) return std::nullopt;
  api::ServerFrame frame;
  broken = !frame.ParseFromArray(in.data() + sizeof(length), static_cast<int>(length));
  in.erase(0, sizeof(length) + length);
  return frame;
}

}  // namespace quorate::bench
