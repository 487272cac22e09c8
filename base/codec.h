// Little-endian fixed-width integers, LEB128 varints and length-prefixed strings, for canonical byte formats.
//
// A ByteReader never throws and never reads beyond its input: after the first short or impossible read it is
// failed for good, every later read gives 0 or "", and the caller asks once at the end:
//
//   ByteReader in(bytes);
//   uint64_t term = in.u64();
//   std::string_view path = in.string();
//   if (!in.done()) return malformed();
//
// Thread safety: none.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace quorate {

static_assert(std::endian::native == std::endian::little, "the byte formats are written for little-endian machines");

class ByteWriter {
 public:
  // Appends to `out`, which outlives the writer.
  explicit ByteWriter(std::string& out) : out_(out) {}

  void u8(uint8_t v) { out_.push_back(static_cast<char>(v)); }
  void u16(uint16_t v) { fixed(v); }
  void u32(uint32_t v) { fixed(v); }
  void u64(uint64_t v) { fixed(v); }
  void i32(int32_t v) { fixed(v); }
  void i64(int64_t v) { fixed(v); }
  void varint(uint64_t v) {
    while (v >= 0x80) {
      u8(static_cast<uint8_t>(v | 0x80));
      v >>= 7;
    }
    u8(static_cast<uint8_t>(v));
  }
  void raw(std::string_view bytes) { out_.append(bytes); }
  // A varint length, then the bytes.
  void string(std::string_view bytes) {
    varint(bytes.size());
    raw(bytes);
  }

 private:
  template <class T>
  void fixed(T v) {
    char bytes[sizeof(T)];
    std::memcpy(bytes, &v, sizeof(T));
    out_.append(bytes, sizeof(T));
  }

  std::string& out_;
};

class ByteReader {
 public:
  // `in` outlives the reader and every view it returns.
  explicit ByteReader(std::string_view in) : in_(in) {}

  uint8_t u8() { return fixed<uint8_t>(); }
  uint16_t u16() { return fixed<uint16_t>(); }
  uint32_t u32() { return fixed<uint32_t>(); }
  uint64_t u64() { return fixed<uint64_t>(); }
  int32_t i32() { return fixed<int32_t>(); }
  int64_t i64() { return fixed<int64_t>(); }
  // Refuses encodings that are longer than needed, so that equal values have equal bytes.
  uint64_t varint() {
    uint64_t value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      const uint8_t byte = u8();
      if (failed_) return 0;
      value |= static_cast<uint64_t>(byte & 0x7f) << shift;
      if ((byte & 0x80) == 0) {
        const bool too_long = shift > 0 && byte == 0;
        const bool overflow = shift == 63 && byte > 1;
        if (too_long || overflow) return fail();
        return value;
      }
    }
    return fail();
  }
  uint32_t varint32() {
    const uint64_t value = varint();
    return static_cast<uint32_t>(value <= UINT32_MAX ? value : fail());
  }
  // A byte that is 0 or 1.
  bool flag() {
    const uint8_t value = u8();
    if (value > 1) fail();
    return value == 1;
  }
  std::string_view raw(size_t size) {
    if (failed_ || size > in_.size()) {
      fail();
      return {};
    }
    std::string_view bytes = in_.substr(0, size);
    in_.remove_prefix(size);
    return bytes;
  }
  std::string_view string() { return raw(varint()); }

  size_t remaining() const { return failed_ ? 0 : in_.size(); }
  bool failed() const { return failed_; }
  // All was read and nothing was wrong.
  bool done() const { return !failed_ && in_.empty(); }
  // For a caller that found a value it cannot accept.
  uint64_t fail() {
    failed_ = true;
    return 0;
  }

 private:
  template <class T>
  T fixed() {
    T v{};
    std::string_view bytes = raw(sizeof(T));
    if (!failed_) std::memcpy(&v, bytes.data(), sizeof(T));
    return v;
  }

  std::string_view in_;
  bool failed_ = false;
};

}  // namespace quorate
