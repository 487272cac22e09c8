// Wal::open: a log's whole folder, its files changed in every way, also in ways that fit their checksums.
#include <array>
#include <memory>
#include <optional>

#include "base/check.h"
#include "raft/entry.h"
#include "server/storage/wal.h"
#include "server/storage/wal_format.h"
#include "server/storage/wal_recovery.h"
#include "tests/fuzz/target.h"
#include "tests/sim/sim_file_system.h"

namespace quorate::fuzz {
namespace {

using namespace server;
using sim::SimFileSystem;

constexpr char kFolder[] = "wal";
constexpr WalIdentity kIdentity{ServerId(1), Incarnation(2), ClusterId(3)};
constexpr WalOptions kOptions{16 << 10, 1, 2};

std::vector<raft::Entry> entries(uint64_t term, uint64_t first, size_t count, size_t payload_bytes) {
  const std::string payload(payload_bytes, 'p');
  const std::vector<raft::Proposal> proposals(count, {raft::EntryKind::kCommand, payload});
  return raft::encode_entries(Term(term), Index(first), proposals);
}

// A log of several segments with a truncation across two of them, a cut, a spare and a recycled segment.
std::unique_ptr<SimFileSystem> sound_log() {
  auto disk = std::make_unique<SimFileSystem>();
  auto wal = std::move(*Wal::create(*disk, kFolder, kIdentity, kOptions));
  const auto write = [&](uint64_t term, uint64_t first, size_t count, size_t bytes) {
    CHECK(wal->append(raft::HardState{Term(term), ServerId(2)}, entries(term, first, count, bytes)).ok());
    CHECK(wal->sync().ok());
  };
  for (uint64_t first = 1; first < 24; ++first) write(1, first, 1, 1000);
  write(2, 9, 3, 1000);
  CHECK(wal->cut(Index(5), Term(1)).ok());
  for (uint64_t first = 12; first < 36; first += 2) write(3, first, 2, 700);
  CHECK(wal->cut(Index(14), Term(3)).ok());
  while (*wal->idle()) {
  }
  write(4, 36, 1, 10);
  wal.reset();
  disk->process_restart();
  return disk;
}

std::string content_with_frames(const SimFileSystem& disk, const std::string& path,
                                std::optional<wal::DecodedSegmentHeader>& segment,
                                std::vector<wal::FrameHeader>& frames) {
  const std::string content = disk.content(path);
  segment = wal::decode_segment_header(content);
  if (!segment) return content;
  uint64_t at = wal::kFramesBegin;
  while (const auto frame =
             wal::decode_frame_header(content, at, segment->header.generation, segment->checksum)) {
    frames.push_back(frame->header);
    at += wal::frame_bytes(frame->header.entries_bytes);
    if (at > content.size()) break;
  }
  return content;
}

void change(wal::LogState& state, Choices& choices) {
  switch (choices.below(4)) {
    case 0:
      state.hard_state.term = Term(choices.below(8));
      break;
    case 1:
      state.hard_state.vote = ServerId(choices.byte());
      break;
    case 2:
      state.snapshot_index = Index(choices.number(2));
      break;
    default:
      state.snapshot_term = Term(choices.below(8));
  }
}

// A frame that says something else and whose checksum is right.
void rewrite_frame(SimFileSystem& disk, const std::string& path, Choices& choices) {
  std::optional<wal::DecodedSegmentHeader> segment;
  std::vector<wal::FrameHeader> frames;
  const std::string content = content_with_frames(disk, path, segment, frames);
  if (frames.empty()) return;
  wal::FrameHeader header = frames[choices.below(frames.size())];
  std::string bytes(wal::kFrameHeaderBytes, '\0');
  const size_t held = std::min<size_t>(header.entries_bytes, content.size() - header.offset - bytes.size());
  std::string body = content.substr(header.offset + bytes.size(), held);
  switch (choices.below(8)) {
    case 0:
      header.kind = static_cast<wal::FrameKind>(choices.byte());
      break;
    case 1:
      header.previous = choices.number(8);
      break;
    case 2:
      header.synced = choices.number(3);
      break;
    case 3:
      header.first = Index(choices.number(2));
      break;
    case 4:
      header.entry_count = static_cast<uint32_t>(choices.number(4));
      break;
    case 5: {
      body.clear();
      const uint64_t term = choices.below(8), first = choices.byte();
      for (const raft::Entry& entry : entries(term, first, 1 + choices.below(3), choices.byte())) {
        body += entry.encoded.view();
      }
      break;
    }
    case 6:
      body.resize(choices.below(body.size() + 1));
      break;
    default:
      change(header.state, choices);
  }
  bytes += body;
  wal::seal_frame(bytes, header, segment->checksum);
  if (header.offset + bytes.size() <= content.size()) disk.overwrite(path, header.offset, bytes);
}

void rewrite_header(SimFileSystem& disk, const std::string& path, Choices& choices) {
  const std::string content = disk.content(path);
  const auto segment = wal::decode_segment_header(content);
  if (!segment) return;
  wal::SegmentHeader header = segment->header;
  switch (choices.below(7)) {
    case 0:
      header.generation = choices.byte();
      break;
    case 1:
      header.recycled = !header.recycled;
      break;
    case 2:
      header.segment_bytes = choices.number(4);
      break;
    case 3:
      header.first = Index(choices.number(2));
      break;
    case 4:
      header.previous_end = choices.number(3);
      break;
    case 5:
      header.previous_checksum = choices.number(8);
      break;
    default:
      change(header.state, choices);
  }
  const std::string bytes = wal::encode_segment_header(header);
  // The file may have been cut short before, right behind what says all.
  disk.overwrite(path, 0, std::string_view(bytes).substr(0, content.size()));
}

void rewrite_slot(SimFileSystem& disk, const std::string& path, Choices& choices) {
  const std::string content = disk.content(path);
  const uint64_t offset = wal::kSlotOffsets[choices.below(2)];
  if (content.size() < offset + wal::kSectorBytes) return;
  auto slot = wal::decode_slot(std::string_view(content).substr(offset));
  if (!slot) return;
  switch (choices.below(4)) {
    case 0:
      slot->sequence = choices.byte();
      break;
    case 1:
      slot->generation = choices.byte();
      break;
    case 2:
      slot->synced = choices.number(3);
      break;
    default:
      slot->hard_state = {Term(choices.below(8)), ServerId(choices.byte())};
  }
  disk.overwrite(path, offset, wal::encode_slot(*slot));
}

void put(SimFileSystem& disk, const std::string& path, std::string_view bytes) {
  auto file = disk.create(path);
  CHECK(file.ok() && (*file)->write_at(0, bytes).ok() && (*file)->sync().ok());
  CHECK(disk.sync_directory(kFolder).ok());
}

void damage(SimFileSystem& disk, Choices& choices) {
  const auto names = *disk.list(kFolder);
  if (names.empty()) return;
  const std::string path = std::string(kFolder) + "/" + names[choices.below(names.size())];
  const std::string content = disk.content(path);
  switch (choices.below(9)) {
    case 0:
    case 1:
      return rewrite_frame(disk, path, choices);
    case 2:
      return rewrite_header(disk, path, choices);
    case 3:
      return rewrite_slot(disk, path, choices);
    case 4: {
      const uint64_t offset = choices.number(3) % (content.size() + 1);
      const auto bytes = choices.take(std::min<uint64_t>(choices.byte() % 32, content.size() - offset));
      return disk.overwrite(path, offset, bytes);
    }
    case 5:
      return put(disk, path, std::string_view(content).substr(0, choices.number(3) % (content.size() + 1)));
    case 6:
      return disk.lose_file(path);
    case 7: {
      const auto moved = disk.rename(path, std::string(kFolder) + "/" + wal::log_name(choices.byte()));
      return (void)moved;
    }
    default:
      return put(disk, std::string(kFolder) + "/" + wal::log_name(choices.byte()), content);
  }
}

bool same(const WalRecovered& a, const WalRecovered& b) {
  if (a.hard_state != b.hard_state || a.snapshot_index != b.snapshot_index ||
      a.snapshot_term != b.snapshot_term || a.entries.size() != b.entries.size()) {
    return false;
  }
  for (size_t i = 0; i < a.entries.size(); ++i) {
    if (!(a.entries[i].encoded == b.entries[i].encoded)) return false;
  }
  return true;
}

// A log that was taken for sound is one: it goes on, and comes back as it was.
void check_opened(SimFileSystem& disk, Wal::Opened opened) {
  WalRecovered& found = opened.recovered;
  Index next = found.snapshot_index;
  for (const raft::Entry& entry : found.entries) {
    CHECK(entry.index == next.next());
    next = entry.index;
  }
  const Term term(found.hard_state.term.value() + 1);
  auto more = entries(term.value(), next.value() + 1, 1, 10);
  CHECK(opened.wal->append(raft::HardState{term, ServerId(1)}, more).ok());
  CHECK(opened.wal->sync().ok());
  opened.wal.reset();
  disk.process_restart();

  found.hard_state = {term, ServerId(1)};
  found.entries.push_back(more.front());
  auto again = Wal::open(disk, kFolder, kIdentity, kOptions);
  CHECK_MSG(again.ok(), again.error().message);
  CHECK(same(found, again->recovered));
}

void run(std::string_view bytes) {
  static const std::unique_ptr<SimFileSystem> sound = sound_log();
  const auto disk = sound->clone();
  Choices choices(bytes);
  for (int changes = 0; choices.more() && changes < 8; ++changes) damage(*disk, choices);

  const auto before = disk->image();
  auto opened = Wal::open(*disk, kFolder, kIdentity, kOptions);
  if (opened.ok()) return check_opened(*disk, std::move(*opened));
  CHECK(!opened.error().message.empty());
  CHECK_MSG(disk->image() == before, "a refused folder was changed");
  (void)Wal::exists(*disk, kFolder);
  (void)Wal::identity(*disk, kFolder);
  (void)Wal::surviving_hard_state(*disk, kFolder, kIdentity);
}

std::vector<std::string> seeds() {
  std::vector<std::string> seeds = {""};
  // Each way to damage each file.
  for (char file = 0; file < 5; ++file) {
    for (char way = 0; way < 9; ++way) {
      for (char part = 0; part < 8; ++part) seeds.push_back({file, way, part, part, 1, 2, 3, 4, 5, 6, 7});
    }
  }
  // A file cut short within its first page, and its header rewritten then.
  seeds.push_back(std::string("\1\5\0\0\x96\x96\x96\x96\x96\1\2\3\4\5\6\7", 16));
  return seeds;
}

const Target kTarget("wal", run, seeds);

}  // namespace
}  // namespace quorate::fuzz
