#include "server/storage/wal_recovery.h"

#include <algorithm>
#include <charconv>
#include <cstring>

#include "base/check.h"
#include "server/storage/files.h"
#include "server/storage/wal_replay.h"

namespace quorate::server::wal {
namespace {

constexpr std::string_view kLogPrefix = "log-";
constexpr std::string_view kRecycledPrefix = "recycled-";
constexpr std::string_view kFreshPrefix = "fresh-";
constexpr size_t kNumberDigits = 16;

std::string numbered(std::string_view prefix, uint64_t number) {
  char digits[kNumberDigits];
  for (size_t i = 0; i < kNumberDigits; ++i) {
    digits[kNumberDigits - 1 - i] = "0123456789abcdef"[(number >> (4 * i)) & 15];
  }
  return std::string(prefix).append(digits, kNumberDigits);
}

std::optional<uint64_t> number_of(std::string_view name, std::string_view prefix) {
  if (!name.starts_with(prefix) || name.size() != prefix.size() + kNumberDigits) return std::nullopt;
  uint64_t number = 0;
  const char* end = name.data() + name.size();
  const auto parsed = std::from_chars(name.data() + prefix.size(), end, number, 16);
  if (parsed.ec != std::errc() || parsed.ptr != end || numbered(prefix, number) != name) return std::nullopt;
  return number;
}

Error corrupt(const std::string& path, uint64_t offset, const std::string& what) {
  return {ErrorCode::kCorruption,
          path + " is damaged at offset " + std::to_string(offset) + ": " + what +
              "; nothing was changed; this server must be rebuilt from its peers or a backup"};
}

// Recovers segment after segment, oldest first.
class Recoverer {
 public:
  Recoverer(FileSystem& fs, const std::string& directory, const WalIdentity& identity)
      : fs_(fs), directory_(directory), identity_(identity) {}

  Result<Recovery> run() {
    if (Status read = read_folder(); !read.ok()) return read.error();
    if (Status read = read_headers(); !read.ok()) return read.error();
    for (size_t i = 0; i < headers_.size(); ++i) {
      if (Status read = read_segment(i); !read.ok()) return read.error();
    }
    if (Status finished = finish(); !finished.ok()) return finished.error();
    return std::move(out_);
  }

 private:
  std::string path_of(uint64_t generation) const { return directory_ + "/" + log_name(generation); }

  Status read_folder() {
    Result<Listing> listing = Listing::read(fs_, directory_);
    if (!listing.ok()) return listing.error();
    out_.listing = std::move(*listing);
    if (out_.listing.logs.empty()) {
      if (!out_.listing.state) return Error{ErrorCode::kNoNode, directory_ + ": there is no log here"};
      return corrupt(directory_, 0, "every segment of the log is missing");
    }
    Result<Slots> slots = Slots::read(fs_, directory_, identity_);
    if (!slots.ok()) return slots.error();
    out_.slots = std::move(*slots);
    const uint64_t newest = out_.listing.logs.rbegin()->first;
    if (out_.slots.newest && out_.slots.newest->generation > newest) {
      return corrupt(path_of(out_.slots.newest->generation), 0, "this segment is missing");
    }
    return {};
  }

  Status read_headers() {
    uint64_t expected = out_.listing.logs.begin()->first;
    for (const auto& [generation, name] : out_.listing.logs) {
      if (generation != expected++) return corrupt(path_of(expected - 1), 0, "this segment is missing");
      Result<DecodedSegmentHeader> decoded = read_segment_header(fs_, path_of(generation));
      if (!decoded.ok()) return decoded.error();
      const SegmentHeader& header = decoded->header;
      if (Status same = check_identity(header.identity, identity_, path_of(generation)); !same.ok())
        return same;
      if (header.generation != generation) {
        return corrupt(path_of(generation), 0, "its header is that of another segment");
      }
      out_.segments.push_back({generation, header.first, header.segment_bytes});
      headers_.push_back(std::move(*decoded));
    }
    return {};
  }

