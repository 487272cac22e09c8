// Sessions: opening, taking over, ending, and that a numbered request is applied exactly once.
#include <gtest/gtest.h>

#include "kv/path.h"
#include "kv/sessions.h"
#include "tests/kv/machine.h"

namespace quorate::kv {
namespace {

constexpr SessionPassword kPassword = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};
const Origin kOrigin{ServerId(2), BootNonce(77), 5};

class SessionsTest : public ::testing::Test {
 protected:
  void TearDown() override { EXPECT_EQ(machine.state.check_consistency(), std::nullopt); }

  Outcome open(uint32_t timeout_ms, Origin origin = {}) {
    return machine.apply(OpenSession{origin, timeout_ms, kPassword}).origin_outcomes.at(0).outcome;
  }
  Outcome attach(SessionId session, const SessionPassword& password, Origin origin = {}) {
    return machine.apply(AttachSession{origin, session, password}).origin_outcomes.at(0).outcome;
  }
  SessionOutcome send(SessionRequest request) { return machine.apply(request).outcomes.at(0); }

  Machine machine;
};

TEST_F(SessionsTest, OpenNamesItAfterItsEntryAndGrantsWhatTheEntrySays) {
  const Applied applied = machine.apply(OpenSession{kOrigin, 10'000, kPassword});
  ASSERT_EQ(applied.origin_outcomes.size(), 1u);
  EXPECT_EQ(applied.origin_outcomes[0].origin, kOrigin);
  const Outcome& outcome = applied.origin_outcomes[0].outcome;
  EXPECT_EQ(outcome.session, SessionId(1));
  EXPECT_EQ(outcome.epoch, 1u);
  EXPECT_EQ(outcome.timeout_ms, 10'000u);
  EXPECT_EQ(outcome.next_number, 1u);
  EXPECT_EQ(applied.sessions_attached, std::vector<SessionId>{SessionId(1)});
  EXPECT_EQ(open(0).timeout_ms, kSessionTimeoutMinMs);
  EXPECT_EQ(open(UINT32_MAX).timeout_ms, UINT32_MAX) << "no server's limit: they may differ";
  EXPECT_EQ(machine.state.session_count(), 3u);
}

TEST_F(SessionsTest, OpeningAgainByTheSameOriginIsTheSameSession) {
  const Outcome first = open(10'000, kOrigin);
  const Applied again = machine.apply(OpenSession{kOrigin, 10'000, kPassword});
  EXPECT_EQ(again.origin_outcomes.at(0).outcome, first);
  EXPECT_TRUE(again.sessions_attached.empty());
  EXPECT_EQ(machine.state.session_count(), 1u);
}

TEST_F(SessionsTest, AttachingAgainByTheSameOriginKeepsTheEpoch) {
  const SessionId session = open(10'000).session;
  const Outcome first = attach(session, kPassword, kOrigin);
  EXPECT_EQ(first.epoch, 2u);
  EXPECT_EQ(attach(session, kPassword, kOrigin), first);
  EXPECT_EQ(attach(session, {}, kOrigin).code, ErrorCode::kBadCredentials);
  EXPECT_EQ(attach(session, kPassword, Origin{ServerId(3), BootNonce(1), 1}).epoch, 3u);
  EXPECT_EQ(attach(session, kPassword, kOrigin).epoch, 4u);
}

TEST_F(SessionsTest, AnOriginIsForgottenWithItsSession) {
  const SessionId session = open(10'000, kOrigin).session;
  machine.apply(ExpireSessions{{session}});
  EXPECT_NE(open(10'000, kOrigin).session, session);
}

TEST_F(SessionsTest, AttachRaisesTheEpochAndTellsTheNextNumber) {
  const SessionId session = open(10'000).session;
  machine.run(session, create("/a"));
  const Applied applied = machine.apply(AttachSession{kOrigin, session, kPassword});
  const Outcome& outcome = applied.origin_outcomes.at(0).outcome;
  EXPECT_EQ(outcome.code, ErrorCode::kOk);
  EXPECT_EQ(outcome.epoch, 2u);
  EXPECT_EQ(outcome.next_number, 2u);
  EXPECT_EQ(outcome.timeout_ms, 10'000u);
  EXPECT_EQ(applied.sessions_attached, std::vector<SessionId>{session});
}

TEST_F(SessionsTest, AttachComparesEachByteOfThePassword) {
  const SessionId session = open(10'000).session;
  for (size_t i = 0; i < kPassword.size(); ++i) {
    SessionPassword wrong = kPassword;
    wrong[i] ^= 0x80;
    const Applied applied = machine.apply(AttachSession{kOrigin, session, wrong});
    EXPECT_EQ(applied.origin_outcomes.at(0).outcome.code, ErrorCode::kBadCredentials);
    EXPECT_TRUE(applied.sessions_attached.empty());
  }
  EXPECT_EQ(machine.state.session(session)->epoch, 1u);
}

TEST_F(SessionsTest, AttachRefusesASessionThatIsGone) {
  EXPECT_EQ(attach(SessionId(99), kPassword).code, ErrorCode::kSessionExpired);
}

// A client gives a connection up and attaches over another; then what it had sent on the first arrives.
TEST_F(SessionsTest, AnAttachThatComesLateDoesNotTakeTheSessionBack) {
  const SessionId session = open(10'000).session;
  const auto attempt = [&](uint64_t count, uint64_t origin) {
    return machine.apply(AttachSession{{ServerId(2), BootNonce(1), origin}, session, kPassword, {}, count})
        .origin_outcomes.at(0)
        .outcome;
  };
  EXPECT_EQ(attempt(3, 1).epoch, 2u);
  EXPECT_EQ(attempt(2, 2).code, ErrorCode::kSessionMoved);
  EXPECT_EQ(machine.state.session(session)->epoch, 2u);
  EXPECT_EQ(attempt(3, 1).epoch, 2u) << "the same attach again";
  EXPECT_EQ(attempt(3, 3).epoch, 3u);
  EXPECT_EQ(attempt(0, 4).epoch, 4u) << "one that does not count takes it over";
  EXPECT_EQ(attempt(2, 5).code, ErrorCode::kSessionMoved) << "what was seen stays";
  EXPECT_EQ(attempt(4, 6).epoch, 5u);
}

TEST_F(SessionsTest, RequestsOfAnOlderEpochAreRefused) {
  const SessionId session = open(10'000).session;
  attach(session, kPassword);
  const SessionOutcome outcome = send({session, 1, 1, 0, create("/a")});
  EXPECT_EQ(outcome.outcome.code, ErrorCode::kSessionMoved);
  EXPECT_EQ(outcome.epoch, 1u);
  EXPECT_FALSE(machine.exists("/a"));
  EXPECT_EQ(send({session, 2, 1, 0, create("/a")}).outcome.code, ErrorCode::kOk);
}

TEST_F(SessionsTest, RequestsOfNoSessionAreRefused) {
  EXPECT_EQ(send({SessionId(9), 1, 1, 0, create("/a")}).outcome.code, ErrorCode::kSessionExpired);
}

TEST_F(SessionsTest, ARepeatedRequestIsAnsweredButNotApplied) {
  const SessionId session = open(10'000).session;
  const SessionRequest request{session, 1, 1, 0, create_sequential("/a")};
  const SessionOutcome first = send(request);
  EXPECT_FALSE(first.repeated);
  const uint64_t hash = machine.state.state_hash();
  const Applied again = machine.apply(request);
  EXPECT_TRUE(again.outcomes.at(0).repeated);
  EXPECT_EQ(again.outcomes.at(0).outcome, first.outcome);
  EXPECT_TRUE(again.changes.empty());
  EXPECT_EQ(machine.state.state_hash(), hash);
}

TEST_F(SessionsTest, ARepeatedRequestIsAnsweredAcrossAttachments) {
  const SessionId session = open(10'000).session;
  const SessionOutcome first = send({session, 1, 1, 0, AcquireOp{"/a", {}}});
  attach(session, kPassword);
  const SessionOutcome again = send({session, 2, 1, 0, AcquireOp{"/a", {}}});
  EXPECT_TRUE(again.repeated);
  EXPECT_EQ(again.outcome, first.outcome);
}

TEST_F(SessionsTest, ARefusalIsAnOutcomeLikeAnyOther) {
  const SessionId session = open(10'000).session;
  const SessionOutcome first = send({session, 1, 1, 0, create("bad")});
  EXPECT_EQ(first.outcome.code, ErrorCode::kBadPath);
  EXPECT_EQ(machine.state.session(session)->next_number, 2u);
  EXPECT_EQ(send({session, 1, 1, 0, create("bad")}).outcome, first.outcome);
}

TEST_F(SessionsTest, AGapIsRefusedAndChangesNothing) {
  const SessionId session = open(10'000).session;
  send({session, 1, 1, 0, create("/a")});
  const uint64_t hash = machine.state.state_hash();
  EXPECT_EQ(send({session, 1, 3, 2, create("/b")}).outcome.code, ErrorCode::kRequestGap);
  EXPECT_EQ(machine.state.state_hash(), hash);
  EXPECT_TRUE(send({session, 1, 1, 0, create("/a")}).repeated);
}

TEST_F(SessionsTest, AcknowledgedOutcomesAreForgotten) {
  const SessionId session = open(10'000).session;
  send({session, 1, 1, 0, create("/a")});
  send({session, 1, 2, 2, create("/b")});
  EXPECT_EQ(send({session, 1, 1, 0, create("/a")}).outcome.code, ErrorCode::kRequestForgotten);
  EXPECT_TRUE(send({session, 1, 2, 0, create("/b")}).repeated);
}

TEST_F(SessionsTest, NumbersThatMakeNoSenseAreRefused) {
  const SessionId session = open(10'000).session;
  EXPECT_EQ(send({session, 1, 0, 0, create("/a")}).outcome.code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(send({session, 1, 1, 2, create("/a")}).outcome.code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(machine.state.session(session)->next_number, 1u);
}

TEST_F(SessionsTest, OutcomesAreBoundedInNumberAndNeverEvicted) {
  const SessionId session = open(10'000).session;
  const size_t max = Limits().results_max;
  machine.run(session, create("/a"));
  for (size_t i = 0; i + 1 < max; ++i) {
    ASSERT_EQ(send({session, 1, i + 2, 0, SetOp{"/a", "x", -1}}).outcome.code, ErrorCode::kOk);
  }
  EXPECT_EQ(send({session, 1, max + 1, 0, create("/b")}).outcome.code, ErrorCode::kTooManyResults);
  EXPECT_FALSE(machine.exists("/b"));
  EXPECT_EQ(machine.state.session(session)->next_number, max + 1);
  EXPECT_TRUE(send({session, 1, 1, 0, create("/a")}).repeated);
  // The same request with an acknowledgement goes through.
  EXPECT_EQ(send({session, 1, max + 1, 2, create("/b")}).outcome.code, ErrorCode::kOk);
}

TEST_F(SessionsTest, OutcomesAreBoundedInBytes) {
  const SessionId session = open(10'000).session;
  size_t applied = 0;
  for (uint64_t number = 1;; ++number) {
    const std::string path = "/" + std::string(1'000, 'a') + std::to_string(number);
    const ErrorCode code = send({session, 1, number, 0, create(path)}).outcome.code;
    if (code == ErrorCode::kTooManyResults) break;
    ASSERT_EQ(code, ErrorCode::kOk);
    ++applied;
  }
  EXPECT_GE(applied, Limits().results_bytes_max / 1'200);
  EXPECT_LE(applied, Limits().results_bytes_max / 1'000 + 1);
}

TEST_F(SessionsTest, AClosePassesWhereNoOutcomeFits) {
  Limits limits;
  limits.results_max = 1;
  Machine small(limits);
  const SessionId session = small.open();
  small.run(session, create("/a"));
  EXPECT_EQ(small.apply(SessionRequest{session, 1, 2, 0, create("/b")}).outcomes.at(0).outcome.code,
            ErrorCode::kTooManyResults);
  EXPECT_EQ(small.apply(SessionRequest{session, 1, 2, 0, CloseSessionOp{}}).outcomes.at(0).outcome.code,
            ErrorCode::kOk);
  EXPECT_EQ(small.state.session_count(), 0u);
}

TEST_F(SessionsTest, AnOutcomeTooLongIsKeptAsDone) {
  const SessionId session = open(10'000).session;
  const SessionRequest request{session, 1, 1, 0, create("/" + std::string(kPathBytesMax - 1, 'a'))};
  const SessionOutcome first = send(request);
  EXPECT_EQ(first.outcome.path.size(), kPathBytesMax);
  const SessionOutcome again = send(request);
  EXPECT_TRUE(again.repeated);
  EXPECT_EQ(again.outcome.code, ErrorCode::kOk);
  EXPECT_EQ(again.outcome.path, "");
  EXPECT_FALSE(again.outcome.message.empty());
  EXPECT_EQ(again.outcome.stat, first.outcome.stat);
}

TEST_F(SessionsTest, CloseRemovesWhatItOwnsInTheOrderOfCreation) {
  const SessionId session = open(10'000).session;
  const SessionId other = open(10'000).session;
  for (const char* path : {"/c", "/a", "/b"}) machine.run(session, create_ephemeral(path));
  machine.run(other, create_ephemeral("/d"));
  machine.run(session, create("/stays"));
  machine.run(session, DeleteOp{"/a", -1});
  machine.run(session, create_ephemeral("/a"));
  const Applied applied = machine.apply_as(session, CloseSessionOp{});
  EXPECT_EQ(applied.outcomes.at(0).outcome.code, ErrorCode::kOk);
  EXPECT_EQ(applied.outcomes.at(0).outcome.zxid, applied.zxid);
  ASSERT_EQ(applied.changes.size(), 3u);
  EXPECT_EQ(applied.changes[0].path, "/c");
  EXPECT_EQ(applied.changes[1].path, "/b");
  EXPECT_EQ(applied.changes[2].path, "/a");
  for (const Change& change : applied.changes) EXPECT_EQ(change.owner, session);
  ASSERT_EQ(applied.sessions_ended.size(), 1u);
  EXPECT_EQ(applied.sessions_ended[0].session, session);
  EXPECT_FALSE(applied.sessions_ended[0].expired);
  EXPECT_FALSE(machine.state.session(session).has_value());
  EXPECT_EQ(machine.names("/"), (std::vector<std::string>{"d", "stays"}));
  EXPECT_EQ(machine.run(session, CloseSessionOp{}).code, ErrorCode::kSessionExpired);
}

TEST_F(SessionsTest, CloseIsNumberedLikeAnyRequest) {
  const SessionId session = open(10'000).session;
  EXPECT_EQ(send({session, 1, 2, 0, CloseSessionOp{}}).outcome.code, ErrorCode::kRequestGap);
  EXPECT_EQ(send({session, 2, 1, 0, CloseSessionOp{}}).outcome.code, ErrorCode::kSessionMoved);
  EXPECT_TRUE(machine.state.session(session).has_value());
}

TEST_F(SessionsTest, ExpiryPassesOverThoseThatAreGone) {
  const SessionId first = open(10'000).session;
  const SessionId second = open(10'000).session;
  machine.run(first, create_ephemeral("/a"));
  machine.run(second, create_ephemeral("/b"));
  const Applied applied = machine.apply(ExpireSessions{{second, SessionId(99), first, second}});
  ASSERT_EQ(applied.sessions_ended.size(), 2u);
  EXPECT_EQ(applied.sessions_ended[0].session, second);
  EXPECT_EQ(applied.sessions_ended[1].session, first);
  EXPECT_TRUE(applied.sessions_ended[0].expired);
  EXPECT_EQ(applied.changes.at(0).path, "/b");
  EXPECT_EQ(applied.changes.at(1).path, "/a");
  EXPECT_EQ(machine.state.session_count(), 0u);
}

TEST_F(SessionsTest, SessionsAreListedByTheirIds) {
  for (int i = 0; i < 20; ++i) open(10'000);
  const std::vector<SessionView> sessions = machine.state.sessions();
  ASSERT_EQ(sessions.size(), 20u);
  for (size_t i = 0; i < sessions.size(); ++i) EXPECT_EQ(sessions[i].id, SessionId(i + 1));
  const std::vector<SessionView> some = machine.state.sessions(SessionId(5), 3);
  ASSERT_EQ(some.size(), 3u);
  for (size_t i = 0; i < some.size(); ++i) EXPECT_EQ(some[i].id, SessionId(i + 6));
  EXPECT_EQ(machine.state.sessions(SessionId(18), 3).size(), 2u);
  machine.run(SessionId(3), create_ephemeral("/e"));
  EXPECT_EQ(machine.state.session(SessionId(3))->ephemerals, 1u);
  EXPECT_EQ(machine.state.session(SessionId(3))->next_number, 2u);
}

TEST_F(SessionsTest, TheHashFollowsTheStateNotTheWayToIt) {
  const SessionId session = open(10'000).session;
  const uint64_t hash = machine.state.state_hash();
  machine.apply(ExpireSessions{{open(10'000).session}});
  EXPECT_EQ(machine.state.state_hash(), hash);
  machine.run(session, create_ephemeral("/a"));
  EXPECT_NE(machine.state.state_hash(), hash);
}

// ---- credentials

OpenSession open_from(std::string address) { return {{}, 10'000, {}, std::move(address)}; }

TEST(SessionCredentials, NameTheAddressThatItWasLastAttachedFrom) {
  Machine machine;
  const SessionId session = machine.apply(open_from("10.1.2.3")).origin_outcomes.at(0).outcome.session;
  EXPECT_EQ(machine.state.credentials(session), (Credentials{{"ip", "10.1.2.3"}}));
  machine.apply(AttachSession{{}, session, {}, "2001:db8::1"});
  EXPECT_EQ(machine.state.credentials(session), (Credentials{{"ip", "2001:db8::1"}}));
  machine.apply(AttachSession{{}, session, {}, {}});
  EXPECT_TRUE(machine.state.credentials(session).empty());
  EXPECT_EQ(machine.state.check_consistency(), std::nullopt);
}

TEST(SessionCredentials, ArePartOfTheHash) {
  Machine here;
  Machine there;
  here.apply(open_from("10.1.2.3"));
  there.apply(open_from("10.1.2.4"));
  EXPECT_NE(here.state.state_hash(), there.state.state_hash());
}

TEST(SessionCredentials, AreNoneWithoutASession) {
  EXPECT_TRUE(Machine().state.credentials(SessionId(7)).empty());
}

TEST(SessionCredentials, AreRefusedForWhatIsNoAddress) {
  for (const std::string text : {"host", "10.0.0.0/8", "fe80::1%eth0", "10.1.2.3:80"}) {
    EXPECT_EQ(validate(open_from(text)).code(), ErrorCode::kInvalidArgument) << text;
    EXPECT_EQ(validate(AttachSession{{}, SessionId(1), {}, text}).code(), ErrorCode::kInvalidArgument)
        << text;
  }
  EXPECT_TRUE(validate(open_from("")).ok());
  EXPECT_TRUE(validate(open_from("::1")).ok());
}

}  // namespace
}  // namespace quorate::kv
