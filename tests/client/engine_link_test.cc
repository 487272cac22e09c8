// Which endpoints do not work: told once each, until they work again.
#include "tests/client/engine_harness.h"

namespace quorate::client {
namespace {

using Frame = api::ClientFrame;

// What an engine tells of its endpoints, as "server0: why" or "server0 works".
class EngineEndpoints : public testing::Test {
 protected:
  EngineOptions telling(size_t endpoints) {
    EngineOptions options = test_options(endpoints);
    options.on_endpoint = [this](const std::string& endpoint, const Error& trouble) {
      const std::string name = endpoint.substr(0, endpoint.find(':'));
      told.push_back(trouble.ok() ? name + " works" : name + ": " + trouble.message);
    };
    return options;
  }
  using Told = std::vector<std::string>;
  Told told;
};

TEST_F(EngineEndpoints, OneThatIsUnreachableIsToldOnceAndTheNextWorks) {
  EngineHarness h(telling(2));
  const auto read = h.get("/a");
  h.refuse();
  EXPECT_EQ(told, (Told{"server0: connection refused"})) << "at once, not only when another works";
  h.accept();
  h.answer(h.expect(Frame::kGet));
  EXPECT_EQ(read->code(), ErrorCode::kOk);
  EXPECT_EQ(told, (Told{"server0: connection refused", "server1 works"}));
  // Both fail, again and again, before anything works.
  h.get("/b");
  h.reset();
  told.clear();
  for (int round = 0; round < 5; ++round) {
    h.advance(kBackOffMax);
    if (h.connecting) h.refuse();
  }
  EXPECT_EQ(told, Told{}) << "both were told: server1 by the connection that broke";
}

TEST_F(EngineEndpoints, OneThatWorksAgainIsToldAndThenItsNextTrouble) {
  EngineHarness h(telling(1));
  const auto read = h.get("/a");
  h.refuse();
  h.advance(kBackOffMax);
  h.accept();
  h.answer(h.expect(Frame::kGet));
  EXPECT_EQ(read->code(), ErrorCode::kOk);
  h.get("/b");
  h.answer(h.expect(Frame::kGet));
  h.get("/c");
  h.reset();
  EXPECT_EQ(told, (Told{"server0: connection refused", "server0 works", "server0: connection reset"}));
}

TEST_F(EngineEndpoints, OneThatStopsAnsweringIsToldAndOneWithoutAQuorumIsNot) {
  EngineHarness h(telling(2));
  h.get("/a");
  h.accept();
  h.answer(h.expect(Frame::kGet), ErrorCode::kNoQuorum);
  EXPECT_EQ(told, Told{});
  h.accept();
  h.advance(kSilenceMax);
  EXPECT_EQ(told, (Told{"server1: stopped answering"}));
}

TEST_F(EngineEndpoints, TheEndOfASessionIsNoTroubleOfTheEndpoint) {
  EngineHarness h(telling(1));
  h.write("/a");
  h.open_session();
  h.answer(h.expect(Frame::kWrite));
  api::ServerFrame end;
  end.mutable_session_end()->set_session(77);
  end.mutable_session_end()->set_code(static_cast<uint32_t>(ErrorCode::kSessionExpired));
  h.receive(end);
  ASSERT_TRUE(h.engine.session_lost());
  EXPECT_EQ(told, (Told{"server0 works"}));
}

// To take the session there goes through the log: a server that does that, and refuses what is asked then, is
// not to be asked without a pause.
TEST(EngineBackOff, GrowsWhereSessionsAreAttachedAndRequestsRefused) {
  EngineHarness h(test_options(2));
  h.write("/a");
  h.open_session();
  h.answer(h.expect(Frame::kWrite));
  api::ClientFrame frame;
  frame.mutable_end_session()->set_session(5);
  bool answered = false;
  h.engine.read(h.now, frame, [&](Instant, const Result<api::Reply>&) { answered = true; });
  h.answer(h.expect(Frame::kEndSession), ErrorCode::kNotLeader);
  const size_t before = h.attempts.size();
  constexpr size_t kFew = 20;
  while (!answered && h.attempts.size() - before < kFew) {
    if (!h.connecting) {
      h.advance(kBackOffMin);
      continue;
    }
    h.attach();
    h.answer(h.expect(Frame::kEndSession), ErrorCode::kNotLeader);
  }
  EXPECT_LT(h.attempts.size() - before, kFew) << "in " << seconds_text(test_options().request_timeout);
}

}  // namespace
}  // namespace quorate::client
