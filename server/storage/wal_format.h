// The bytes of the log on disk: segment headers, frames, and the two slots that hold term and vote a second
// time. docs/storage-format.md draws them and says why they are as they are; here they are encoded and
// decoded, nothing else.
//
// Thread safety: pure functions and plain values.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/ids.h"
#include "raft/message.h"
#include "server/storage/wal.h"

namespace quorate::server::wal {

// A header has a page to itself, so that writing frames never touches the page it is in.
inline constexpr uint64_t kFramesBegin = 4096;
inline constexpr size_t kSectorBytes = 512;
inline constexpr size_t kFrameHeaderBytes = 96;
inline constexpr size_t kFrameAlignment = 8;
inline constexpr uint64_t kSlotOffsets[2] = {0, 4096};
inline constexpr uint64_t kStateFileBytes = 8192;

// What every frame and every segment header says, so that the last one read says it all.
struct LogState {
  raft::HardState hard_state;
  Index snapshot_index;
  Term snapshot_term;

  friend bool operator==(const LogState&, const LogState&) = default;
};

struct SegmentHeader {
  WalIdentity identity;
  uint64_t generation = 0;  // 1, 2, 3...: never used twice in a log
  bool recycled = false;    // behind the frames are those of an earlier generation, not zeroes
  uint64_t segment_bytes = 0;
  Index first;                     // one beyond the last entry of the segments before
  LogState state;                  // as of the end of the segments before
  uint64_t previous_end = 0;       // where the frames of the segment before end, 0 for the first segment
  uint64_t previous_checksum = 0;  // of the last frame there
};

enum class FrameKind : uint8_t {
  kBatch = 1,
  kMark = 2,  // says nothing new, only that all before it is synced
};

struct FrameHeader {
  FrameKind kind = FrameKind::kBatch;
  uint32_t entries_bytes = 0;
  uint64_t entries_checksum = 0;
  uint64_t generation = 0;
  uint64_t offset = 0;    // of this frame, in its segment
  uint64_t previous = 0;  // checksum of the frame before, or of the segment's header
  uint64_t synced = 0;    // what is before this offset was durable when the frame was written
  Index first;            // of the first entry; what the log had from here on is dropped
  LogState state;
  uint32_t entry_count = 0;
};

// One of the two copies of term and vote beside the log.
struct Slot {
  WalIdentity identity;
  uint64_t sequence = 0;
  uint64_t generation = 0;  // the newest segment there was
  uint64_t synced = 0;      // in that segment, known to be durable
  raft::HardState hard_state;
};

// One sector each.
std::string encode_segment_header(const SegmentHeader& header);
std::string encode_slot(const Slot& slot);
uint64_t segment_header_checksum(const SegmentHeader& header);

struct DecodedSegmentHeader {
  SegmentHeader header;
  uint64_t checksum = 0;  // seeds the checksum of every frame in the segment
  bool newer_version = false;
};
// Nothing when the bytes are damaged, or are no header at all.
std::optional<DecodedSegmentHeader> decode_segment_header(std::string_view bytes);
std::optional<Slot> decode_slot(std::string_view bytes);

// Writes the header over the first kFrameHeaderBytes of `frame`, which holds the entries behind them already,
// and pads the frame. Returns the frame's checksum. Sizes and checksums in `header` are filled in here.
uint64_t seal_frame(std::string& frame, FrameHeader header, uint64_t segment_checksum);

struct DecodedFrame {
  FrameHeader header;
  uint64_t checksum = 0;
  bool newer_version = false;
};
// Looks for an intact frame header at `offset` of a segment's content. Its entries may be damaged all the
// same.
std::optional<DecodedFrame> decode_frame_header(std::string_view content, uint64_t offset,
                                                uint64_t generation, uint64_t segment_checksum);
// The entries behind an intact header, if they are all there and intact.
std::optional<std::string_view> frame_entries(std::string_view content, const FrameHeader& header);

// With its padding.
uint64_t frame_bytes(uint64_t entries_bytes);

// Which of two says more: terms only rise, and in a term a vote is given once.
raft::HardState newer(const raft::HardState& a, const raft::HardState& b);

}  // namespace quorate::server::wal
