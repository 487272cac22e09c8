// Every limit of the whole, reached, and everything that has to go on then, in both protocols.
#include <gtest/gtest.h>

#include <functional>

#include "tests/replica/zookeeper_fixture.h"

namespace quorate::server::test {
namespace {

enum class Goes { kDelete, kRelease, kClose, kPing, kAttach };
constexpr Goes kAllGo[] = {Goes::kDelete, Goes::kRelease, Goes::kClose, Goes::kPing, Goes::kAttach};
constexpr const char* kNames[] = {"a delete", "a release", "a close", "a ping", "an attach"};

// Native connections: one that is to go on, one that grows; and the same of ZooKeeper's.
const ConnectionId kNative(1), kGrowing(2), kAgain(3), kZookeeper(11), kZookeeperGrowing(12),
    kZookeeperAgain(13);

struct Limit;

class ReachedLimit : public ReplicaZookeeper {
 public:
  void reach(const Limit& limit);
  // Until it is refused, or 1,000 times.
  ErrorCode grow_until_refused();
  // What a client of ZooKeeper's is answered that grows; nothing if it is kept waiting.
  std::optional<zk::ErrorCode> grow_zookeeper();
  void expect_goes_on(Goes what);
  void expect_goes_on_in_zookeeper(Goes what);

  ErrorCode write(ConnectionId connection, kv::Operation operation) {
    const uint64_t number = ++numbers[connection];
    const uint64_t id = cluster->send(leader, connection, WriteRequest{number, 1, std::move(operation)});
    cluster->settle();
    const auto reply = cluster->reply(leader, connection, id);
    const ErrorCode code = reply ? reply->error.code : ErrorCode::kOk;  // it was taken, and waits
    if (code == ErrorCode::kLimitReached || code == ErrorCode::kOverloaded) --numbers[connection];
    return code;
  }
  uint64_t last_index() { return cluster->replica(leader).raft()->log().last_index().value(); }
  void let_the_disk_write() {
    cluster->resume_disk(leader);
    cluster->settle();
  }

