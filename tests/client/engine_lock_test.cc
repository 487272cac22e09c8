// Watches and locks over lost connections, pauses and other people's deletes.
#include "tests/client/engine_harness.h"

namespace quorate::client {
namespace {

using Frame = api::ClientFrame;

api::ServerFrame place(const Frame& frame, bool held, uint64_t token) {
  api::ServerFrame out = EngineHarness::reply_to(frame);
  out.mutable_reply()->mutable_place()->set_held(held);
  out.mutable_reply()->mutable_place()->set_token(token);
  return out;
}

TEST(EngineWatches, FireOnce) {
  EngineHarness h;
  std::vector<Event> events;
  h.get("/a", 9, [&](Event event) { events.push_back(event); });
  h.accept();
  h.answer(h.expect(Frame::kGet));
  api::ServerFrame event;
  event.mutable_watch_event()->set_watch(9);
  event.mutable_watch_event()->set_kind(3);
  event.mutable_watch_event()->set_path("/a");
  event.mutable_watch_event()->set_zxid(12);
  h.receive(event);
  h.receive(event);
  ASSERT_EQ(events.size(), 1U);
  EXPECT_EQ(events[0].kind, EventKind::kDataChanged);
  EXPECT_EQ(events[0].zxid, Zxid(12));
}

TEST(EngineWatches, AreResumedWithWhatWasSeen) {
  EngineHarness h;
  h.get("/a", 9, [](const Event&) {});
  h.get("/missing", 10, [](const Event&) {});
  h.accept();
  api::ServerFrame reply = EngineHarness::reply_to(h.expect(Frame::kGet));
  reply.mutable_reply()->set_zxid(41);
  h.receive(reply);
  reply = EngineHarness::reply_to(h.expect(Frame::kGet), ErrorCode::kNoNode);
  reply.mutable_reply()->set_zxid(42);
  h.receive(reply);
  h.reset();
  h.advance(kBackOffMin);
  h.accept();
  const Frame first = h.expect(Frame::kResumeWatch), second = h.expect(Frame::kResumeWatch);
  EXPECT_EQ(first.resume_watch().watch(), 9U);
  EXPECT_EQ(first.resume_watch().seen(), 41U);
  EXPECT_TRUE(first.resume_watch().existed());
  EXPECT_EQ(second.resume_watch().seen(), 42U);
  EXPECT_FALSE(second.resume_watch().existed());
  EXPECT_EQ(second.resume_watch().kind(), 1U);
}

TEST(EngineWatches, AReadThatWasNotAnsweredIsAskedAgainWithItsWatch) {
  EngineHarness h;
  const auto read = h.get("/a", 9, [](const Event&) {});
  h.accept();
  h.expect(Frame::kGet);
  h.reset();
  h.advance(kBackOffMin);
  h.accept();
  EXPECT_FALSE(h.take(Frame::kResumeWatch)) << "nothing was seen yet";
  EXPECT_EQ(h.expect(Frame::kGet).get().watch(), 9U);
}

TEST(EngineLocks, HeldAtOnce) {
  EngineHarness h;
  const auto lock = h.acquire("/l");
  h.open_session();
  h.answer_acquire(h.expect(Frame::kWrite), "/l/lock-1", true, 5);
  ASSERT_TRUE(lock->result && lock->result->ok());
  EXPECT_FALSE(h.take(Frame::kLockPlace)) << "what was asked over this connection is true of now";
  EXPECT_EQ((*lock->result)->token, Token(5));
  EXPECT_EQ((*lock->result)->session, SessionId(77));
}

TEST(EngineLocks, GrantedLater) {
  EngineHarness h;
  const auto lock = h.acquire("/l");
  h.open_session();
  h.answer_acquire(h.expect(Frame::kWrite), "/l/lock-2", false, 6);
  EXPECT_FALSE(lock->result);
  h.receive(granted("/l/lock-1", 5));
  EXPECT_FALSE(lock->result) << "somebody else's";
  h.receive(granted("/l/lock-2", 6));
  ASSERT_TRUE(lock->result && lock->result->ok());
  EXPECT_EQ((*lock->result)->token, Token(6));
}

TEST(EngineLocks, AGrantThatCameWhileAwayIsFound) {
  EngineHarness h;
  const auto lock = h.acquire("/l");
  h.open_session();
  h.answer_acquire(h.expect(Frame::kWrite), "/l/lock-2", false, 6);
  h.reconnect();
  const Frame ask = h.expect(Frame::kLockPlace);
  EXPECT_EQ(ask.lock_place().node(), "/l/lock-2");
  h.receive(place(ask, true, 6));
  ASSERT_TRUE(lock->result && lock->result->ok());
}

// An acquire that was done on the connection before, and is answered on this one.
std::shared_ptr<EngineHarness::PendingLock> acquire_answered_late(EngineHarness& h, bool held) {
  auto lock = h.acquire("/l");
  h.open_session();
  h.expect(Frame::kWrite);
  h.reconnect();
  h.answer_acquire(h.expect(Frame::kWrite), "/l/lock-2", held, 6);
  return lock;
}

TEST(EngineLocks, AStoredOutcomeIsNotTakenForTheStateOfNow) {
  EngineHarness h;
  const auto lock = acquire_answered_late(h, false);
  // Granted since.
  h.receive(place(h.expect(Frame::kLockPlace), true, 6));
  ASSERT_TRUE(lock->result && lock->result->ok());
}

TEST(EngineLocks, AStoredOutcomeThatSaysHeldIsNotTakenForTheStateOfNowEither) {
  EngineHarness h;
  const auto lock = acquire_answered_late(h, true);
  ASSERT_TRUE(lock->result && lock->result->ok());
  // Taken away since: whoever was told of that is not here any more.
  h.answer(h.expect(Frame::kLockPlace), ErrorCode::kNoNode);
  EXPECT_TRUE(lock->lost);
}

TEST(EngineLocks, NotWaitingLeavesTheQueue) {
  EngineHarness h;
  const auto lock = h.acquire("/l", Duration(0));
  h.open_session();
  h.answer_acquire(h.expect(Frame::kWrite), "/l/lock-2", false, 6);
  ASSERT_TRUE(lock->result.has_value());
  EXPECT_EQ(lock->result->code(), ErrorCode::kTimeout);
  EXPECT_EQ(h.expect(Frame::kWrite).write().release().node(), "/l/lock-2");
}

TEST(EngineLocks, WaitingEndsInTimeAndLeavesTheQueue) {
  EngineHarness h;
  const auto lock = h.acquire("/l", milliseconds(1500));
  h.open_session();
  h.answer_acquire(h.expect(Frame::kWrite), "/l/lock-2", false, 6);
  h.advance(milliseconds(1499));
  EXPECT_FALSE(lock->result);
  h.advance(milliseconds(1));
  ASSERT_TRUE(lock->result.has_value());
  EXPECT_EQ(lock->result->code(), ErrorCode::kTimeout);
  EXPECT_EQ(h.expect(Frame::kWrite).write().release().node(), "/l/lock-2");
  h.receive(granted("/l/lock-2", 6));  // crossed on the way: it is being released
  EXPECT_FALSE(lock->lost);
}

TEST(EngineLocks, AnAcquireGivenUpBeforeItsAnswerLeavesTheQueueWhenTheAnswerComes) {
  EngineHarness h;
  const auto lock = h.acquire("/l", milliseconds(500));
  h.open_session();
  const Frame join = h.expect(Frame::kWrite);
  h.advance(milliseconds(500));
  ASSERT_TRUE(lock->result.has_value());
  EXPECT_EQ(lock->result->code(), ErrorCode::kTimeout);
  h.answer_acquire(join, "/l/lock-2", true, 6);
  EXPECT_EQ(h.expect(Frame::kWrite).write().release().node(), "/l/lock-2");
}

TEST(EngineLocks, AnAcquireThatReachedNobodyIsNotInTheQueue) {
  EngineHarness h;
  const auto lock = h.acquire("/l");
  while (!lock->result) {
    if (h.connecting) h.refuse();
    h.advance(milliseconds(100));
  }
  EXPECT_EQ(lock->result->code(), ErrorCode::kUnavailable);
  h.advance(kBackOffMax);
  EXPECT_EQ(h.engine.deadline(), kNever) << "nothing is left to do";
}

TEST(EngineLocks, AreLostWithTheLeaseLessTheMargin) {
  EngineOptions options = test_options();
  options.lost_margin = seconds(2);
  EngineHarness h(options);
  const auto lock = h.acquire("/l");
  h.open_session();
  const Instant opened = h.now;
  h.answer_acquire(h.expect(Frame::kWrite), "/l/lock-1", true, 5);
  h.reset();
  while (h.now + milliseconds(100) < opened + seconds(7)) {
    if (h.connecting) h.refuse();
    h.advance(milliseconds(100));
    ASSERT_FALSE(lock->lost);
  }
  h.advance(milliseconds(100));
  EXPECT_TRUE(lock->lost);
}

TEST(EngineLocks, TheMarginIsThatOfTheTimeoutThatTheServersGave) {
  EngineOptions options = test_options();
  options.session_timeout = seconds(600);
  options.lost_margin = seconds(120);
  EngineHarness h(options);
  const auto lock = h.acquire("/l");
  h.open_session();  // for 10 s
  EXPECT_EQ(h.engine.lease_until(), h.now + milliseconds(4500));
  EXPECT_EQ(h.engine.session_until(), h.now + seconds(9));
  h.answer_acquire(h.expect(Frame::kWrite), "/l/lock-1", true, 5);
  const Instant until = h.engine.session_until();
  h.pause(seconds(7));
  h.engine.tick(h.now);
  h.obey();
  EXPECT_TRUE(lock->lost);
  EXPECT_EQ(h.engine.session_until(), until) << "lost by the clock: what the margin left stays";
}

TEST(EngineLocks, NothingIsLeftOfASessionThatTheClusterEnded) {
  EngineHarness h;
  const auto lock = h.acquire("/l");
  h.open_session();
  h.answer_acquire(h.expect(Frame::kWrite), "/l/lock-1", true, 5);
  h.advance(seconds(3));
  h.answer(h.expect(Frame::kPing), ErrorCode::kSessionExpired);
  EXPECT_TRUE(lock->lost);
  EXPECT_EQ(h.engine.session_until(), h.now);
}

TEST(EngineLocks, AReleaseThatReachedNobodyInTimeIsMadeAsSoonAsOneIsReached) {
  EngineHarness h;
  const auto lock = h.acquire("/l");
  h.open_session();
  h.answer_acquire(h.expect(Frame::kWrite), "/l/lock-1", true, 5);
  h.reset();
  std::optional<ErrorCode> released;
  h.engine.release(h.now, lock->id,
                   [&](Instant, const Result<api::Reply>& reply) { released = reply.code(); });
  while (!released) {
    if (h.connecting) h.refuse();
    h.advance(milliseconds(100));
  }
  EXPECT_EQ(*released, ErrorCode::kOutcomeUnknown);
  ASSERT_FALSE(h.engine.session_lost());
  while (!h.connecting) h.advance(milliseconds(10));
  h.attach();
  EXPECT_EQ(h.expect(Frame::kWrite).write().release().node(), "/l/lock-1");
}

TEST(EngineLocks, SurviveAChangeOfServer) {
  EngineHarness h(test_options(2));
  const auto lock = h.acquire("/l");
  h.open_session();
  h.answer_acquire(h.expect(Frame::kWrite), "/l/lock-1", true, 5);
  h.reset();
  h.attach();
  h.receive(place(h.expect(Frame::kLockPlace), true, 5));
  h.advance(seconds(3));
  h.answer(h.expect(Frame::kPing));
  EXPECT_FALSE(lock->lost);
}

TEST(EngineLocks, ADeletedNodeIsALostLock) {
  EngineHarness h;
  const auto lock = h.acquire("/l");
  h.open_session();
  h.answer_acquire(h.expect(Frame::kWrite), "/l/lock-1", true, 5);
  h.advance(seconds(3));
  h.answer(h.expect(Frame::kPing));
  EXPECT_FALSE(h.take(Frame::kLockPlace)) << "over the same connection it is told";
  h.receive(lost("/l/lock-1"));
  EXPECT_TRUE(lock->lost);
  EXPECT_FALSE(h.engine.session_lost());
}

TEST(EngineLocks, ReleaseIsAnsweredAndTheLockIsNotLost) {
  EngineHarness h;
  const auto lock = h.acquire("/l");
  h.open_session();
  h.answer_acquire(h.expect(Frame::kWrite), "/l/lock-1", true, 5);
  std::optional<ErrorCode> released;
  h.engine.release(h.now, lock->id,
                   [&](Instant, const Result<api::Reply>& reply) { released = reply.code(); });
  h.obey();
  h.answer(h.expect(Frame::kWrite));
  EXPECT_EQ(released, ErrorCode::kOk);
  api::ServerFrame end;
  end.mutable_session_end()->set_session(77);
  end.mutable_session_end()->set_code(static_cast<uint32_t>(ErrorCode::kSessionExpired));
  h.receive(end);
  EXPECT_FALSE(lock->lost);
  EXPECT_TRUE(h.engine.session_lost());
}

TEST(EngineLocks, TheEndOfTheClientTellsAll) {
  EngineHarness h;
  const auto held = h.acquire("/l"), waiting = h.acquire("/m");
  const auto write = h.write("/a");
  const auto read = h.get("/a");
  h.open_session();
  h.answer_acquire(h.expect(Frame::kWrite), "/l/lock-1", true, 5);
  h.engine.stop(h.now);
  h.obey();
  EXPECT_TRUE(held->lost);
  ASSERT_TRUE(waiting->result.has_value());
  EXPECT_EQ(waiting->result->code(), ErrorCode::kShuttingDown);
  EXPECT_EQ(write->code(), ErrorCode::kOutcomeUnknown) << "it was sent";
  EXPECT_EQ(read->code(), ErrorCode::kShuttingDown);
}

// ---- cancelled by the caller

void cancel(EngineHarness& h, uint64_t acquire) {
  h.engine.cancel_acquire(h.now, acquire);
  h.obey();
}

TEST(EngineCancel, WhatWasNotSentIsNeverSent) {
  EngineHarness h;
  const auto lock = h.acquire("/l"), other = h.acquire("/m");
  cancel(h, lock->id);
  ASSERT_TRUE(lock->result);
  EXPECT_EQ(lock->result->code(), ErrorCode::kTimeout);
  h.open_session();
  EXPECT_EQ(h.expect(Frame::kWrite).write().acquire().path(), "/m");
  EXPECT_FALSE(h.take(Frame::kWrite));
  EXPECT_FALSE(other->result);
}

TEST(EngineCancel, WhatWasNotAnsweredLeavesTheQueueWithTheAnswer) {
  EngineHarness h;
  const auto lock = h.acquire("/l");
  h.open_session();
  const Frame asked = h.expect(Frame::kWrite);
  cancel(h, lock->id);
  ASSERT_TRUE(lock->result);
  EXPECT_EQ(lock->result->code(), ErrorCode::kTimeout);
  EXPECT_FALSE(h.take(Frame::kWrite));
  h.answer_acquire(asked, "/l/lock-1", true, 5);
  EXPECT_EQ(h.expect(Frame::kWrite).write().release().node(), "/l/lock-1");
}

TEST(EngineCancel, AWaiterLeavesTheQueueAtOnce) {
  EngineHarness h;
  const auto lock = h.acquire("/l");
  h.open_session();
  h.answer_acquire(h.expect(Frame::kWrite), "/l/lock-2", false, 6);
  cancel(h, lock->id);
  ASSERT_TRUE(lock->result);
  EXPECT_EQ(lock->result->code(), ErrorCode::kTimeout);
  EXPECT_EQ(h.expect(Frame::kWrite).write().release().node(), "/l/lock-2");
  h.receive(granted("/l/lock-2", 6));
  EXPECT_EQ(lock->result->code(), ErrorCode::kTimeout) << "a grant that was on its way is nobody's";
}

TEST(EngineCancel, WhatIsHeldStaysHeld) {
  EngineHarness h;
  const auto lock = h.acquire("/l");
  h.open_session();
  h.answer_acquire(h.expect(Frame::kWrite), "/l/lock-1", true, 5);
  cancel(h, lock->id);
  EXPECT_TRUE(lock->result && lock->result->ok());
  EXPECT_FALSE(h.take(Frame::kWrite));
}

// It may have been applied, and the lock granted, before it is asked for again: that outcome is old.
TEST(EngineLocks, AGrantBehindAnOutcomeThatWasUnknownIsAskedFor) {
  EngineHarness h;
  const auto lock = h.acquire("/l");
  h.open_session();
  h.answer(h.expect(Frame::kWrite), ErrorCode::kOutcomeUnknown);
  h.receive(granted("/l/lock-1", 5));
  EXPECT_FALSE(lock->result) << "nobody knows yet whose place that is";
  h.advance(kBackOffMin);
  h.answer_acquire(h.expect(Frame::kWrite), "/l/lock-1", false, 5);
  const Frame asked = h.expect(Frame::kLockPlace);
  EXPECT_EQ(asked.lock_place().node(), "/l/lock-1");
  h.receive(place(asked, true, 5));
  ASSERT_TRUE(lock->result && lock->result->ok());
  EXPECT_EQ((*lock->result)->token, Token(5));
}

}  // namespace
}  // namespace quorate::client
