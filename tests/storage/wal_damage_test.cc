// A torn tail is cut, damage is refused, and the one is never taken for the other while anything is left to
// tell by.
#include <gtest/gtest.h>

#include <cstring>

#include "base/checksum.h"
#include "base/random.h"
#include "tests/storage/wal_fixture.h"

namespace quorate::storage_test {
namespace {

using server::wal::FrameHeader;
using server::wal::kFrameHeaderBytes;
using server::wal::kFramesBegin;

class WalDamage : public testing::Test, public LogAndTwin {
 protected:
  void SetUp() override { create(); }
};

TEST_F(WalDamage, ATornTailIsCutAtEveryByte) {
  ASSERT_TRUE(vote(1, 2).ok());
  group(1, 3);
  const TwinState without = twin.promised;
  group(1, 2, 700);
  const TwinState with = twin.promised;
  const std::string content = disk.content(log_path(1));
  const FrameHeader last = frames_in(content).back();
  for (uint64_t cut = last.offset; cut < end_of(last); ++cut) {
    const std::string zeroes(end_of(last) - cut, '\0');
    const bool torn = content.compare(cut, zeroes.size(), zeroes) != 0;
    auto opened = open_damaged([&](SimFileSystem& d) { d.overwrite(log_path(1), cut, zeroes); });
    ASSERT_TRUE(opened.ok()) << opened.error().message;
    EXPECT_TRUE(TwinState::of(opened->recovered).same_as(torn ? without : with)) << cut;
    EXPECT_EQ(opened->recovered.torn_bytes > 0, torn && cut > last.offset) << cut;
    // The log goes on, and the torn group never comes back.
    ASSERT_TRUE(
        opened->wal->append(std::nullopt, entries_of(2, opened->recovered.entries.size() + 1, 1)).ok());
    ASSERT_TRUE(opened->wal->sync().ok());
    auto again = open_on(*scratch);
    ASSERT_TRUE(again.ok()) << again.error().message;
    EXPECT_EQ(again->recovered.entries.size(), opened->recovered.entries.size() + 1);
    EXPECT_EQ(again->recovered.torn_bytes, 0U);
  }
}

TEST_F(WalDamage, EveryFlippedByteBeforeTheLastFrameIsRefused) {
  ASSERT_TRUE(vote(1, 2).ok());
  for (size_t i = 0; i < 4; ++i) group(1, 1 + i);
  const std::string content = disk.content(log_path(1));
  const std::vector<FrameHeader> frames = frames_in(content);
  const FrameHeader last = frames.back();
  size_t flipped = 0;
  for (const FrameHeader& frame : frames) {
    for (uint64_t at = frame.offset; at < frame.offset + kFrameHeaderBytes + frame.entries_bytes; ++at) {
      auto opened = open_damaged([&](SimFileSystem& d) { d.flip_bit(log_path(1), at, at % 8); });
      ++flipped;
      if (frame.offset != last.offset) {
        ASSERT_EQ(opened.code(), ErrorCode::kCorruption) << "offset " << at;
      } else {
        // The window that no single disk can detect: it looks as if the last group had been torn.
        ASSERT_TRUE(opened.ok());
        EXPECT_EQ(opened->recovered.entries.size(), 6U);
        EXPECT_GT(opened->recovered.torn_bytes, 0U);
      }
    }
  }
  EXPECT_GT(flipped, 500U);
}

TEST_F(WalDamage, IdleClosesTheWindow) {
  group(1, 2);
  group(1, 2);
  settle();
  const std::string content = disk.content(log_path(1));
  const std::vector<FrameHeader> frames = frames_in(content);
  ASSERT_EQ(frames.back().kind, server::wal::FrameKind::kMark);
  for (uint64_t at = kFramesBegin; at < frames.back().offset; ++at) {
    auto opened = open_damaged([&](SimFileSystem& d) { d.flip_bit(log_path(1), at, at % 8); });
    // Padding between frames is the only thing that nothing covers.
    if (opened.ok()) {
      ASSERT_EQ(content[at], '\0');
      ASSERT_TRUE(TwinState::of(opened->recovered).same_as(twin.promised));
    } else {
      ASSERT_EQ(opened.code(), ErrorCode::kCorruption);
    }
  }
  // The mark itself may be lost without losing anything.
  for (uint64_t at = frames.back().offset; at < end_of(frames.back()); ++at) {
    auto opened = open_damaged([&](SimFileSystem& d) { d.flip_bit(log_path(1), at, at % 8); });
    ASSERT_TRUE(opened.ok());
    ASSERT_TRUE(TwinState::of(opened->recovered).same_as(twin.promised));
  }
}

TEST_F(WalDamage, OnlyNewMarksAreWrittenWhenThereIsSomethingToVouchFor) {
  group(1, 2);
  settle();
  const uint64_t written = wal->stats().bytes_written;
  for (int i = 0; i < 10; ++i) settle();
  EXPECT_EQ(wal->stats().bytes_written, written);
}

TEST_F(WalDamage, ATornFrameStillVouchesForTheOneBefore) {
  group(1, 2);
  group(1, 2);
  group(1, 2, 1000);
  const std::string content = disk.content(log_path(1));
  const std::vector<FrameHeader> frames = frames_in(content);
  ASSERT_EQ(frames.size(), 3U);
  for (uint64_t at = frames[1].offset; at < frames[1].offset + kFrameHeaderBytes + frames[1].entries_bytes;
       ++at) {
    auto opened = open_damaged([&](SimFileSystem& d) {
      d.flip_bit(log_path(1), at, 3);
      // The last group lost its end: a power loss while it was written.
      d.overwrite(log_path(1), end_of(frames[2]) - 600, std::string(600, '\0'));
    });
    ASSERT_EQ(opened.code(), ErrorCode::kCorruption) << at;
  }
}

TEST_F(WalDamage, TheStateFileVouchesForTheLogTooWhenTheTermChanges) {
  group(1, 2);
  ASSERT_TRUE(vote(2, 3).ok());
  ASSERT_TRUE(sync().ok());
  const std::vector<FrameHeader> frames = frames_in(disk.content(log_path(1)));
  ASSERT_EQ(frames.size(), 2U);
  auto opened = open_damaged([&](SimFileSystem& d) {
    // Both frames are gone, as if nothing had ever been there.
    d.overwrite(log_path(1), kFramesBegin, std::string(end_of(frames[1]) - kFramesBegin, '\0'));
  });
  EXPECT_EQ(opened.code(), ErrorCode::kCorruption);
}

// Puts an intact frame over the last one, as a disk would that lost the newer of two writes.
class WalForeignFrame : public WalDamage {
 protected:
  Result<Wal::Opened> open_with(uint64_t previous, uint64_t segment_checksum) {
    const std::string content = disk.content(log_path(1));
    FrameHeader header = frames_in(content).back();
    const uint64_t size = end_of(header) - header.offset;
    std::string frame = content.substr(header.offset, kFrameHeaderBytes + header.entries_bytes);
    header.previous = previous;
    server::wal::seal_frame(frame, header, segment_checksum);
    EXPECT_EQ(frame.size(), size);
    return open_damaged([&](SimFileSystem& d) { d.overwrite(log_path(1), header.offset, frame); });
  }
};

TEST_F(WalForeignFrame, IsNoPartOfTheLog) {
  for (int i = 0; i < 3; ++i) group(1, 2);
  const std::string content = disk.content(log_path(1));
  const uint64_t segment = server::wal::decode_segment_header(content)->checksum;
  const uint64_t previous = frames_in(content).back().previous;
  EXPECT_EQ(open_with(previous, segment)->recovered.entries.size(), 6U);
  // Behind another frame than the one that is there; of a segment with another header.
  EXPECT_EQ(open_with(previous + 1, segment)->recovered.entries.size(), 4U);
  EXPECT_EQ(open_with(previous, segment + 1)->recovered.entries.size(), 4U);
}

class WalSegmentDamage : public WalDamage {
 protected:
  void SetUp() override {
    WalDamage::SetUp();
    while (wal->stats().segments < 4) group(1, 5, 300);
    settle();
  }
};

TEST_F(WalSegmentDamage, EveryFlippedByteOfAHeaderIsRefused) {
  for (uint64_t generation = 1; generation <= 4; ++generation) {
    for (uint64_t at = 0; at < 120; ++at) {
      auto opened = open_damaged([&](SimFileSystem& d) { d.flip_bit(log_path(generation), at, at % 8); });
      if (opened.ok()) {
        // Behind the header's checksum its sector is unused.
        ASSERT_EQ(disk.content(log_path(generation))[at], '\0');
        ASSERT_TRUE(TwinState::of(opened->recovered).same_as(twin.promised));
      } else {
        ASSERT_EQ(opened.code(), ErrorCode::kCorruption);
        ASSERT_NE(opened.error().message.find(log_path(generation)), std::string::npos);
      }
    }
  }
}

TEST_F(WalSegmentDamage, DamageAtTheEndOfAnOlderSegmentIsRefused) {
  for (uint64_t generation = 1; generation <= 3; ++generation) {
    const std::string content = disk.content(log_path(generation));
    const FrameHeader last = frames_in(content).back();
    for (uint64_t at = last.offset; at < last.offset + kFrameHeaderBytes + last.entries_bytes; ++at) {
      auto opened = open_damaged([&](SimFileSystem& d) { d.flip_bit(log_path(generation), at, at % 8); });
      ASSERT_EQ(opened.code(), ErrorCode::kCorruption);
    }
    auto erased = open_damaged([&](SimFileSystem& d) {
      d.overwrite(log_path(generation), last.offset, std::string(end_of(last) - last.offset, '\0'));
    });
    ASSERT_EQ(erased.code(), ErrorCode::kCorruption);
  }
}

TEST_F(WalSegmentDamage, AMarkAtTheEndOfAnOlderSegmentIsVouchedForAsWell) {
  // Too large for what is left of the fourth segment.
  group(1, 1, 7000);
  ASSERT_EQ(wal->stats().segments, 5U);
  const FrameHeader mark = frames_in(disk.content(log_path(4))).back();
  ASSERT_EQ(mark.kind, server::wal::FrameKind::kMark);
  auto opened = open_damaged([&](SimFileSystem& d) { d.flip_bit(log_path(4), mark.offset + 50, 1); });
  EXPECT_EQ(opened.code(), ErrorCode::kCorruption);
}

TEST_F(WalSegmentDamage, AMissingSegmentIsRefused) {
  for (uint64_t generation = 1; generation <= 4; ++generation) {
    auto opened = open_damaged([&](SimFileSystem& d) { d.lose_file(log_path(generation)); });
    ASSERT_EQ(opened.code(), ErrorCode::kCorruption) << generation;
    EXPECT_NE(opened.error().message.find(log_path(generation)), std::string::npos);
  }
  auto none = open_damaged([&](SimFileSystem& d) {
    for (uint64_t generation = 1; generation <= 4; ++generation) d.lose_file(log_path(generation));
  });
  EXPECT_EQ(none.code(), ErrorCode::kCorruption);
}

TEST_F(WalSegmentDamage, ASegmentInAnothersPlaceIsRefused) {
  auto opened = open_damaged([&](SimFileSystem& d) { d.overwrite(log_path(2), 0, d.content(log_path(3))); });
  EXPECT_EQ(opened.code(), ErrorCode::kCorruption);
}

TEST_F(WalSegmentDamage, ANewerFormatIsNotTakenForDamage) {
  std::string header = disk.content(log_path(4)).substr(0, server::wal::kSectorBytes);
  const uint64_t old_sum = server::wal::decode_segment_header(header)->checksum;
  const std::string old_bytes(reinterpret_cast<const char*>(&old_sum), 8);
  const size_t sum_at = header.find(old_bytes);
  ASSERT_NE(sum_at, std::string::npos);
  header[8] = 2;
  const uint64_t new_sum = checksum64(header.substr(0, sum_at));
  std::memcpy(header.data() + sum_at, &new_sum, 8);
  auto opened = open_damaged([&](SimFileSystem& d) { d.overwrite(log_path(4), 0, header); });
  EXPECT_EQ(opened.code(), ErrorCode::kUnsupported);
}

class WalTermAndVote : public WalDamage {
 protected:
  void SetUp() override {
    WalDamage::SetUp();
    group(1, 2);
    ASSERT_TRUE(vote(5, 3).ok());
    ASSERT_TRUE(sync().ok());
    voted = twin.promised.hard_state;
  }
  static void break_slot(SimFileSystem& d, size_t slot) {
    d.flip_bit(state_path(), server::wal::kSlotOffsets[slot] + 40, 1);
  }
  // As if the group that holds the vote had never reached the disk.
  void tear_vote(SimFileSystem& d) const {
    const FrameHeader last = frames_in(disk.content(log_path(1))).back();
    d.flip_bit(log_path(1), last.offset + 60, 1);
  }
  void break_log(SimFileSystem& d) const { d.flip_bit(log_path(1), kFramesBegin + 20, 1); }

