// The log's writer over a simulated disk that fills up and fails.
#include "server/shell/log_writer.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "server/shell/log.h"
#include "tests/server/loop_fixture.h"
#include "tests/sim/sim_file_system.h"

namespace quorate::server {
namespace {

class LogWriterTest : public testing::Test {
 protected:
  void start() {
    auto wal = Wal::create(disk_, "d/wal", kIdentity, options_);
    ASSERT_TRUE(wal.ok());
    writer_ = std::make_unique<LogWriter>(loop_, std::move(*wal), std::chrono::seconds(10),
                                          std::chrono::milliseconds(2),
                                          [this](Ticket ticket) { durable_.push_back(ticket); });
  }
  Status write(uint64_t index) {
    const std::string payload(600, 'p');
    const std::vector<raft::Proposal> proposals = {{raft::EntryKind::kCommand, payload}};
    return writer_->write(raft::HardState{Term(1), ServerId(1)},
                          raft::encode_entries(Term(1), Index(index), proposals), Ticket(index));
  }
  size_t entries_on_disk() {
    disk_.process_restart();
    auto opened = Wal::open(disk_, "d/wal", kIdentity, options_);
    return opened.ok() ? opened->recovered.entries.size() : SIZE_MAX;
  }

  static constexpr WalIdentity kIdentity{ServerId(1), Incarnation(2), ClusterId(3)};
  WalOptions options_{64 << 10, 1};
  sim::SimFileSystem disk_;
  boost::asio::io_context loop_;
  std::unique_ptr<LogWriter> writer_;
  std::vector<Ticket> durable_;
};

TEST_F(LogWriterTest, WhatIsWrittenIsDurableWhenItIsReported) {
  start();
  ASSERT_TRUE(write(1).ok());
  ASSERT_TRUE(write(2).ok());
  EXPECT_EQ(durable_, (std::vector<Ticket>{Ticket(1), Ticket(2)}));
  writer_.reset();
  Random random(1);
  disk_.power_loss(random);
  EXPECT_EQ(entries_on_disk(), 2u);
}

TEST_F(LogWriterTest, AFullDiskIsWaitedOutAndNothingOfItIsPromised) {
  start();
  ASSERT_TRUE(write(1).ok());
  disk_.fail_step(1, sim::SimStep::kWrite, ErrorCode::kNoSpace);
  ASSERT_TRUE(write(2).ok());
  EXPECT_EQ(durable_.size(), 1u);
  EXPECT_TRUE(writer_->is_full());
  ASSERT_TRUE(write(3).ok()) << "kept in its order behind the one that waits";
  EXPECT_EQ(durable_.size(), 1u);
  ASSERT_TRUE(run_until(loop_, [&] { return durable_.size() == 2; }));
  EXPECT_EQ(durable_.back(), Ticket(3)) << "speaks for both";
  EXPECT_FALSE(writer_->is_full());
  writer_.reset();
  EXPECT_EQ(entries_on_disk(), 3u);
}

TEST_F(LogWriterTest, AFailedSyncIsAnErrorAndIsNotReported) {
  start();
  disk_.fail_step(1, sim::SimStep::kSync, ErrorCode::kIo);
  EXPECT_EQ(write(1).code(), ErrorCode::kIo);
  EXPECT_TRUE(durable_.empty());
}

TEST_F(LogWriterTest, ACutIsBehindWhatWasWrittenAndBeforeWhatFollows) {
  start();
  for (uint64_t index = 1; index <= 3; ++index) ASSERT_TRUE(write(index).ok());
  ASSERT_TRUE(writer_->cut(Index(2), Term(1)).ok());
  ASSERT_TRUE(write(4).ok());
  // One that the log does not reach: what was there is dropped, and it goes on behind.
  ASSERT_TRUE(writer_->cut(Index(9), Term(1)).ok());
  ASSERT_TRUE(write(10).ok());
  EXPECT_EQ(durable_.size(), 5u);
  writer_.reset();
  disk_.process_restart();
  auto opened = Wal::open(disk_, "d/wal", kIdentity, options_);
  ASSERT_TRUE(opened.ok());
  EXPECT_EQ(opened->recovered.snapshot_index, Index(9));
  EXPECT_EQ(opened->recovered.entries.size(), 1u);
}

TEST_F(LogWriterTest, ACutOnAFullDiskIsTriedAgain) {
  start();
  for (uint64_t index = 1; index <= 3; ++index) ASSERT_TRUE(write(index).ok());
  disk_.fail_step(1, sim::SimStep::kWrite, ErrorCode::kNoSpace);
  ASSERT_TRUE(writer_->cut(Index(9), Term(1)).ok());
  ASSERT_TRUE(write(10).ok());
  EXPECT_EQ(durable_.size(), 3u) << "waits behind the cut";
  ASSERT_TRUE(run_until(loop_, [&] { return durable_.size() == 4; }));
  writer_.reset();
  disk_.process_restart();
  auto opened = Wal::open(disk_, "d/wal", kIdentity, options_);
  ASSERT_TRUE(opened.ok());
  EXPECT_EQ(opened->recovered.snapshot_index, Index(9));
  EXPECT_EQ(opened->recovered.entries.size(), 1u);
}

TEST_F(LogWriterTest, OfRoomNothingIsSaidWhileACutLacksIt) {
  const std::string path = testing::TempDir() + "log_writer_test." + std::to_string(::getpid());
  const auto lines = [&path](const std::string& of) {
    std::ifstream in(path);
    size_t count = 0;
    for (std::string line; std::getline(in, line);) count += line.find(of) == std::string::npos ? 0 : 1;
    return count;
  };
  ASSERT_TRUE(set_up_log(LogLevel::kInfo, path).ok());
  start();
  for (uint64_t index = 1; index <= 3; ++index) ASSERT_TRUE(write(index).ok());
  // Only the cut writes: a sync that is tried again finds nothing to do.
  for (uint64_t n = 1; n <= 3; ++n) disk_.fail_step(n, sim::SimStep::kWrite, ErrorCode::kNoSpace);
  ASSERT_TRUE(writer_->cut(Index(2), Term(1)).ok());
  EXPECT_EQ(lines("until there is room again"), 1u);
  EXPECT_TRUE(run_until(loop_, [&] { return lines("there is room again, the log goes on") > 0; }));
  EXPECT_EQ(disk_.stats().failures[static_cast<size_t>(sim::SimStep::kWrite)], 3u) << "it came too early";
  EXPECT_EQ(lines("there is room again"), 2u);
  ASSERT_TRUE(set_up_log(LogLevel::kInfo, "").ok());
  ::unlink(path.c_str());
}

TEST_F(LogWriterTest, AFailedCutIsAnError) {
  start();
  ASSERT_TRUE(write(1).ok());
  disk_.fail_step(1, sim::SimStep::kSync, ErrorCode::kIo);
  EXPECT_EQ(writer_->cut(Index(1), Term(1)).code(), ErrorCode::kIo);
}

TEST_F(LogWriterTest, AQuietLogIsLookedAfterUntilThereIsNothingToDo) {
  start();
  ASSERT_TRUE(write(1).ok());
  const uint64_t before = disk_.stats().bytes_written;
  ASSERT_TRUE(run_until(loop_, [&] { return disk_.stats().bytes_written > before; }));
  ASSERT_TRUE(run_until(loop_, [&] { return loop_.poll_one() == 0 && loop_.stopped(); }))
      << "no timer is left";
}

TEST_F(LogWriterTest, AFailureOfThatWorkEndsTheProcess) {
  start();
  ASSERT_TRUE(write(1).ok());
  disk_.fail_step(1, sim::SimStep::kAny, ErrorCode::kIo);
  ASSERT_TRUE(set_up_log(LogLevel::kError, "").ok());
  EXPECT_EXIT(run_until(loop_, [] { return false; }), testing::ExitedWithCode(1), "the log failed");
}

}  // namespace
}  // namespace quorate::server
