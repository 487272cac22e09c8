// What a leader has no room for: who is told so, what goes again, and what such an answer says.
#include <gtest/gtest.h>

#include "server/replica.h"
#include "tests/replica/cluster.h"

namespace quorate::server {
namespace {

using test::Cluster;
using test::kMs;
using test::kOne;
using test::kThree;
using test::kTwo;

WriteRequest creation(uint64_t number, std::string path, std::string data = "") {
  return {number, number, kv::CreateOp{std::move(path), std::move(data)}};
}

TEST(ReplicaRoom, AWriteThatCouldNeverHaveRoomIsRefused) {
  ReplicaOptions options;
  options.raft.uncommitted_bytes_max = 64 << 10;
  Cluster cluster(3, options);
  cluster.elect();
  const ServerId follower = cluster.follower();
  ASSERT_EQ(cluster.open(follower, kOne).code, ErrorCode::kOk);
  const auto code = [&](uint64_t number, size_t bytes) {
    const std::string path = "/n" + std::to_string(bytes);
    return cluster.call(follower, kOne, creation(number, path, std::string(bytes, 'x'))).error.code;
  };
  EXPECT_EQ(code(1, 60 << 10), ErrorCode::kTooLarge) << "an eighth is kept free";
  EXPECT_EQ(code(1, 55 << 10), ErrorCode::kOk);
}

// The limit is each server's own: what another one took is answered as it was then, and a leader with less
// room takes it when nothing else waits.
TEST(ReplicaRoom, WhatAServerWithALargerLimitTookIsNotRefusedForEver) {
  Cluster cluster(3);
  const ServerId leader = cluster.elect();
  const ServerId small = cluster.follower();
  cluster.kill(small);
  cluster.options().raft.uncommitted_bytes_max = 64 << 10;
  cluster.start(small);
  cluster.elect();
  const kv::Outcome session = cluster.open(leader, kOne);
  const std::string big(100 << 10, 'x');
  ASSERT_EQ(cluster.call(leader, kOne, creation(1, "/a", big)).error.code, ErrorCode::kOk);
  kv::SessionPassword password{};
  password[0] = static_cast<uint8_t>(kOne.value());
  const auto attach = [&](ServerId to, ConnectionId connection) {
    return cluster.call(to, connection, AttachSessionRequest{session.session, password}).error.code;
  };
  ASSERT_EQ(attach(small, kTwo), ErrorCode::kOk);
  EXPECT_EQ(cluster.call(small, kTwo, creation(1, "/a", big)).error.code, ErrorCode::kOk);
  EXPECT_EQ(cluster.call(small, kTwo, creation(2, "/b", big)).error.code, ErrorCode::kTooLarge);
  ASSERT_EQ(cluster.call(leader, kThree, TransferRequest{small}).error.code, ErrorCode::kOk);
  cluster.advance(100 * kMs);
  ASSERT_EQ(cluster.leader(), small);
  ASSERT_EQ(attach(leader, kThree), ErrorCode::kOk);
  EXPECT_EQ(cluster.call(leader, kThree, creation(2, "/b", big)).error.code, ErrorCode::kOk);
}

// A follower sends again what has no outcome; that the second copy has no room at the leader says nothing of
// the first, which is in the log.
TEST(ReplicaRoom, ARefusedCopyIsNoAnswerWhereAnotherIsInTheLog) {
  ReplicaOptions options;
  options.raft.uncommitted_bytes_max = 8'000;
  Cluster cluster(3, options);
  const ServerId leader = cluster.elect();
  const ServerId follower = cluster.follower();
  ASSERT_EQ(cluster.open(follower, kOne).code, ErrorCode::kOk);
  const uint64_t term = cluster.replica(leader).raft()->term().value();
  size_t refused = 0;
  cluster.set_filter([&](PeerMessage& message) {
    refused += std::holds_alternative<ForwardRefused>(message.body) ? 1 : 0;
    const auto* raft = std::get_if<raft::Message>(&message.body);
    const auto* append = raft == nullptr ? nullptr : std::get_if<raft::AppendRequest>(&raft->body);
    return append == nullptr || append->entries.empty();
  });
  const uint64_t id = cluster.send(follower, kOne, creation(1, "/big", std::string(4'000, 'x')));
  for (int i = 0; i < 2'000 && refused == 0; ++i) cluster.advance(kMs);
  ASSERT_GT(refused, 0U);
  EXPECT_FALSE(cluster.reply(follower, kOne, id).has_value());
  ASSERT_EQ(cluster.replica(leader).raft()->term().value(), term);
  cluster.set_filter({});
  for (int i = 0; i < 5'000 && !cluster.reply(follower, kOne, id); ++i) cluster.advance(kMs);
  const auto reply = cluster.reply(follower, kOne, id);
  ASSERT_TRUE(reply.has_value());
  EXPECT_EQ(reply->error.code, ErrorCode::kOk);
  EXPECT_TRUE(cluster.replica(follower).state().get("/big").ok());
}

// It says nothing of what was asked anew since, under the same number and perhaps of another leader.
TEST(ReplicaRoom, ALateRefusalIsNoAnswerToAnotherSendingOfThatNumber) {
  ReplicaOptions options;
  options.raft.uncommitted_bytes_max = 8'000;
  Cluster cluster(3, options);
  const ServerId leader = cluster.elect();
  const ServerId follower = cluster.follower();
  const kv::Outcome session = cluster.open(follower, kOne);
  ASSERT_EQ(session.code, ErrorCode::kOk);
  ASSERT_EQ(cluster.open(leader, kTwo).code, ErrorCode::kOk);
  std::optional<PeerMessage> late;
  bool commits = false;
  cluster.set_filter([&](PeerMessage& message) {
    if (std::holds_alternative<ForwardRefused>(message.body)) {
      late = message;
      return false;
    }
    const auto* raft = std::get_if<raft::Message>(&message.body);
    const auto* append = raft == nullptr ? nullptr : std::get_if<raft::AppendRequest>(&raft->body);
    return commits || append == nullptr || append->entries.empty();
  });
  cluster.send(leader, kTwo, creation(1, "/fills", std::string(5'000, 'x')));
  cluster.settle();
  cluster.send(follower, kOne, creation(1, "/big", std::string(4'000, 'x')));
  cluster.settle();
  ASSERT_TRUE(late.has_value());
  cluster.replica(follower).step(cluster.now(), ClientLost{kOne});
  cluster.kill(leader);
  commits = true;
  ASSERT_NE(cluster.elect(), ServerId());
  kv::SessionPassword password{};
  password[0] = static_cast<uint8_t>(kOne.value());
  ASSERT_EQ(cluster.call(follower, kThree, AttachSessionRequest{session.session, password}).error.code,
            ErrorCode::kOk);
  commits = false;
  const uint64_t id = cluster.send(follower, kThree, creation(1, "/big", std::string(4'000, 'x')));
  cluster.settle();
  cluster.replica(follower).step(cluster.now(), PeerReceived{*late});
  cluster.settle();
  EXPECT_FALSE(cluster.reply(follower, kThree, id).has_value()) << "it is in the log";
  commits = true;
  for (int i = 0; i < 5'000 && !cluster.reply(follower, kThree, id); ++i) cluster.advance(kMs);
  ASSERT_TRUE(cluster.reply(follower, kThree, id).has_value());
  EXPECT_EQ(cluster.reply(follower, kThree, id)->error.code, ErrorCode::kOk);
}

// It was applied, and who asks for it again over another connection is not told that nothing was done.
TEST(ReplicaRoom, WhatWasAppliedAlreadyIsNeverRefusedAsNotApplied) {
  ReplicaOptions options;
  options.raft.uncommitted_bytes_max = 8'000;
  options.pending_bytes_max = 10'000;
  options.reserve_bytes = 100;
  Cluster cluster(3, options);
  const ServerId leader = cluster.elect();
  const ServerId follower = cluster.follower();
  const kv::Outcome session = cluster.open(leader, kOne);
  ASSERT_EQ(cluster.open(follower, kTwo).code, ErrorCode::kOk);
  ASSERT_EQ(cluster.call(leader, kOne, creation(1, "/big", std::string(4'000, 'x'))).error.code,
            ErrorCode::kOk);
  kv::SessionPassword password{};
  password[0] = static_cast<uint8_t>(kOne.value());
  ASSERT_EQ(cluster.call(follower, kThree, AttachSessionRequest{session.session, password}).error.code,
            ErrorCode::kOk);
  bool commits = false;
  cluster.set_filter([&](PeerMessage& message) {
    const auto* raft = std::get_if<raft::Message>(&message.body);
    const auto* append = raft == nullptr ? nullptr : std::get_if<raft::AppendRequest>(&raft->body);
    return commits || append == nullptr || append->entries.empty();
  });
  // At the leader there is no room first, then at the follower.
  cluster.send(follower, kTwo, creation(1, "/fills", std::string(5'000, 'x')));
  cluster.settle();
  const uint64_t again = cluster.send(follower, kThree, creation(1, "/big", std::string(4'000, 'x')));
  cluster.settle();
  EXPECT_FALSE(cluster.reply(follower, kThree, again).has_value());
  cluster.replica(follower).step(cluster.now(), ClientLost{kThree});
  commits = true;
  const ConnectionId fourth(4);
  ASSERT_EQ(cluster.call(follower, fourth, AttachSessionRequest{session.session, password}).error.code,
            ErrorCode::kOk);
  commits = false;
  for (uint64_t number = 2; number <= 3; ++number)
    cluster.send(follower, kTwo, creation(number, "/more", std::string(5'000, 'x')));
  EXPECT_EQ(cluster.call(follower, fourth, creation(1, "/big", std::string(4'000, 'x'))).error.code,
            ErrorCode::kOutcomeUnknown);
  commits = true;
  for (int i = 0; i < 5'000 && cluster.replica(follower).state().get("/more").code() != ErrorCode::kOk; ++i)
    cluster.advance(kMs);
  EXPECT_EQ(cluster.call(follower, fourth, creation(1, "/big", std::string(4'000, 'x'))).error.code,
            ErrorCode::kOk);
}

// Who is refused again and again asks no oftener for that: the leader has enough to do.
TEST(ReplicaRoom, ARefusedCopyGoesAgainInTimeAndNotAtOnce) {
  ReplicaOptions options;
  options.raft.uncommitted_bytes_max = 8'000;
  Cluster cluster(3, options);
  const ServerId leader = cluster.elect();
  const ServerId follower = cluster.follower();
  ASSERT_EQ(cluster.open(follower, kOne).code, ErrorCode::kOk);
  size_t refused = 0, forwarded = 0;
  cluster.set_filter([&](PeerMessage& message) {
    refused += std::holds_alternative<ForwardRefused>(message.body) ? 1 : 0;
    if (const auto* forward = std::get_if<Forward>(&message.body); forward != nullptr && refused > 0)
      forwarded += forward->commands.size();
    const auto* raft = std::get_if<raft::Message>(&message.body);
    const auto* append = raft == nullptr ? nullptr : std::get_if<raft::AppendRequest>(&raft->body);
    return append == nullptr || append->entries.empty();
  });
  cluster.send(follower, kOne, creation(1, "/big", std::string(4'000, 'x')));
  for (int i = 0; i < 2'000 && refused == 0; ++i) cluster.advance(kMs);
  ASSERT_GT(refused, 0U);
  cluster.advance(3'000 * kMs);
  ASSERT_EQ(cluster.leader(), leader);
  EXPECT_GE(forwarded, 3U);
  EXPECT_LE(forwarded, 3'000 * kMs / options.resend_interval + 2);
}

// What was sent to another leader goes again to this one, where it waits for room; what its session asks for
// behind it has to wait with it.
TEST(ReplicaRoom, WhatComesBehindAWriteThatWaitsForRoomIsNotWrittenAgainAndAgain) {
  ReplicaOptions options;
  options.raft.uncommitted_bytes_max = 4'000;
  Cluster cluster(3, options);
  const ServerId before = cluster.elect();
  const ServerId server = cluster.follower();
  ASSERT_EQ(cluster.open(server, kTwo).code, ErrorCode::kOk);
  ASSERT_EQ(cluster.open(server, kOne).code, ErrorCode::kOk);
  bool held = true;
  size_t appends = 0;
  cluster.set_filter([&](PeerMessage& message) {
    if (std::holds_alternative<Forward>(message.body)) return false;
    const auto* raft = std::get_if<raft::Message>(&message.body);
    const auto* append = raft == nullptr ? nullptr : std::get_if<raft::AppendRequest>(&raft->body);
    if (append == nullptr || append->entries.empty() || message.from != server) return true;
    return !held && ++appends < 100;
  });
  cluster.send(server, kTwo, creation(1, "/big", std::string(3'000, 'x')));
  const uint64_t first = cluster.send(server, kOne, creation(1, "/first", std::string(2'000, 'x')));
  cluster.settle();
  cluster.send(before, kThree, TransferRequest{server});
  for (int i = 0; i < 1'000 && !cluster.replica(server).raft()->is_leader(); ++i) cluster.advance(kMs);
  cluster.advance(10 * kMs);
  ASSERT_TRUE(cluster.replica(server).raft()->is_leader());
  held = false;
  for (int i = 0; i < 1'000 && !cluster.replica(server).state().get("/big").ok(); ++i) cluster.advance(kMs);
  ASSERT_FALSE(cluster.replica(server).state().get("/first").ok()) << "it waits for its time";
  const Index last = cluster.replica(server).raft()->log().last_index();
  const uint64_t second = cluster.send(server, kOne, creation(2, "/second"));
  cluster.settle();
  EXPECT_LE(cluster.replica(server).raft()->log().last_index() - last, 3U);
  cluster.advance(500 * kMs);
  for (const uint64_t id : {first, second}) {
    ASSERT_TRUE(cluster.reply(server, kOne, id).has_value());
    EXPECT_EQ(cluster.reply(server, kOne, id)->error.code, ErrorCode::kOk);
  }
}

TEST(ReplicaRoom, ANumberThatOvertookARefusedOneIsAppliedBehindIt) {
  ReplicaOptions options;
  options.raft.uncommitted_bytes_max = 4'000;
  Cluster cluster(3, options);
  const ServerId leader = cluster.elect();
  ASSERT_EQ(cluster.open(leader, kOne).code, ErrorCode::kOk);
  ASSERT_EQ(cluster.open(leader, kTwo).code, ErrorCode::kOk);
  std::vector<ServerId> followers;
  for (const auto& [id, node] : cluster.nodes()) {
    if (id != leader) followers.push_back(id);
  }
  for (ServerId id : followers) cluster.stall_disk(id);
  cluster.send(leader, kTwo, WriteRequest{1, 1, kv::CreateOp{"/big", std::string(3'000, 'x')}});
  cluster.settle();
  const WriteRequest first{1, 1, kv::CreateOp{"/first", std::string(2'000, 'x')}};
  const uint64_t refused = cluster.send(leader, kOne, first);
  cluster.settle();
  ASSERT_EQ(cluster.reply(leader, kOne, refused)->error.code, ErrorCode::kOverloaded);
  const uint64_t second = cluster.send(leader, kOne, WriteRequest{2, 1, kv::CreateOp{"/second", ""}});
  cluster.settle();
  ASSERT_FALSE(cluster.reply(leader, kOne, second).has_value());
  // There is room again, but the second one has not been applied yet.
  for (ServerId id : followers) cluster.write_one(id);
  ASSERT_TRUE(cluster.replica(leader).state().get("/big").ok());
  ASSERT_FALSE(cluster.reply(leader, kOne, second).has_value());
  const uint64_t again = cluster.send(leader, kOne, first);
  cluster.settle();
  for (ServerId id : followers) cluster.resume_disk(id);
  cluster.advance(1'000 * kMs);
  ASSERT_TRUE(cluster.reply(leader, kOne, again).has_value());
  EXPECT_EQ(cluster.reply(leader, kOne, again)->error.code, ErrorCode::kOk);
  ASSERT_TRUE(cluster.reply(leader, kOne, second).has_value());
  EXPECT_EQ(cluster.reply(leader, kOne, second)->error.code, ErrorCode::kOk);
}

}  // namespace
}  // namespace quorate::server
