// Heartbeats of an idle leader: all keep the followers quiet, some ask for an answer.
#include <gtest/gtest.h>

#include "tests/raft/cluster.h"

namespace quorate::raft::testing {
namespace {

// Server 1 of three, just elected, with nobody answering any more.
struct LoneLeader {
  explicit LoneLeader(Duration heartbeat_interval = std::chrono::milliseconds(10)) {
    Options options;
    options.id = ServerId(1);
    options.incarnation = Incarnation(101);
    options.boot = BootNonce(1);
    options.heartbeat_interval = heartbeat_interval;
    Recovered disk;
    disk.hard_state = HardState{Term(1), {}};
    disk.entries = {make_configuration_entry(make_configuration(3))};
    raft.emplace(options, std::move(disk), 1, now);
    now = raft->deadline();
    raft->tick(now);
    raft->receive(now, make_message(2, 1, 2, VoteResponse{true, true}));
    raft->persisted(now, raft->take_output().ticket);
    raft->receive(now, make_message(2, 1, 2, VoteResponse{false, true}));
    raft->persisted(now, raft->take_output().ticket);
    (void)raft->take_output();
  }
  // The rounds of the heartbeats to server 2 in the next `count` heartbeats.
  std::vector<uint64_t> beat(int count) {
    std::vector<uint64_t> rounds;
    for (int i = 0; i < count; ++i) {
      now = raft->deadline();
      raft->tick(now);
      for (const Message& message : raft->take_output().messages) {
        const auto* heartbeat = std::get_if<Heartbeat>(&message.body);
        if (heartbeat != nullptr && message.to == ServerId(2)) rounds.push_back(heartbeat->round);
      }
    }
    return rounds;
  }

  Instant now{};
  std::optional<Raft> raft;
};

TEST(Heartbeat, OneOfFiveAsksForAnAnswer) {
  LoneLeader leader;
  ASSERT_TRUE(leader.raft->is_leader());
  const uint64_t before = std::get<Leader>(leader.raft->role()).round;
  EXPECT_EQ(leader.beat(10), (std::vector<uint64_t>{0, 0, 0, 0, before + 1, 0, 0, 0, 0, before + 2}));
}

TEST(Heartbeat, EachAsksForAnAnswerWhileAReadWaits) {
  LoneLeader leader;
  ASSERT_TRUE(leader.raft->read_index(leader.now, 7).ok());
  (void)leader.raft->take_output();
  const uint64_t before = std::get<Leader>(leader.raft->role()).round;
  EXPECT_EQ(leader.beat(3), (std::vector<uint64_t>{before + 1, before + 2, before + 3}));
}

TEST(Heartbeat, SlowHeartbeatsAreAllAnsweredForCheckQuorumsSake) {
  LoneLeader leader(std::chrono::milliseconds(50));
  EXPECT_EQ(leader.raft->options().heartbeats_per_round, 1U);
}

}  // namespace
}  // namespace quorate::raft::testing