  raft::HardState voted;
};

TEST_F(WalTermAndVote, AVoteWhoseFrameIsLostIsInTheStateFile) {
  auto opened = open_damaged([&](SimFileSystem& d) { tear_vote(d); });
  ASSERT_TRUE(opened.ok()) << opened.error().message;
  EXPECT_EQ(opened->recovered.hard_state, voted);
  EXPECT_EQ(opened->recovered.entries.size(), 2U);
  // And from here on in the log again.
  auto again = open_on(*scratch);
  ASSERT_TRUE(again.ok());
  scratch->lose_file(state_path());
  auto without = open_on(*scratch);
  ASSERT_TRUE(without.ok()) << without.error().message;
  EXPECT_EQ(without->recovered.hard_state, voted);
}

TEST_F(WalTermAndVote, TheStateFileIsDurableByItself) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    Random random(seed);
    auto opened = open_damaged([&](SimFileSystem& d) {
      d.power_loss(random);
      tear_vote(d);
      break_slot(d, seed % 2);
    });
    ASSERT_TRUE(opened.ok()) << opened.error().message;
    EXPECT_EQ(opened->recovered.hard_state, voted);
  }
}

TEST_F(WalTermAndVote, EitherSlotIsEnoughForALostFrame) {
  for (size_t slot = 0; slot < 2; ++slot) {
    auto opened = open_damaged([&](SimFileSystem& d) {
      break_slot(d, slot);
      tear_vote(d);
    });
    ASSERT_TRUE(opened.ok()) << opened.error().message;
    EXPECT_EQ(opened->recovered.hard_state, voted);
  }
}

