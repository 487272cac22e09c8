// Upgrades and downgrades, several locks at once, and places that others take away.
#include <algorithm>

#include "tests/client/engine_harness.h"

namespace quorate::client {
namespace {

using Frame = api::ClientFrame;

class Change : public ::testing::Test {
 protected:
  void SetUp() override {
    lock = h.acquire("/l");
    h.open_session();
    h.answer_acquire(h.expect(Frame::kWrite), "/l/lock-1", true, 5);
  }
  // An upgrade of the lock, as it goes out.
  Frame upgrade() {
    api::Write operation;
    operation.mutable_upgrade()->set_node("/l/lock-1");
    h.engine.change(
        h.now, lock->id, operation, [this](Result<GrantedLock> result) { changed = std::move(result); },
        [this] { changed_lost = true; });
    h.obey();
    return h.expect(Frame::kWrite);
  }
  void answer_upgrade(const Frame& frame) {
    ASSERT_EQ(frame.write().upgrade().node(), "/l/lock-1");
    api::ServerFrame out = EngineHarness::reply_to(frame);
    out.mutable_reply()->mutable_outcome()->set_path("/l/lock-2");
    out.mutable_reply()->mutable_outcome()->set_token(9);
    h.receive(out);
  }
  std::optional<Frame> take_release() {
    while (std::optional<Frame> frame = h.take(Frame::kWrite))
      if (frame->write().has_release()) return frame;
    return std::nullopt;
  }

