// The load's adapter for ZooKeeper's protocol against the codec that servers use.
#include "client/bench/zookeeper_conversation.h"

#include <gtest/gtest.h>

#include "client/bench/keys.h"
#include "proto/zookeeper_codec.h"

namespace quorate::bench {
namespace {

namespace zk = zookeeper;

// A conversation and what it said, request by request.
struct Talk {
  ZookeeperConversation conversation;
  std::string said;

  Talk() {
    EXPECT_TRUE(conversation.open(said));
    zk::ConnectRequest connect = *zk::decode_connect_request(std::string_view(take()).substr(4));
    EXPECT_EQ(connect.timeout_ms, ZookeeperConversation::kTimeoutMs);
    EXPECT_EQ(connect.session, 0);
    EXPECT_EQ(connect.read_only, false);
    std::string reply;
    zk::append_connect_reply(reply, {0, connect.timeout_ms, 77, {}, false});
    EXPECT_EQ(hear(reply).kind, Heard::Kind::kReady);
  }

  std::string take() {
    const size_t size = *zk::frame_size(said, 1U << 20);
    EXPECT_GT(size, 0U);
    std::string frame = said.substr(0, size);
    said.erase(0, size);
    return frame;
  }
  zk::Request next() { return *zk::decode_request(std::string_view(take()).substr(4)); }
  zk::Request ask(const Request& request) {
    conversation.request(request, said);
    return next();
  }

  Heard hear(const std::string& bytes) { return conversation.hear(bytes, said); }
  Heard answer(const zk::Request& request, zk::ReplyBody body, zk::ErrorCode error = zk::ErrorCode::kOk) {
    std::string bytes;
    zk::append_reply(bytes, {request.xid, 9, error, std::move(body)});
    return hear(bytes);
  }
  Heard tell(zk::EventType type, const std::string& path) {
    std::string bytes;
    zk::append_event(bytes, {-1, type, zk::kConnectedState, path});
    return hear(bytes);
  }

