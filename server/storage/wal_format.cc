#include "server/storage/wal_format.h"

#include <cstring>

#include "base/check.h"
#include "base/checksum.h"
#include "base/codec.h"

namespace quorate::server::wal {
namespace {

constexpr uint64_t kSegmentMagic = 0x31474f4c524f5551;  // the bytes "QUORLOG1"
constexpr uint64_t kSlotMagic = 0x544f4c53524f5551;     // the bytes "QUORSLOT"
constexpr uint16_t kFrameMagic = 0x4651;                // the bytes "QF"
constexpr uint32_t kFormatVersion = 1;
constexpr uint8_t kFrameVersion = 1;
// In a frame's header: what seeds the checksum, the checksum, and what it covers.
constexpr size_t kFrameSeedBytes = 8;
constexpr size_t kFrameCovered = 16;

void put_state(ByteWriter& out, const LogState& state) {
  out.u64(state.hard_state.term.value());
  out.u64(state.snapshot_index.value());
  out.u64(state.snapshot_term.value());
  out.u32(state.hard_state.vote.value());
}

LogState get_state(ByteReader& in) {
  LogState state;
  state.hard_state.term = Term(in.u64());
  state.snapshot_index = Index(in.u64());
  state.snapshot_term = Term(in.u64());
  state.hard_state.vote = ServerId(in.u32());
  return state;
}

void put_identity(ByteWriter& out, const WalIdentity& identity) {
  out.u32(identity.server.value());
  out.u64(identity.incarnation.value());
  out.u64(identity.cluster.value());
}

WalIdentity get_identity(ByteReader& in) {
  WalIdentity identity;
  identity.server = ServerId(in.u32());
  identity.incarnation = Incarnation(in.u64());
  identity.cluster = ClusterId(in.u64());
  return identity;
}

// A sector of its own: the fields, their checksum, zeroes.
std::string seal_sector(std::string fields) {
  const uint64_t checksum = checksum64(fields);
  ByteWriter(fields).u64(checksum);
  CHECK(fields.size() <= kSectorBytes);
  fields.resize(kSectorBytes);
  return fields;
}

bool sector_intact(std::string_view bytes, size_t field_bytes) {
  if (bytes.size() < field_bytes + 8) return false;
  return ByteReader(bytes.substr(field_bytes, 8)).u64() == checksum64(bytes.substr(0, field_bytes));
}

constexpr size_t kSegmentHeaderFieldBytes = 8 + 4 + 20 + 8 + 4 + 8 + 8 + 28 + 8 + 8;
constexpr size_t kSlotFieldBytes = 8 + 4 + 20 + 8 + 8 + 8 + 8 + 4;

uint64_t frame_checksum(std::string_view header, uint64_t segment_checksum) {
  const uint64_t seed = checksum64(header.substr(0, kFrameSeedBytes), segment_checksum);
  return checksum64(header.substr(kFrameCovered, kFrameHeaderBytes - kFrameCovered), seed);
}

}  // namespace

std::string encode_segment_header(const SegmentHeader& header) {
  std::string fields;
  ByteWriter out(fields);
  out.u64(kSegmentMagic);
  out.u32(kFormatVersion);
  put_identity(out, header.identity);
  out.u64(header.generation);
  out.u32(header.recycled ? 1 : 0);
  out.u64(header.segment_bytes);
  out.u64(header.first.value());
  put_state(out, header.state);
  out.u64(header.previous_end);
  out.u64(header.previous_checksum);
  CHECK(fields.size() == kSegmentHeaderFieldBytes);
  return seal_sector(std::move(fields));
}

uint64_t segment_header_checksum(const SegmentHeader& header) {
  return decode_segment_header(encode_segment_header(header))->checksum;
}

std::optional<DecodedSegmentHeader> decode_segment_header(std::string_view bytes) {
  if (!sector_intact(bytes, kSegmentHeaderFieldBytes)) return std::nullopt;
  ByteReader in(bytes.substr(0, kSegmentHeaderFieldBytes + 8));
  DecodedSegmentHeader decoded;
  SegmentHeader& header = decoded.header;
  if (in.u64() != kSegmentMagic) return std::nullopt;
  decoded.newer_version = in.u32() != kFormatVersion;
  header.identity = get_identity(in);
  header.generation = in.u64();
  header.recycled = in.u32() != 0;
  header.segment_bytes = in.u64();
  header.first = Index(in.u64());
  header.state = get_state(in);
  header.previous_end = in.u64();
  header.previous_checksum = in.u64();
  decoded.checksum = in.u64();
  CHECK(in.done());
  return decoded;
}

std::string encode_slot(const Slot& slot) {
  std::string fields;
  ByteWriter out(fields);
  out.u64(kSlotMagic);
  out.u32(kFormatVersion);
  put_identity(out, slot.identity);
  out.u64(slot.sequence);
  out.u64(slot.generation);
  out.u64(slot.synced);
  out.u64(slot.hard_state.term.value());
  out.u32(slot.hard_state.vote.value());
  CHECK(fields.size() == kSlotFieldBytes);
  return seal_sector(std::move(fields));
}

std::optional<Slot> decode_slot(std::string_view bytes) {
  if (!sector_intact(bytes, kSlotFieldBytes)) return std::nullopt;
  ByteReader in(bytes.substr(0, kSlotFieldBytes));
  Slot slot;
  if (in.u64() != kSlotMagic || in.u32() != kFormatVersion) return std::nullopt;
  slot.identity = get_identity(in);
  slot.sequence = in.u64();
  slot.generation = in.u64();
  slot.synced = in.u64();
  slot.hard_state.term = Term(in.u64());
  slot.hard_state.vote = ServerId(in.u32());
  CHECK(in.done());
  return slot;
}

uint64_t frame_bytes(uint64_t entries_bytes) {
  return (kFrameHeaderBytes + entries_bytes + kFrameAlignment - 1) / kFrameAlignment * kFrameAlignment;
}

uint64_t seal_frame(std::string& frame, FrameHeader header, uint64_t segment_checksum) {
  CHECK(frame.size() >= kFrameHeaderBytes && frame.size() - kFrameHeaderBytes <= UINT32_MAX);
  const std::string_view entries = std::string_view(frame).substr(kFrameHeaderBytes);
  header.entries_bytes = static_cast<uint32_t>(entries.size());
  header.entries_checksum = checksum64(entries);

  std::string fields;
  fields.reserve(kFrameHeaderBytes);
  ByteWriter out(fields);
  out.u16(kFrameMagic);
  out.u8(kFrameVersion);
  out.u8(static_cast<uint8_t>(header.kind));
  out.u32(header.entries_bytes);
  out.u64(0);  // the checksum
  out.u64(header.entries_checksum);
  out.u64(header.generation);
  out.u64(header.offset);
  out.u64(header.previous);
  out.u64(header.synced);
  out.u64(header.first.value());
  put_state(out, header.state);
  out.u32(header.entry_count);
  CHECK(fields.size() == kFrameHeaderBytes);
  const uint64_t checksum = frame_checksum(fields, segment_checksum);
  std::memcpy(fields.data() + kFrameSeedBytes, &checksum, sizeof(checksum));
  std::memcpy(frame.data(), fields.data(), kFrameHeaderBytes);
  frame.resize(frame_bytes(header.entries_bytes));
  return checksum;
}

std::optional<DecodedFrame> decode_frame_header(std::string_view content, uint64_t offset,
                                                uint64_t generation, uint64_t segment_checksum) {
  if (offset > content.size() || content.size() - offset < kFrameHeaderBytes) return std::nullopt;
  const std::string_view bytes = content.substr(offset, kFrameHeaderBytes);
  ByteReader in(bytes);
  if (in.u16() != kFrameMagic) return std::nullopt;
  DecodedFrame frame;
  FrameHeader& header = frame.header;
  const uint8_t version = in.u8();
  const uint8_t kind = in.u8();
  header.kind = static_cast<FrameKind>(kind);
  header.entries_bytes = in.u32();
  frame.checksum = in.u64();
  header.entries_checksum = in.u64();
  header.generation = in.u64();
  header.offset = in.u64();
  if (header.generation != generation || header.offset != offset) return std::nullopt;
  if (frame.checksum != frame_checksum(bytes, segment_checksum)) return std::nullopt;
  header.previous = in.u64();
  header.synced = in.u64();
  header.first = Index(in.u64());
  header.state = get_state(in);
  header.entry_count = in.u32();
  CHECK(in.done());
  frame.newer_version = version != kFrameVersion || (kind != static_cast<uint8_t>(FrameKind::kBatch) &&
                                                     kind != static_cast<uint8_t>(FrameKind::kMark));
  return frame;
}

std::optional<std::string_view> frame_entries(std::string_view content, const FrameHeader& header) {
  const uint64_t begin = header.offset + kFrameHeaderBytes;
  if (begin > content.size() || content.size() - begin < header.entries_bytes) return std::nullopt;
  const std::string_view entries = content.substr(begin, header.entries_bytes);
  if (checksum64(entries) != header.entries_checksum) return std::nullopt;
  return entries;
}

raft::HardState newer(const raft::HardState& a, const raft::HardState& b) {
  if (a.term != b.term) return a.term > b.term ? a : b;
  return a.vote.value() != 0 ? a : b;
}

}  // namespace quorate::server::wal