TEST_F(WalTermAndVote, ADamagedStateFileIsRepairedFromTheLog) {
  auto opened = open_damaged([&](SimFileSystem& d) {
    break_slot(d, 0);
    break_slot(d, 1);
  });
  ASSERT_TRUE(opened.ok()) << opened.error().message;
  EXPECT_EQ(opened->recovered.hard_state, voted);
  // The repaired file knows how far the log was synced, and the vote.
  tear_vote(*scratch);
  EXPECT_EQ(open_on(*scratch).code(), ErrorCode::kCorruption);
  EXPECT_EQ(Wal::surviving_hard_state(*scratch, kDirectory, test_identity()).value(), voted);
}

TEST_F(WalTermAndVote, WithBothCopiesDamagedTheServerCountsAsWiped) {
  auto opened = open_damaged([&](SimFileSystem& d) {
    break_slot(d, 0);
    break_slot(d, 1);
    tear_vote(d);
  });
  ASSERT_EQ(opened.code(), ErrorCode::kCorruption);
  EXPECT_NE(opened.error().message.find("counts as wiped"), std::string::npos);
  EXPECT_EQ(Wal::surviving_hard_state(*scratch, kDirectory, test_identity()).code(), ErrorCode::kCorruption);
}

TEST_F(WalTermAndVote, ADamagedLogLeavesTermAndVoteInTheStateFile) {
  auto opened = open_damaged([&](SimFileSystem& d) {
    break_log(d);
    break_slot(d, 0);
  });
  ASSERT_EQ(opened.code(), ErrorCode::kCorruption);
  EXPECT_EQ(Wal::surviving_hard_state(*scratch, kDirectory, test_identity()).value(), voted);
  break_slot(*scratch, 1);
  const auto wiped = Wal::surviving_hard_state(*scratch, kDirectory, test_identity());
  ASSERT_EQ(wiped.code(), ErrorCode::kCorruption);
  EXPECT_NE(wiped.error().message.find("counts as wiped"), std::string::npos);
}

TEST_F(WalTermAndVote, AnIntactLogIsACopyWhenTheStateFileIsLost) {
  disk.lose_file(state_path());
  EXPECT_EQ(Wal::surviving_hard_state(disk, kDirectory, test_identity()).value(), voted);
  EXPECT_TRUE(Wal::exists(disk, kDirectory));
}

TEST_F(WalTermAndVote, TwoVotesInOneTermAreRefused) {
  server::wal::Slot slot;
  slot.identity = test_identity();
  slot.sequence = 100;
  slot.generation = 1;
  slot.hard_state = {Term(5), ServerId(2)};
  auto opened =
      open_damaged([&](SimFileSystem& d) { d.overwrite(state_path(), 0, server::wal::encode_slot(slot)); });
  ASSERT_EQ(opened.code(), ErrorCode::kCorruption);
  EXPECT_NE(opened.error().message.find("two votes"), std::string::npos);
}

}  // namespace
}  // namespace quorate::storage_test
