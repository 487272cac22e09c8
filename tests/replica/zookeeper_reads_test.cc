// What ZooKeeper's clients read: how new it is, and how large.
#include <gtest/gtest.h>

#include "tests/replica/zookeeper_fixture.h"

namespace quorate::server::test {
namespace {

// A follower that hears from its leader, but gets no entries.
class ReplicaZookeeperBehind : public ReplicaZookeeper {
 protected:
  void fall_behind(bool linearizable) {
    ReplicaOptions options;
    options.zookeeper_linearizable_reads = linearizable;
    form(3, options);
    open(leader, kOne);
    open(follower, kTwo);
    ASSERT_EQ(call(leader, kOne, create("/a", "old")).error, zk::ErrorCode::kOk);
    ASSERT_EQ(call(follower, kTwo, zk::Sync{"/"}).error, zk::ErrorCode::kOk);
    cluster->set_filter([this](PeerMessage& message) {
      const auto* raft = std::get_if<raft::Message>(&message.body);
      const auto* append = raft == nullptr ? nullptr : std::get_if<raft::AppendRequest>(&raft->body);
      return message.to != follower || append == nullptr || append->entries.empty();
    });
    ASSERT_EQ(call(leader, kOne, zk::SetData{"/a", "new", -1}).error, zk::ErrorCode::kOk);
    ASSERT_EQ(call(leader, kOne, create("/a/child")).error, zk::ErrorCode::kOk);
    before = replies(follower, kTwo).size();
    for (const zk::RequestBody& body : reads()) ask(follower, kTwo, ++xid, body);
    cluster->settle();
  }
  static std::vector<zk::RequestBody> reads() {
    zk::MultiRead many;
    many.parts = {zk::GetData{"/a", false}, zk::GetChildren{"/a", false, false}};
    return {zk::GetData{"/a", false},
            zk::Exists{"/a", false},
            zk::GetChildren{"/a", false, true},
            zk::GetAcl{"/a"},
            many,
            zk::GetAllChildrenNumber{"/a"}};
  }
  // Whether each of those answers shows what the leader had acknowledged before they were asked for.
  std::vector<bool> are_new() {
    std::vector<bool> all;
    const auto answers = replies(follower, kTwo);
    for (size_t i = before; i < answers.size(); ++i) {
      const zk::ReplyBody& body = answers[i].body;
      if (const auto* data = std::get_if<zk::DataReply>(&body)) all.push_back(data->data == "new");
      if (const auto* stat = std::get_if<zk::StatReply>(&body)) all.push_back(stat->stat.version == 1);
      if (const auto* list = std::get_if<zk::ChildrenReply>(&body)) all.push_back(list->names.size() == 1);
      if (const auto* acl = std::get_if<zk::AclReply>(&body)) all.push_back(acl->stat.num_children == 1);
      if (const auto* count = std::get_if<zk::CountReply>(&body)) all.push_back(count->count == 1);
      if (const auto* many = std::get_if<zk::MultiReply>(&body))
        all.push_back(std::get<zk::DataReply>(many->results.at(0).body).data == "new" &&
                      std::get<zk::ChildrenReply>(many->results.at(1).body).names.size() == 1);
    }
    return all;
  }

