// The part of Protobuf's wire format that the load's adapter needs: varint and length-delimited fields.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/codec.h"

namespace quorate::bench {

// As proto3 does, a field with its default value (0, "") is left out.
inline void put_varint_field(ByteWriter& out, uint32_t field, uint64_t value) {
  if (value == 0) return;
  out.varint(uint64_t{field} << 3);
  out.varint(value);
}
inline void put_message_field(ByteWriter& out, uint32_t field, std::string_view bytes) {
  out.varint((uint64_t{field} << 3) | 2);
  out.string(bytes);
}
inline void put_bytes_field(ByteWriter& out, uint32_t field, std::string_view bytes) {
  if (!bytes.empty()) put_message_field(out, field, bytes);
}

// Walks over the fields of a message:
//
//   ProtobufFields fields(bytes);
//   while (fields.next()) { if (fields.number() == 1) id = fields.varint(); }
//   if (fields.broken()) ...
class ProtobufFields {
 public:
  explicit ProtobufFields(std::string_view message) : in_(message) {}

  bool next() {
    if (in_.remaining() == 0) return false;
    const uint64_t tag = in_.varint();
    number_ = static_cast<uint32_t>(tag >> 3);
    varint_ = 0;
    bytes_ = {};
    switch (tag & 7) {
      case 0:
        varint_ = in_.varint();
        break;
      case 1:
        varint_ = in_.u64();
        break;
      case 2:
        bytes_ = in_.string();
        break;
      case 5:
        varint_ = in_.u32();
        break;
      default:
        in_.fail();
    }
    return !in_.failed();
  }
  bool broken() const { return in_.failed(); }

  uint32_t number() const { return number_; }
  uint64_t varint() const { return varint_; }        // of a varint or fixed field
  std::string_view bytes() const { return bytes_; }  // of a string, bytes or message field

 private:
  ByteReader in_;
  uint32_t number_ = 0;
  uint64_t varint_ = 0;
  std::string_view bytes_;
};

}  // namespace quorate::bench
