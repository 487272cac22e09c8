// Fifty thousand sessions that only stay alive.
#include <gtest/gtest.h>

#include "tests/replica/cluster.h"

namespace quorate::server {
namespace {

using test::Cluster;
using test::kMs;

constexpr uint64_t kSessions = 50'000;
constexpr uint32_t kTimeoutMs = 10'000;

ServerId server_of(uint64_t session) { return ServerId(static_cast<uint32_t>(session % 3 + 1)); }

void open_all(Cluster& cluster) {
  for (uint64_t i = 0; i < kSessions; ++i) {
    cluster.send(server_of(i), ConnectionId(i + 1), OpenSessionRequest{kTimeoutMs, {}});
    if (i % 500 == 499) cluster.settle();
  }
  cluster.advance(50 * kMs);
}

// Each says that it lives once in `round`, spread evenly over it. Counts the answers that said yes.
uint64_t keep_alive(Cluster& cluster, Duration round) {
  uint64_t answered = 0, sent = 0;
  const int64_t slots = round / kMs;
  for (int64_t slot = 0; slot < slots; ++slot) {
    const uint64_t until = kSessions * static_cast<uint64_t>(slot + 1) / static_cast<uint64_t>(slots);
    for (; sent < until; ++sent) cluster.send(server_of(sent), ConnectionId(sent + 1), PingRequest{});
    cluster.advance(kMs);
  }
  cluster.advance(200 * kMs);
  for (uint32_t id = 1; id <= 3; ++id) {
    for (auto& [connection, inbox] : cluster.node(ServerId(id)).inbox) {
      for (const ClientMessage& message : inbox) {
        const auto* reply = std::get_if<ClientReply>(&message.body);
        if (reply != nullptr && reply->error.ok()) ++answered;
      }
      inbox.clear();
    }
  }
  return answered;
}

TEST(ManySessions, StayAliveWithoutALogEntryAndEndInAFew) {
  Cluster cluster(3);
  const ServerId leader = cluster.elect();
  open_all(cluster);
  ASSERT_EQ(cluster.replica(leader).state().session_count(), kSessions);
  keep_alive(cluster, 3'000 * kMs);

  const Index idle = cluster.replica(leader).raft()->log().last_index();
  for (int round = 0; round < 4; ++round) {
    EXPECT_EQ(keep_alive(cluster, 3'000 * kMs), kSessions) << "each sign of life is answered";
  }
  EXPECT_EQ(cluster.replica(leader).raft()->log().last_index(), idle) << "signs of life stay out of the log";
  EXPECT_EQ(cluster.replica(leader).state().session_count(), kSessions);

  // Silence: they end within their timeout and the round over which they spoke, a thousand an entry at most.
  cluster.advance(std::chrono::milliseconds(kTimeoutMs) + 3'500 * kMs);
  for (uint32_t id = 1; id <= 3; ++id) EXPECT_EQ(cluster.replica(ServerId(id)).state().session_count(), 0u);
  const uint64_t entries = cluster.replica(leader).raft()->log().last_index().value() - idle.value();
  EXPECT_GE(entries, kSessions / 1000);
  EXPECT_LE(entries, kSessions / 10);
}

}  // namespace
}  // namespace quorate::server
