#include "server/replica_session_clocks.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <map>

#include "tests/replica/cluster.h"
#include "tests/replica/instants.h"

namespace quorate::server {
namespace {

using test::kMs;
using test::kStart;

TEST(SessionClocks, RunsOutAtItsTimeoutAndNotBefore) {
  SessionClocks clocks;
  clocks.add(SessionId(7), 100, kStart);
  EXPECT_FALSE(clocks.any_overdue(kStart + 99 * kMs));
  EXPECT_EQ(clocks.deadline(), kStart + 100 * kMs);
  EXPECT_EQ(clocks.take_overdue(kStart + 100 * kMs), std::vector<SessionId>{SessionId(7)});
}

TEST(SessionClocks, ATouchGivesTheFullTimeoutAgain) {
  SessionClocks clocks;
  clocks.add(SessionId(7), 100, kStart);
  EXPECT_TRUE(clocks.touch(SessionId(7), kStart + 90 * kMs));
  EXPECT_FALSE(clocks.any_overdue(kStart + 189 * kMs));
  EXPECT_TRUE(clocks.any_overdue(kStart + 190 * kMs));
}

TEST(SessionClocks, WhoseExpiryIsProposedIsPromisedNothing) {
  SessionClocks clocks;
  clocks.add(SessionId(7), 100, kStart);
  (void)clocks.take_overdue(kStart + 100 * kMs);
  EXPECT_FALSE(clocks.touch(SessionId(7), kStart + 101 * kMs));
  EXPECT_FALSE(clocks.is_ending(SessionId(8))) << "nobody knows it";
  clocks.add(SessionId(7), 100, kStart + 101 * kMs);
  EXPECT_FALSE(clocks.touch(SessionId(7), kStart + 101 * kMs));
}

TEST(SessionClocks, AnExpiryThatWasPutOffIsDueAgainUnlessTheSessionLives) {
  SessionClocks clocks;
  clocks.add(SessionId(1), 1'000, kStart);
  clocks.add(SessionId(2), 1'000, kStart);
  ASSERT_EQ(clocks.take_overdue(kStart + 1'000 * kMs).size(), 2u);
  for (uint64_t id : {1, 2}) clocks.put_off(SessionId(id), kStart + 1'100 * kMs);
  EXPECT_FALSE(clocks.any_overdue(kStart + 1'099 * kMs));
  EXPECT_TRUE(clocks.touch(SessionId(2), kStart + 1'050 * kMs));
  EXPECT_EQ(clocks.take_overdue(kStart + 1'100 * kMs), std::vector<SessionId>{SessionId(1)});
}

TEST(SessionClocks, ANewLeaderGivesEverybodyTheFullTimeout) {
  SessionClocks clocks;
  clocks.add(SessionId(7), 100, kStart);
  (void)clocks.take_overdue(kStart + 100 * kMs);
  kv::SessionView session;
  session.id = SessionId(7);
  session.timeout_ms = 100;
  clocks.restart({session}, kStart + 150 * kMs);
  EXPECT_TRUE(clocks.touch(SessionId(7), kStart + 160 * kMs));
  EXPECT_TRUE(clocks.any_overdue(kStart + 260 * kMs));
}

TEST(SessionClocks, UnknownAndForgottenSessionsAreNotTouched) {
  SessionClocks clocks;
  EXPECT_FALSE(clocks.touch(SessionId(7), kStart));
  clocks.add(SessionId(7), 100, kStart);
  clocks.forget(SessionId(7));
  EXPECT_FALSE(clocks.touch(SessionId(7), kStart));
  EXPECT_FALSE(clocks.any_overdue(kStart + 1000 * kMs));
}

// Against a twin that looks at every session each time.
TEST(SessionClocks, AnEndedSessionIsOverdueAtOnceWhateverItsClientSays) {
  SessionClocks clocks;
  clocks.add(SessionId(7), 100, kStart);
  clocks.add(SessionId(8), 100, kStart);
  clocks.end(SessionId(7), kStart + 10 * kMs);
  clocks.end(SessionId(9), kStart);  // unknown
  EXPECT_EQ(clocks.deadline(), kStart + 10 * kMs);
  EXPECT_FALSE(clocks.touch(SessionId(7), kStart + 10 * kMs));
  clocks.add(SessionId(7), 100, kStart + 10 * kMs);  // attached once more
  EXPECT_EQ(clocks.take_overdue(kStart + 10 * kMs), std::vector{SessionId(7)});
  clocks.end(SessionId(7), kStart + 20 * kMs);
  EXPECT_TRUE(clocks.take_overdue(kStart + 20 * kMs).empty()) << "its expiry was proposed";
  clocks.put_off(SessionId(7), kStart + 30 * kMs);
  EXPECT_FALSE(clocks.touch(SessionId(7), kStart + 25 * kMs));
  EXPECT_EQ(clocks.take_overdue(kStart + 30 * kMs), std::vector{SessionId(7)});
}

RC_GTEST_PROP(SessionClocks, AgreesWithAScan, ()) {
  SessionClocks clocks;
  struct Twin {
    Duration timeout{};
    Instant deadline;
    bool expiring = false;
  };
  std::map<SessionId, Twin> twin;
  Instant now = kStart;
  const auto steps = *rc::gen::container<std::vector<int>>(rc::gen::inRange(0, 1000));
  for (int step : steps) {
    const SessionId id(1 + step % 5);
    const uint32_t timeout_ms = 20 + step % 37;
    switch (step % 4) {
      case 0: {
        clocks.add(id, timeout_ms, now);
        Twin& t = twin[id];
        t = {timeout_ms * kMs, now + timeout_ms * kMs, t.expiring};
        break;
      }
      case 1: {
        const bool known = twin.contains(id) && !twin[id].expiring;
        RC_ASSERT(clocks.touch(id, now) == known);
        if (known) twin[id].deadline = now + twin[id].timeout;
        break;
      }
      case 2:
        clocks.forget(id);
        twin.erase(id);
        break;
      default: {
        now += (step % 11) * kMs;
        std::set<SessionId> expected;
        for (auto& [session, t] : twin) {
          if (t.expiring || t.deadline > now) continue;
          t.expiring = true;
          expected.insert(session);
        }
        const std::vector<SessionId> overdue = clocks.take_overdue(now);
        RC_ASSERT(std::set<SessionId>(overdue.begin(), overdue.end()) == expected);
        RC_ASSERT(overdue.size() == expected.size());
      }
    }
  }
}

// In one turn something is committed that is not applied yet, and somebody asks for a session whose end is
// proposed: that the leader cannot know all sessions then is no reason to promise this one any time.
TEST(SessionClocks, WhoseExpiryIsProposedIsToldThatItIsGone) {
  test::Cluster cluster(3);
  const ServerId leader = cluster.elect(), asks = cluster.follower();
  const kv::Outcome dies = cluster.open(asks, test::kOne, 1'000);
  ASSERT_EQ(cluster.open(leader, test::kTwo, 60'000).code, ErrorCode::kOk);
  bool nothing_commits = true;
  BootNonce boot;
  std::vector<SessionId> gone;
  cluster.set_filter([&](PeerMessage& message) {
    if (message.from == asks) boot = message.boot;
    if (const auto* reply = std::get_if<BarrierReply>(&message.body);
        reply != nullptr && reply->counter == 777)
      gone = reply->gone;
    const auto* body = std::get_if<raft::Message>(&message.body);
    return !nothing_commits || body == nullptr || !std::holds_alternative<raft::AppendResponse>(body->body);
  });
  cluster.send(leader, test::kTwo, WriteRequest{1, 1, kv::CreateOp{"/a", ""}});
  cluster.settle();
  const raft::Raft& raft = *cluster.replica(leader).raft();
  const Index written = raft.log().last_index();
  ASSERT_LT(raft.committed(), written);
  for (int i = 0; i < 3'000 && raft.log().last_index() == written; ++i) cluster.advance(test::kMs);
  ASSERT_EQ(cluster.leader(), leader);
  ASSERT_EQ(raft.log().last_index(), written.next()) << "its end is proposed";

  raft::AppendResponse response;
  response.success = true;
  response.match = written;
  const raft::Message ack{asks, leader, raft.term(), boot, true, response};
  cluster.replica(leader).step(cluster.now(), PeerReceived{{asks, leader, boot, ack}});
  const Barrier barrier{raft.term(), 777, {dies.session}};
  cluster.replica(leader).step(cluster.now(), PeerReceived{{asks, leader, boot, barrier}});
  cluster.settle();
  ASSERT_EQ(raft.committed(), written) << "the end of the session is not committed";
  cluster.advance(100 * test::kMs);
  EXPECT_EQ(gone, std::vector<SessionId>{dies.session});
}

}  // namespace
}  // namespace quorate::server