  EngineHarness h;
  std::shared_ptr<EngineHarness::PendingLock> lock;
  std::optional<Result<GrantedLock>> changed;
  bool changed_lost = false;
};

TEST_F(Change, AnUpgradeGivesTheLockAnotherNodeAndToken) {
  answer_upgrade(upgrade());
  ASSERT_TRUE(changed && changed->ok());
  EXPECT_EQ((*changed)->node, "/l/lock-2");
  EXPECT_EQ((*changed)->token, Token(9));
  EXPECT_EQ((*changed)->path, "/l");
  h.receive(lost("/l/lock-1"));
  EXPECT_FALSE(changed_lost) << "it is another place by now";
  h.receive(lost("/l/lock-2"));
  EXPECT_TRUE(changed_lost);
  EXPECT_FALSE(lock->lost) << "the guard before it is none any more";
}

TEST_F(Change, ARefusedUpgradeLeavesTheLockAsItWas) {
  h.answer(upgrade(), ErrorCode::kContended);
  ASSERT_TRUE(changed);
  EXPECT_EQ(changed->code(), ErrorCode::kContended);
  EXPECT_FALSE(lock->lost);
  h.receive(lost("/l/lock-1"));
  EXPECT_TRUE(lock->lost);
}

TEST_F(Change, AnUpgradeOfAPlaceThatWasTakenAwayFindsItLost) {
  const Frame asked = upgrade();
  h.receive(lost("/l/lock-1"));
  EXPECT_FALSE(lock->lost) << "its answer tells";
  h.answer(asked, ErrorCode::kNoNode);
  EXPECT_EQ(changed->code(), ErrorCode::kNoNode);
  h.answer(h.expect(Frame::kLockPlace), ErrorCode::kNoNode);
  EXPECT_TRUE(lock->lost);
}

TEST_F(Change, AnUpgradeWhoseAnswerWasLostGoesOnOverTheNextConnection) {
  upgrade();
  h.reconnect();
  const Frame again = h.expect(Frame::kWrite);
  // The place of before is gone because the upgrade was done.
  h.answer(h.expect(Frame::kLockPlace), ErrorCode::kNoNode);
  EXPECT_FALSE(lock->lost);
  answer_upgrade(again);
  ASSERT_TRUE(changed && changed->ok());
  EXPECT_EQ((*changed)->node, "/l/lock-2");
  // As it was when it was done; since then it may have been taken away.
  const Frame place = h.expect(Frame::kLockPlace);
  EXPECT_EQ(place.lock_place().node(), "/l/lock-2");
  h.answer(place, ErrorCode::kNoNode);
  EXPECT_TRUE(changed_lost);
}

TEST_F(Change, WhatIsReleasedMeanwhileIsReleasedUnderItsNewName) {
  const Frame asked = upgrade();
  h.engine.release(h.now, lock->id, [](Instant, const Result<api::Reply>&) {});
  EXPECT_EQ(take_release()->write().release().node(), "/l/lock-1");
  answer_upgrade(asked);
  EXPECT_EQ(changed->code(), ErrorCode::kNoNode);
  const std::optional<Frame> release = take_release();
  ASSERT_TRUE(release);
  EXPECT_EQ(release->write().release().node(), "/l/lock-2");
}

TEST_F(Change, OneChangeAtATime) {
  const Frame first = upgrade();
  std::optional<Result<GrantedLock>> second;
  api::Write operation;
  operation.mutable_downgrade()->set_node("/l/lock-1");
  h.engine.change(
      h.now, lock->id, operation, [&](Result<GrantedLock> result) { second = std::move(result); }, [] {});
  h.obey();
  ASSERT_TRUE(second);
  EXPECT_EQ(second->code(), ErrorCode::kNoNode);
  answer_upgrade(first);
  EXPECT_TRUE(changed->ok());
}

TEST_F(Change, ASessionThatEndsEndsTheChange) {
  upgrade();
  h.advance(seconds(11));
  ASSERT_TRUE(changed);
  EXPECT_EQ(changed->code(), ErrorCode::kOutcomeUnknown);
  EXPECT_TRUE(lock->lost);
}

TEST_F(Change, AHeldLockThatIsTakenAwayIsLostAtOnce) {
  h.receive(lost("/l/lock-7"));
  EXPECT_FALSE(lock->lost);
  h.receive(lost("/l/lock-1"));
  EXPECT_TRUE(lock->lost);
}

TEST_F(Change, AWaiterWhosePlaceIsTakenAwayIsTold) {
  const auto waiter = h.acquire("/m");
  h.answer_acquire(h.expect(Frame::kWrite), "/m/lock-2", false, 6);
  h.receive(lost("/m/lock-2"));
  ASSERT_TRUE(waiter->result);
  EXPECT_EQ(waiter->result->code(), ErrorCode::kNoNode);
}

// ---- several at once

class Several : public ::testing::Test {
 protected:
  void ask(std::optional<Duration> wait) {
    api::AcquireMany request;
    request.set_wait(wait != Duration(0));
    request.add_locks()->set_path("/a");
    request.add_locks()->set_path("/b");
    id = h.engine.acquire_many(
        h.now, request, wait, [this](Result<std::vector<GrantedLock>> result) { got = std::move(result); },
        [this](size_t index) { lost_ones.push_back(index); });
    h.obey();
    h.open_session();
    asked = h.expect(Frame::kWrite);
    ASSERT_EQ(asked.write().acquire_many().locks_size(), 2);
  }
  void answer(bool first_held, bool second_held) {
    api::ServerFrame out = EngineHarness::reply_to(asked);
    api::Outcome& outcome = *out.mutable_reply()->mutable_outcome();
    outcome.set_token(5);
    for (const auto& [node, held] :
         {std::pair("/a/lock-1", first_held), std::pair("/b/lock-1", second_held)}) {
      outcome.add_results()->set_path(node);
      outcome.mutable_results(outcome.results_size() - 1)->set_held(held);
    }
    h.receive(out);
  }
  std::vector<std::string> releases() {
    std::vector<std::string> nodes;
    while (std::optional<Frame> frame = h.take(Frame::kWrite))
      if (frame->write().has_release()) nodes.push_back(frame->write().release().node());
    return nodes;
  }

