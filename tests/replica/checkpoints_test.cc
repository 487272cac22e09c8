// When checkpoints are made, of what, and what they let go of the log.
#include "server/replica_checkpoints.h"

#include <gtest/gtest.h>

#include <map>
#include <utility>
#include <vector>

#include "tests/replica/state_cluster.h"

namespace quorate::server {
namespace {

using test::kMs;
using test::kOne;
using test::kThree;
using test::kTwo;
using test::small_options;
using test::StateCluster;

TEST(Checkpoints, HoldWhatTheStateWasWhenTheyWereBegun) {
  StateCluster cluster(3);
  cluster.fill(600);
  for (const auto& [id, node] : cluster.nodes()) {
    ASSERT_GT(node.store.checkpoints(), 0U);
    const auto loaded = node.store.load();
    ASSERT_TRUE(loaded.has_value()) << "the hash of the checkpoint is not the one of its name";
    EXPECT_EQ(loaded->state->applied(), loaded->name.index);
    EXPECT_EQ(loaded->name.cluster, cluster.replica(id).raft()->configuration().cluster_id);
    EXPECT_EQ(raft::decode_configuration(loaded->name.configuration.view()).value(),
              cluster.replica(id).raft()->configuration());
  }
}

// It would be ahead of the log after a restart, and of what a quorum has.
TEST(Checkpoints, AreNeverAheadOfTheOwnDurableLog) {
  ReplicaOptions options = small_options();
  // It hears of all that is committed, far ahead of its disk.
  options.raft.inflight_messages_max = 10'000;
  StateCluster cluster(3, options);
  const ServerId slow = cluster.follower();
  cluster.fill(10);
  cluster.stall_disk(slow);
  const Index durable = cluster.replica(slow).raft()->durable_index();
  cluster.fill(600);
  EXPECT_GT(cluster.replica(slow).state().applied(), durable);
  EXPECT_EQ(cluster.node(slow).store.checkpoints(), 0U);
  cluster.resume_disk(slow);
  cluster.advance(10 * kMs);
  ASSERT_GT(cluster.node(slow).store.checkpoints(), 0U);
  EXPECT_TRUE(cluster.node(slow).store.load().has_value());
}

TEST(Checkpoints, AreMadeForTheLogsSakeWhereTheStateHardlyChanges) {
  ReplicaOptions options = small_options();
  options.checkpoint_dirty_bytes = 1 << 30;
  StateCluster cluster(1, options);
  cluster.fill(600);
  EXPECT_GT(cluster.node(ServerId(1)).store.checkpoints(), 0U);
}

TEST(Checkpoints, KeepTheLogBoundedWhileAFollowerIsDown) {
  StateCluster cluster(3);
  const ServerId leader = cluster.elect();
  cluster.kill(cluster.follower());
  const ReplicaOptions options = small_options();
  const size_t bound = options.log_kept_bytes + options.checkpoint_log_bytes + options.checkpoint_dirty_bytes;
  for (int i = 0; i < 20; ++i) {
    cluster.fill(60);
    EXPECT_LE(cluster.log_bytes(leader), bound);
  }
  EXPECT_GT(cluster.replica(leader).raft()->log().snapshot_index().value() * 100, 5 * options.log_kept_bytes);
  EXPECT_GE(cluster.log_bytes(leader), options.log_kept_bytes - 200);
  // On disk too.
  EXPECT_EQ(cluster.node(leader).disk->snapshot_index,
            cluster.replica(leader).raft()->log().snapshot_index());
}

TEST(Checkpoints, ARestartGoesOnFromTheLastOne) {
  StateCluster cluster(3);
  cluster.fill(600);
  for (int i = 0; i < 3; ++i) {
    const ServerId restarted(static_cast<uint32_t>(i + 1));
    cluster.kill(restarted);
    const std::optional<StateName> state = cluster.node(restarted).store.name();
    ASSERT_TRUE(state.has_value());
    const Index checkpoint = state->index;
    ASSERT_GT(checkpoint, Index(0));
    cluster.start(restarted);
    EXPECT_GE(cluster.replica(restarted).state().applied(), checkpoint);
    cluster.fill(7);
    cluster.advance(50 * kMs);
    EXPECT_TRUE(cluster.same_everywhere());
  }
}

// All at once: nobody can be asked for anything.
TEST(Checkpoints, AWholeClusterStartsFromThem) {
  StateCluster cluster(3);
  cluster.fill(600);
  cluster.advance(20 * kMs);
  ASSERT_GT(cluster.node(ServerId(1)).store.checkpoints(), 0U);
  const uint64_t hash = cluster.replica(ServerId(1)).state().state_hash();
  const Index applied = cluster.replica(ServerId(1)).state().applied();
  for (uint32_t id = 1; id <= 3; ++id) cluster.kill(ServerId(id));
  for (uint32_t id = 1; id <= 3; ++id) cluster.start(ServerId(id));
  ASSERT_NE(cluster.elect(), ServerId());
  cluster.advance(20 * kMs);
  // Its no-op counts as applied, and changes nothing.
  EXPECT_EQ(cluster.replica(ServerId(1)).state().applied(), applied.next());
  EXPECT_EQ(cluster.replica(ServerId(1)).state().state_hash(), hash);
  cluster.fill(100);
  EXPECT_TRUE(cluster.same_everywhere());
}

// All servers' states change alike, but their disks are not to be busy at once.
TEST(Checkpoints, AreMadeByOneServerBehindTheOther) {
  StateCluster cluster(3);
  std::map<ServerId, std::vector<Index>> made;
  for (int i = 0; i < 2'500; ++i) {
    cluster.fill(1);
    for (const ServerId id : {ServerId(1), ServerId(2), ServerId(3)}) {
      const Index durable = cluster.replica(id).status().checkpoint;
      if (durable > (made[id].empty() ? Index() : made[id].back())) made[id].push_back(durable);
    }
  }
  const std::vector<Index>&first = made[ServerId(1)], &second = made[ServerId(2)], &third = made[ServerId(3)];
  ASSERT_GE(first.size(), 3U);
  const uint64_t cycle = first[1] - first[0];
  for (size_t i = 0; i < 3; ++i) {
    for (const auto& [earlier, later] : {std::pair(third[i], second[i]), std::pair(second[i], first[i])}) {
      EXPECT_GT((later - earlier) * 5, cycle) << i;
      EXPECT_LT((later - earlier) * 2, cycle) << i;
    }
  }
}

// Requests find the processor free between two slices; and yet no capture lasts longer than what it is for.
TEST(Checkpoints, AreCapturedWithPausesUntilTheNextIsDue) {
  ReplicaOptions options = small_options();
  options.capture_pause = 10'000 * kMs;
  StateCluster cluster(1, options);
  cluster.spread(100'000);
  cluster.fill(250);
  const Replica& replica = cluster.replica(ServerId(1));
  ASSERT_LT(replica.state().dirty_bytes(), options.checkpoint_dirty_bytes) << "none was begun";
  ASSERT_EQ(cluster.node(ServerId(1)).store.checkpoints(), 0U);
  cluster.advance(1'000 * kMs);
  EXPECT_EQ(cluster.node(ServerId(1)).store.checkpoints(), 0U);
  // Ten slices and more, each after its pause.
  cluster.advance(40 * options.capture_pause);
  EXPECT_EQ(cluster.node(ServerId(1)).store.checkpoints(), 1U);

  cluster.fill(250);
  EXPECT_EQ(cluster.node(ServerId(1)).store.checkpoints(), 1U);
  cluster.fill(250);
  EXPECT_GE(cluster.node(ServerId(1)).store.checkpoints(), 2U);
}

TEST(Checkpoints, ApplyWaitsRatherThanRunAway) {
  ReplicaOptions options = small_options();
  options.dirty_bytes_max = 30'000;
  StateCluster cluster(3, options);
  cluster.spread(100'000);
  const ServerId slow = cluster.follower();
  cluster.stall_store(slow);
  cluster.fill(1'500);
  const Replica& replica = cluster.replica(slow);
  EXPECT_LT(replica.state().dirty_bytes(), options.dirty_bytes_max + 20'000);
  EXPECT_LT(replica.raft()->applied_index() + 200, replica.raft()->committed());
  // It waits for the store, not for time.
  EXPECT_GT(replica.deadline(), cluster.now().instant);
  cluster.resume_store(slow);
  cluster.advance(20 * kMs);
  EXPECT_EQ(replica.raft()->applied_index(), replica.raft()->committed());
  EXPECT_TRUE(cluster.same_everywhere());
}

// Its log has room, so nobody sees anything wrong with it but its own clients, who get no answers.
class StoreThatHangs : public ::testing::Test {
 protected:
  static ReplicaOptions options() {
    ReplicaOptions options = small_options();
    options.dirty_bytes_max = 30'000;
    return options;
  }
  // Through that server, until apply waits on those whose stores hang.
  void write_until_it_waits(ServerId through, ServerId hangs) {
    ASSERT_EQ(cluster_.open(through, kOne, 60'000).code, ErrorCode::kOk);
    for (uint64_t number = 1; number <= 3'000; ++number) {
      const kv::CreateOp create{"/write" + std::to_string(number), std::string(100, 'x')};
      cluster_.send(through, kOne, WriteRequest{number, number, create});
      cluster_.settle();
      if (cluster_.replica(hangs).raft()->committed() > cluster_.replica(hangs).raft()->applied_index() + 100)
        return;
    }
    FAIL() << "apply does not wait";
  }

  StateCluster cluster_{3, options()};
  const Duration wait_max_ = options().store_wait_max;
};

TEST_F(StoreThatHangs, HandsLeadershipOnAndSendsClientsAway) {
  const ServerId hangs = cluster_.elect(), other = cluster_.follower();
  ASSERT_EQ(cluster_.open(hangs, kTwo).code, ErrorCode::kOk);
  cluster_.stall_store(hangs);
  write_until_it_waits(other, hangs);
  cluster_.advance(wait_max_ - 100 * kMs);
  EXPECT_EQ(cluster_.leader(), hangs) << "a checkpoint may take a moment";
  EXPECT_FALSE(cluster_.node(hangs).closed.contains(kTwo));
  cluster_.advance(600 * kMs);
  EXPECT_NE(cluster_.leader(), hangs);
  EXPECT_NE(cluster_.leader(), ServerId());
  EXPECT_TRUE(cluster_.node(hangs).closed.contains(kTwo));
  EXPECT_TRUE(cluster_.replica(hangs).status().stuck);
  EXPECT_EQ(cluster_.open(hangs, kThree).code, ErrorCode::kUnavailable);
  EXPECT_EQ(cluster_.call(hangs, kThree, GetRequest{"/write1"}).error.code, ErrorCode::kUnavailable);

  // Who came meanwhile and dies does not live on.
  const kv::Outcome dies = cluster_.open(other, kThree, 1'000);
  ASSERT_EQ(dies.code, ErrorCode::kOk);
  cluster_.advance(3'000 * kMs);
  EXPECT_FALSE(cluster_.replica(other).state().session(dies.session).has_value());

  cluster_.resume_store(hangs);
  cluster_.advance(100 * kMs);
  EXPECT_EQ(cluster_.open(hangs, ConnectionId(9)).code, ErrorCode::kOk);
  EXPECT_TRUE(cluster_.same_everywhere());
}

TEST_F(StoreThatHangs, IsHandedLeadershipByNobody) {
  const ServerId leads = cluster_.elect(), hangs = cluster_.follower();
  const ServerId third(6 - leads.value() - hangs.value());
  cluster_.stall_store(hangs);
  write_until_it_waits(leads, hangs);
  cluster_.advance(wait_max_ + 200 * kMs);
  ASSERT_LT(hangs, third) << "it would be the first that is asked";
  cluster_.replica(leads).step(cluster_.now(), Stop{});
  cluster_.advance(200 * kMs);
  EXPECT_EQ(cluster_.leader(), third);
}

// Leadership that goes around would help nobody; what is committed meanwhile is applied in the end.
TEST_F(StoreThatHangs, KeepsLeadershipWhereAllAreAlike) {
  for (uint32_t id = 1; id <= 3; ++id) cluster_.stall_store(ServerId(id));
  write_until_it_waits(cluster_.elect(), cluster_.leader());
  // Until each knows that the others are no better.
  cluster_.advance(wait_max_ + 1'000 * kMs);
  const ServerId leads = cluster_.leader();
  ASSERT_NE(leads, ServerId());
  const Term term = cluster_.replica(leads).raft()->term();
  cluster_.advance(5 * wait_max_);
  EXPECT_EQ(cluster_.leader(), leads);
  EXPECT_EQ(cluster_.replica(leads).raft()->term(), term);
  for (uint32_t id = 1; id <= 3; ++id) cluster_.resume_store(ServerId(id));
  cluster_.advance(100 * kMs);
  EXPECT_EQ(cluster_.open(leads, kTwo).code, ErrorCode::kOk);
  EXPECT_TRUE(cluster_.same_everywhere());
}

// What is due cannot be gone from a state that stands still: proposed again, it would only fill the log.
TEST_F(StoreThatHangs, ProposesNothingAgainThatWasNotApplied) {
  const ServerId leads = cluster_.elect();
  ASSERT_EQ(cluster_.open(leads, kTwo, 60'000).code, ErrorCode::kOk);
  const kv::CreateOp living{"/living", {}, false, false, false, false, 1'000};
  ASSERT_EQ(cluster_.call(leads, kTwo, WriteRequest{1, 1, living}).error.code, ErrorCode::kOk);
  for (uint32_t id = 1; id <= 3; ++id) cluster_.stall_store(ServerId(id));
  write_until_it_waits(leads, leads);
  cluster_.advance(wait_max_ + 1'000 * kMs);
  const Index last = cluster_.replica(leads).raft()->log().last_index();
  cluster_.advance(10'000 * kMs);
  EXPECT_EQ(cluster_.replica(leads).raft()->log().last_index(), last);
  for (uint32_t id = 1; id <= 3; ++id) cluster_.resume_store(ServerId(id));
  cluster_.advance(2'000 * kMs);
  EXPECT_FALSE(cluster_.replica(leads).state().get("/living").ok());
}

}  // namespace
}  // namespace quorate::server
