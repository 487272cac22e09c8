#include "kv/left_place.h"

#include "base/codec.h"

namespace quorate::kv {
namespace {

// Small distances of either sign take few bytes; times may be anything, so the difference wraps around.
uint64_t folded(uint64_t difference) { return difference << 1 ^ (~(difference >> 63) + 1); }
uint64_t unfolded(uint64_t bits) { return bits >> 1 ^ (~(bits & 1) + 1); }

}  // namespace

std::string encode_left_place(const LeftPlace& place) {
  const auto since = static_cast<uint64_t>(place.since_ms);
  std::string bytes;
  ByteWriter out(bytes);
  out.varint(place.session.value());
  out.varint(place.czxid.value());
  out.varint(folded(since));
  out.varint(folded(static_cast<uint64_t>(place.left_ms) - since));
  out.raw(write_place(place.mode, std::string_view(place.name).substr(0, kLeftNameBytesMax)));
  return bytes;
}

std::optional<LeftPlace> decode_left_place(std::string_view bytes) {
  ByteReader in(bytes);
  LeftPlace place;
  place.session = SessionId(in.varint());
  place.czxid = Zxid(in.varint());
  const uint64_t since = unfolded(in.varint());
  place.since_ms = static_cast<int64_t>(since);
  place.left_ms = static_cast<int64_t>(since + unfolded(in.varint()));
  const PlaceData data = read_place(in.raw(in.remaining()));
  place.mode = data.mode;
  place.name = data.name;
  if (!in.done() || place.name.size() > kLeftNameBytesMax) return std::nullopt;
  return place;
}

}  // namespace quorate::kv
