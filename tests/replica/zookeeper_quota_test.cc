// Quotas as ZooKeeper's clients set and read them: through nodes below "/zookeeper/quota".
#include <gtest/gtest.h>

#include "server/replica_zookeeper_quotas.h"
#include "tests/replica/zookeeper_fixture.h"

namespace quorate::server::test {
namespace {

const std::string kPlace = "/zookeeper/quota/a/b";

class ReplicaZookeeperQuotas : public ReplicaZookeeper {
 protected:
  void form_with_nodes() {
    form(1);
    open(leader, kOne);
    for (const char* path : {"/a", "/a/b"}) ASSERT_EQ(ask_for(create(path)), zk::ErrorCode::kOk);
  }
  zk::ErrorCode ask_for(zk::RequestBody body) { return call(leader, kOne, std::move(body)).error; }
  std::vector<std::string> names(const std::string& path) {
    const zk::Reply reply = call(leader, kOne, zk::GetChildren{path, false, true});
    const auto* children = std::get_if<zk::ChildrenReply>(&reply.body);
    if (children == nullptr) return {"none"};
    EXPECT_EQ(static_cast<size_t>(children->stat->num_children), children->names.size()) << path;
    return children->names;
  }
  std::string text(const std::string& path) { return data_of(call(leader, kOne, zk::GetData{path, false})); }
};

using Names = std::vector<std::string>;

// Whatever a session asked for before is in the tree by then, though nothing was answered yet.
TEST_F(ReplicaZookeeperQuotas, AQuotaIsSetBehindWhatWasAskedForBeforeIt) {
  form();
  open(follower, kOne);
  const std::string limits = kPlace + "/zookeeper_limits";
  ask(follower, kOne, 1, create("/a"));
  ask(follower, kOne, 2, create("/a/b"));
  ask(follower, kOne, 3, create(limits, "count=3,bytes=-1"));
  ask(follower, kOne, 4, zk::SetData{limits, "count=4,bytes=-1", -1});
  ask(follower, kOne, 5, create("/a/b/c"));
  ask(follower, kOne, 6, zk::GetData{limits, false});
  for (int i = 0; i < 1'000 && replies(follower, kOne).size() < 6; ++i) cluster->advance(kMs);
  const auto answers = replies(follower, kOne);
  ASSERT_EQ(answers.size(), 6U);
  for (const zk::Reply& reply : answers) EXPECT_EQ(reply.error, zk::ErrorCode::kOk) << reply.xid;
  EXPECT_TRUE(data_of(answers.back()).starts_with("count=4,"));
}

// What zkCli's setquota, listquota and delquota ask, in their order.
TEST_F(ReplicaZookeeperQuotas, TheShellsCommandsWork) {
  form_with_nodes();
  EXPECT_EQ(names("/zookeeper/quota"), Names{});
  EXPECT_EQ(ask_for(zk::Exists{kPlace, false}), zk::ErrorCode::kOk);
  EXPECT_EQ(names(kPlace), Names{});
  EXPECT_EQ(ask_for(zk::Exists{kPlace + "/zookeeper_limits", false}), zk::ErrorCode::kNoNode);
  const zk::Reply made =
      call(leader, kOne,
           create(kPlace + "/zookeeper_limits", "count=3,bytes=-1=;byteHardLimit=10;countHardLimit=-1"));
  ASSERT_EQ(made.error, zk::ErrorCode::kOk);
  EXPECT_EQ(std::get<zk::CreateReply>(made.body).path, kPlace + "/zookeeper_limits");
  EXPECT_EQ(ask_for(create(kPlace + "/zookeeper_stats", "count=0,bytes=0")), zk::ErrorCode::kOk);
  EXPECT_EQ(text(kPlace + "/zookeeper_limits"), "count=3,bytes=-1=;byteHardLimit=10;countHardLimit=-1");
  EXPECT_EQ(text(kPlace + "/zookeeper_stats"), "count=1,bytes=0");
  EXPECT_EQ(names("/zookeeper/quota"), Names{"a"});
  EXPECT_EQ(names("/zookeeper/quota/a"), Names{"b"});
  EXPECT_EQ(names(kPlace), (Names{"zookeeper_limits", "zookeeper_stats"}));
  // It holds.
  EXPECT_EQ(ask_for(zk::SetData{"/a/b", std::string(11, 'x'), -1}), zk::ErrorCode::kQuotaExceeded);
  EXPECT_EQ(ask_for(zk::SetData{"/a/b", std::string(10, 'x'), -1}), zk::ErrorCode::kOk);
  EXPECT_EQ(ask_for(zk::SetData{kPlace + "/zookeeper_limits", "count=-1,bytes=-1=;byteHardLimit=11", -1}),
            zk::ErrorCode::kOk);
  EXPECT_EQ(ask_for(zk::SetData{"/a/b", std::string(11, 'x'), -1}), zk::ErrorCode::kOk);
  for (const char* name : {"/zookeeper_limits", "/zookeeper_stats", ""})
    EXPECT_EQ(ask_for(zk::Delete{kPlace + name, -1}), zk::ErrorCode::kOk) << name;
  EXPECT_EQ(names("/zookeeper/quota"), Names{});
  EXPECT_EQ(ask_for(zk::SetData{"/a/b", std::string(12, 'x'), -1}), zk::ErrorCode::kOk);
}

TEST_F(ReplicaZookeeperQuotas, WhatCannotBeIsRefused) {
  form_with_nodes();
  EXPECT_EQ(ask_for(create("/zookeeper/quota/none/zookeeper_limits", "count=1")), zk::ErrorCode::kNoNode);
  EXPECT_EQ(ask_for(create(kPlace)), zk::ErrorCode::kNodeExists);
  EXPECT_EQ(ask_for(create("/zookeeper/quota/none")), zk::ErrorCode::kNoNode);
  EXPECT_EQ(ask_for(create(kPlace + "/zookeeper_limits", "many")), zk::ErrorCode::kBadArguments);
  EXPECT_EQ(ask_for(create(kPlace + "/zookeeper_limits", "count=1", zk::CreateMode::kEphemeral)),
            zk::ErrorCode::kBadArguments);
  EXPECT_EQ(ask_for(zk::SetData{kPlace + "/zookeeper_limits", "count=1", -1}), zk::ErrorCode::kNoNode);
  EXPECT_EQ(ask_for(zk::Delete{kPlace + "/zookeeper_limits", -1}), zk::ErrorCode::kNoNode);
  ASSERT_EQ(ask_for(create(kPlace + "/zookeeper_limits", "count=9")), zk::ErrorCode::kOk);
  EXPECT_EQ(ask_for(create(kPlace + "/zookeeper_limits", "count=9")), zk::ErrorCode::kNodeExists);
  EXPECT_EQ(ask_for(zk::SetData{kPlace + "/zookeeper_limits", "count=1", 5}), zk::ErrorCode::kBadVersion);
  EXPECT_EQ(ask_for(zk::Delete{kPlace, -1}), zk::ErrorCode::kNotEmpty);
  EXPECT_EQ(ask_for(zk::SetAcl{kPlace + "/zookeeper_limits", kOpen, -1}), zk::ErrorCode::kNoNode);
}

// Who may not administer the parent may not set a quota, and who may not read the node sees none.
TEST_F(ReplicaZookeeperQuotas, PermissionsHold) {
  form_with_nodes();
  ASSERT_EQ(ask_for(zk::Auth{0, "digest", "anna:secret"}), zk::ErrorCode::kOk);
  ASSERT_EQ(ask_for(create(kPlace + "/zookeeper_limits", "count=9")), zk::ErrorCode::kOk);
  for (const char* path : {"/a", "/a/b"})
    ASSERT_EQ(ask_for(zk::SetAcl{path, {{31, "auth", ""}}, -1}), zk::ErrorCode::kOk);
  open(leader, kTwo);
  EXPECT_EQ(call(leader, kTwo, zk::GetData{kPlace + "/zookeeper_limits", false}).error,
            zk::ErrorCode::kNoNode);
  const zk::Reply roots = call(leader, kTwo, zk::GetChildren{"/zookeeper/quota", false, false});
  EXPECT_TRUE(std::get<zk::ChildrenReply>(roots.body).names.empty());
  EXPECT_EQ(call(leader, kTwo, create(kPlace + "/zookeeper_limits", "count=1")).error,
            zk::ErrorCode::kNoAuth);
  EXPECT_EQ(text(kPlace + "/zookeeper_limits"), "count=9,bytes=-1=;byteHardLimit=-1;countHardLimit=-1");
}

TEST(ZookeeperLimits, AreReadInEveryFormThatWasWritten) {
  const kv::QuotaLimits all{5, 6, 7, 8};
  EXPECT_EQ(limits_text(all), "count=5,bytes=7=;byteHardLimit=8;countHardLimit=6");
  EXPECT_EQ(parse_limits(limits_text(all)), all);
  EXPECT_EQ(parse_limits("count=5,bytes=7"), (kv::QuotaLimits{5, -1, 7, -1}));
  EXPECT_EQ(parse_limits("count=-1,bytes=-1"), kv::QuotaLimits());
  EXPECT_EQ(parse_limits("count=1,unknown=2"), (kv::QuotaLimits{1, -1, -1, -1}));
  for (const char* text : {"5", "count=", "count=x", "count=-2", "count=1x", "bytes=99999999999999999999"})
    EXPECT_FALSE(parse_limits(text).has_value()) << text;
}

}  // namespace
}  // namespace quorate::server::test
