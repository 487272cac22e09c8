// The state on its way to a server that the log does not reach.
#include "server/replica_snapshots.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>

#include "base/checksum.h"
#include "raft/configuration.h"
#include "tests/replica/state_cluster.h"

namespace quorate::server {
namespace {

using test::FakeStore;
using test::kMs;
using test::small_options;
using test::StateCluster;

// Counts what is sent of snapshots, and lets a test lose or change it.
struct Wire {
  size_t bytes = 0;
  size_t parts = 0;
  std::function<bool(SnapshotChunk&)> chunk = [](SnapshotChunk&) { return true; };

  void watch(test::Cluster& cluster) {
    cluster.set_filter([this](PeerMessage& message) {
      auto* part = std::get_if<SnapshotChunk>(&message.body);
      if (part == nullptr) return true;
      bytes += part->records.size();
      parts += part->error.ok() ? 1 : 0;
      return chunk(*part);
    });
  }
};

// A follower was down until the log no longer reached it; it is up again and needs the state.
ServerId leave_one_behind(StateCluster& cluster, size_t entries = 1'200) {
  const ServerId behind = cluster.follower();
  cluster.fill(20);
  cluster.kill(behind);
  cluster.fill(entries);
  EXPECT_GT(cluster.replica(cluster.leader()).raft()->log().snapshot_index(), Index(300));
  return behind;
}

TEST(Snapshots, AFollowerThatTheLogDoesNotReachGetsTheStateThenEntries) {
  StateCluster cluster(3);
  Wire wire;
  wire.watch(cluster);
  const ServerId behind = leave_one_behind(cluster);
  cluster.start(behind);
  // The leader goes on meanwhile.
  cluster.fill(10);
  cluster.advance(200 * kMs);
  EXPECT_GT(wire.parts, 3U);
  EXPECT_TRUE(cluster.same_everywhere());
  EXPECT_GT(cluster.replica(behind).raft()->log().snapshot_index(), Index(300));
  cluster.fill(10);
  cluster.advance(20 * kMs);
  EXPECT_TRUE(cluster.same_everywhere());
  EXPECT_FALSE(cluster.replica(behind).status().receiving);
}

TEST(Snapshots, GoOnWhereABrokenConnectionLeftOff) {
  StateCluster cluster(3);
  Wire wire;
  wire.watch(cluster);
  const ServerId behind = leave_one_behind(cluster);
  const size_t size = cluster.node(cluster.leader()).store.bytes();
  bool broken = false;
  wire.chunk = [&](SnapshotChunk&) {
    if (!broken && wire.bytes * 2 > size) {
      broken = true;
      cluster.cut(behind);
      return false;
    }
    return true;
  };
  cluster.start(behind);
  cluster.advance(100 * kMs);
  ASSERT_TRUE(broken);
  cluster.advance(2'000 * kMs);
  cluster.heal(behind);
  cluster.advance(2'000 * kMs);
  EXPECT_TRUE(cluster.same_everywhere());
  EXPECT_LE(static_cast<double>(wire.bytes), 1.1 * static_cast<double>(size) + 2'200);
}

TEST(Snapshots, ADamagedPartIsAskedForAgain) {
  StateCluster cluster(3);
  Wire wire;
  wire.watch(cluster);
  const ServerId behind = leave_one_behind(cluster);
  size_t damaged = 0;
  wire.chunk = [&](SnapshotChunk& chunk) {
    if (wire.parts % 3 == 2 && damaged < 3) {
      ++damaged;
      std::string bytes(chunk.records.view());
      bytes[bytes.size() / 2] = static_cast<char>(bytes[bytes.size() / 2] ^ 1);
      chunk.records = Bytes(bytes);
    }
    return true;
  };
  cluster.start(behind);
  cluster.advance(3'000 * kMs);
  EXPECT_EQ(damaged, 3U);
  EXPECT_TRUE(cluster.same_everywhere());
}

// The parts' names with these members' addresses instead.
Bytes renamed(const Bytes& encoded, const std::string& address) {
  StateName name = *decode_state_name(encoded.view());
  auto configuration = *raft::decode_configuration(name.configuration.view());
  configuration.members.front().address = address;
  name.configuration = Bytes(raft::encode_configuration(configuration));
  return Bytes(encode_state_name(name));
}

TEST(Snapshots, APartWhoseMembersAreDamagedIsAskedForAgain) {
  StateCluster cluster(3);
  Wire wire;
  wire.watch(cluster);
  const ServerId behind = leave_one_behind(cluster);
  std::set<std::string> damaged;  // behind these keys
  wire.chunk = [&](SnapshotChunk& chunk) {
    chunk.name_checksum = 0;  // of a sender that has none
    if (!chunk.error.ok() || !damaged.insert(chunk.after).second) return true;
    StateName name = *decode_state_name(chunk.name.view());
    std::string members(name.configuration.view());
    members.pop_back();
    name.configuration = Bytes(members);
    chunk.name = Bytes(encode_state_name(name));
    return true;
  };
  cluster.start(behind);
  cluster.advance(5'000 * kMs);
  EXPECT_GT(damaged.size(), 3U) << "each part once";
  EXPECT_TRUE(cluster.same_everywhere());
  EXPECT_EQ(cluster.replica(behind).raft()->configuration(),
            cluster.replica(cluster.leader()).raft()->configuration());
}

TEST(Snapshots, ThePartsOfOneHaveOneName) {
  for (const size_t changed : {1U, 3U}) {
    StateCluster cluster(3);
    Wire wire;
    wire.watch(cluster);
    const ServerId behind = leave_one_behind(cluster);
    std::set<uint64_t> snapshots;
    wire.chunk = [&](SnapshotChunk& chunk) {
      if (chunk.error.ok()) snapshots.insert(chunk.snapshot);
      chunk.name_checksum = 0;  // of a sender that has none
      if (wire.parts == changed) chunk.name = renamed(chunk.name, "elsewhere:1");
      return true;
    };
    cluster.start(behind);
    cluster.advance(5'000 * kMs);
    EXPECT_TRUE(cluster.same_everywhere());
    EXPECT_EQ(cluster.replica(behind).raft()->configuration(),
              cluster.replica(cluster.leader()).raft()->configuration());
    // Where it was the first, all that follow differ from it.
    EXPECT_EQ(snapshots.size(), changed == 1 ? 2U : 1U);
  }
}

TEST(Snapshots, ANameThatIsDamagedIsFoundWhereTheStateIsOnePart) {
  ReplicaOptions options = small_options();
  options.snapshot_chunk_bytes = 1 << 20;
  StateCluster cluster(3, options);
  Wire wire;
  wire.watch(cluster);
  const ServerId behind = leave_one_behind(cluster);
  wire.chunk = [&](SnapshotChunk& chunk) {
    EXPECT_TRUE(chunk.complete);
    if (wire.parts == 1) chunk.name = renamed(chunk.name, "elsewhere:1");
    return true;
  };
  cluster.start(behind);
  cluster.advance(2'000 * kMs);
  EXPECT_EQ(wire.parts, 2U);
  EXPECT_TRUE(cluster.same_everywhere());
  EXPECT_EQ(cluster.replica(behind).raft()->configuration(),
            cluster.replica(cluster.leader()).raft()->configuration());
}

TEST(Snapshots, ASenderThatStartsAgainSendsAnother) {
  StateCluster cluster(3);
  Wire wire;
  wire.watch(cluster);
  const ServerId behind = leave_one_behind(cluster);
  const ServerId sender = cluster.leader();
  wire.chunk = [&](SnapshotChunk&) { return wire.parts != 4; };
  cluster.start(behind);
  cluster.advance(100 * kMs);
  ASSERT_GE(wire.parts, 4U);
  cluster.kill(sender);
  cluster.start(sender);
  cluster.elect();
  cluster.advance(5'000 * kMs);
  EXPECT_TRUE(cluster.same_everywhere());
}

TEST(Snapshots, AreTakenFromAnotherWhereTheLeadersCheckpointCannotBeRead) {
  StateCluster cluster(3);
  const ServerId behind = leave_one_behind(cluster), leader = cluster.leader();
  std::map<ServerId, size_t> begun;
  cluster.set_filter([&begun](PeerMessage& message) {
    const auto* fetch = std::get_if<SnapshotFetch>(&message.body);
    if (fetch != nullptr && fetch->snapshot == 0) ++begun[message.to];
    return true;
  });
  cluster.node(leader).store.rot();
  cluster.start(behind);
  cluster.advance(100 * kMs);
  EXPECT_EQ(begun[leader], 1U) << "it is asked again at once, and says the same";
  cluster.advance(5'000 * kMs);
  EXPECT_TRUE(cluster.same_everywhere());
  EXPECT_EQ(begun[leader], 2U);
  const auto tells = [&cluster](ServerId server, std::string_view what) {
    return std::count_if(cluster.node(server).log.begin(), cluster.node(server).log.end(),
                         [&](const std::string& line) { return line.find(what) != std::string::npos; });
  };
  EXPECT_EQ(tells(leader, "cannot be read, so this server could not start again: a block of the store"), 1);
  EXPECT_EQ(tells(behind, "does not go on with the state: it cannot be read"), 2);
}

TEST(Snapshots, ANewLeaderIsAskedWhenTheOldOneDoesNotAnswer) {
  StateCluster cluster(3);
  Wire wire;
  wire.watch(cluster);
  const ServerId behind = leave_one_behind(cluster);
  const ServerId old_leader = cluster.leader();
  wire.chunk = [&](SnapshotChunk&) { return wire.parts != 4; };
  cluster.start(behind);
  cluster.advance(100 * kMs);
  cluster.kill(old_leader);
  // Two of three: the one that is behind votes, and cannot lead the other's log away.
  cluster.elect();
  cluster.advance(5'000 * kMs);
  ASSERT_NE(cluster.leader(), ServerId());
  EXPECT_EQ(cluster.replica(behind).state().state_hash(),
            cluster.replica(cluster.leader()).state().state_hash());
  EXPECT_EQ(cluster.replica(behind).state().applied(), cluster.replica(cluster.leader()).state().applied());
}

TEST(Snapshots, AReceiverThatStartsAgainBeginsAnew) {
  StateCluster cluster(3);
  Wire wire;
  wire.watch(cluster);
  const ServerId behind = leave_one_behind(cluster);
  wire.chunk = [&](SnapshotChunk&) { return wire.parts != 5; };
  cluster.start(behind);
  cluster.advance(100 * kMs);
  cluster.kill(behind);
  cluster.start(behind);
  cluster.advance(2'000 * kMs);
  EXPECT_TRUE(cluster.same_everywhere());
  // One asker has one snapshot.
  EXPECT_LE(cluster.node(cluster.leader()).store.snapshots_open(), 1U);
}

TEST(Snapshots, TheEndOfTheProcessBehindTheSwitchLosesNothing) {
  StateCluster cluster(3);
  const ServerId behind = leave_one_behind(cluster);
  cluster.start(behind);
  cluster.stall_disk(behind);
  cluster.advance(1'000 * kMs);
  // The store has the new state; the log on disk still ends where it did.
  ASSERT_GT(cluster.node(behind).store.name()->index, Index(300));
  ASSERT_LT(cluster.node(behind).disk->snapshot_index, Index(100));
  cluster.kill(behind);
  cluster.resume_disk(behind);
  cluster.start(behind);
  cluster.fill(5);
  cluster.advance(500 * kMs);
  EXPECT_TRUE(cluster.same_everywhere());
}

// A checkpoint whose next slice is due waits meanwhile, and asks nobody to come back at once.
TEST(Snapshots, AServerThatWaitsForItsStoreDoesNotSpin) {
  ReplicaOptions options = small_options();
  options.capture_pause = 10'000 * kMs;
  StateCluster cluster(3, options);
  cluster.spread(100'000);
  cluster.fill(250);
  const ServerId behind = cluster.follower();
  cluster.cut(behind);
  cluster.fill(1'200);
  Wire wire;
  wire.watch(cluster);
  wire.chunk = [&](SnapshotChunk& chunk) {
    if (chunk.complete) cluster.stall_store(behind);
    return true;
  };
  cluster.heal(behind);
  cluster.advance(2 * options.capture_pause);
  ASSERT_TRUE(cluster.replica(behind).status().receiving);
  EXPECT_GT(cluster.replica(behind).deadline(), cluster.now().instant);
}

TEST(Snapshots, AStateThatProvesDamagedIsNotUsed) {
  StateCluster cluster(3);
  const ServerId behind = leave_one_behind(cluster);
  cluster.node(behind).store.damage_next();
  cluster.start(behind);
  const uint64_t before = cluster.replica(behind).state().state_hash();
  cluster.advance(1'000 * kMs);
  EXPECT_EQ(cluster.replica(behind).state().state_hash(), before);
  cluster.advance(kAfterDamage + 1'000 * kMs);
  EXPECT_TRUE(cluster.same_everywhere());
}

TEST(Snapshots, ClientsAreSentAwayWhenTheStateIsReplaced) {
  StateCluster cluster(3);
  cluster.fill(20);
  const ServerId behind = cluster.follower();
  const ConnectionId client(5);
  ASSERT_EQ(cluster.open(behind, client, 60'000).code, ErrorCode::kOk);
  cluster.cut(behind);
  cluster.fill(1'200);
  const uint64_t read = cluster.send(behind, client, GetRequest{"/node1"});
  cluster.heal(behind);
  cluster.advance(2'000 * kMs);
  EXPECT_TRUE(cluster.same_everywhere());
  EXPECT_TRUE(cluster.node(behind).closed.contains(client));
  EXPECT_FALSE(cluster.reply(behind, client, read).has_value());
  cluster.send(behind, client, GetRequest{"/node1"});
  cluster.settle();
  cluster.replica(behind).step(cluster.now(), ClientLost{client});
  // It attaches again, and everything is there.
  const ClientReply got = cluster.call(behind, ConnectionId(6), GetRequest{"/node1"});
  const auto* node = std::get_if<NodeReply>(&got.body);
  ASSERT_NE(node, nullptr);
  EXPECT_EQ(node->data.substr(0, 5), "write");
}

// The command that rebuilds a state takes it away, and keeps log, term and vote.
TEST(Snapshots, AServerWithoutAStateGetsOneAndServesNothingBefore) {
  StateCluster cluster(3);
  cluster.fill(600);
  const ServerId rebuilt = cluster.follower();
  ASSERT_GT(cluster.replica(rebuilt).raft()->log().snapshot_index(), Index());
  cluster.kill(rebuilt);
  cluster.node(rebuilt).store.discard();
  cluster.set_filter(
      [](PeerMessage& message) { return !std::holds_alternative<SnapshotChunk>(message.body); });
  cluster.start(rebuilt);
  cluster.fill(20);
  EXPECT_TRUE(cluster.replica(rebuilt).status().receiving);
  EXPECT_EQ(cluster.replica(rebuilt).state().applied(), Index());
  EXPECT_EQ(cluster.call(rebuilt, ConnectionId(5), GetRequest{"/node1"}).error.code, ErrorCode::kUnavailable);
  EXPECT_EQ(cluster.open(rebuilt, ConnectionId(5)).code, ErrorCode::kUnavailable);
  // Its log counts meanwhile.
  EXPECT_EQ(cluster.replica(rebuilt).raft()->durable_index(),
            cluster.replica(rebuilt).raft()->log().last_index());
  cluster.set_filter(nullptr);
  cluster.advance(1'000 * kMs);
  EXPECT_FALSE(cluster.replica(rebuilt).status().receiving);
  EXPECT_TRUE(cluster.same_everywhere());
  cluster.advance(500 * kMs);
  EXPECT_EQ(cluster.open(rebuilt, ConnectionId(6)).code, ErrorCode::kOk);
}

TEST(Snapshots, AServerWithoutAStateDoesNotLead) {
  StateCluster cluster(3);
  cluster.fill(600);
  const ServerId rebuilt = cluster.follower();
  cluster.kill(rebuilt);
  cluster.node(rebuilt).store.discard();
  cluster.set_filter(
      [](PeerMessage& message) { return !std::holds_alternative<SnapshotChunk>(message.body); });
  cluster.start(rebuilt);
  cluster.fill(5);
  for (int i = 0; i < 5; ++i) {
    const ServerId leader = cluster.elect();
    ASSERT_NE(leader, rebuilt);
    cluster.kill(leader);
    cluster.advance(400 * kMs);
    EXPECT_FALSE(cluster.replica(rebuilt).raft()->is_leader());
    cluster.start(leader);
  }
  cluster.set_filter(nullptr);
  cluster.advance(5'000 * kMs);
  EXPECT_TRUE(cluster.same_everywhere());
}

TEST(Snapshots, AWipedServerJoinsAClusterWhoseLogWasCut) {
  StateCluster cluster(3);
  cluster.fill(600);
  const ServerId wiped = cluster.follower();
  cluster.kill(wiped);
  cluster.wipe(wiped);
  cluster.start(wiped);
  cluster.advance(2'000 * kMs);
  ASSERT_NE(cluster.replica(wiped).raft(), nullptr);
  EXPECT_TRUE(cluster.same_everywhere());
  EXPECT_FALSE(cluster.replica(wiped).raft()->may_vote());
  EXPECT_EQ(cluster.replica(wiped).raft()->configuration(),
            cluster.replica(cluster.leader()).raft()->configuration());
}

TEST(Snapshots, ARestoredStateIsBelowTheFirstEntryAndReachesWhoeverJoins) {
  StateCluster before(1);
  before.fill(100);
  // What a restore makes of a backup.
  FakeStore backup;
  auto state = std::make_shared<kv::StateMachine>();
  StateName name;
  name.cluster = ClusterId(4711);
  name.state_hash = state->state_hash() + 1;
  ReplicaOptions options = small_options();
  options.raft.id = ServerId(1);
  options.raft.incarnation = Incarnation(5);
  options.raft.boot = BootNonce(6);
  options.plan = {{ServerId(1), "one:1"}};
  Now now{Instant(std::chrono::seconds(10)), 0};
  Replica replica(options, {std::nullopt, ReceivedState{name, state}}, 1, now);
  replica.step(now, Tick{});
  Output out = replica.take_output();
  ASSERT_EQ(out.create_log, ClusterId(4711));
  ASSERT_EQ(out.entries.size(), 1U);
  const auto configuration = read_founding(out.entries.front());
  ASSERT_TRUE(configuration.ok());
  EXPECT_EQ(configuration->base_state, name.state_hash);
  // Who has the entry and not the state gets the state first.
  raft::Recovered log;
  log.hard_state = *out.hard_state;
  log.entries = out.entries;
  Replica joiner(options, {log, std::nullopt}, 1, now);
  EXPECT_TRUE(joiner.status().receiving);
  Replica member(options, {log, ReceivedState{name, std::make_shared<kv::StateMachine>()}}, 1, now);
  EXPECT_FALSE(member.status().receiving);
}

// ---- the two sides alone

const ServerId kAsker(2), kOther(3);

SnapshotFetch fetch_of(uint64_t snapshot, std::string after = "") {
  return {BootNonce(9), snapshot, std::move(after), Index(1)};
}
StoreDone part_of(uint64_t job, bool complete = false) {
  SnapshotPart part;
  part.name.index = Index(10);
  part.last_key = "k";
  part.records = Bytes(std::string("records"));
  part.complete = complete;
  return {job, {}, part};
}

TEST(SnapshotSender, ReadsOnePartForOneAskerAtATime) {
  StoreJobs jobs;
  SnapshotSender sender(jobs, 1, 100);
  sender.fetch(kAsker, fetch_of(0), Index(5), Instant());
  sender.fetch(kAsker, fetch_of(0), Index(5), Instant());
  const auto first = jobs.take();
  ASSERT_EQ(first.size(), 1U);
  ASSERT_TRUE(sender.done(part_of(first[0].id), Term(3)));
  const auto sent = sender.take_messages();
  ASSERT_EQ(sent.size(), 1U);
  EXPECT_EQ(sent[0].first, kAsker);
  EXPECT_EQ(sent[0].second.term, Term(3));
  EXPECT_EQ(sent[0].second.checksum, checksum64("records"));
  EXPECT_FALSE(sender.done(part_of(first[0].id), Term(3)));
  // The answer was lost: the same snapshot serves the same first question.
  sender.fetch(kAsker, fetch_of(0), Index(5), Instant());
  const auto again = jobs.take();
  ASSERT_EQ(again.size(), 1U);
  EXPECT_EQ(std::get<ReadSnapshot>(again[0].body).snapshot, sent[0].second.snapshot);
}

TEST(SnapshotSender, SaysSoWhenThereIsNoSuchSnapshot) {
  StoreJobs jobs;
  SnapshotSender sender(jobs, 1, 100);
  sender.fetch(kAsker, fetch_of(77, "k"), Index(5), Instant());
  const auto sent = sender.take_messages();
  ASSERT_EQ(sent.size(), 1U);
  EXPECT_EQ(sent[0].second.error.code, ErrorCode::kUnavailable);
  EXPECT_EQ(sent[0].second.after, "k");
  EXPECT_TRUE(jobs.take().empty());
}

TEST(SnapshotSender, ClosesWhatNobodyAsksFor) {
  StoreJobs jobs;
  SnapshotSender sender(jobs, 1, 100);
  sender.fetch(kAsker, fetch_of(0), Index(5), Instant());
  EXPECT_EQ(sender.oldest(), Index(5));
  sender.done(part_of(jobs.take()[0].id), Term(1));
  EXPECT_EQ(sender.oldest(), Index(10));
  EXPECT_EQ(sender.deadline(), Instant() + kSnapshotIdle);
  sender.tick(Instant() + kSnapshotIdle - Duration(1));
  EXPECT_EQ(sender.open(), 1U);
  sender.tick(Instant() + kSnapshotIdle);
  EXPECT_EQ(sender.open(), 0U);
  EXPECT_EQ(sender.oldest(), std::nullopt);
  const auto closed = jobs.take();
  ASSERT_EQ(closed.size(), 1U);
  EXPECT_TRUE(std::holds_alternative<CloseSnapshot>(closed[0].body));
}

TEST(SnapshotSender, HasALimitAndPrefersThoseThatAreNotDone) {
  StoreJobs jobs;
  SnapshotSender sender(jobs, 1, 100);
  for (uint32_t i = 0; i < kSnapshotsMax; ++i)
    sender.fetch(ServerId(10 + i), fetch_of(0), Index(5), Instant());
  sender.fetch(kOther, fetch_of(0), Index(5), Instant());
  ASSERT_EQ(sender.take_messages().at(0).second.error.code, ErrorCode::kUnavailable);
  const auto reads = jobs.take();
  sender.done(part_of(reads[1].id, true), Term(1));
  sender.fetch(kOther, fetch_of(0), Index(5), Instant());
  EXPECT_EQ(sender.open(), kSnapshotsMax);
  const auto more = jobs.take();
  ASSERT_EQ(more.size(), 2U);
  EXPECT_TRUE(std::holds_alternative<CloseSnapshot>(more[0].body));
  EXPECT_TRUE(std::holds_alternative<ReadSnapshot>(more[1].body));
}

}  // namespace
}  // namespace quorate::server