  size_t before = 0;
  int32_t xid = 0;
};

TEST_F(ReplicaZookeeperBehind, ReadsAreTheServersOwnAndMayBeOld) {
  fall_behind(false);
  EXPECT_EQ(are_new(), std::vector<bool>(reads().size(), false));
}

TEST_F(ReplicaZookeeperBehind, LinearizableReadsAreNeverOld) {
  fall_behind(true);
  cluster->advance(200 * kMs);
  EXPECT_EQ(are_new(), std::vector<bool>()) << "they wait for what the leader has acknowledged";
  cluster->set_filter({});
  for (int i = 0; i < 2'000 && are_new().size() < reads().size(); ++i) cluster->advance(kMs);
  EXPECT_EQ(are_new(), std::vector<bool>(reads().size(), true));
}

// Nobody else sees its answers: a reader cannot know that its leader was deposed, and must not answer.
TEST_F(ReplicaZookeeperBehind, ALinearizableReadIsNotAnsweredByALeaderThatIsCutOff) {
  ReplicaOptions options;
  options.zookeeper_linearizable_reads = true;
  form(3, options);
  open(leader, kOne);
  ASSERT_EQ(call(leader, kOne, create("/a", "old")).error, zk::ErrorCode::kOk);
  const size_t answers = replies(leader, kOne).size();
  cluster->cut(leader);
  ask(leader, kOne, 7, zk::GetData{"/a", false});
  cluster->advance(std::chrono::seconds(5));
  EXPECT_EQ(replies(leader, kOne).size(), answers);
  EXPECT_TRUE(closed(leader, kOne)) << "its client looks for another server";
}

TEST_F(ReplicaZookeeper, AListOfEphemeralsHasTheLimitOfAListOfChildren) {
  ReplicaOptions options;
  options.reply_bytes_max = 1'000;
  form(1, options);
  open(leader, kOne);
  call(leader, kOne, create("/e"));
  const std::string name(86, 'x');
  const auto add = [&](int i) {
    const std::string path = "/e/" + std::to_string(100 + i) + name;
    EXPECT_EQ(call(leader, kOne, create(path, "", zk::CreateMode::kEphemeral)).error, zk::ErrorCode::kOk);
  };
  // Paths of 92 bytes, and 4 each: ten fit, eleven do not.
  for (int i = 0; i < 10; ++i) add(i);
  const zk::Reply ten = call(leader, kOne, zk::GetEphemerals{"/"});
  EXPECT_EQ(std::get<zk::EphemeralsReply>(ten.body).paths.size(), 10U);
  add(10);
  EXPECT_EQ(call(leader, kOne, zk::GetEphemerals{"/"}).error, zk::ErrorCode::kBadArguments);
  EXPECT_EQ(call(leader, kOne, zk::GetEphemerals{"/none"}).error, zk::ErrorCode::kOk);
  const zk::Reply one = call(leader, kOne, zk::GetEphemerals{"/e/103"});
  EXPECT_EQ(std::get<zk::EphemeralsReply>(one.body).paths.size(), 1U);
  EXPECT_FALSE(closed(leader, kOne));
}

// What is asked for at once is answered a little at a time, by what it takes and not by what it tells.
class ReplicaZookeeperTurns : public ReplicaZookeeper {
 protected:
  static constexpr int kAsked = 10;

  // A node with so many children.
  void SetUp() override {
    ReplicaOptions options;
    options.turn_reply_bytes_max = 10'000;
    form(1, options);
    open(leader, kOne);
    ASSERT_EQ(call(leader, kOne, create("/a")).error, zk::ErrorCode::kOk);
    zk::Multi many;
    for (int i = 0; i < 400; ++i)
      many.parts.emplace_back(create("/a/" + std::to_string(i), "", zk::CreateMode::kEphemeral));
    ASSERT_EQ(call(leader, kOne, many).error, zk::ErrorCode::kOk);
  }
  // How often the rest had to wait for a turn of its own.
  size_t waits(const zk::RequestBody& body) {
    const size_t before = cluster->node(leader).crowded;
    const size_t answered = replies(leader, kOne).size();
    for (int i = 0; i < kAsked; ++i) ask(leader, kOne, i, body);
    cluster->settle();
    EXPECT_EQ(replies(leader, kOne).size(), answered + kAsked);
    return cluster->node(leader).crowded - before;
  }
};

TEST_F(ReplicaZookeeperTurns, WhatIsSoonAnsweredDoesNotWait) { EXPECT_EQ(waits(zk::Exists{"/a"}), 0U); }

TEST_F(ReplicaZookeeperTurns, CountingDescendantsTakesATurn) {
  EXPECT_EQ(waits(zk::GetAllChildrenNumber{"/a"}), size_t{kAsked});
}

TEST_F(ReplicaZookeeperTurns, LookingThroughEphemeralsTakesATurn) {
  EXPECT_EQ(waits(zk::GetEphemerals{"/none"}), size_t{kAsked});
}

TEST_F(ReplicaZookeeperTurns, BringingWatchesBackTakesATurn) {
  zk::SetWatches watches;
  watches.relative_zxid = INT64_MAX;
  watches.data = std::vector<std::string>(400, "/a");
  EXPECT_EQ(waits(watches), size_t{kAsked});
}

TEST_F(ReplicaZookeeperTurns, WalkingTheHistoryTakesATurn) {
  for (int i = 0; i < 400; ++i)
    ASSERT_EQ(call(leader, kOne, zk::SetData{"/a", "", -1}).error, zk::ErrorCode::kOk);
  zk::SetWatches watches;
  watches.second = true;
  watches.recursive = {"/b"};
  EXPECT_EQ(waits(watches), size_t{kAsked});
}

TEST_F(ReplicaZookeeperTurns, LookingThroughQuotasTakesATurn) {
  for (int i = 0; i < 400; ++i) {
    const std::string path = "/zookeeper/quota/a/" + std::to_string(i) + "/zookeeper_limits";
    ASSERT_EQ(call(leader, kOne, create(path, "count=1,bytes=1")).error, zk::ErrorCode::kOk);
  }
  EXPECT_EQ(waits(zk::Exists{"/zookeeper/quota/b"}), size_t{kAsked});
  EXPECT_EQ(waits(zk::Exists{"/zookeeper/quota"}), size_t{kAsked});
}

TEST_F(ReplicaZookeeper, AMultiReadGoesThroughNoMoreThanAnAnswerHasRoomFor) {
  ReplicaOptions options;
  options.reply_bytes_max = 1'000;
  form(1, options);
  open(leader, kOne);
  ASSERT_EQ(call(leader, kOne, create("/small", "data")).error, zk::ErrorCode::kOk);
  ASSERT_EQ(call(leader, kOne, create("/long")).error, zk::ErrorCode::kOk);
  for (int i = 0; i < 20; ++i)
    ASSERT_EQ(call(leader, kOne, create("/long/" + std::to_string(i) + std::string(80, 'x'))).error,
              zk::ErrorCode::kOk);
  // Lists of 20 names that are too large; 250 names of no length have room.
  const auto last_behind = [&](size_t lists) {
    zk::MultiRead many;
    many.parts.assign(lists, zk::GetChildren{"/long", false, false});
    many.parts.emplace_back(zk::GetData{"/small", false});
    const zk::Reply reply = call(leader, kOne, many);
    return std::get<zk::MultiReply>(reply.body).results.back().error;
  };
  EXPECT_EQ(last_behind(12), zk::ErrorCode::kOk);
  EXPECT_EQ(last_behind(13), zk::ErrorCode::kBadArguments);
  EXPECT_EQ(last_behind(0), zk::ErrorCode::kOk);
}

}  // namespace
}  // namespace quorate::server::test
