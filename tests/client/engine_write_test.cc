// Sessions and writes: each applied once, in order, with an outcome that is known or named as unknown.
#include "tests/client/engine_harness.h"

namespace quorate::client {
namespace {

using Frame = api::ClientFrame;

TEST(EngineWrites, OpensASessionForTheFirstWriteOnly) {
  EngineHarness h;
  h.obey();
  EXPECT_FALSE(h.connecting) << "nothing was asked yet";
  const auto read = h.get("/a");
  h.accept();
  EXPECT_FALSE(h.take(Frame::kOpenSession)) << "reads need no session";
  h.answer(h.expect(Frame::kGet));
  EXPECT_EQ(read->code(), ErrorCode::kOk);
  const auto write = h.write("/a");
  const Frame open = h.expect(Frame::kOpenSession);
  EXPECT_EQ(open.open_session().password().size(), 16U);
  EXPECT_EQ(open.open_session().timeout_ms(), 10'000U);
  EXPECT_FALSE(h.take(Frame::kWrite)) << "no write before the session is there";
  h.answer(open);
  h.answer_outcome(h.expect(Frame::kWrite), "/a");
  ASSERT_EQ(write->code(), ErrorCode::kOk);
  EXPECT_EQ(write->calls, 1);
}

TEST(EngineWrites, NumbersGrowByOneAndAcknowledgeWhatArrived) {
  EngineHarness h;
  const auto a = h.write("/a"), b = h.write("/b"), c = h.write("/c");
  h.open_session();
  const Frame fa = h.expect(Frame::kWrite), fb = h.expect(Frame::kWrite), fc = h.expect(Frame::kWrite);
  EXPECT_EQ(fa.write().number(), 1U);
  EXPECT_EQ(fb.write().number(), 2U);
  EXPECT_EQ(fc.write().number(), 3U);
  h.answer(fb);
  h.write("/d");
  EXPECT_EQ(h.expect(Frame::kWrite).write().acked_below(), 1U) << "the first has no outcome yet";
  h.answer(fa);
  h.write("/e");
  EXPECT_EQ(h.expect(Frame::kWrite).write().acked_below(), 3U);
}

TEST(EngineWrites, SendsAgainUnderTheSameNumbersInOrderAfterALostConnection) {
  EngineHarness h(test_options(2));
  const auto a = h.write("/a"), b = h.write("/b");
  h.open_session();
  const Frame fa = h.expect(Frame::kWrite);
  h.reset();
  h.attach();
  EXPECT_EQ(h.attempts, (std::vector<size_t>{0, 1}));
  const Frame again_a = h.expect(Frame::kWrite), again_b = h.expect(Frame::kWrite);
  EXPECT_EQ(again_a.write().number(), 1U);
  EXPECT_EQ(again_a.write().set().path(), "/a");
  EXPECT_EQ(again_b.write().number(), 2U);
  h.answer_outcome(again_a, "/a");
  h.answer_outcome(again_b, "/b");
  EXPECT_EQ(a->code(), ErrorCode::kOk);
  EXPECT_EQ(b->code(), ErrorCode::kOk);
  EXPECT_EQ(a->calls, 1);
}

TEST(EngineWrites, ARefusalForAGapIsRetriedInOrder) {
  EngineHarness h;
  const auto a = h.write("/a"), b = h.write("/b");
  h.open_session();
  const Frame fa = h.expect(Frame::kWrite), fb = h.expect(Frame::kWrite);
  h.answer(fb, ErrorCode::kRequestGap);
  h.answer(fa, ErrorCode::kOverloaded);
  EXPECT_FALSE(h.take(Frame::kWrite)) << "not at once";
  h.write("/c");
  EXPECT_FALSE(h.take(Frame::kWrite)) << "a later number must not overtake";
  h.advance(kBackOffMax);
  EXPECT_EQ(h.expect(Frame::kWrite).write().number(), 1U);
  EXPECT_EQ(h.expect(Frame::kWrite).write().number(), 2U);
  EXPECT_EQ(h.expect(Frame::kWrite).write().number(), 3U);
  EXPECT_EQ(a->calls + b->calls, 0);
}

TEST(EngineWrites, AGapThatCannotBeFilledEndsTheSession) {
  EngineHarness h;
  const auto a = h.write("/a");
  h.open_session();
  for (size_t i = 0; i < kGapsMax; ++i) {
    ASSERT_FALSE(h.engine.session_lost());
    h.answer(h.expect(Frame::kWrite), ErrorCode::kRequestGap);
    h.advance(kBackOffMax);
    if (const auto ping = h.take(Frame::kPing)) h.answer(*ping);
  }
  EXPECT_TRUE(h.engine.session_lost());
  EXPECT_EQ(a->calls, 1);
}

TEST(EngineWrites, AtMostSoManyAreInFlight) {
  EngineHarness h;
  for (int i = 0; i < 100; ++i) h.write("/a");
  h.open_session();
  std::vector<Frame> sent;
  while (const auto frame = h.take(Frame::kWrite)) sent.push_back(*frame);
  ASSERT_EQ(sent.size(), kWritesInFlightMax);
  // The window hangs on the lowest: answers out of order do not widen it.
  h.answer(sent[5]);
  EXPECT_FALSE(h.take(Frame::kWrite));
  h.answer(sent[0]);
  EXPECT_EQ(h.expect(Frame::kWrite).write().number(), kWritesInFlightMax + 1);
}

TEST(EngineWrites, AnUnansweredWriteIsOutcomeUnknownAndStillBroughtToItsEnd) {
  EngineOptions options = test_options();
  options.request_timeout = seconds(2);
  EngineHarness h(options);
  const auto a = h.write("/a");
  h.open_session();
  h.expect(Frame::kWrite);
  h.advance(milliseconds(1999));
  EXPECT_EQ(a->calls, 0);
  h.advance(milliseconds(1));
  EXPECT_EQ(a->code(), ErrorCode::kOutcomeUnknown);
  h.reconnect();
  const Frame again = h.expect(Frame::kWrite);
  EXPECT_EQ(again.write().number(), 1U) << "its number stays its own";
  EXPECT_EQ(again.write().acked_below(), 1U);
  const auto b = h.write("/b");
  EXPECT_EQ(h.expect(Frame::kWrite).write().number(), 2U);
  h.answer(again);
  EXPECT_EQ(a->calls, 1) << "told once";
}

TEST(EngineWrites, AWriteThatWasNeverSentIsNotUnknown) {
  EngineHarness h(test_options(3));
  const auto a = h.write("/a");
  for (int i = 0; i < 3; ++i) {
    h.refuse();
    h.advance(Duration(0));
  }
  while (a->calls == 0) {
    if (h.connecting) h.refuse();
    h.advance(milliseconds(100));
  }
  EXPECT_EQ(a->code(), ErrorCode::kUnavailable);
}

TEST(EngineWrites, NoQuorumIsSaidWhenTheServersSaySo) {
  EngineHarness h;
  const auto a = h.write("/a");
  h.accept();
  h.advance(seconds(3));
  h.answer(h.expect(Frame::kOpenSession), ErrorCode::kNoQuorum);
  EXPECT_FALSE(h.connected) << "another server may know more";
  h.advance(seconds(2));
  EXPECT_EQ(a->code(), ErrorCode::kNoQuorum);
}

TEST(EngineWrites, ARefusalOfTheTreeIsTheAnswer) {
  EngineHarness h;
  const auto a = h.write("/a");
  h.open_session();
  h.answer(h.expect(Frame::kWrite), ErrorCode::kBadVersion);
  EXPECT_EQ(a->code(), ErrorCode::kBadVersion);
}

// What a server refuses before it proposes it has used no number, and later numbers wait for this one.
TEST(EngineWrites, ANumberThatWasRefusedUnusedIsSpentOnNothing) {
  for (const ErrorCode code : {ErrorCode::kLimitReached, ErrorCode::kInvalidArgument, ErrorCode::kTooLarge,
                               ErrorCode::kUnsupported}) {
    EngineHarness h;
    const auto refused = h.write("/a");
    h.open_session();
    h.answer(h.expect(Frame::kWrite), code);
    EXPECT_EQ(refused->code(), code);
    const api::ClientFrame filler = h.expect(Frame::kWrite);
    EXPECT_EQ(filler.write().number(), 1U);
    EXPECT_TRUE(filler.write().has_multi());
    EXPECT_EQ(filler.write().multi().operations_size(), 0);
    h.answer_outcome(filler, "");
    const auto next = h.write("/b");
    const api::ClientFrame second = h.expect(Frame::kWrite);
    EXPECT_EQ(second.write().number(), 2U);
    EXPECT_EQ(second.write().acked_below(), 2U);
    h.answer_outcome(second, "");
    EXPECT_TRUE(next->reply->ok());
    EXPECT_EQ(refused->calls, 1);
  }
}

TEST(EngineWrites, ARefusalOfApplyHasUsedItsNumber) {
  EngineHarness h;
  const auto refused = h.write("/a");
  h.open_session();
  api::ServerFrame answer = h.reply_to(h.expect(Frame::kWrite), ErrorCode::kInvalidArgument);
  answer.mutable_reply()->mutable_outcome();
  h.receive(answer);
  EXPECT_EQ(refused->code(), ErrorCode::kInvalidArgument);
  EXPECT_FALSE(h.take(Frame::kWrite).has_value());
  h.write("/b");
  EXPECT_EQ(h.expect(Frame::kWrite).write().number(), 2U);
}

TEST(EngineWrites, ACredentialTakesANumberOfTheSession) {
  EngineHarness h(test_options(2));
  api::AddCredential credential;
  credential.set_scheme("digest");
  credential.set_proof("user:password");
  ErrorCode code = ErrorCode::kNoQuorum;
  h.engine.write(h.now, credential,
                 [&code](Instant, const Result<api::Reply>& reply) { code = reply.code(); });
  h.write("/b");
  h.open_session();
  const api::ClientFrame first = h.expect(Frame::kAddCredential);
  EXPECT_EQ(first.add_credential().number(), 1U);
  EXPECT_EQ(first.add_credential().proof(), "user:password");
  EXPECT_EQ(h.expect(Frame::kWrite).write().number(), 2U);
  h.reset();
  h.attach();
  const api::ClientFrame again = h.expect(Frame::kAddCredential);
  EXPECT_EQ(again.add_credential().number(), 1U);
  h.answer_outcome(again, "");
  EXPECT_EQ(code, ErrorCode::kOk);
}

TEST(EngineWrites, AnUnknownOutcomeFromTheServerIsAskedForAgain) {
  EngineHarness h;
  const auto a = h.write("/a");
  h.open_session();
  h.answer(h.expect(Frame::kWrite), ErrorCode::kOutcomeUnknown);
  EXPECT_EQ(a->calls, 0);
  h.advance(kBackOffMax);
  const Frame again = h.expect(Frame::kWrite);
  EXPECT_EQ(again.write().number(), 1U);
  h.answer(again);
  EXPECT_EQ(a->code(), ErrorCode::kOk);
}

TEST(EngineSession, IsLostBeforeTheServerCouldExpireIt) {
  EngineHarness h;
  const auto a = h.write("/a");
  h.accept();
  const Frame open = h.expect(Frame::kOpenSession);
  const Instant sent = h.now;
  h.advance(milliseconds(800));  // the answer took its time; it counts from the question
  api::ServerFrame opened = EngineHarness::reply_to(open);
  opened.mutable_reply()->mutable_outcome()->set_session(77);
  opened.mutable_reply()->mutable_outcome()->set_timeout_ms(10'000);
  h.receive(opened);
  EXPECT_EQ(h.engine.lease_until(), sent + seconds(9));
  h.answer(h.expect(Frame::kWrite));
  h.reset();
  while (h.now < sent + seconds(9) - milliseconds(100)) {
    ASSERT_FALSE(h.engine.session_lost());
    if (h.connecting) h.refuse();
    h.advance(milliseconds(100));
  }
  h.advance(milliseconds(100));
  EXPECT_TRUE(h.engine.session_lost());
  EXPECT_EQ(h.write("/b")->code(), ErrorCode::kSessionExpired);
}

TEST(EngineSession, ALeaseCountsFromTheSendingOfTheAnsweredPing) {
  EngineHarness h;
  h.write("/a");
  h.open_session();
  h.answer(h.expect(Frame::kWrite));
  h.advance(seconds(3));
  const Frame ping = h.expect(Frame::kPing);
  const Instant sent = h.now;
  h.advance(seconds(2));
  h.answer(ping);
  EXPECT_EQ(h.engine.lease_until(), sent + seconds(9));
}

TEST(EngineSession, APauseOfTheProgramIsSeenBeforeWhatArrivedMeanwhile) {
  EngineHarness h;
  const auto lock = h.acquire("/l");
  h.open_session();
  h.answer_acquire(h.expect(Frame::kWrite), "/l/lock-1", false, 5);
  h.pause(seconds(30));
  api::ServerFrame granted;
  granted.mutable_granted()->set_node("/l/lock-1");
  granted.mutable_granted()->set_token(5);
  h.receive(granted);
  ASSERT_TRUE(lock->result.has_value());
  EXPECT_EQ(lock->result->code(), ErrorCode::kSessionExpired)
      << "a grant of before the pause is worth nothing";
}

TEST(EngineSession, WritesInFlightAreUnknownWhenTheSessionEnds) {
  EngineHarness h;
  const auto a = h.write("/a");
  h.open_session();
  h.expect(Frame::kWrite);
  h.reset();
  h.advance(kBackOffMin);
  h.accept();
  h.answer(h.expect(Frame::kAttachSession), ErrorCode::kSessionExpired);
  EXPECT_EQ(a->code(), ErrorCode::kOutcomeUnknown);
  EXPECT_TRUE(h.engine.session_lost());
  // Reads go on, over a connection without a session.
  const auto read = h.get("/a");
  h.accept();
  EXPECT_FALSE(h.take(Frame::kAttachSession));
  h.answer(h.expect(Frame::kGet));
  EXPECT_EQ(read->code(), ErrorCode::kOk);
}

TEST(EngineSession, MovedMeansAttachAgain) {
  EngineHarness h;
  const auto a = h.write("/a");
  h.open_session();
  h.answer(h.expect(Frame::kWrite), ErrorCode::kSessionMoved);
  h.advance(kBackOffMin);
  h.attach();
  h.answer(h.expect(Frame::kWrite));
  EXPECT_EQ(a->code(), ErrorCode::kOk);
  EXPECT_FALSE(h.engine.session_lost());
}

TEST(EngineSession, CloseComesBehindAllWrites) {
  EngineHarness h;
  const auto a = h.write("/a");
  h.open_session();
  bool closed = false;
  h.engine.close(h.now, [&](Instant, const Result<api::Reply>&) { closed = true; });
  h.obey();
  h.answer(h.expect(Frame::kWrite));
  const Frame last = h.expect(Frame::kWrite);
  ASSERT_TRUE(last.write().has_close_session());
  EXPECT_EQ(last.write().number(), 2U);
  h.answer(last);
  EXPECT_TRUE(closed);
  EXPECT_EQ(h.write("/b")->code(), ErrorCode::kShuttingDown);
}

TEST(EngineLink, SkipsAnEndpointThatCannotBeReached) {
  EngineHarness h(test_options(3));
  const auto read = h.get("/a");
  h.refuse();
  h.advance(Duration(0));
  ASSERT_TRUE(h.connecting.has_value()) << "the first round has no pause";
  h.advance(kConnectMax);  // the second swallows everything
  h.accept();
  EXPECT_EQ(h.attempts, (std::vector<size_t>{0, 1, 2}));
  h.answer(h.expect(Frame::kGet));
  EXPECT_EQ(read->code(), ErrorCode::kOk);
}

TEST(EngineLink, LeavesAServerThatStoppedAnswering) {
  EngineHarness h(test_options(2));
  const auto read = h.get("/a");
  h.accept();
  h.expect(Frame::kGet);
  h.advance(kSilenceMax);
  EXPECT_FALSE(h.connected);
  h.accept();
  h.answer(h.expect(Frame::kGet));
  EXPECT_EQ(read->code(), ErrorCode::kOk);
}

TEST(EngineLink, PausesGrowToTheirLimitAndNoFurther) {
  EngineOptions options = test_options();
  options.request_timeout = std::chrono::hours(1);
  EngineHarness h(options);
  const auto read = h.get("/a");
  Duration longest{};
  for (int i = 0; i < 30; ++i) {
    h.refuse();
    const Duration pause = h.engine.deadline() - h.now;
    EXPECT_GT(pause, Duration(0));
    longest = std::max(longest, pause);
    h.advance(pause);
  }
  EXPECT_LE(longest, kBackOffMax);
  EXPECT_GE(longest, kBackOffMax / 2);
}

// It has no number, and is asked as reads are; but it is none.
class EngineEndOfASession : public testing::Test {
 protected:
  void ask() {
    Frame frame;
    frame.mutable_end_session()->set_session(9);
    h.engine.read(h.now, frame,
                  [this](Instant, const Result<api::Reply>& reply) { codes.push_back(reply.code()); });
    h.obey();
  }
  using Codes = std::vector<ErrorCode>;
  EngineHarness h{test_options(2)};
  Codes codes;
};

TEST_F(EngineEndOfASession, ThatWasSentMayHaveBeen) {
  ask();
  h.accept();
  h.expect(Frame::kEndSession);
  h.reset();
  h.refuse();  // and nobody else answers
  h.advance(seconds(6));
  EXPECT_EQ(codes, Codes{ErrorCode::kOutcomeUnknown});
}

TEST_F(EngineEndOfASession, ThatIsSentWhenTheClientGoesMayHaveBeen) {
  ask();
  h.accept();
  h.expect(Frame::kEndSession);
  h.engine.stop(h.now);
  EXPECT_EQ(codes, Codes{ErrorCode::kOutcomeUnknown});
}

TEST_F(EngineEndOfASession, ThatWasNeverSentOrRefusedByEachWasNot) {
  ask();
  h.refuse();
  h.refuse();
  h.advance(seconds(6));
  EXPECT_EQ(codes, Codes{ErrorCode::kUnavailable});
  ask();
  h.accept();
  h.answer(h.expect(Frame::kEndSession), ErrorCode::kNotLeader);
  h.advance(seconds(6));
  EXPECT_EQ(codes, (Codes{ErrorCode::kUnavailable, ErrorCode::kNoQuorum}));
}

}  // namespace
}  // namespace quorate::client