  // Reads frames until the chain breaks, and judges the break.
  Status read_segment(size_t i) {
    const DecodedSegmentHeader& decoded = headers_[i];
    const SegmentHeader& header = decoded.header;
    const std::string path = path_of(header.generation);
    Result<std::string> content = read_file(fs_, path);
    if (!content.ok()) return content.error();
    if (content->size() != header.segment_bytes) {
      return corrupt(path, content->size(), "the file does not have the size that its header says");
    }
    if (i == 0) {
      replay_.begin(header.first, header.state);
    } else if (!replay_.continues(header.first, header.state)) {
      return corrupt(path, 0, "it does not continue the segment before");
    }

    const SegmentHeader* next = i + 1 < headers_.size() ? &headers_[i + 1].header : nullptr;
    Tail tail;
    tail.header = header;
    tail.header_checksum = decoded.checksum;
    tail.checksum = decoded.checksum;
    while (next == nullptr || tail.end < next->previous_end) {
      const Result<bool> more = read_frame(path, *content, tail);
      if (!more.ok()) return more.error();
      if (!*more) break;
    }
    if (next == nullptr) return judge_tail(path, *content, std::move(tail));
    if (tail.end != next->previous_end || tail.checksum != next->previous_checksum) {
      return corrupt(path, tail.end, "the segment after it says that it was synced further");
    }
    return {};
  }

  // False where the chain ends.
  Result<bool> read_frame(const std::string& path, std::string_view content, Tail& tail) {
    const std::optional<DecodedFrame> frame =
        decode_frame_header(content, tail.end, tail.header.generation, tail.header_checksum);
    if (!frame || frame->header.previous != tail.checksum) return false;
    if (frame->newer_version) {
      return Error{ErrorCode::kUnsupported,
                   path + ": written by a newer version of the server; use that one"};
    }
    const std::optional<std::string_view> entries = frame_entries(content, frame->header);
    if (!entries) return false;
    if (std::optional<std::string> wrong = replay_.apply(frame->header, *entries)) {
      return corrupt(path, tail.end, *wrong);
    }
    const uint64_t size = std::min<uint64_t>(frame_bytes(entries->size()), content.size() - tail.end);
    tail.last_offset = tail.end;
    tail.last_bytes = content.substr(tail.end, size);
    tail.vouched = frame->header.kind == FrameKind::kMark;
    tail.end += size;
    tail.checksum = frame->checksum;
    return true;
  }

  // The chain of the newest segment ends at tail.end. If anything that was written later says that more had
  // been synced, that is damage; otherwise it is the end of the log, perhaps with a torn frame.
  Status judge_tail(const std::string& path, std::string_view content, Tail tail) {
    const std::optional<Slot>& slot = out_.slots.newest;
    if (slot && slot->generation == tail.header.generation && slot->synced > tail.end) {
      return corrupt(path, tail.end, "the log had been synced up to offset " + std::to_string(slot->synced));
    }
    const uint64_t aligned = tail.end + kFrameAlignment;
    for (uint64_t at = aligned; at + kFrameHeaderBytes <= content.size(); at += kFrameAlignment) {
      const std::optional<DecodedFrame> later =
          decode_frame_header(content, at, tail.header.generation, tail.header_checksum);
      if (later && later->header.synced > tail.end) {
        return corrupt(
            path, tail.end,
            "an intact frame at offset " + std::to_string(at) + " says that all before it was synced");
      }
    }
    measure_torn(content, tail);
    out_.tail = std::move(tail);
    return {};
  }

  void measure_torn(std::string_view content, Tail& tail) {
    const std::string_view rest = content.substr(tail.end);
    const std::string_view head = rest.substr(0, kFrameHeaderBytes);
    if (!tail.header.recycled) {
      const size_t last = rest.find_last_not_of('\0');
      if (last == std::string_view::npos) return;
      tail.torn = true;
      tail.blank_bytes = out_.recovered.torn_bytes = last + 1;
      return;
    }
    if (head.find_first_not_of('\0') != std::string_view::npos) tail.blank_bytes = head.size();
    // Behind the end are frames of an earlier generation; only a header of this one shows that a frame was
    // begun.
    if (head.size() < kFrameHeaderBytes) return;
    uint32_t entries_bytes = 0;
    uint64_t generation = 0;
    std::memcpy(&entries_bytes, head.data() + 4, sizeof(entries_bytes));
    std::memcpy(&generation, head.data() + 24, sizeof(generation));
    tail.torn = generation == tail.header.generation;
    if (tail.torn) out_.recovered.torn_bytes = std::min<uint64_t>(frame_bytes(entries_bytes), rest.size());
  }

