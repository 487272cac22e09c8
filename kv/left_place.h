// Whose a place in a lock's queue was that has gone, and when: what the history of changes keeps beside the
// deletion of its node, so that it can be told who held a lock (docs/locks.md).
//
// Thread safety: plain values and functions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/ids.h"
#include "kv/place_mode.h"

namespace quorate::kv {

// Of a longer name so many bytes are kept, from its front: the history is bounded in bytes.
inline constexpr size_t kLeftNameBytesMax = 128;

struct LeftPlace {
  SessionId session;  // none: it was kept for an expired holder
  Zxid czxid;         // of the place's creation
  // Wall clock, as the entries say it that brought it and took it.
  int64_t since_ms = 0;
  int64_t left_ms = 0;
  PlaceMode mode;
  std::string name;  // who it said it was; cut

  friend bool operator==(const LeftPlace&, const LeftPlace&) = default;
};

// Equal places have equal bytes.
std::string encode_left_place(const LeftPlace& place);
// Nothing for what no encoder here can have made.
std::optional<LeftPlace> decode_left_place(std::string_view bytes);

}  // namespace quorate::kv
