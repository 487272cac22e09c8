// Who waits for whom, from what locks show.
#include "client/lock_graph.h"

#include <gtest/gtest.h>

namespace quorate::client {
namespace {

Contender contender(uint64_t session, LockMode mode = LockMode::kExclusive, uint32_t permits = 0) {
  Contender out;
  out.session = SessionId(session);
  out.mode = mode;
  out.permits = permits;
  return out;
}

LockInfo lock(std::string path, std::vector<Contender> holders, std::vector<Contender> waiters) {
  LockInfo out;
  out.path = std::move(path);
  if (!holders.empty()) {
    out.holder = holders.front();
    out.sharing.assign(holders.begin() + 1, holders.end());
  }
  out.waiters = std::move(waiters);
  return out;
}

using Sessions = std::vector<SessionId>;
constexpr auto kShared = LockMode::kShared;

TEST(LockGraph, AFreeLockAndAHeldOneHaveNoWaits) {
  const LockGraph graph = graph_of({lock("/a", {}, {}), lock("/b", {contender(1)}, {})});
  EXPECT_TRUE(graph.waits.empty());
  EXPECT_TRUE(graph.deadlocks.empty());
}

TEST(LockGraph, MembersOfAGroupDoNotWaitForEachOther) {
  LockInfo members = lock("/members", {}, {contender(1), contender(2), contender(1)});
  members.unknown = true;
  EXPECT_TRUE(graph_of({members}).waits.empty());
}

TEST(LockGraph, AWaiterWaitsForTheOneBeforeIt) {
  const LockGraph graph = graph_of({lock("/a", {contender(1)}, {contender(2), contender(3)})});
  ASSERT_EQ(graph.waits.size(), 2U);
  EXPECT_EQ(graph.waits[0].for_sessions, Sessions{SessionId(1)});
  EXPECT_EQ(graph.waits[1].for_sessions, Sessions{SessionId(2)});
  EXPECT_EQ(graph.waits[1].path, "/a");
}

TEST(LockGraph, AWriterWaitsForAllReadersAndReadersForTheWriter) {
  const LockGraph graph = graph_of({lock("/a", {contender(1, kShared), contender(2, kShared)},
                                         {contender(3), contender(4, kShared), contender(5, kShared)})});
  ASSERT_EQ(graph.waits.size(), 3U);
  EXPECT_EQ(graph.waits[0].for_sessions, (Sessions{SessionId(1), SessionId(2)}));
  EXPECT_EQ(graph.waits[1].for_sessions, Sessions{SessionId(3)});
  EXPECT_EQ(graph.waits[2].for_sessions, Sessions{SessionId(3)}) << "not for the reader before it";
}

TEST(LockGraph, ACircleIsADeadlock) {
  const LockGraph graph =
      graph_of({lock("/a", {contender(1)}, {contender(2)}), lock("/b", {contender(2)}, {contender(3)}),
                lock("/c", {contender(3)}, {contender(1)}), lock("/d", {contender(9)}, {contender(8)})});
  ASSERT_EQ(graph.deadlocks.size(), 1U);
  EXPECT_EQ(graph.deadlocks[0], (Sessions{SessionId(1), SessionId(3), SessionId(2)}));
}

TEST(LockGraph, ACircleThroughSomebodyWhoWaitsIsOneToo) {
  // 2 will get /a from 1, and never /b from 3, who waits behind 2.
  const LockGraph graph = graph_of(
      {lock("/a", {contender(1)}, {contender(2), contender(3)}), lock("/b", {contender(3)}, {contender(2)})});
  ASSERT_EQ(graph.deadlocks.size(), 1U);
  EXPECT_EQ(graph.deadlocks[0], (Sessions{SessionId(2), SessionId(3)}));
}

TEST(LockGraph, ASessionThatWaitsForItselfIsNoCircle) {
  EXPECT_TRUE(graph_of({lock("/a", {contender(1)}, {contender(1)})}).deadlocks.empty());
}

TEST(LockGraph, AnyOfSeveralPermitsMayLetAWaiterIn) {
  const auto permit = [](uint64_t session) { return contender(session, LockMode::kPermit, 2); };
  const LockGraph graph =
      graph_of({lock("/s", {permit(1), permit(2)}, {permit(3)}), lock("/b", {contender(3)}, {contender(1)})});
  EXPECT_TRUE(graph.waits[0].any);
  EXPECT_EQ(graph.waits[0].for_sessions, (Sessions{SessionId(1), SessionId(2)}));
  EXPECT_TRUE(graph.deadlocks.empty()) << "2 may give its permit back";
}

TEST(LockGraph, WhatHadNoRoomIsCounted) {
  LockInfo cut = lock("/a", {contender(1)}, {contender(2)});
  cut.more = 7;
  EXPECT_EQ(graph_of({cut}).more, 7U);
}

}  // namespace
}  // namespace quorate::client