  Status finish() {
    out_.logged = replay_.state();
    WalRecovered& recovered = out_.recovered;
    recovered.hard_state = out_.logged.hard_state;
    recovered.snapshot_index = out_.logged.snapshot_index;
    recovered.snapshot_term = out_.logged.snapshot_term;
    if (!replay_.reaches_snapshot()) {
      return corrupt(path_of(out_.segments.front().generation - 1), 0,
                     "this segment is missing, and the snapshot does not reach beyond it");
    }
    if (out_.slots.intact == 0 && out_.tail.torn) {
      return corrupt(directory_ + "/" + kStateFile, 0,
                     "both copies of term and vote are damaged, so this server counts as wiped");
    }
    if (out_.slots.newest) {
      const raft::HardState& slot = out_.slots.newest->hard_state;
      const raft::HardState& log = recovered.hard_state;
      if (slot.term == log.term && slot.vote != log.vote && slot.vote.value() != 0 && log.vote.value() != 0) {
        return corrupt(directory_ + "/" + kStateFile, 0, "it and the log know two votes in one term");
      }
      recovered.hard_state = newer(slot, log);
    }
    recovered.entries = replay_.take_entries();
    return {};
  }

  FileSystem& fs_;
  const std::string directory_;
  const WalIdentity identity_;
  Recovery out_;
  std::vector<DecodedSegmentHeader> headers_;
  Replay replay_;
};

}  // namespace

std::string log_name(uint64_t generation) { return numbered(kLogPrefix, generation); }
std::string recycled_name(uint64_t generation) { return numbered(kRecycledPrefix, generation); }
std::string fresh_name(uint64_t number) { return numbered(kFreshPrefix, number); }

Result<Listing> Listing::read(FileSystem& fs, const std::string& directory) {
  Result<std::vector<std::string>> names = fs.list(directory);
  if (!names.ok()) return names.error();
  Listing listing;
  for (const std::string& name : *names) {
    if (const std::optional<uint64_t> generation = number_of(name, kLogPrefix)) {
      listing.logs[*generation] = name;
    } else if (number_of(name, kRecycledPrefix)) {
      listing.recycled.push_back(name);
    } else if (number_of(name, kFreshPrefix)) {
      listing.fresh.push_back(name);
    } else if (name == kFillFile || name == kNewFile) {
      listing.unfinished.push_back(name);
    } else if (name == kStateFile) {
      listing.state = true;
    }
  }
  return listing;
}

Result<Slots> Slots::read(FileSystem& fs, const std::string& directory, const WalIdentity& identity) {
  Slots slots;
  const std::string path = directory + "/" + kStateFile;
  Result<std::string> content = read_file(fs, path);
  if (content.code() == ErrorCode::kNoNode) return slots;
  if (!content.ok()) return content.error();
  for (const uint64_t offset : kSlotOffsets) {
    if (offset >= content->size()) continue;
    const std::optional<Slot> slot = decode_slot(std::string_view(*content).substr(offset));
    if (!slot) continue;
    if (Status same = check_identity(slot->identity, identity, path); !same.ok()) return same.error();
    ++slots.intact;
    if (!slots.newest || slot->sequence > slots.newest->sequence) slots.newest = slot;
  }
  return slots;
}

Result<Recovery> recover(FileSystem& fs, const std::string& directory, const WalIdentity& identity) {
  return Recoverer(fs, directory, identity).run();
}

Result<DecodedSegmentHeader> read_segment_header(FileSystem& fs, const std::string& path) {
  Result<std::unique_ptr<File>> file = fs.open(path);
  if (!file.ok()) return file.error();
  Result<std::string> bytes = (*file)->read_at(0, kSectorBytes);
  if (!bytes.ok()) return bytes.error();
  std::optional<DecodedSegmentHeader> decoded = decode_segment_header(*bytes);
  if (!decoded) return corrupt(path, 0, "its header is not intact");
  if (decoded->newer_version) {
    return Error{ErrorCode::kUnsupported, path + ": written by a newer version of the server; use that one"};
  }
  return std::move(*decoded);
}

Status check_identity(const WalIdentity& found, const WalIdentity& expected, const std::string& path) {
  if (found.server != expected.server) {
    return Error{ErrorCode::kWrongServer, path + " belongs to server " +
                                              std::to_string(found.server.value()) + ", not to server " +
                                              std::to_string(expected.server.value()) +
                                              "; start that server here, or give this one its own folder"};
  }
  if (found.incarnation != expected.incarnation) {
    return Error{ErrorCode::kWrongServer, path +
                                              " belongs to another life of this server's data folder; "
                                              "files of two folders have been mixed"};
  }
  if (found.cluster != expected.cluster) {
    return Error{ErrorCode::kWrongCluster,
                 path + " belongs to another cluster; give this server its own folder"};
  }
  return {};
}

}  // namespace quorate::server::wal