  // Queues up for the lock of `key` as the node with `number`; what it asks then has to be a look.
  zk::Request queue_up(uint32_t key, uint32_t slot, const std::string& number) {
    const zk::Request create = ask({Step::kAcquire, key, slot});
    const auto& body = std::get<zk::Create>(create.body);
    EXPECT_EQ(body.path, bench_lock_path(key) + "/lock-");
    EXPECT_EQ(body.flags, static_cast<int32_t>(zk::CreateMode::kEphemeralSequential));
    EXPECT_EQ(answer(create, zk::CreateReply{body.path + number, {}}).kind, Heard::Kind::kNothing);
    return next_look(key);
  }
  zk::Request next_look(uint32_t key) {
    zk::Request look = next();
    EXPECT_EQ(std::get<zk::GetChildren>(look.body).path, bench_lock_path(key));
    EXPECT_FALSE(std::get<zk::GetChildren>(look.body).watch);
    return look;
  }
};

TEST(ZookeeperConversation, AsksAsTheCodecDoes) {
  Talk talk;
  const zk::Request set = talk.ask({Step::kSet, 999, 1});
  EXPECT_EQ(set.body, zk::RequestBody(zk::SetData{"/quorate-bench/node-of-40-bytes-00000999",
                                                  std::string(kValueBytes, 'v'), -1}));
  const zk::Request get = talk.ask({Step::kGet, 0, 2});
  EXPECT_EQ(get.body, zk::RequestBody(zk::GetData{"/quorate-bench/node-of-40-bytes-00000000", false}));
  EXPECT_NE(get.xid, set.xid);
  // Beyond the keys whose frames are made beforehand.
  const zk::Request far = talk.ask({Step::kGet, kKeys, 3});
  EXPECT_EQ(far.body, zk::RequestBody(zk::GetData{bench_node_path(kKeys), false}));
  EXPECT_TRUE(talk.said.empty());
}

TEST(ZookeeperConversation, FindsTheSlotsOfAnswersInTheirOrder) {
  Talk talk;
  const zk::Request set = talk.ask({Step::kSet, 1, 7});
  const zk::Request get = talk.ask({Step::kGet, 1, 63});
  const Heard first = talk.answer(set, zk::StatReply{});
  EXPECT_EQ(first.kind, Heard::Kind::kDone);
  EXPECT_EQ(first.slot, 7U);
  const Heard second = talk.answer(get, zk::DataReply{});
  EXPECT_EQ(second.kind, Heard::Kind::kDone);
  EXPECT_EQ(second.slot, 63U);
  EXPECT_EQ(talk.answer(get, zk::DataReply{}).kind, Heard::Kind::kBroken);
}

TEST(ZookeeperConversation, AnAnswerOutOfTurnIsBroken) {
  Talk talk;
  talk.ask({Step::kSet, 1, 0});
  const zk::Request get = talk.ask({Step::kGet, 1, 1});
  EXPECT_EQ(talk.answer(get, zk::DataReply{}).kind, Heard::Kind::kBroken);
}

TEST(ZookeeperConversation, ACreateMakesTheFoldersFirst) {
  Talk talk;
  const zk::Request bench = talk.ask({Step::kCreate, 12, 0});
  const zk::Request locks = talk.next(), lock = talk.next(), node = talk.next();
  EXPECT_TRUE(talk.said.empty());
  EXPECT_EQ(std::get<zk::Create>(bench.body).path, "/quorate-bench");
  EXPECT_EQ(std::get<zk::Create>(locks.body).path, "/quorate-bench/locks");
  EXPECT_EQ(std::get<zk::Create>(lock.body).path, "/quorate-bench/locks/l0012");
  EXPECT_EQ(std::get<zk::Create>(node.body).path, "/quorate-bench/node-of-40-bytes-00000012");
  EXPECT_EQ(std::get<zk::Create>(node.body).data.size(), kValueBytes);
  // A folder may be there already; whether the node was says the answer.
  for (const zk::Request& folder : {bench, locks, lock})
    EXPECT_EQ(talk.answer(folder, {}, zk::ErrorCode::kNodeExists).kind, Heard::Kind::kNothing);
  const Heard refused = talk.answer(node, {}, zk::ErrorCode::kNodeExists);
  EXPECT_EQ(refused.kind, Heard::Kind::kRefused);
  EXPECT_EQ(refused.code, ErrorCode::kNodeExists);
  // The second create knows of the folders above.
  EXPECT_EQ(std::get<zk::Create>(talk.ask({Step::kCreate, 13, 0}).body).path, "/quorate-bench/locks/l0013");
}

TEST(ZookeeperConversation, ARefusalSaysItsNumber) {
  Talk talk;
  const Heard refused = talk.answer(talk.ask({Step::kSet, 1, 0}), {}, zk::ErrorCode::kNoNode);
  EXPECT_EQ(refused.kind, Heard::Kind::kRefused);
  EXPECT_EQ(refused.code, ErrorCode::kUnavailable);
  EXPECT_NE(refused.why.find("-101"), std::string_view::npos);
}

TEST(ZookeeperConversation, TheLowestNumberHoldsTheLock) {
  Talk talk;
  const zk::Request look = talk.queue_up(5, 3, "0000000004");
  const Heard held = talk.answer(look, zk::ChildrenReply{{"lock-0000000009", "lock-0000000004"}, {}});
  EXPECT_EQ(held.kind, Heard::Kind::kDone);
  EXPECT_EQ(held.slot, 3U);
  const zk::Request release = talk.ask({Step::kRelease, 5, 3});
  EXPECT_EQ(std::get<zk::Delete>(release.body).path, "/quorate-bench/locks/l0005/lock-0000000004");
  EXPECT_EQ(talk.answer(release, {}).kind, Heard::Kind::kDone);
}

TEST(ZookeeperConversation, OthersWatchTheOneBeforeThem) {
  Talk talk;
  const zk::Request look = talk.queue_up(5, 3, "0000000009");
  const zk::ChildrenReply queue{{"lock-0000000002", "lock-0000000011", "lock-0000000009", "lock-0000000007"},
                                {}};
  EXPECT_EQ(talk.answer(look, queue).kind, Heard::Kind::kNothing);
  const zk::Request watch = talk.next();
  EXPECT_EQ(watch.body, zk::RequestBody(zk::GetData{"/quorate-bench/locks/l0005/lock-0000000007", true}));
  EXPECT_EQ(talk.answer(watch, zk::DataReply{}).kind, Heard::Kind::kNothing);
  EXPECT_TRUE(talk.said.empty());
  // Some other node's end wakes nobody.
  EXPECT_EQ(talk.tell(zk::EventType::kDeleted, "/quorate-bench/locks/l0005/lock-0000000002").kind,
            Heard::Kind::kNothing);
  EXPECT_TRUE(talk.said.empty());
  EXPECT_EQ(talk.tell(zk::EventType::kDeleted, "/quorate-bench/locks/l0005/lock-0000000007").kind,
            Heard::Kind::kNothing);
  const Heard held = talk.answer(talk.next_look(5), zk::ChildrenReply{{"lock-0000000009"}, {}});
  EXPECT_EQ(held.kind, Heard::Kind::kDone);
  EXPECT_EQ(held.slot, 3U);
}

TEST(ZookeeperConversation, LooksAgainWhenTheOneBeforeWentMeanwhile) {
  Talk talk;
  const zk::Request look = talk.queue_up(5, 3, "0000000009");
  talk.answer(look, zk::ChildrenReply{{"lock-0000000007", "lock-0000000009"}, {}});
  EXPECT_EQ(talk.answer(talk.next(), {}, zk::ErrorCode::kNoNode).kind, Heard::Kind::kNothing);
  EXPECT_EQ(talk.answer(talk.next_look(5), zk::ChildrenReply{{"lock-0000000009"}, {}}).kind,
            Heard::Kind::kDone);
}

TEST(ZookeeperConversation, SaysFarewell) {
  Talk talk;
  EXPECT_TRUE(talk.conversation.close(talk.said));
  const zk::Request close = talk.next();
  EXPECT_TRUE(std::holds_alternative<zk::CloseSession>(close.body));
  EXPECT_EQ(talk.answer(close, {}).kind, Heard::Kind::kFarewell);
}

TEST(ZookeeperConversation, ASessionThatIsNotGivenIsARefusal) {
  ZookeeperConversation conversation;
  std::string said, reply;
  conversation.open(said);
  zk::append_connect_reply(reply, {});
  EXPECT_EQ(conversation.hear(reply, said).kind, Heard::Kind::kRefused);
}

TEST(ZookeeperConversation, WaitsForTheWholeFrameAtEverySplit) {
  Talk talk;
  std::string whole;
  zk::append_reply(whole, {talk.ask({Step::kGet, 1, 0}).xid, 9, zk::ErrorCode::kOk, zk::DataReply{"v", {}}});
  for (size_t size = 0; size < whole.size(); ++size) {
    EXPECT_EQ(talk.hear(whole.substr(0, size)).kind, Heard::Kind::kIncomplete) << size;
  }
  const Heard heard = talk.hear(whole + "behind");
  EXPECT_EQ(heard.kind, Heard::Kind::kDone);
  EXPECT_EQ(heard.bytes, whole.size());
}

TEST(ZookeeperConversation, RefusesWhatDoesNotParse) {
  Talk talk;
  EXPECT_EQ(talk.hear(std::string("\x7f\xff\xff\xff", 4)).kind, Heard::Kind::kBroken);
  EXPECT_EQ(talk.hear(std::string("\0\0\0\4abcd", 8)).kind, Heard::Kind::kBroken);
}

}  // namespace
}  // namespace quorate::bench