  const Limit* limit = nullptr;
  std::map<ConnectionId, uint64_t> numbers;
  kv::Outcome native;
  zk::ConnectReply session;
  std::string lock;
  int grown = 0;
};

struct Limit {
  const char* name;
  void (*set)(ReplicaOptions& options);
  ErrorCode refused;
  // Nothing: a client of ZooKeeper's is kept waiting, because nobody tells it to ask again.
  std::optional<zk::ErrorCode> refused_zookeeper;
  enum class By { kCreates, kData, kSessions, kWatches, kOwnWatches, kUncommitted } by;
};

const std::vector<Limit>& limits() {
  using By = Limit::By;
  constexpr auto kReached = ErrorCode::kLimitReached;
  constexpr auto kQuota = zk::ErrorCode::kQuotaExceeded;
  static const std::vector<Limit> kLimits = {
      {"nodes_max", [](auto& o) { o.nodes_max = 20; }, kReached, kQuota, By::kCreates},
      {"data_bytes_max", [](auto& o) { o.data_bytes_max = 500; }, kReached, kQuota, By::kData},
      {"sessions_max", [](auto& o) { o.sessions_max = 4; }, kReached, zk::ErrorCode::kSessionExpired,
       By::kSessions},
      {"watches_max", [](auto& o) { o.watches.watches_max = 10; }, kReached, kQuota, By::kWatches},
      {"per_connection_max", [](auto& o) { o.watches.per_connection_max = 10; }, kReached, kQuota,
       By::kOwnWatches},
      {"uncommitted_bytes_max", [](auto& o) { o.raft.uncommitted_bytes_max = 8 << 10; },
       ErrorCode::kOverloaded, std::nullopt, By::kUncommitted},
  };
  return kLimits;
}

void ReachedLimit::reach(const Limit& which) {
  limit = &which;
  ReplicaOptions options;
  which.set(options);
  form(1, options);
  native = cluster->open(leader, kNative);
  ASSERT_EQ(native.code, ErrorCode::kOk);
  ASSERT_EQ(cluster->open(leader, kGrowing).code, ErrorCode::kOk);
  session = open(leader, kZookeeper);
  open(leader, kZookeeperGrowing);
  ASSERT_EQ(write(kNative, kv::CreateOp{"/spare", "x"}), ErrorCode::kOk);
  const uint64_t number = ++numbers[kNative];
  const ClientReply held = cluster->call(leader, kNative, WriteRequest{number, 1, kv::AcquireOp{"/lock"}});
  ASSERT_EQ(held.error.code, ErrorCode::kOk);
  lock = std::get<kv::Outcome>(held.body).path;
  for (const zk::Create& made :
       {create("/zookeepers"), create("/zookeepers/spare", "x"), create("/zookeepers/lock"),
        create("/zookeepers/lock/x-", "", zk::CreateMode::kEphemeralSequential)})
    ASSERT_EQ(call(leader, kZookeeper, made).error, zk::ErrorCode::kOk);
  if (which.by == Limit::By::kUncommitted) cluster->stall_disk(leader);
  ASSERT_EQ(grow_until_refused(), which.refused);
  ASSERT_EQ(grow_zookeeper(), which.refused_zookeeper);
}

ErrorCode ReachedLimit::grow_until_refused() {
  for (int i = 0; i < 1'000; ++i) {
    ErrorCode code = ErrorCode::kOk;
    const std::string path = "/grown" + std::to_string(++grown);
    switch (limit->by) {
      case Limit::By::kCreates:
      case Limit::By::kUncommitted:
        code = write(kGrowing, kv::CreateOp{path, ""});
        break;
      case Limit::By::kData:
        code = write(kGrowing, kv::CreateOp{path, std::string(50, 'x')});
        break;
      case Limit::By::kSessions:
        code = cluster->open(leader, ConnectionId(1'000 + grown)).code;
        break;
      case Limit::By::kWatches:
        code = cluster->call(leader, kGrowing, GetRequest{path, false, uint64_t(grown)}).error.code;
        break;
      case Limit::By::kOwnWatches:
        code = cluster->call(leader, kNative, GetRequest{path, false, uint64_t(grown)}).error.code;
        break;
    }
    if (code != ErrorCode::kOk && code != ErrorCode::kNoNode) return code;
  }
  return ErrorCode::kOk;
}

std::optional<zk::ErrorCode> ReachedLimit::grow_zookeeper() {
  zk::RequestBody body = create("/grown", std::string(50, 'x'));
  ConnectionId connection = kZookeeperGrowing;
  switch (limit->by) {
    case Limit::By::kSessions:
      // There is no word for it: the connection ends.
      hello(leader, ConnectionId(2'000));
      if (welcome(leader, ConnectionId(2'000)) || !closed(leader, ConnectionId(2'000))) return std::nullopt;
      return zk::ErrorCode::kSessionExpired;
    case Limit::By::kWatches:
      body = zk::Exists{"/none", true};
      break;
    case Limit::By::kOwnWatches:
      for (int i = 0; i < 10; ++i) call(leader, kZookeeper, zk::Exists{"/none" + std::to_string(i), true});
      body = zk::Exists{"/none", true};
      connection = kZookeeper;
      break;
    case Limit::By::kUncommitted: {
      const uint64_t index = last_index();
      const size_t answers = replies(leader, connection).size();
      ask(leader, connection, 1, body);
      cluster->settle();
      EXPECT_EQ(last_index(), index);
      EXPECT_EQ(replies(leader, connection).size(), answers);
      return std::nullopt;
    }
    default:
      break;
  }
  return call(leader, connection, body).error;
}

void ReachedLimit::expect_goes_on(Goes what) {
  const uint64_t index = last_index();
  const uint64_t number = numbers[kNative] + 1;
  const auto send = [&]() -> std::pair<ConnectionId, RequestBody> {
    switch (what) {
      case Goes::kDelete:
        return {kNative, WriteRequest{number, 1, kv::DeleteOp{"/spare"}}};
      case Goes::kRelease:
        return {kNative, WriteRequest{number, 1, kv::ReleaseOp{lock}}};
      case Goes::kClose:
        return {kNative, WriteRequest{number, 1, kv::CloseSessionOp{}}};
      case Goes::kPing:
        return {kNative, PingRequest{}};
      case Goes::kAttach:
        break;
    }
    kv::SessionPassword password{};
    password[0] = static_cast<uint8_t>(kNative.value());
    return {kAgain, AttachSessionRequest{native.session, password}};
  };
  const auto [connection, body] = send();
  const uint64_t id = cluster->send(leader, connection, body);
  cluster->settle();
  if (what != Goes::kPing) {
    EXPECT_GT(last_index(), index) << "it was not taken at once";
    let_the_disk_write();
  }
  for (int i = 0; i < 1'000 && !cluster->reply(leader, connection, id); ++i) cluster->advance(kMs);
  const auto reply = cluster->reply(leader, connection, id);
  ASSERT_TRUE(reply.has_value());
  EXPECT_EQ(reply->error.code, ErrorCode::kOk) << reply->error.message;
}

void ReachedLimit::expect_goes_on_in_zookeeper(Goes what) {
  const uint64_t index = last_index();
  if (what == Goes::kAttach) {
    zk::ConnectRequest again;
    again.session = session.session;
    again.password = session.password;
    hello(leader, kZookeeperAgain, again);
    EXPECT_GT(last_index(), index) << "it was not taken at once";
    let_the_disk_write();
    const auto reply = welcome(leader, kZookeeperAgain);
    ASSERT_TRUE(reply.has_value());
    EXPECT_EQ(reply->session, session.session);
    return;
  }
  const zk::RequestBody body = what == Goes::kDelete ? zk::RequestBody(zk::Delete{"/zookeepers/spare", -1})
                               : what == Goes::kRelease
                                   ? zk::RequestBody(zk::Delete{"/zookeepers/lock/x-0000000000", -1})
                               : what == Goes::kClose ? zk::RequestBody(zk::CloseSession{})
                                                      : zk::RequestBody(zk::Ping{});
  const size_t before = replies(leader, kZookeeper).size();
  ask(leader, kZookeeper, 5, body);
  cluster->settle();
  if (what != Goes::kPing) {
    EXPECT_GT(last_index(), index) << "it was not taken at once";
    let_the_disk_write();
  }
  for (int i = 0; i < 1'000 && replies(leader, kZookeeper).size() == before; ++i) cluster->advance(kMs);
  ASSERT_GT(replies(leader, kZookeeper).size(), before);
  EXPECT_EQ(replies(leader, kZookeeper)[before].error, zk::ErrorCode::kOk);
}

TEST_F(ReachedLimit, LetsDeletesReleasesClosesPingsAndAttachesGoOn) {
  for (const Limit& each : limits()) {
    for (const Goes what : kAllGo) {
      for (const bool zookeeper : {false, true}) {
        SCOPED_TRACE(std::string(each.name) + ", " + kNames[static_cast<size_t>(what)] +
                     (zookeeper ? " of ZooKeeper's" : ""));
        numbers.clear();
        grown = 0;
        ASSERT_NO_FATAL_FAILURE(reach(each));
        zookeeper ? expect_goes_on_in_zookeeper(what) : expect_goes_on(what);
      }
    }
  }
}

// What waited for room is done when there is some: of ZooKeeper's clients nobody has to ask again.
TEST_F(ReachedLimit, WhatZooKeepersClientsAskForWaitsForRoomInTheLog) {
  ASSERT_NO_FATAL_FAILURE(reach(limits().back()));
  let_the_disk_write();
  for (int i = 0; i < 1'000 && cluster->replica(leader).state().get("/grown").code() != ErrorCode::kOk; ++i)
    cluster->advance(kMs);
  EXPECT_EQ(replies(leader, kZookeeperGrowing).back().error, zk::ErrorCode::kOk);
}

}  // namespace
}  // namespace quorate::server::test
