// The leader removes containers that were left and nodes whose time to live is over.
#include <gtest/gtest.h>

#include "tests/replica/cluster.h"

namespace quorate::server {
namespace {

using test::Cluster;
using test::kMs;

using test::kOne;

WriteRequest write(uint64_t number, kv::Operation operation) {
  return {number, number, std::move(operation)};
}
kv::CreateOp container(std::string path) { return {std::move(path), {}, false, false, false, true}; }
kv::CreateOp living(std::string path, int64_t ttl_ms) {
  return {std::move(path), {}, false, false, false, false, ttl_ms};
}

class ReapTest : public ::testing::Test {
 protected:
  void start() {
    leader_ = cluster_.elect();
    ASSERT_EQ(cluster_.open(leader_, kOne, 60'000).code, ErrorCode::kOk);
  }
  void run(kv::Operation operation) {
    const ClientReply reply = cluster_.call(leader_, kOne, write(++number_, std::move(operation)));
    ASSERT_EQ(reply.error.code, ErrorCode::kOk) << reply.error.message;
  }
  bool exists(ServerId server, std::string_view path) {
    return cluster_.replica(server).state().get(path).ok();
  }

  Cluster cluster_{3};
  ServerId leader_;
  uint64_t number_ = 0;
};

TEST_F(ReapTest, AContainerGoesSoonAfterItsLastChildOnEveryServer) {
  start();
  run(container("/c"));
  cluster_.advance(3'000 * kMs);
  EXPECT_TRUE(exists(leader_, "/c"));
  run(kv::CreateOp{"/c/a"});
  run(kv::DeleteOp{"/c/a"});
  cluster_.advance(1'200 * kMs);
  for (const auto& [id, node] : cluster_.nodes()) EXPECT_FALSE(exists(id, "/c"));
}

TEST_F(ReapTest, ANodeGoesWhenItsTimeToLiveIsOverAndNotBefore) {
  start();
  run(living("/t", 2'000));
  cluster_.advance(1'900 * kMs);
  EXPECT_TRUE(exists(leader_, "/t"));
  run(kv::SetOp{"/t", "again"});
  cluster_.advance(1'900 * kMs);
  EXPECT_TRUE(exists(leader_, "/t"));
  cluster_.advance(300 * kMs);
  EXPECT_FALSE(exists(leader_, "/t"));
}

TEST_F(ReapTest, ANewLeaderGoesOn) {
  start();
  run(living("/t", 2'000));
  cluster_.advance(500 * kMs);
  cluster_.kill(leader_);
  const ServerId next = cluster_.elect();
  ASSERT_NE(next, leader_);
  EXPECT_TRUE(exists(next, "/t"));
  cluster_.advance(3'000 * kMs);
  EXPECT_FALSE(exists(next, "/t"));
}

TEST_F(ReapTest, ProposesAboutOnceASecond) {
  start();
  run(container("/c"));
  const Index before = cluster_.replica(leader_).raft()->log().last_index();
  for (int i = 0; i < 20; ++i) {
    run(living("/t" + std::to_string(i), 1));
    cluster_.advance(100 * kMs);
  }
  const Index after = cluster_.replica(leader_).raft()->log().last_index();
  // 20 creates within 2 s, and at most three removals.
  EXPECT_LE(after.value() - before.value(), 23U);
  cluster_.advance(1'100 * kMs);
  EXPECT_EQ(cluster_.replica(leader_).state().node_count(), 2U);
}

TEST_F(ReapTest, WhereNothingIsDueNothingIsProposed) {
  start();
  run(container("/c"));
  run(living("/t", 1'000'000));
  cluster_.advance(1'000 * kMs);
  const Index before = cluster_.replica(leader_).raft()->log().last_index();
  cluster_.advance(5'000 * kMs);
  EXPECT_EQ(cluster_.replica(leader_).raft()->log().last_index(), before);
}

}  // namespace
}  // namespace quorate::server
