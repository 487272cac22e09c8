// What four-letter words ask a replica about ZooKeeper's clients.
#include <gtest/gtest.h>

#include "tests/replica/zookeeper_fixture.h"

namespace quorate::server::test {
namespace {

constexpr ConnectionId kAsker{9};

class ReplicaZookeeperStatus : public ReplicaZookeeper {
 protected:
  ServerStatus status(StatusRequest request) {
    return std::get<ServerStatus>(cluster->call(follower, kAsker, request).body);
  }
  std::shared_ptr<const StatusDetail> detail(StatusRequest::Detail what) {
    return status({what, StatusRequest::Reset::kNone}).detail;
  }
};

TEST_F(ReplicaZookeeperStatus, TellsNoMoreThanItIsAskedFor) {
  form();
  open(follower, kOne);
  EXPECT_EQ(status({}).detail, nullptr);
  const auto sessions = detail(StatusRequest::Detail::kSessions);
  ASSERT_NE(sessions, nullptr);
  EXPECT_EQ(sessions->sessions.size(), 1U);
  EXPECT_EQ(sessions->connections.size(), 1U);
  EXPECT_TRUE(sessions->watches.empty());
  EXPECT_FALSE(sessions->cut);
}

TEST_F(ReplicaZookeeperStatus, AConnectionShowsWhatItDidLast) {
  form();
  const zk::ConnectReply session = open(follower, kOne);
  auto listed = detail(StatusRequest::Detail::kConnections);
  ASSERT_EQ(listed->connections.size(), 1U);
  EXPECT_EQ(listed->connections[0].figures.last_operation, "SESS");
  EXPECT_EQ(listed->connections[0].figures.last_xid, 0);
  ask(follower, kOne, 7, create("/a"));
  cluster->advance(20 * kMs);
  ask(follower, kOne, zk::kPingXid, zk::Ping{});
  cluster->advance(300 * kMs);
  ask(follower, kOne, 8, zk::Exists{"/a", false});
  cluster->settle();
  listed = detail(StatusRequest::Detail::kConnections);
  const StatusDetail::Connection& one = listed->connections.at(0);
  EXPECT_EQ(one.id, kOne);
  EXPECT_EQ(one.session.value(), static_cast<uint64_t>(session.session));
  EXPECT_EQ(one.timeout_ms, 5'000U);
  EXPECT_EQ(one.figures.last_operation, "EXIS");
  EXPECT_EQ(one.figures.last_xid, 8);
  EXPECT_EQ(one.figures.latency.count, 2U);
  EXPECT_EQ(one.figures.last_zxid, static_cast<int64_t>(cluster->replica(follower).state().zxid().value()));
}

TEST_F(ReplicaZookeeperStatus, WatchesAreListedBySessionAndPath) {
  form();
  const zk::ConnectReply one = open(follower, kOne), two = open(follower, kTwo);
  for (const char* path : {"/b", "/a", "/a"}) call(follower, kOne, zk::Exists{path, true});
  call(follower, kOne, zk::AddWatch{"/a", 1});
  call(follower, kTwo, zk::GetChildren{"/", true, false});
  const auto listed = detail(StatusRequest::Detail::kWatches);
  std::vector<std::pair<int64_t, std::string>> found;
  for (const auto& watch : listed->watches)
    found.emplace_back(static_cast<int64_t>(watch.session.value()), watch.path);
  const std::vector<std::pair<int64_t, std::string>> expected = {
      {one.session, "/a"}, {one.session, "/b"}, {two.session, "/"}};
  EXPECT_EQ(found, expected);
}

TEST_F(ReplicaZookeeperStatus, SessionsAreListedWithTheirEphemerals) {
  form();
  const zk::ConnectReply one = open(leader, kOne), two = open(follower, kTwo);
  call(leader, kOne, create("/e", "", zk::CreateMode::kEphemeral));
  call(leader, kOne, create("/p"));
  cluster->advance(50 * kMs);
  const auto listed = detail(StatusRequest::Detail::kSessions);
  ASSERT_EQ(listed->sessions.size(), 2U);
  EXPECT_EQ(listed->sessions[0].id.value(), static_cast<uint64_t>(one.session));
  EXPECT_EQ(listed->sessions[0].ephemerals, std::vector<std::string>{"/e"});
  EXPECT_EQ(listed->sessions[1].id.value(), static_cast<uint64_t>(two.session));
  EXPECT_TRUE(listed->sessions[1].ephemerals.empty());
}

TEST_F(ReplicaZookeeperStatus, AListHasABound) {
  form();
  open(follower, kOne);
  const std::string name = "/" + std::string(1'000, 'x');
  for (int32_t i = 0; i < 2'500; ++i) ask(follower, kOne, i + 1, zk::Exists{name + std::to_string(i), true});
  cluster->settle();
  ASSERT_EQ(cluster->replica(follower).status().watches, 2'500U);
  const auto listed = detail(StatusRequest::Detail::kWatches);
  EXPECT_TRUE(listed->cut);
  EXPECT_LT(listed->watches.size(), 2'500U);
  EXPECT_GT(listed->watches.size(), 1'500U);
}

TEST_F(ReplicaZookeeperStatus, CountsBeginAnewWhenAsked) {
  form();
  open(follower, kOne);
  call(follower, kOne, create("/a"));
  using Reset = StatusRequest::Reset;
  EXPECT_EQ(status({StatusRequest::Detail::kNone, Reset::kConnections}).zookeeper.latency.count, 1U);
  auto listed = detail(StatusRequest::Detail::kConnections);
  EXPECT_EQ(listed->connections.at(0).figures.last_operation, "NA");
  EXPECT_EQ(listed->connections.at(0).figures.last_xid, -1);
  EXPECT_EQ(status({StatusRequest::Detail::kNone, Reset::kServer}).zookeeper.latency.count, 1U);
  EXPECT_EQ(status({}).zookeeper.latency.count, 0U);
}

}  // namespace
}  // namespace quorate::server::test
