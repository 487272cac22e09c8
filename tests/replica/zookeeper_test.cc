// Clients of ZooKeeper's protocol: the order of their answers, their sessions, their watches.
#include <gtest/gtest.h>

#include "server/replica_zookeeper.h"
#include "tests/replica/zookeeper_fixture.h"

namespace quorate::server::test {
namespace {

TEST_F(ReplicaZookeeper, AnswersLeaveInTheOrderOfTheRequests) {
  form();
  open(follower, kOne);
  // All at once: reads between writes, and a sync, which has to ask the leader.
  ask(follower, kOne, 1, create("/a", "1"));
  for (int32_t i = 0; i < 20; ++i) {
    ask(follower, kOne, 10 * i + 2, zk::GetData{"/a", false});
    ask(follower, kOne, 10 * i + 3, zk::SetData{"/a", std::to_string(i), -1});
    if (i % 5 == 0) ask(follower, kOne, 10 * i + 4, zk::Sync{"/a"});
    ask(follower, kOne, 10 * i + 5, zk::GetData{"/a", false});
  }
  cluster->advance(100 * kMs);
  const auto all = replies(follower, kOne);
  ASSERT_EQ(all.size(), 1U + 20 * 3 + 4);
  int32_t last = 0;
  int64_t zxid = 0;
  for (const zk::Reply& reply : all) {
    EXPECT_GT(reply.xid, last);
    EXPECT_GE(reply.zxid, zxid);
    EXPECT_EQ(reply.error, zk::ErrorCode::kOk);
    last = reply.xid;
    zxid = reply.zxid;
    // A read sees the write before it and none behind it.
    if (reply.xid % 10 == 5) {
      EXPECT_EQ(data_of(reply), std::to_string(reply.xid / 10));
    } else if (reply.xid % 10 == 2 && reply.xid > 2) {
      EXPECT_EQ(data_of(reply), std::to_string(reply.xid / 10 - 1));
    }
  }
}

TEST_F(ReplicaZookeeper, AReadWaitsForItsOwnSessionAlone) {
  form();
  open(follower, kOne);
  open(follower, kTwo);
  cluster->cut(leader);
  ask(follower, kOne, 1, create("/a"));
  ask(follower, kOne, 2, zk::Exists{"/", false});
  ask(follower, kTwo, 1, zk::Exists{"/", false});
  cluster->settle();
  EXPECT_TRUE(replies(follower, kOne).empty());
  EXPECT_EQ(replies(follower, kTwo).size(), 1U);
}

TEST_F(ReplicaZookeeper, WhoSendsMoreThanMayWaitIsReadNoFurther) {
  form();
  open(follower, kOne);
  cluster->cut(leader);
  const auto ask_for = [&](int32_t xid, size_t bytes) {
    cluster->replica(follower).step(cluster->now(),
                                    ZookeeperReceived{{kOne, zk::Request{xid, zk::Sync{"/"}}, bytes}});
    const size_t before = cluster->node(follower).crowded;
    cluster->settle();
    return cluster->node(follower).crowded - before;
  };
  EXPECT_EQ(ask_for(1, kZookeeperQueueBytesMax / 2), 0U);
  EXPECT_EQ(ask_for(2, kZookeeperQueueBytesMax / 2 - 1), 0U);
  EXPECT_EQ(ask_for(3, 1), 1U);
}

TEST_F(ReplicaZookeeper, WritesAreAppliedOnceAcrossAChangeOfLeader) {
  form();
  open(follower, kOne);
  ASSERT_EQ(call(follower, kOne, create("/q")).error, zk::ErrorCode::kOk);
  // What is forwarded is lost on its way until there is another leader.
  cluster->cut(leader);
  for (int32_t i = 0; i < 100; ++i)
    ask(follower, kOne, i + 1, create("/q/s-", "", zk::CreateMode::kPersistentSequential));
  for (int i = 0; i < 2'000 && replies(follower, kOne).size() < 101; ++i) cluster->advance(kMs);
  const auto all = replies(follower, kOne);
  ASSERT_EQ(all.size(), 101U);
  for (int32_t i = 0; i < 100; ++i) {
    EXPECT_EQ(all[i + 1].xid, i + 1);
    char name[32];
    std::snprintf(name, sizeof(name), "/q/s-%010d", i);
    EXPECT_EQ(std::get<zk::CreateReply>(all[i + 1].body).path, name);
  }
}

TEST_F(ReplicaZookeeper, WhatTheLeaderHasNoRoomForIsAskedAgain) {
  ReplicaOptions options;
  options.raft.uncommitted_bytes_max = 16 << 10;
  form(3, options);
  open(follower, kOne);
  for (int32_t i = 0; i < 100; ++i)
    ask(follower, kOne, i + 1, create("/n" + std::to_string(i), std::string(1000, 'x')));
  for (int i = 0; i < 9'000 && replies(follower, kOne).size() < 100; ++i) cluster->advance(kMs);
  const auto all = replies(follower, kOne);
  ASSERT_EQ(all.size(), 100U);
  for (const zk::Reply& reply : all) EXPECT_EQ(reply.error, zk::ErrorCode::kOk);
}

TEST_F(ReplicaZookeeper, AnEventLeavesBeforeWhatShowsItsChange) {
  form();
  open(follower, kOne);
  open(follower, kTwo);
  ASSERT_EQ(call(follower, kOne, create("/a", "old")).error, zk::ErrorCode::kOk);
  ASSERT_EQ(data_of(call(follower, kOne, zk::GetData{"/a", true})), "old");
  ask(follower, kTwo, 1, zk::SetData{"/a", "new", -1});
  for (int32_t i = 0; i < 50; ++i) {
    ask(follower, kOne, 100 + i, zk::GetData{"/a", false});
    cluster->advance(kMs);
  }
  bool told = false;
  for (const ClientMessage& message : cluster->node(follower).inbox[kOne]) {
    told = told || std::holds_alternative<kv::WatchEvent>(message.body);
    const auto* reply = std::get_if<zk::Reply>(&message.body);
    if (reply != nullptr && data_of(*reply) == "new") {
      EXPECT_TRUE(told);
    }
  }
  EXPECT_TRUE(told);
  EXPECT_EQ(data_of(replies(follower, kOne).back()), "new");
}

TEST_F(ReplicaZookeeper, OneEventForADeletionThatTwoWatchesSee) {
  form(1);
  open(leader, kOne);
  call(leader, kOne, create("/a"));
  call(leader, kOne, zk::GetData{"/a", true});
  call(leader, kOne, zk::GetChildren{"/a", true, false});
  call(leader, kOne, zk::Delete{"/a", -1});
  const auto events = cluster->events<kv::WatchEvent>(leader, kOne);
  ASSERT_EQ(events.size(), 1U);
  EXPECT_EQ(events[0].kind, kv::EventKind::kDeleted);
}

// ---- sessions

TEST_F(ReplicaZookeeper, ASessionIsRestoredMovedAndRefused) {
  form();
  const zk::ConnectReply first = open(follower, kOne);
  EXPECT_EQ(first.timeout_ms, 5'000);
  EXPECT_FALSE(first.read_only.has_value());
  call(follower, kOne, create("/e", "", zk::CreateMode::kEphemeral));
  zk::ConnectRequest again;
  again.session = first.session;
  again.password = first.password;
  again.read_only = true;
  const zk::ConnectReply second = open(leader, kTwo, again);
  EXPECT_EQ(second.session, first.session);
  EXPECT_EQ(second.read_only, std::optional(false));
  cluster->advance(50 * kMs);
  EXPECT_TRUE(closed(follower, kOne));
  EXPECT_EQ(call(leader, kTwo, zk::Exists{"/e", false}).error, zk::ErrorCode::kOk);
  again.password[3] ^= 1;
  EXPECT_EQ(open(leader, ConnectionId(3), again).timeout_ms, 0);
  EXPECT_TRUE(closed(leader, ConnectionId(3)));
  again.session = 999'999;
  EXPECT_EQ(open(leader, ConnectionId(4), again).timeout_ms, 0);
  EXPECT_TRUE(closed(leader, ConnectionId(4)));
}

TEST_F(ReplicaZookeeper, AClientAheadOfTheClusterIsSentAway) {
  form();
  zk::ConnectRequest request;
  request.last_zxid_seen = 1'000'000;
  hello(follower, kOne, request);
  EXPECT_FALSE(welcome(follower, kOne).has_value());
  EXPECT_TRUE(closed(follower, kOne));
  EXPECT_EQ(cluster->replica(leader).state().session_count(), 0U);
}

TEST_F(ReplicaZookeeper, ReadsAloneKeepASessionAliveThroughAFollower) {
  form();
  open(follower, kOne, {0, 0, 1'000, 0, {}, {}});
  for (int32_t i = 0; i < 60; ++i) {
    ask(follower, kOne, i + 1, zk::Exists{"/", false});
    cluster->advance(100 * kMs);
  }
  EXPECT_EQ(replies(follower, kOne).size(), 60U);
  EXPECT_FALSE(closed(follower, kOne));
  // Silence ends it.
  cluster->advance(3'000 * kMs);
  EXPECT_TRUE(closed(follower, kOne));
  EXPECT_EQ(cluster->replica(leader).state().session_count(), 0U);
}

TEST_F(ReplicaZookeeper, APingIsAnsweredByWhoHasALeader) {
  form();
  open(follower, kOne);
  EXPECT_EQ(call(follower, kOne, zk::Ping{}).xid, zk::kPingXid);
  cluster->cut(follower);
  ask(follower, kOne, zk::kPingXid, zk::Ping{});
  cluster->advance(4'000 * kMs);
  EXPECT_EQ(replies(follower, kOne).size(), 1U);
  EXPECT_TRUE(closed(follower, kOne));
}

TEST_F(ReplicaZookeeper, WhoSendsNothingButPingsIsHeldBackToo) {
  form();
  open(follower, kOne);
  cluster->cut(follower);
  const auto ping = [&](size_t count) {
    for (size_t i = 0; i < count; ++i) ask(follower, kOne, zk::kPingXid, zk::Ping{});
    cluster->settle();
  };
  const size_t before = cluster->node(follower).crowded;
  ping(kZookeeperQueueMax - 1);
  EXPECT_EQ(cluster->node(follower).crowded, before);
  ping(1);
  EXPECT_EQ(cluster->node(follower).crowded, before + 1);
  cluster->heal(follower);
  const auto answered = [&] { return replies(follower, kOne).size(); };
  for (int i = 0; i < 2'000 && answered() < kZookeeperQueueMax; ++i) cluster->advance(kMs);
  EXPECT_EQ(answered(), kZookeeperQueueMax);
  const size_t until_now = cluster->node(follower).crowded;
  ping(1);
  EXPECT_EQ(cluster->node(follower).crowded, until_now) << "they are answered, and count no more";
}

TEST_F(ReplicaZookeeper, ACloseTakesTheEphemeralsAlong) {
  form();
  open(follower, kOne);
  call(follower, kOne, create("/e", "", zk::CreateMode::kEphemeral));
  EXPECT_EQ(call(follower, kOne, zk::CloseSession{}).error, zk::ErrorCode::kOk);
  EXPECT_TRUE(closed(follower, kOne));
  cluster->advance(50 * kMs);
  EXPECT_EQ(cluster->replica(leader).state().get("/e").code(), ErrorCode::kNoNode);
}

// ---- watches of a connection before this one

TEST_F(ReplicaZookeeper, SetWatchesFiresWhatWasMissed) {
  form(1);
  open(leader, kOne);
  for (const char* path : {"/set", "/gone", "/same", "/parent"}) call(leader, kOne, create(path));
  const int64_t seen = replies(leader, kOne).back().zxid;
  call(leader, kOne, zk::SetData{"/set", "x", -1});
  call(leader, kOne, zk::Delete{"/gone", -1});
  call(leader, kOne, create("/parent/child"));
  call(leader, kOne, create("/new"));
  open(leader, kTwo);
  zk::SetWatches again;
  again.relative_zxid = seen;
  again.data = {"/set", "/gone", "/same"};
  again.exists = {"/new", "/later"};
  again.children = {"/parent", "/same"};
  EXPECT_EQ(call(leader, kTwo, again).error, zk::ErrorCode::kOk);
  std::vector<std::pair<kv::EventKind, std::string>> told;
  for (const auto& event : cluster->events<kv::WatchEvent>(leader, kTwo)) {
    EXPECT_EQ(event.zxid, Zxid());
    told.emplace_back(event.kind, event.path);
  }
  EXPECT_EQ(told, (std::vector<std::pair<kv::EventKind, std::string>>{
                      {kv::EventKind::kDataChanged, "/set"},
                      {kv::EventKind::kDeleted, "/gone"},
                      {kv::EventKind::kCreated, "/new"},
                      {kv::EventKind::kChildrenChanged, "/parent"}}));
  call(leader, kOne, create("/later"));
  EXPECT_EQ(cluster->events<kv::WatchEvent>(leader, kTwo).size(), 5U);
}

TEST_F(ReplicaZookeeper, PersistentWatchesAreToldWhatTheyMissed) {
  form(1);
  open(leader, kOne);
  for (const char* path : {"/t", "/t/set", "/t/gone", "/p"}) call(leader, kOne, create(path));
  const int64_t seen = replies(leader, kOne).back().zxid;
  call(leader, kOne, create("/t/new"));
  call(leader, kOne, create("/t/passing"));
  call(leader, kOne, zk::SetData{"/t/set", "x", -1});
  call(leader, kOne, zk::SetData{"/t/set", "y", -1});
  call(leader, kOne, zk::Delete{"/t/gone", -1});
  call(leader, kOne, zk::Delete{"/t/passing", -1});
  call(leader, kOne, create("/p/child"));
  open(leader, kTwo);
  zk::SetWatches again;
  again.second = true;
  again.relative_zxid = seen;
  again.recursive = {"/t"};
  again.persistent = {"/p"};
  EXPECT_EQ(call(leader, kTwo, again).error, zk::ErrorCode::kOk);
  std::vector<std::pair<kv::EventKind, std::string>> told;
  for (const auto& event : cluster->events<kv::WatchEvent>(leader, kTwo))
    told.emplace_back(event.kind, event.path);
  EXPECT_EQ(told,
            (std::vector<std::pair<kv::EventKind, std::string>>{{kv::EventKind::kCreated, "/t/new"},
                                                                {kv::EventKind::kDataChanged, "/t/set"},
                                                                {kv::EventKind::kDeleted, "/t/gone"},
                                                                {kv::EventKind::kChildrenChanged, "/p"}}));
  call(leader, kOne, zk::SetData{"/t/new", "z", -1});
  EXPECT_EQ(cluster->events<kv::WatchEvent>(leader, kTwo).size(), 5U);
}

TEST_F(ReplicaZookeeper, WatchesAreFoundAndRemovedByTheirPath) {
  form(1);
  open(leader, kOne);
  call(leader, kOne, zk::Exists{"/a", true});
  EXPECT_EQ(call(leader, kOne, zk::CheckWatches{"/a", 2}).error, zk::ErrorCode::kOk);
  EXPECT_EQ(call(leader, kOne, zk::CheckWatches{"/a", 1}).error, zk::ErrorCode::kNoWatcher);
  EXPECT_EQ(call(leader, kOne, zk::RemoveWatches{"/a", 3}).error, zk::ErrorCode::kOk);
  EXPECT_EQ(call(leader, kOne, zk::RemoveWatches{"/a", 3}).error, zk::ErrorCode::kNoWatcher);
  call(leader, kOne, create("/a"));
  EXPECT_TRUE(cluster->events<kv::WatchEvent>(leader, kOne).empty());
}

// ---- what is answered in words of its own

TEST_F(ReplicaZookeeper, OperationsThatThereAreNotAreAnswered) {
  form(1);
  open(leader, kOne);
  EXPECT_EQ(call(leader, kOne, zk::Unknown{4711}).error, zk::ErrorCode::kUnimplemented);
  EXPECT_EQ(call(leader, kOne, zk::Unknown{20}).error, zk::ErrorCode::kUnimplemented);
  EXPECT_EQ(call(leader, kOne, zk::Reconfig{}).error, zk::ErrorCode::kReconfigDisabled);
  EXPECT_EQ(call(leader, kOne, zk::Exists{"/", false}).error, zk::ErrorCode::kOk);
  EXPECT_FALSE(closed(leader, kOne));
}

TEST_F(ReplicaZookeeper, AMultiTellsOfEachOperation) {
  form(1);
  open(leader, kOne);
  const zk::Reply done =
      call(leader, kOne,
           zk::Multi{{create("/a"), zk::SetData{"/a", "x", 0}, zk::Check{"/a", 1}, zk::Delete{"/a", 1}}});
  const auto& results = std::get<zk::MultiReply>(done.body).results;
  ASSERT_EQ(results.size(), 4U);
  EXPECT_EQ(std::get<zk::CreateReply>(results[0].body).path, "/a");
  EXPECT_EQ(std::get<zk::StatReply>(results[1].body).stat.version, 1);
  EXPECT_EQ(results[2].op, zk::OpCode::kCheck);
  EXPECT_EQ(results[3].op, zk::OpCode::kDelete);
  const zk::Reply refused =
      call(leader, kOne, zk::Multi{{create("/a"), zk::Delete{"/none", -1}, create("/b")}});
  EXPECT_EQ(refused.error, zk::ErrorCode::kOk);
  std::vector<zk::ErrorCode> codes;
  for (const zk::MultiResult& result : std::get<zk::MultiReply>(refused.body).results) {
    EXPECT_EQ(result.op, zk::OpCode::kError);
    codes.push_back(result.error);
  }
  EXPECT_EQ(codes, (std::vector<zk::ErrorCode>{zk::ErrorCode::kOk, zk::ErrorCode::kNoNode,
                                               zk::ErrorCode::kRuntimeInconsistency}));
}

TEST_F(ReplicaZookeeper, TheNodesOfZooKeeperItself) {
  form(1);
  open(leader, kOne);
  const auto root = std::get<zk::ChildrenReply>(call(leader, kOne, zk::GetChildren{"/", false, true}).body);
  EXPECT_EQ(root.names, std::vector<std::string>{"zookeeper"});
  EXPECT_EQ(root.stat->num_children, 1);
  EXPECT_EQ(root.stat->cversion, -1);
  EXPECT_EQ(call(leader, kOne, create("/zookeeper")).error, zk::ErrorCode::kNodeExists);
  const zk::CreateMode sequential = zk::CreateMode::kPersistentSequential;
  const zk::Reply beside = call(leader, kOne, create("/zookeeper", "", sequential));
  ASSERT_EQ(beside.error, zk::ErrorCode::kOk) << "it is no node of ZooKeeper's own";
  EXPECT_EQ(std::get<zk::CreateReply>(beside.body).path, "/zookeeper0000000000");
  zk::Multi many;
  many.parts.emplace_back(create("/zookeeper", "", sequential));
  const auto both = std::get<zk::MultiReply>(call(leader, kOne, many).body);
  EXPECT_EQ(std::get<zk::CreateReply>(both.results.at(0).body).path, "/zookeeper0000000001");
  EXPECT_EQ(call(leader, kOne, zk::Delete{"/zookeeper", -1}).error, zk::ErrorCode::kBadArguments);
  EXPECT_EQ(call(leader, kOne, zk::SetData{"/zookeeper/config", "", -1}).error, zk::ErrorCode::kNoAuth);
  EXPECT_TRUE(data_of(call(leader, kOne, zk::GetData{"/zookeeper/config", true})).starts_with("server.1="));
}

// A client that goes by these lines must not forget a server: no address is told before all are known.
TEST_F(ReplicaZookeeper, TheConfigurationTellsWhereClientsConnect) {
  form();
  open(follower, kOne);
  const auto heard = [this](uint32_t server) {
    const std::string address = "host" + std::to_string(server) + ":2181";
    cluster->replica(follower).step(cluster->now(), AddressHeard{ServerId(server), address});
    cluster->settle();
  };
  const auto told = [this] { return cluster->events<kv::WatchEvent>(follower, kOne); };
  const std::string before =
      "server.1=host1:7000:7001:participant\n"
      "server.2=host2:7000:7001:participant\n"
      "server.3=host3:7000:7001:participant\n"
      "version=0";
  EXPECT_EQ(data_of(call(follower, kOne, zk::GetData{"/zookeeper/config", true})), before);
  heard(3);
  heard(1);
  EXPECT_EQ(data_of(call(follower, kOne, zk::GetData{"/zookeeper/config", false})), before);
  EXPECT_TRUE(told().empty());
  heard(2);
  const auto reply = call(follower, kOne, zk::GetData{"/zookeeper/config", true});
  EXPECT_EQ(data_of(reply),
            "server.1=host1:7000:7001:participant;host1:2181\n"
            "server.2=host2:7000:7001:participant;host2:2181\n"
            "server.3=host3:7000:7001:participant;host3:2181\n"
            "version=0");
  EXPECT_EQ(std::get<zk::DataReply>(reply.body).stat.data_length, static_cast<int>(data_of(reply).size()));
  ASSERT_EQ(told().size(), 1U);
  EXPECT_EQ(told()[0].path, "/zookeeper/config");
  EXPECT_EQ(told()[0].kind, kv::EventKind::kDataChanged);
  heard(2);
  EXPECT_EQ(told().size(), 1U) << "nothing new";
}

// While there is no leader a client tries one server, then another.
TEST_F(ReplicaZookeeper, AnAttachOfAConnectionThatIsGoneTakesNoSessionFromTheNext) {
  form(3);
  const zk::ConnectReply session = open(leader, kOne);
  const SessionId id(static_cast<uint64_t>(session.session));
  const auto epoch = [&](ServerId server) { return cluster->replica(server).state().session(id)->epoch; };
  const uint32_t before = epoch(leader);
  const ServerId gone = leader;
  std::vector<ServerId> left;
  for (const auto& [server, node] : cluster->nodes()) {
    if (server != gone) left.push_back(server);
  }
  cluster->advance(200 * kMs);  // all have applied it
  cluster->kill(gone);
  zk::ConnectRequest again;
  again.session = session.session;
  again.password = session.password;
  hello(left[0], kTwo, again);
  cluster->replica(left[0]).step(cluster->now(), ClientLost{kTwo});
  hello(left[1], kThree, again);
  ASSERT_NE(cluster->elect(), ServerId());
  cluster->advance(1'000 * kMs);
  ASSERT_TRUE(welcome(left[1], kThree).has_value());
  EXPECT_FALSE(closed(left[1], kThree));
  EXPECT_EQ(epoch(left[1]), before + 1);
}

TEST_F(ReplicaZookeeper, AWriteThatCouldNeverHaveRoomIsRefused) {
  ReplicaOptions options;
  options.raft.uncommitted_bytes_max = 64 << 10;
  form(3, options);
  open(follower, kOne);
  EXPECT_EQ(call(follower, kOne, create("/a", std::string(60 << 10, 'x'))).error,
            zk::ErrorCode::kBadArguments);
  EXPECT_EQ(call(follower, kOne, create("/b", std::string(55 << 10, 'x'))).error, zk::ErrorCode::kOk);
}

TEST_F(ReplicaZookeeper, TimeoutsAreNegotiatedWithinTheLimits) {
  ReplicaOptions options;
  options.session_timeout_min_ms = 4'000;
  options.session_timeout_max_ms = 40'000;
  form(1, options);
  uint64_t connection = 10;
  for (const auto& [asked, granted] : std::vector<std::pair<int32_t, int32_t>>{{-1, 4'000},
                                                                               {1, 4'000},
                                                                               {4'000, 4'000},
                                                                               {10'000, 10'000},
                                                                               {40'001, 40'000},
                                                                               {INT32_MAX, 40'000}}) {
    zk::ConnectRequest request;
    request.timeout_ms = asked;
    EXPECT_EQ(open(leader, ConnectionId(connection++), request).timeout_ms, granted) << asked;
  }
}

TEST_F(ReplicaZookeeper, CredentialsCountFromTheNextRequestOn) {
  form(1);
  open(leader, kOne);
  ask(leader, kOne, zk::kAuthXid, zk::Auth{0, "digest", "anna:secret"});
  zk::Create mine = create("/mine", "x");
  mine.acl = {{31, "auth", ""}};
  EXPECT_EQ(call(leader, kOne, mine).error, zk::ErrorCode::kOk);
  open(leader, kTwo);
  EXPECT_EQ(call(leader, kTwo, zk::GetData{"/mine", false}).error, zk::ErrorCode::kNoAuth);
  const auto who = std::get<zk::WhoAmIReply>(call(leader, kOne, zk::WhoAmI{}).body).who;
  EXPECT_EQ(who, (std::vector<zk::WhoAmIReply::Who>{{"ip", "10.0.0.1"}, {"digest", "anna"}}));
  // As ZooKeeper, a proof without a colon is a user, and a password, too.
  EXPECT_EQ(call(leader, kTwo, zk::Auth{0, "digest", "word"}).error, zk::ErrorCode::kOk);
  zk::Create word = create("/word");
  word.acl = {{31, "digest", "word:PLzZCtxLGSqHpiWFC38jHK3fDrM="}};
  EXPECT_EQ(call(leader, kTwo, word).error, zk::ErrorCode::kOk);
  EXPECT_EQ(call(leader, kTwo, zk::GetData{"/word", false}).error, zk::ErrorCode::kOk);
  EXPECT_EQ(call(leader, kTwo, zk::Auth{0, "nothing", "x"}).error, zk::ErrorCode::kAuthFailed);
  EXPECT_TRUE(closed(leader, kTwo));
}

// Alone and in a multi; Quorate's own clients see empty data.
TEST_F(ReplicaZookeeper, DataThatIsNullIsNotEmpty) {
  form(1);
  open(leader, kOne);
  const auto is_null = [this](const std::string& path) {
    const auto reply = call(leader, kOne, zk::GetData{path, false});
    const auto& data = std::get<zk::DataReply>(reply.body);
    EXPECT_EQ(data.data, "");
    EXPECT_EQ(data.stat.data_length, 0);
    return data.null_data;
  };
  zk::Create null = create("/null");
  null.null_data = true;
  call(leader, kOne, null);
  call(leader, kOne, create("/empty"));
  EXPECT_TRUE(is_null("/null"));
  EXPECT_FALSE(is_null("/empty"));
  zk::Multi multi;
  multi.parts.emplace_back(zk::SetData{"/null", "", 0});
  multi.parts.emplace_back(zk::SetData{"/empty", "", 0, true});
  null.path = "/third";
  multi.parts.emplace_back(null);
  call(leader, kOne, multi);
  EXPECT_FALSE(is_null("/null"));
  EXPECT_TRUE(is_null("/empty"));
  EXPECT_TRUE(is_null("/third"));
  // What is taken back is as it was.
  multi.parts = {zk::SetData{"/null", "", 1, true}, zk::SetData{"/third", "x", 0}, zk::Check{"/nothing", -1}};
  call(leader, kOne, multi);
  EXPECT_FALSE(is_null("/null"));
  EXPECT_TRUE(is_null("/third"));
  call(leader, kOne, zk::SetData{"/empty", "x", -1});
  call(leader, kOne, zk::SetData{"/empty", "", -1, true});
  EXPECT_TRUE(is_null("/empty"));
}

}  // namespace
}  // namespace quorate::server::test
