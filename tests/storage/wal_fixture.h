// A log on a simulated disk beside its twin, and a look at the frames in its files.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "server/storage/wal_format.h"
#include "server/storage/wal_recovery.h"
#include "tests/storage/wal_twin.h"

namespace quorate::storage_test {

inline std::string log_path(uint64_t generation) {
  return std::string(kDirectory) + "/" + server::wal::log_name(generation);
}
inline std::string state_path() { return std::string(kDirectory) + "/" + server::wal::kStateFile; }

// The frames of a segment, as far as they are a chain.
inline std::vector<server::wal::FrameHeader> frames_in(const std::string& content) {
  using namespace server::wal;
  std::vector<FrameHeader> frames;
  const auto segment = decode_segment_header(content);
  if (!segment) return frames;
  uint64_t at = kFramesBegin;
  while (const auto frame = decode_frame_header(content, at, segment->header.generation, segment->checksum)) {
    frames.push_back(frame->header);
    at += frame_bytes(frame->header.entries_bytes);
  }
  return frames;
}
inline uint64_t end_of(const server::wal::FrameHeader& frame) {
  return frame.offset + server::wal::frame_bytes(frame.entries_bytes);
}

struct LogAndTwin {
  SimFileSystem disk;
  std::unique_ptr<Wal> wal;
  Twin twin;
  WalOptions options = small_segments();

  void create() {
    auto created = Wal::create(disk, kDirectory, test_identity(), options);
    ASSERT_TRUE(created.ok()) << created.error().message;
    wal = std::move(*created);
  }
  Status append(uint64_t term, uint64_t first, size_t count, size_t payload_bytes = 20) {
    const auto entries = entries_of(term, first, count, payload_bytes);
    twin.append(entries);
    return wal->append(std::nullopt, entries);
  }
  Status vote(uint64_t term, uint32_t server) {
    twin.set_hard_state({Term(term), ServerId(server)});
    return wal->append(raft::HardState{Term(term), ServerId(server)}, {});
  }
  Status sync() {
    Status synced = wal->sync();
    if (synced.ok()) twin.synced();
    return synced;
  }
  // One group of entries behind the last one, synced.
  void group(uint64_t term, size_t count, size_t payload_bytes = 20) {
    ASSERT_TRUE(append(term, twin.wanted.last().value() + 1, count, payload_bytes).ok());
    const Status synced = sync();
    ASSERT_TRUE(synced.ok()) << synced.error().message;
  }
  Status cut(uint64_t index) {
    const Term term = twin.wanted.term_at(Index(index));
    twin.wanted.cut(Index(index), term);
    Status done = wal->cut(Index(index), term);
    if (done.ok()) twin.synced();
    return done;
  }
  void settle() {
    for (;;) {
      const Result<bool> more = wal->idle();
      ASSERT_TRUE(more.ok());
      if (!*more) return;
    }
  }
  // The process ends and comes back; what is found is held against the twin.
  void reopen() {
    wal.reset();
    disk.process_restart();
    auto opened = open_on(disk);
    ASSERT_TRUE(opened.ok()) << opened.error().message;
    const auto wrong = twin.judge(TwinState::of(opened->recovered));
    ASSERT_FALSE(wrong.has_value()) << *wrong;
    twin.restart_from(TwinState::of(opened->recovered));
    wal = std::move(opened->wal);
  }
  Result<Wal::Opened> open_on(SimFileSystem& which) {
    return Wal::open(which, kDirectory, test_identity(), options);
  }
  // Opens a copy of the disk that was damaged by `damage`, and expects that nothing on it changes when it is
  // refused.
  template <class Damage>
  Result<Wal::Opened> open_damaged(Damage damage) {
    scratch = disk.clone();
    damage(*scratch);
    const auto before = scratch->image();
    auto opened = open_on(*scratch);
    if (!opened.ok()) {
      EXPECT_EQ(scratch->image(), before) << "a refused folder was changed";
    }
    return opened;
  }

  std::unique_ptr<SimFileSystem> scratch;
};

}  // namespace quorate::storage_test
