// A replica among its peers, one promise a test.
#include "server/replica.h"

#include <gtest/gtest.h>

#include "server/replica_writes.h"
#include "tests/replica/cluster.h"

namespace quorate::server {
namespace {

using test::Cluster;
using test::kMs;
using test::kOne;
using test::kThree;
using test::kTwo;

WriteRequest create(uint64_t number, std::string path, std::string data = "") {
  return {number, number, kv::CreateOp{std::move(path), std::move(data)}};
}
WriteRequest set(uint64_t number, std::string path, std::string data) {
  return {number, number, kv::SetOp{std::move(path), std::move(data)}};
}
std::string data_of(const ClientReply& reply) {
  const auto* node = std::get_if<NodeReply>(&reply.body);
  return node != nullptr ? node->data : "error: " + reply.error.message;
}

TEST(Replica, AWriteOnOneServerIsReadOnEveryOther) {
  Cluster cluster(3);
  const ServerId leader = cluster.elect();
  ASSERT_EQ(cluster.open(leader, kOne).code, ErrorCode::kOk);
  ASSERT_EQ(cluster.call(leader, kOne, create(1, "/a", "x")).error.code, ErrorCode::kOk);
  for (const auto& [id, node] : cluster.nodes()) {
    EXPECT_EQ(data_of(cluster.call(id, kTwo, GetRequest{"/a"})), "x");
  }
}

// Each number but the lowest has another one below it that waits, so it goes again; in the order of the
// numbers once is enough.
TEST(Replica, NumbersThatComeHighestFirstAreWrittenToTheLogTwiceAtMost) {
  constexpr uint64_t kHighest = 400;
  Cluster cluster(1);
  const ServerId leader = cluster.elect();
  ASSERT_EQ(cluster.open(leader, kOne).code, ErrorCode::kOk);
  const auto last = [&] { return cluster.replica(leader).raft()->log().last_index().value(); };
  const uint64_t before = last();
  std::vector<uint64_t> asked;
  for (uint64_t number = kHighest; number >= 2; --number)
    asked.push_back(cluster.send(leader, kOne, WriteRequest{number, 1, kv::CreateOp{"/a", ""}}));
  cluster.settle();
  for (const uint64_t id : asked) {
    const auto reply = cluster.reply(leader, kOne, id);
    ASSERT_TRUE(reply.has_value());
    EXPECT_EQ(reply->error.code, ErrorCode::kRequestGap);
  }
  EXPECT_LE(last() - before, 2 * kHighest);
}

TEST(Replica, AFollowerForwardsWritesAndAnswersFromItsOwnApply) {
  Cluster cluster(3);
  cluster.elect();
  const ServerId follower = cluster.follower();
  ASSERT_EQ(cluster.open(follower, kOne).code, ErrorCode::kOk);
  const ClientReply reply = cluster.call(follower, kOne, create(1, "/a", "x"));
  EXPECT_EQ(reply.error.code, ErrorCode::kOk);
  EXPECT_TRUE(cluster.replica(follower).state().get("/a").ok());
}

TEST(Replica, ReadsMoveNeitherTheLogNorTheDisk) {
  Cluster cluster(3);
  const ServerId leader = cluster.elect();
  const ServerId follower = cluster.follower();
  ASSERT_EQ(cluster.open(leader, kOne).code, ErrorCode::kOk);
  ASSERT_EQ(cluster.call(leader, kOne, create(1, "/a", "x")).error.code, ErrorCode::kOk);
  const Index last = cluster.replica(leader).raft()->log().last_index();
  const size_t written = cluster.node(leader).entries_written;
  for (int i = 0; i < 500; ++i) {
    ASSERT_EQ(data_of(cluster.call(leader, kTwo, GetRequest{"/a"})), "x");
    ASSERT_EQ(data_of(cluster.call(follower, kTwo, GetRequest{"/a"})), "x");
  }
  EXPECT_EQ(cluster.replica(leader).raft()->log().last_index(), last);
  EXPECT_EQ(cluster.node(leader).entries_written, written);
}

TEST(Replica, ADeposedLeaderAnswersNoRead) {
  Cluster cluster(3);
  const ServerId old_leader = cluster.elect();
  ASSERT_EQ(cluster.open(old_leader, kOne).code, ErrorCode::kOk);
  ASSERT_EQ(cluster.call(old_leader, kOne, create(1, "/a", "old")).error.code, ErrorCode::kOk);
  cluster.cut(old_leader);
  const uint64_t read = cluster.send(old_leader, kTwo, GetRequest{"/a"});
  cluster.advance(1'000 * kMs);
  ASSERT_NE(cluster.leader(), ServerId());
  ASSERT_NE(cluster.leader(), old_leader);
  EXPECT_FALSE(cluster.reply(old_leader, kTwo, read).has_value());
  cluster.advance(4'000 * kMs);
  ASSERT_TRUE(cluster.reply(old_leader, kTwo, read).has_value());
  EXPECT_EQ(cluster.reply(old_leader, kTwo, read)->error.code, ErrorCode::kNoQuorum);
}

TEST(Replica, AWriteSurvivesTheDeathOfTheLeaderItWasForwardedTo) {
  Cluster cluster(3);
  const ServerId leader = cluster.elect();
  const ServerId follower = cluster.follower();
  ASSERT_EQ(cluster.open(follower, kOne).code, ErrorCode::kOk);
  cluster.kill(leader);
  const uint64_t write = cluster.send(follower, kOne, create(1, "/a", "x"));
  cluster.elect();
  cluster.advance(1'000 * kMs);
  ASSERT_TRUE(cluster.reply(follower, kOne, write).has_value());
  EXPECT_EQ(cluster.reply(follower, kOne, write)->error.code, ErrorCode::kOk);
}

TEST(Replica, ARetriedRequestIsAppliedOnce) {
  Cluster cluster(3);
  const ServerId leader = cluster.elect();
  const ServerId follower = cluster.follower();
  const kv::Outcome session = cluster.open(leader, kOne);
  const WriteRequest write{1, 0, kv::CreateOp{"/a-", "x", false, true}};
  const ClientReply first = cluster.call(leader, kOne, write);
  ASSERT_EQ(first.error.code, ErrorCode::kOk);
  // The client heard nothing, comes back over another server, and asks again.
  kv::SessionPassword password{};
  password[0] = static_cast<uint8_t>(kOne.value());
  ASSERT_EQ(cluster.call(follower, kTwo, AttachSessionRequest{session.session, password}).error.code,
            ErrorCode::kOk);
  const ClientReply second = cluster.call(follower, kTwo, write);
  EXPECT_EQ(std::get<kv::Outcome>(second.body), std::get<kv::Outcome>(first.body));
  const ClientReply children = cluster.call(follower, kTwo, ChildrenRequest{"/"});
  EXPECT_EQ(std::get<ChildrenReply>(children.body).names.size(), 1u);
  // The connection that had the session is told and closed.
  ASSERT_EQ(cluster.events<SessionEndEvent>(leader, kOne).size(), 1u);
  EXPECT_EQ(cluster.events<SessionEndEvent>(leader, kOne)[0].code, ErrorCode::kSessionMoved);
  EXPECT_TRUE(cluster.node(leader).closed.contains(kOne));
  EXPECT_EQ(cluster.call(leader, kOne, create(2, "/b")).error.code, ErrorCode::kSessionRequired);
}

TEST(Replica, AWatchEventComesBeforeAReplyThatShowsTheChange) {
  Cluster cluster(3);
  const ServerId leader = cluster.elect();
  const ServerId follower = cluster.follower();
  ASSERT_EQ(cluster.open(leader, kOne).code, ErrorCode::kOk);
  ASSERT_EQ(cluster.call(leader, kOne, create(1, "/a", "x")).error.code, ErrorCode::kOk);
  ASSERT_EQ(data_of(cluster.call(follower, kTwo, GetRequest{"/a", true, 77})), "x");
  const uint64_t write = cluster.send(leader, kOne, set(2, "/a", "y"));
  std::set<uint64_t> reads;
  for (int i = 0; i < 20; ++i) {
    reads.insert(cluster.send(follower, kTwo, GetRequest{"/a"}));
    cluster.advance(kMs);
  }
  cluster.advance(100 * kMs);
  ASSERT_TRUE(cluster.reply(leader, kOne, write).has_value());
  bool event_seen = false, change_seen = false;
  for (const ClientMessage& message : cluster.node(follower).inbox[kTwo]) {
    if (const auto* event = std::get_if<kv::WatchEvent>(&message.body)) {
      EXPECT_EQ(event->watch, 77u);
      EXPECT_EQ(event->kind, kv::EventKind::kDataChanged);
      event_seen = true;
    }
    const auto* reply = std::get_if<ClientReply>(&message.body);
    if (reply == nullptr || reads.erase(reply->id) == 0) continue;
    change_seen = change_seen || data_of(*reply) == "y";
    EXPECT_TRUE(data_of(*reply) == "x" || event_seen);
  }
  EXPECT_TRUE(event_seen);
  EXPECT_TRUE(change_seen);
  EXPECT_TRUE(reads.empty());
}

TEST(Replica, AFullDiskIsToldToWhoAsksForTheStatus) {
  Cluster cluster(1);
  const ServerId only = cluster.elect();
  const auto is_full = [&] {
    return std::get<ServerStatus>(cluster.call(only, kOne, StatusRequest{}).body).disk_full;
  };
  EXPECT_FALSE(is_full());
  cluster.replica(only).step(cluster.now(), DiskRoom{true});
  EXPECT_TRUE(is_full());
  cluster.replica(only).step(cluster.now(), DiskRoom{false});
  EXPECT_FALSE(is_full());
}

TEST(Replica, AConnectionThatEndsLeavesNothingBehind) {
  Cluster cluster(1);
  const ServerId only = cluster.elect();
  ASSERT_EQ(cluster.open(only, kOne, 1'000).code, ErrorCode::kOk);
  for (uint64_t watch = 1; watch <= 10; ++watch) {
    (void)cluster.call(only, kOne, GetRequest{"/none" + std::to_string(watch), true, watch});
    ASSERT_EQ(cluster.call(only, kTwo, ChildrenRequest{"/", watch}).error.code, ErrorCode::kOk);
  }
  EXPECT_EQ(cluster.replica(only).status().watches, 20u);
  // One connection breaks; the other one's session expires, and the server closes it.
  cluster.replica(only).step(cluster.now(), ClientLost{kTwo});
  EXPECT_EQ(cluster.replica(only).status().watches, 10u);
  cluster.advance(1'500 * kMs);
  ASSERT_TRUE(cluster.node(only).closed.contains(kOne));
  cluster.replica(only).step(cluster.now(), ClientLost{kOne});
  EXPECT_EQ(cluster.replica(only).status().watches, 0u);
  EXPECT_EQ(cluster.replica(only).status().connections, 0u);
}

TEST(Replica, AResumedWatchTellsWhatWasMissed) {
  Cluster cluster(1);
  const ServerId only = cluster.elect();
  ASSERT_EQ(cluster.open(only, kOne).code, ErrorCode::kOk);
  ASSERT_EQ(cluster.call(only, kOne, create(1, "/a", "x")).error.code, ErrorCode::kOk);
  const Zxid seen = cluster.call(only, kTwo, GetRequest{"/a"}).zxid;
  ASSERT_EQ(
      cluster.call(only, kTwo, ResumeWatchRequest{5, kv::WatchKind::kData, "/a", seen, true}).error.code,
      ErrorCode::kOk);
  EXPECT_TRUE(cluster.events<kv::WatchEvent>(only, kTwo).empty());
  ASSERT_EQ(cluster.call(only, kOne, set(2, "/a", "y")).error.code, ErrorCode::kOk);
  EXPECT_EQ(cluster.events<kv::WatchEvent>(only, kTwo).size(), 1u);
  const ConnectionId third(3);
  ASSERT_EQ(
      cluster.call(only, third, ResumeWatchRequest{6, kv::WatchKind::kData, "/a", seen, true}).error.code,
      ErrorCode::kOk);
  ASSERT_EQ(cluster.events<kv::WatchEvent>(only, third).size(), 1u);
  EXPECT_EQ(cluster.events<kv::WatchEvent>(only, third)[0].watch, 6u);
}

TEST(Replica, WithoutAQuorumReadsAndSessionsAreRefusedInTime) {
  Cluster cluster(3);
  const ServerId leader = cluster.elect();
  const ServerId survivor = cluster.follower();
  for (const auto& [id, node] : cluster.nodes()) {
    if (id != survivor) cluster.cut(id);
  }
  (void)leader;
  cluster.advance(500 * kMs);
  EXPECT_EQ(cluster.call(survivor, kOne, GetRequest{"/"}).error.code, ErrorCode::kNoQuorum);
  EXPECT_EQ(cluster.open(survivor, kTwo).code, ErrorCode::kNoQuorum);
  // Its own view needs nobody.
  EXPECT_EQ(cluster.call(survivor, kOne, StatusRequest{}).error.code, ErrorCode::kOk);
}

// Who asks on and on while nobody can answer does not fill the memory.
TEST(Replica, MoreReadsThanMayWaitAreRefusedAtOnce) {
  ReplicaOptions options;
  options.waiting_reads_bytes_max = 4'000;
  Cluster cluster(3, options);
  (void)cluster.elect();
  const ServerId survivor = cluster.follower();
  for (const auto& [id, node] : cluster.nodes()) {
    if (id != survivor) cluster.cut(id);
  }
  cluster.advance(500 * kMs);
  uint64_t id = 1;
  for (; id <= 5; ++id) cluster.send(survivor, kOne, GetRequest{std::string(1'000, 'p')});
  EXPECT_EQ(cluster.call(survivor, kOne, GetRequest{"/"}).error.code, ErrorCode::kOverloaded);
  EXPECT_EQ(cluster.call(survivor, kOne, StatusRequest{}).error.code, ErrorCode::kOk);
  cluster.advance(4'000 * kMs);
  EXPECT_EQ(cluster.call(survivor, kOne, GetRequest{"/"}).error.code, ErrorCode::kNoQuorum);
}

TEST(Replica, StopHandsLeadershipOver) {
  Cluster cluster(3);
  const ServerId leader = cluster.elect();
  cluster.replica(leader).step(cluster.now(), Stop{});
  cluster.advance(50 * kMs);
  EXPECT_TRUE(cluster.node(leader).stopped);
  EXPECT_FALSE(cluster.replica(leader).raft()->is_leader());
  EXPECT_NE(cluster.leader(), ServerId());
  EXPECT_NE(cluster.leader(), leader);
}

TEST(Replica, TransferGoesToWhomItIsAskedFor) {
  Cluster cluster(3);
  const ServerId leader = cluster.elect();
  const ServerId target = cluster.follower();
  EXPECT_EQ(cluster.call(target, kOne, TransferRequest{}).error.code, ErrorCode::kNotLeader);
  EXPECT_EQ(cluster.call(leader, kOne, TransferRequest{ServerId(9)}).error.code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(cluster.call(leader, kOne, TransferRequest{target}).error.code, ErrorCode::kOk);
  cluster.advance(100 * kMs);
  EXPECT_EQ(cluster.leader(), target);
}

TEST(Replica, TransferToADeadServerIsGivenUpAndSaid) {
  Cluster cluster(3);
  const ServerId leader = cluster.elect();
  const ServerId target = cluster.follower();
  cluster.cut(target);
  const ClientReply reply = cluster.call(leader, kOne, TransferRequest{target});
  EXPECT_EQ(reply.error.code, ErrorCode::kTimeout);
  EXPECT_TRUE(cluster.replica(leader).raft()->is_leader());
}

TEST(Replica, AWriteDuringATransferThatFailsIsDoneByTheOldLeader) {
  Cluster cluster(3);
  const ServerId leader = cluster.elect();
  const ServerId target = cluster.follower();
  ASSERT_EQ(cluster.open(leader, kOne).code, ErrorCode::kOk);
  cluster.cut(target);
  const uint64_t transfer = cluster.send(leader, kTwo, TransferRequest{target});
  cluster.advance(50 * kMs);
  ASSERT_FALSE(cluster.reply(leader, kTwo, transfer).has_value());
  EXPECT_EQ(cluster.call(leader, kOne, create(1, "/n")).error.code, ErrorCode::kOk);
  EXPECT_EQ(cluster.reply(leader, kTwo, transfer)->error.code, ErrorCode::kTimeout);
}

TEST(Replica, ASessionMayHaveSoManyWritesWaiting) {
  Cluster cluster(1);
  const ServerId leader = cluster.elect();
  ASSERT_EQ(cluster.open(leader, kOne).code, ErrorCode::kOk);
  ASSERT_EQ(cluster.open(leader, kTwo).code, ErrorCode::kOk);
  cluster.stall_disk(leader);
  std::vector<uint64_t> asked;
  for (uint64_t number = 1; number <= kPendingWritesMax + 2; ++number)
    asked.push_back(cluster.send(leader, kOne, create(number, "/a" + std::to_string(number))));
  const uint64_t other = cluster.send(leader, kTwo, create(1, "/b"));
  cluster.settle();
  for (size_t i = 0; i < kPendingWritesMax; ++i)
    EXPECT_FALSE(cluster.reply(leader, kOne, asked[i]).has_value());
  for (size_t i = kPendingWritesMax; i < asked.size(); ++i) {
    ASSERT_TRUE(cluster.reply(leader, kOne, asked[i]).has_value());
    EXPECT_EQ(cluster.reply(leader, kOne, asked[i])->error.code, ErrorCode::kOverloaded);
  }
  EXPECT_FALSE(cluster.reply(leader, kTwo, other).has_value()) << "it waits, as it may";
  cluster.resume_disk(leader);
  for (size_t i = 0; i < kPendingWritesMax; ++i)
    EXPECT_TRUE(cluster.reply(leader, kOne, asked[i]).has_value());
  EXPECT_EQ(cluster.call(leader, kOne, create(kPendingWritesMax + 1, "/again")).error.code, ErrorCode::kOk);
}

// A server that was stopped for a while has heard nobody meanwhile: that is not their silence.
TEST(Replica, WhoSaidSomethingWhileTheOnlyServerWasStalledHasItsSession) {
  Cluster cluster(1);
  const ServerId server = cluster.elect();
  const auto speaking = cluster.open(server, kOne, 1'000);
  const auto silent = cluster.open(server, kTwo, 1'000);
  Now later = cluster.now();
  later.instant += 1'500 * kMs;
  cluster.replica(server).step(later, ClientLost{kThree});  // it does not look at its sockets first
  cluster.settle();
  cluster.replica(server).step(later, ClientReceived{{kOne, 1'000, PingRequest{}}});
  cluster.replica(server).step(later, Tick{});
  cluster.settle();
  cluster.advance(later.instant - cluster.now().instant + 300 * kMs);
  const auto reply = cluster.reply(server, kOne, 1'000);
  ASSERT_TRUE(reply.has_value());
  EXPECT_TRUE(reply->error.ok()) << reply->error.message;
  cluster.advance(300 * kMs);
  EXPECT_TRUE(cluster.replica(server).state().session(speaking.session).has_value());
  EXPECT_FALSE(cluster.replica(server).state().session(silent.session).has_value());
}

TEST(Replica, AServerThatIsAlwaysLateEndsSessionsAllTheSame) {
  for (const Duration late : {300 * kMs, 700 * kMs, 1'500 * kMs, 10'000 * kMs}) {
    Cluster cluster(1);
    const ServerId server = cluster.elect();
    const auto silent = cluster.open(server, kOne, 1'000);
    Now later = cluster.now();
    for (int i = 0; i < 20; ++i) {
      later.instant += late;
      cluster.replica(server).step(later, Tick{});
      cluster.settle();
    }
    EXPECT_FALSE(cluster.replica(server).state().session(silent.session).has_value()) << late / kMs << " ms";
  }
}

// What the others say of its leadership comes in the turn behind, when it is late again.
TEST(Replica, ALeaderThatIsAlwaysLateEndsSessionsAllTheSame) {
  ReplicaOptions options;
  options.raft.election_timeout_min = 5'000 * kMs;
  options.raft.election_timeout_max = 6'000 * kMs;
  Cluster cluster(3, options);
  const ServerId leader = cluster.elect();
  ASSERT_NE(leader, ServerId());
  const auto silent = cluster.open(leader, kOne, 1'000);
  std::vector<PeerMessage> answers;
  cluster.set_filter([&](PeerMessage& message) {
    if (message.to == leader) answers.push_back(message);
    return message.to != leader;
  });
  Now later = cluster.now();
  for (int i = 0; i < 20; ++i) {
    later.instant += 700 * kMs;
    for (PeerMessage& answer : std::exchange(answers, {}))
      cluster.replica(leader).step(later, PeerReceived{std::move(answer)});
    cluster.replica(leader).step(later, Tick{});
    cluster.settle();
  }
  ASSERT_TRUE(cluster.replica(leader).raft()->is_leader());
  EXPECT_FALSE(cluster.replica(leader).state().session(silent.session).has_value());
}

TEST(Replica, ARestartedClusterHasEverything) {
  Cluster cluster(3);
  const ServerId leader = cluster.elect();
  ASSERT_EQ(cluster.open(leader, kOne).code, ErrorCode::kOk);
  for (uint64_t i = 1; i <= 20; ++i) {
    ASSERT_EQ(cluster.call(leader, kOne, create(i, "/n" + std::to_string(i))).error.code, ErrorCode::kOk);
  }
  const uint64_t hash = cluster.replica(leader).state().state_hash();
  const Index applied = cluster.replica(leader).state().applied();
  for (uint32_t id = 1; id <= 3; ++id) cluster.kill(ServerId(id));
  for (uint32_t id = 1; id <= 3; ++id) cluster.start(ServerId(id));
  const ServerId next = cluster.elect();
  ASSERT_NE(next, ServerId());
  // Only the new term's own entry was added.
  EXPECT_EQ(cluster.replica(next).state().applied(), applied.next());
  EXPECT_EQ(cluster.replica(next).state().state_hash(), hash);
}

TEST(Replica, BeforeTheClusterIsFormedClientsAreToldSo) {
  ReplicaOptions options;
  options.raft.id = ServerId(1);
  options.plan = {{ServerId(1), "a:1"}, {ServerId(2), "b:1"}};
  const Now now{Instant(std::chrono::seconds(1)), 0};
  Replica replica(options, {}, 1, now);
  replica.step(now, ClientReceived{{kOne, 1, GetRequest{"/"}}});
  const Output out = replica.take_output();
  ASSERT_EQ(out.clients.size(), 1u);
  EXPECT_EQ(std::get<ClientReply>(out.clients[0].body).error.code, ErrorCode::kNotMember);
}

TEST(Replica, AnAnswerToAnEarlierRunOfThisServerIsIgnored) {
  Cluster cluster(3);
  const ServerId leader = cluster.elect();
  const ServerId follower = cluster.follower();
  cluster.cut(leader);
  const uint64_t read = cluster.send(follower, kOne, GetRequest{"/"});
  Replica& replica = cluster.replica(follower);
  (void)replica.take_output();
  for (uint64_t counter = 1; counter < 50; ++counter) {
    BarrierReply forged{BootNonce(424242), replica.raft()->term(), counter, Index(1), {}};
    replica.step(cluster.now(), PeerReceived{{leader, follower, BootNonce(1), forged}});
  }
  cluster.settle();
  EXPECT_FALSE(cluster.reply(follower, kOne, read).has_value());
}

}  // namespace
}  // namespace quorate::server