  EngineHarness h;
  Frame asked;
  uint64_t id = 0;
  std::optional<Result<std::vector<GrantedLock>>> got;
  std::vector<size_t> lost_ones;
};

using Nodes = std::vector<std::string>;

TEST_F(Several, AreHeldOnceTheLastIs) {
  ask(std::nullopt);
  answer(true, false);
  EXPECT_FALSE(got);
  h.receive(granted("/b/lock-1", 5));
  ASSERT_TRUE(got && got->ok());
  ASSERT_EQ((*got)->size(), 2U);
  EXPECT_EQ((**got)[0].path, "/a");
  EXPECT_EQ((**got)[1].node, "/b/lock-1");
  EXPECT_EQ((**got)[1].token, Token(5));
  h.receive(lost("/b/lock-1"));
  EXPECT_EQ(lost_ones, std::vector<size_t>{1});
}

TEST_F(Several, WhatWasHeldOnAnEarlierConnectionIsAskedFor) {
  ask(std::nullopt);
  h.reconnect();
  asked = h.expect(Frame::kWrite);
  answer(true, true);
  ASSERT_TRUE(got && got->ok());
  EXPECT_EQ(h.expect(Frame::kLockPlace).lock_place().node(), "/a/lock-1");
  h.answer(h.expect(Frame::kLockPlace), ErrorCode::kNoNode);
  EXPECT_EQ(lost_ones, std::vector<size_t>{1});
}

TEST_F(Several, AllOrNoneWithoutAWait) {
  ask(Duration(0));
  api::ServerFrame out = EngineHarness::reply_to(asked, ErrorCode::kContended);
  out.mutable_reply()->mutable_outcome()->add_results();
  out.mutable_reply()->mutable_outcome()->add_results()->set_code(
      static_cast<uint32_t>(ErrorCode::kContended));
  h.receive(out);
  ASSERT_TRUE(got);
  EXPECT_EQ(got->code(), ErrorCode::kContended);
  EXPECT_TRUE(releases().empty());
}

TEST_F(Several, AreGivenBackWhenTheWaitIsOver) {
  ask(seconds(2));
  answer(true, false);
  h.advance(seconds(3));
  ASSERT_TRUE(got);
  EXPECT_EQ(got->code(), ErrorCode::kTimeout);
  Nodes given = releases();
  std::sort(given.begin(), given.end());
  EXPECT_EQ(given, (Nodes{"/a/lock-1", "/b/lock-1"}));
}

TEST_F(Several, AreGivenBackWhenTheAnswerComesTooLate) {
  ask(seconds(2));
  h.advance(seconds(3));
  ASSERT_TRUE(got);
  EXPECT_EQ(got->code(), ErrorCode::kTimeout);
  answer(true, true);
  EXPECT_EQ(releases(), (Nodes{"/a/lock-1", "/b/lock-1"}));
}

TEST_F(Several, AreGivenBackWhenOnePlaceIsTakenAway) {
  ask(std::nullopt);
  answer(true, false);
  h.receive(lost("/b/lock-1"));
  ASSERT_TRUE(got);
  EXPECT_EQ(got->code(), ErrorCode::kNoNode);
  EXPECT_EQ(releases(), Nodes{"/a/lock-1"});
}

TEST_F(Several, AreGivenBackWhenTheWaitIsCancelled) {
  ask(std::nullopt);
  answer(true, false);
  h.engine.cancel_acquire(h.now, id);
  h.obey();
  ASSERT_TRUE(got);
  EXPECT_EQ(got->code(), ErrorCode::kTimeout);
  Nodes given = releases();
  std::sort(given.begin(), given.end());
  EXPECT_EQ(given, (Nodes{"/a/lock-1", "/b/lock-1"}));
}

TEST_F(Several, AreGivenBackWhenTheAnswerComesBehindTheCancelling) {
  ask(std::nullopt);
  h.engine.cancel_acquire(h.now, id);
  h.obey();
  ASSERT_TRUE(got);
  EXPECT_EQ(got->code(), ErrorCode::kTimeout);
  answer(true, true);
  EXPECT_EQ(releases(), (Nodes{"/a/lock-1", "/b/lock-1"}));
}

TEST_F(Several, StayHeldWhenTheyAreCancelledTooLate) {
  ask(std::nullopt);
  answer(true, true);
  h.engine.cancel_acquire(h.now, id);
  h.obey();
  ASSERT_TRUE(got && got->ok());
  EXPECT_TRUE(releases().empty());
}

TEST_F(Several, AreLostWithTheSession) {
  ask(std::nullopt);
  answer(true, true);
  ASSERT_TRUE(got && got->ok());
  h.advance(seconds(11));
  EXPECT_EQ(lost_ones, (std::vector<size_t>{0, 1}));
}

}  // namespace
}  // namespace quorate::client
