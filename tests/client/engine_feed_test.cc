// Feeds of changes: told once and in order, over whatever connections.
#include "tests/client/engine_harness.h"

namespace quorate::client {
namespace {

using Told = std::vector<uint64_t>;  // zxids

class EngineFeed : public EngineHarness, public ::testing::Test {
 protected:
  void watch(uint64_t since = 0) {
    api::WatchSince request;
    request.set_watch(5);
    request.set_root("/a");
    request.set_since(since);
    request.set_recursive(true);
    engine.watch_changes(
        now, request, [this](Instant, const Result<api::Reply>& reply) { started = reply.code(); },
        [this](const Result<Changes>& changes) {
          if (!changes.ok()) {
            ended = changes.code();
            return;
          }
          for (const Event& event : changes->events) told.push_back(event.zxid.value());
          complete = changes->complete.value();
        });
    obey();
  }
  static void add(api::Change* change, uint64_t zxid) {
    change->set_kind(3);
    change->set_path("/a/x");
    change->set_zxid(zxid);
  }
  // Answers the oldest question with these changes.
  uint64_t answer_part(const Told& zxids, uint64_t up_to, bool live) {
    const api::ClientFrame asked = expect(api::ClientFrame::kWatchSince);
    api::ServerFrame out = reply_to(asked);
    api::Changes* changes = out.mutable_reply()->mutable_changes();
    for (const uint64_t zxid : zxids) add(changes->add_changes(), zxid);
    changes->set_up_to(up_to);
    changes->set_live(live);
    receive(out);
    return asked.watch_since().since();
  }
  void push(uint64_t zxid, uint64_t watch = 5) {
    api::ServerFrame out;
    out.mutable_feed_batch()->set_watch(watch);
    out.mutable_feed_batch()->set_zxid(zxid);
    add(out.mutable_feed_batch()->add_changes(), zxid);
    receive(out);
  }
  // The next connection, whichever server it goes to.
  void reconnect() {
    reset();
    advance(seconds(1));
    accept();
  }

  std::optional<ErrorCode> started, ended;
  Told told;
  uint64_t complete = 0;
};

TEST_F(EngineFeed, TellsThePastInPartsAndThenWhatHappens) {
  watch(10);
  accept();
  EXPECT_EQ(answer_part({11, 12}, 15, false), 10u);
  EXPECT_EQ(started, ErrorCode::kOk);
  EXPECT_EQ(answer_part({17}, 20, true), 15u);
  EXPECT_FALSE(take(api::ClientFrame::kWatchSince).has_value());
  push(21);
  push(25);
  EXPECT_EQ(told, (Told{11, 12, 17, 21, 25}));
  EXPECT_EQ(complete, 25u);
}

TEST_F(EngineFeed, ResumesWhereItWasCompleteAndTellsNothingTwice) {
  watch();
  accept();
  EXPECT_EQ(answer_part({}, 30, true), 0u);
  push(31);
  reconnect();
  push(32);  // of another registration: the answer tells it
  EXPECT_EQ(answer_part({32, 33}, 33, true), 31u);
  push(33);
  push(34);
  EXPECT_EQ(told, (Told{31, 32, 33, 34}));
}

TEST_F(EngineFeed, ABreakBetweenTwoPartsLosesNothing) {
  watch(10);
  accept();
  answer_part({11}, 15, false);
  reconnect();
  EXPECT_EQ(answer_part({16}, 20, true), 15u);
  EXPECT_EQ(told, (Told{11, 16}));
}

TEST_F(EngineFeed, ABreakBeforeTheFirstAnswerAsksAgain) {
  watch(10);
  accept();
  reconnect();
  EXPECT_EQ(answer_part({11}, 12, true), 10u);
  EXPECT_EQ(started, ErrorCode::kOk);
  EXPECT_FALSE(take(api::ClientFrame::kWatchSince).has_value());
}

TEST_F(EngineFeed, ProgressMovesWhereItResumes) {
  watch();
  accept();
  answer_part({}, 30, true);
  api::ServerFrame progress;
  progress.mutable_progress()->set_zxid(90);
  receive(progress);
  EXPECT_EQ(complete, 90u);
  reconnect();
  EXPECT_EQ(answer_part({}, 91, true), 90u);
}

TEST_F(EngineFeed, AHistoryThatIsGoneEndsIt) {
  watch();
  accept();
  answer_part({}, 30, true);
  reconnect();
  answer(expect(api::ClientFrame::kWatchSince), ErrorCode::kHistoryGone);
  EXPECT_EQ(ended, ErrorCode::kHistoryGone);
  push(40);
  EXPECT_TRUE(told.empty());
}

TEST_F(EngineFeed, AHistoryThatIsGoneAtFirstIsTheAnswer) {
  watch(3);
  accept();
  answer(expect(api::ClientFrame::kWatchSince), ErrorCode::kHistoryGone);
  EXPECT_EQ(started, ErrorCode::kHistoryGone);
  EXPECT_FALSE(ended.has_value());
}

TEST_F(EngineFeed, WhatWasRemovedIsRemovedAtTheServerWhenItIsHeardOfAgain) {
  watch();
  accept();
  engine.remove_feed(now, 5);
  obey();
  EXPECT_EQ(expect(api::ClientFrame::kRemoveWatch).remove_watch().watch(), 5u);
  answer_part({}, 30, true);
  EXPECT_EQ(expect(api::ClientFrame::kRemoveWatch).remove_watch().watch(), 5u);
  push(31);
  EXPECT_TRUE(told.empty());
}

TEST_F(EngineFeed, AServerThatIsCutOffIsLeft) {
  watch();
  accept();
  answer_part({}, 30, true);
  advance(kProbeInterval);
  answer(expect(api::ClientFrame::kGet), ErrorCode::kNoQuorum);
  EXPECT_FALSE(connected);
  advance(seconds(1));
  accept();
  EXPECT_EQ(answer_part({}, 31, true), 30u);
}

TEST_F(EngineFeed, TheEndOfTheClientEndsIt) {
  watch();
  accept();
  answer_part({}, 30, true);
  engine.stop(now);
  obey();
  EXPECT_EQ(ended, ErrorCode::kShuttingDown);
}

}  // namespace
}  // namespace quorate::client
