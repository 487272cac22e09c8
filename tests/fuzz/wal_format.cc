// The log's segment headers, slots and frames, each from bytes alone.
#include <cstring>

#include "base/check.h"
#include "base/checksum.h"
#include "server/storage/wal_format.h"
#include "tests/fuzz/target.h"

namespace quorate::fuzz {
namespace {

using namespace server::wal;

constexpr uint64_t kSeed = 0x1234;  // stands for a segment's checksum

std::string sealed_frame(FrameHeader header, std::string_view entries) {
  std::string bytes(kFrameHeaderBytes, '\0');
  bytes += entries;
  seal_frame(bytes, header, kSeed);
  return bytes;
}

// The fields of a sector lie in front of their checksum.
std::string with_checksum(std::string sector, size_t field_bytes) {
  if (sector.size() < field_bytes + 8) return sector;
  const uint64_t checksum = checksum64(std::string_view(sector).substr(0, field_bytes));
  std::memcpy(sector.data() + field_bytes, &checksum, sizeof(checksum));
  return sector;
}
size_t field_bytes(std::string sector) { return sector.find_last_not_of('\0') + 1 - 8; }
const size_t kHeaderFields = [] {
  SegmentHeader header;
  header.previous_checksum = ~0ULL;
  return field_bytes(encode_segment_header(header));
}();
const size_t kSlotFields = [] {
  Slot slot;
  slot.hard_state.vote = ServerId(~0U);
  return field_bytes(encode_slot(slot));
}();

void check_header(std::string_view bytes) {
  const auto decoded = decode_segment_header(bytes);
  if (!decoded || decoded->newer_version) return;
  // "recycled" is whatever is not zero.
  const auto again = decode_segment_header(encode_segment_header(decoded->header));
  CHECK(again && encode_segment_header(again->header) == encode_segment_header(decoded->header));
}

void check_slot(std::string_view bytes) {
  const auto slot = decode_slot(bytes);
  if (slot) CHECK(encode_slot(*slot).substr(0, kSlotFields + 8) == bytes.substr(0, kSlotFields + 8));
}

void check_frame(std::string_view content, uint64_t offset, uint64_t generation) {
  const auto frame = decode_frame_header(content, offset, generation, kSeed);
  if (!frame) return;
  const auto entries = frame_entries(content, frame->header);
  if (!entries || frame->newer_version) return;
  CHECK(sealed_frame(frame->header, *entries).substr(0, kFrameHeaderBytes) ==
        content.substr(offset, kFrameHeaderBytes));
}

// The first byte says what the others are, and whether their checksum is to be made right.
void run(std::string_view bytes) {
  Choices choices(bytes);
  const uint8_t kind = choices.byte();
  std::string given(choices.rest());
  switch (kind % 6) {
    case 0:
      return check_header(given);
    case 1:
      return check_header(with_checksum(given, kHeaderFields));
    case 2:
      return check_slot(given);
    case 3:
      return check_slot(with_checksum(given, kSlotFields));
    default: {
      // As a reader looks for frames at any place that one could begin at.
      const uint64_t generation = kind / 6 % 4;
      for (uint64_t at = 0; at < given.size() && at < 256; at += kFrameAlignment) {
        check_frame(given, at, generation);
      }
    }
  }
}

std::vector<std::string> seeds() {
  SegmentHeader header;
  header.identity = {ServerId(1), Incarnation(2), ClusterId(3)};
  header.generation = 4;
  header.segment_bytes = 65536;
  header.first = Index(5);
  header.state = {{Term(6), ServerId(2)}, Index(3), Term(2)};
  header.previous_end = 8192;
  header.previous_checksum = 77;
  Slot slot;
  slot.identity = header.identity;
  slot.sequence = 9;
  slot.generation = 4;
  slot.synced = 4096;
  slot.hard_state = header.state.hard_state;
  FrameHeader frame;
  frame.generation = 2;
  frame.first = Index(5);
  frame.state = header.state;
  frame.entry_count = 1;
  FrameHeader mark = frame;
  mark.kind = FrameKind::kMark;
  const std::string first = sealed_frame(frame, "entries");
  mark.offset = first.size();
  const auto kind = [](int n) { return std::string(1, static_cast<char>(n)); };
  return {kind(0) + encode_segment_header(header), kind(1) + encode_segment_header(header),
          kind(2) + encode_slot(slot), kind(3) + encode_slot(slot),
          kind(4 + 6 * 2) + first + sealed_frame(mark, "")};
}

const Target kTarget("wal_format", run, seeds);

}  // namespace
}  // namespace quorate::fuzz
