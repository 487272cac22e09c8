#include "server/storage/leveldb_log_tail.h"

#include <algorithm>
#include <array>
#include <cstring>

namespace quorate::server {
namespace {

constexpr size_t kBlockBytes = 32 << 10;
constexpr size_t kHeaderBytes = 7;
enum Kind : uint8_t { kFull = 1, kFirst = 2, kMiddle = 3, kLast = 4 };

// CRC-32C (Castagnoli), reflected.
constexpr std::array<uint32_t, 256> crc_table() {
  std::array<uint32_t, 256> table{};
  for (uint32_t i = 0; i < 256; ++i) {
    uint32_t value = i;
    for (int bit = 0; bit < 8; ++bit) value = (value >> 1) ^ ((value & 1) != 0 ? 0x82f63b78U : 0U);
    table[i] = value;
  }
  return table;
}

uint32_t crc32c(std::string_view bytes) {
  static constexpr std::array<uint32_t, 256> kTable = crc_table();
  uint32_t crc = ~0U;
  for (const char byte : bytes) crc = (crc >> 8) ^ kTable[(crc ^ static_cast<uint8_t>(byte)) & 0xff];
  return ~crc;
}

// Stored checksums are rotated and shifted, so that bytes which hold checksums have ordinary ones themselves.
uint32_t masked(uint32_t crc) { return ((crc >> 15) | (crc << 17)) + 0xa282ead8U; }

struct Fragment {
  size_t bytes = 0;  // with the header, as far as the header can be believed; 0: it cannot
  uint8_t kind = 0;
  bool intact = false;
};

// `rest` is what is left of the block, at least a header.
Fragment read_fragment(std::string_view rest) {
  uint32_t stored = 0;
  uint16_t size = 0;
  std::memcpy(&stored, rest.data(), sizeof(stored));
  std::memcpy(&size, rest.data() + 4, sizeof(size));
  Fragment fragment;
  fragment.kind = static_cast<uint8_t>(rest[6]);
  if (kHeaderBytes + size > rest.size() || (fragment.kind == 0 && size == 0)) return fragment;
  fragment.bytes = kHeaderBytes + size;
  fragment.intact =
      fragment.kind >= kFull && fragment.kind <= kLast && masked(crc32c(rest.substr(6, 1 + size))) == stored;
  return fragment;
}

// Where the next fragment is looked for, behind one at `at`.
size_t next_fragment(size_t at, const Fragment& fragment) {
  const size_t block_end = (at / kBlockBytes + 1) * kBlockBytes;
  if (fragment.bytes == 0) return block_end;
  const size_t next = at + fragment.bytes;
  return block_end - next < kHeaderBytes ? block_end : next;
}

}  // namespace

LevelDbLogTail judge_leveldb_log(std::string_view content) {
  LevelDbLogTail tail;
  bool whole = true;        // all before `at` reads back
  bool inside = false;      // a record has begun and not ended
  size_t record_begin = 0;  // of the record behind the last whole one
  for (size_t at = 0; at + kHeaderBytes <= content.size();) {
    const size_t block_end = std::min((at / kBlockBytes + 1) * kBlockBytes, content.size());
    const Fragment fragment = read_fragment(content.substr(at, block_end - at));
    const bool begins = fragment.kind == kFull || fragment.kind == kFirst;
    if (!fragment.intact || begins == inside) whole = false;
    if (whole) {
      inside = fragment.kind == kFirst || fragment.kind == kMiddle;
      if (!inside) {
        tail.intact_bytes = at + fragment.bytes;
        record_begin = next_fragment(at, fragment);
      }
    } else if (fragment.intact && begins && at > record_begin) {
      // The torn record is the last that was written: the beginning of another says that it is not.
      tail.damaged = true;
      return tail;
    }
    at = next_fragment(at, fragment);
  }
  return tail;
}

}  // namespace quorate::server
