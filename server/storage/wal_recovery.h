// Reads a log's folder and says what it holds, without changing anything: what was recovered and where
// writing goes on, or why the folder must not be used. The rules that tell a torn tail from damage are in
// docs/storage-format.md.
//
// Thread safety: pure functions over the file system handed in.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "server/storage/file_system.h"
#include "server/storage/wal.h"
#include "server/storage/wal_format.h"

namespace quorate::server::wal {

inline constexpr char kStateFile[] = "state";    // the two slots of term and vote
inline constexpr char kFillFile[] = "fill";      // a segment that is being filled with zeroes
inline constexpr char kNewFile[] = "new";        // a file that has not got its name yet
std::string log_name(uint64_t generation);       // "log-0000000000000001"
std::string recycled_name(uint64_t generation);  // a spare with the frames of that generation in it
std::string fresh_name(uint64_t number);         // a spare full of zeroes

// What is in the folder, by name alone.
struct Listing {
  std::map<uint64_t, std::string> logs;  // by generation
  std::vector<std::string> recycled;
  std::vector<std::string> fresh;
  std::vector<std::string> unfinished;  // left behind by a crash, of no worth
  bool state = false;

  static Result<Listing> read(FileSystem& fs, const std::string& directory);
};

// The copies of term and vote beside the log.
struct Slots {
  std::optional<Slot> newest;
  size_t intact = 0;

  static Result<Slots> read(FileSystem& fs, const std::string& directory, const WalIdentity& identity);
};

struct Segment {
  uint64_t generation = 0;
  Index first;
  uint64_t bytes = 0;
};

// Where the newest segment ends, and what has to be done to it before it is written to.
struct Tail {
  SegmentHeader header;
  uint64_t header_checksum = 0;
  uint64_t end = kFramesBegin;  // the next frame goes here
  uint64_t checksum = 0;        // of the last frame, or of the header
  // The last frame, which no later one vouches for: it may be in the page cache alone.
  uint64_t last_offset = 0;
  std::string last_bytes;
  // It, or the segment's header, says nothing that would be lost with it.
  bool vouched = true;
  // A frame was begun at `end` and is not whole.
  bool torn = false;
  // So many bytes from `end` on must become zeroes, those of a frame's header durably before the others.
  uint64_t blank_bytes = 0;
};

struct Recovery {
  WalRecovered recovered;
  LogState logged;  // the state as the log has it, without the slots
  std::vector<Segment> segments;
  Tail tail;
  Slots slots;
  Listing listing;
};

// Errors as Wal::open.
Result<Recovery> recover(FileSystem& fs, const std::string& directory, const WalIdentity& identity);

// The identity in the header of one segment file.
Result<DecodedSegmentHeader> read_segment_header(FileSystem& fs, const std::string& path);
Status check_identity(const WalIdentity& found, const WalIdentity& expected, const std::string& path);

}  // namespace quorate::server::wal
