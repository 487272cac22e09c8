// What a server itself decides about who may and how much: credentials, reads, limits of the whole, the
// reserve.
#include <gtest/gtest.h>

#include <algorithm>
#include <optional>
#include <variant>

#include "tests/replica/cluster.h"

namespace quorate::server::test {
namespace {

const ServerId kServer(1);
const ConnectionId kRoot(1);
const ConnectionId kOther(2);

class AccessTest : public testing::Test {
 protected:
  explicit AccessTest(ReplicaOptions options = {}) : cluster(1, with_super(std::move(options))) {
    EXPECT_EQ(cluster.elect(), kServer);
    EXPECT_EQ(cluster.open(kServer, kRoot).code, ErrorCode::kOk);
    EXPECT_EQ(cluster.open(kServer, kOther).code, ErrorCode::kOk);
  }
  static ReplicaOptions with_super(ReplicaOptions options) {
    options.super_digest = kv::digest_id("super:test").value();
    return options;
  }
  ErrorCode write(ConnectionId who, kv::Operation operation) {
    const uint64_t number = ++numbers[who];
    const ErrorCode code =
        cluster.call(kServer, who, WriteRequest{number, number, std::move(operation)}).error.code;
    // Refused before it was proposed: the number is still free.
    if (code == ErrorCode::kLimitReached) --numbers[who];
    return code;
  }
  ErrorCode prove(ConnectionId who, std::string proof) {
    const uint64_t number = ++numbers[who];
    return cluster.call(kServer, who, AddCredentialRequest{number, number, "digest", std::move(proof)})
        .error.code;
  }
  ErrorCode read(ConnectionId who, RequestBody body) {
    return cluster.call(kServer, who, std::move(body)).error.code;
  }
  const kv::StateMachine& state() { return cluster.replica(kServer).state(); }

  Cluster cluster;
  std::map<ConnectionId, uint64_t> numbers;
};

kv::CreateOp private_node(std::string path) {
  kv::CreateOp op{std::move(path), "data"};
  op.acl = {{kv::kAllPermissions, "auth", ""}};
  return op;
}

TEST_F(AccessTest, APasswordIsHashedBeforeItIsProposed) {
  EXPECT_EQ(prove(kRoot, "alice:secret"), ErrorCode::kOk);
  EXPECT_EQ(prove(kOther, "nonsense"), ErrorCode::kInvalidArgument);
  size_t proposed = 0;
  for (const raft::Entry& entry : cluster.node(kServer).disk->entries) {
    EXPECT_EQ(entry.encoded.view().find("secret"), std::string_view::npos);
    proposed += entry.encoded.view().find("alice:") != std::string_view::npos ? 1 : 0;
  }
  EXPECT_EQ(proposed, 1u);
}

TEST_F(AccessTest, OnlyTheSuperUsersPasswordMakesASuperUser) {
  EXPECT_EQ(prove(kOther, "alice:secret"), ErrorCode::kOk);
  EXPECT_EQ(write(kOther, private_node("/a")), ErrorCode::kOk);
  EXPECT_EQ(prove(kRoot, "super:wrong"), ErrorCode::kOk);
  EXPECT_EQ(read(kRoot, GetRequest{"/a"}), ErrorCode::kDenied);
  EXPECT_EQ(prove(kRoot, "super:test"), ErrorCode::kOk);
  EXPECT_EQ(read(kRoot, GetRequest{"/a"}), ErrorCode::kOk);
}

// Whether somebody is told anything of the private nodes "/a" and "/lock" by a kind of request. A request
// that is added does not compile before it has a row here, or is named as one that tells nothing of nodes.
class ReadRows : public AccessTest {
 protected:
  // Nothing: it tells nothing of nodes. Else whether it told.
  using Row = std::optional<bool>;

  template <class Body>
  Row told(ConnectionId who) {
    if constexpr (std::is_same_v<Body, ResumeWatchRequest>) {
      const size_t before = cluster.events<kv::WatchEvent>(kServer, who).size();
      EXPECT_EQ(read(who, ResumeWatchRequest{71, kv::WatchKind::kData, "/a", Zxid(1), true}), ErrorCode::kOk);
      return cluster.events<kv::WatchEvent>(kServer, who).size() > before;
    } else if constexpr (std::is_same_v<Body, WatchSinceRequest>) {
      return !answer<ChangesReply>(who, WatchSinceRequest{72, "/a", since}).changes.empty();
    } else if constexpr (std::is_same_v<Body, MultiReadRequest>) {
      const auto reply =
          answer<MultiReadReply>(who, MultiReadRequest{{GetRequest{"/a"}, ChildrenRequest{"/a"}}});
      EXPECT_EQ(reply.results.at(0).error.code, reply.results.at(1).error.code);
      return allowed(reply.results.at(0).error.code);
    } else if constexpr (std::is_same_v<Body, LockListRequest>) {
      return !answer<LockListReply>(who, LockListRequest{}).locks.empty();
    } else if constexpr (std::is_same_v<Body, HotPathsRequest>) {
      const auto hot = answer<HotPathsReply>(who, HotPathsRequest{}).paths;
      return std::any_of(hot.begin(), hot.end(), [](const auto& each) { return each.path == "/a"; });
    } else if constexpr (std::is_same_v<Body, SnapshotPartRequest>) {
      return allowed(read(who, SnapshotPartRequest{}));  // who sees everything alone
    } else if constexpr (std::is_same_v<Body, LockPlaceRequest>) {
      return allowed(read(who, LockPlaceRequest{lock.path}));
    } else if constexpr (std::is_same_v<Body, LockVerifyRequest>) {
      return allowed(read(who, LockVerifyRequest{"/lock", lock.token}));
    } else if constexpr (std::is_same_v<Body, LockShowRequest>) {
      return allowed(read(who, LockShowRequest{"/lock"}));
    } else if constexpr (requires(Body body) { body.path; }) {
      Body body;
      body.path = "/a";
      return allowed(read(who, body));
    } else if constexpr (std::is_same_v<Body, SessionListRequest> ||
                         std::is_same_v<Body, EndSessionRequest>) {
      return std::nullopt;  // of sessions: they have tests of their own
    } else {
      constexpr bool kTellsNothing =
          std::is_same_v<Body, OpenSessionRequest> || std::is_same_v<Body, AttachSessionRequest> ||
          std::is_same_v<Body, PingRequest> || std::is_same_v<Body, WriteRequest> ||
          std::is_same_v<Body, RemoveWatchRequest> || std::is_same_v<Body, StatusRequest> ||
          std::is_same_v<Body, TransferRequest> || std::is_same_v<Body, AddCredentialRequest> ||
          std::is_same_v<Body, SyncRequest>;
      static_assert(kTellsNothing, "who may ask for it?");
      return std::nullopt;
    }
  }
  template <class... Bodies>
  std::vector<Row> all_told(ConnectionId who, const std::variant<Bodies...>&) {
    return {told<Bodies>(who)...};
  }
  static bool allowed(ErrorCode code) {
    EXPECT_TRUE(code == ErrorCode::kOk || code == ErrorCode::kDenied) << static_cast<int>(code);
    return code == ErrorCode::kOk;
  }
  template <class Reply>
  Reply answer(ConnectionId who, RequestBody body) {
    const ClientReply reply = cluster.call(kServer, who, std::move(body));
    EXPECT_TRUE(reply.error.ok()) << reply.error.message;
    const auto* found = std::get_if<Reply>(&reply.body);
    return found == nullptr ? Reply() : *found;
  }

  Zxid since;
  kv::Outcome lock;
};

TEST_F(ReadRows, EveryReadAsksWhoMay) {
  EXPECT_EQ(prove(kRoot, "super:test"), ErrorCode::kOk);
  EXPECT_EQ(prove(kOther, "bob:secret"), ErrorCode::kOk);
  since = state().zxid();
  kv::CreateOp nobodys = private_node("/a");
  EXPECT_EQ(write(kRoot, nobodys), ErrorCode::kOk);
  EXPECT_EQ(write(kRoot, kv::SetQuotaOp{"/a", {100, -1, -1, -1}}), ErrorCode::kOk);
  kv::CreateOp queue = private_node("/lock");
  queue.data.clear();
  EXPECT_EQ(write(kRoot, queue), ErrorCode::kOk);
  const uint64_t number = ++numbers[kRoot];
  lock = std::get<kv::Outcome>(
      cluster.call(kServer, kRoot, WriteRequest{number, number, kv::AcquireOp{"/lock"}}).body);
  const std::vector<Row> mine = all_told(kRoot, RequestBody()), others = all_told(kOther, RequestBody());
  ASSERT_EQ(mine.size(), others.size());
  for (size_t kind = 0; kind < mine.size(); ++kind) {
    if (!mine[kind]) continue;
    EXPECT_EQ(mine[kind], true) << "request " << kind << " of RequestBody";
    EXPECT_EQ(others[kind], false) << "request " << kind << " of RequestBody";
  }
  EXPECT_EQ(std::count(mine.begin(), mine.end(), std::nullopt), 11);
}

TEST_F(AccessTest, WhetherANodeExistsMayBeAskedByEverybody) {
  EXPECT_EQ(prove(kRoot, "alice:secret"), ErrorCode::kOk);
  EXPECT_EQ(write(kRoot, private_node("/a")), ErrorCode::kOk);
  EXPECT_EQ(read(kOther, GetRequest{"/a"}), ErrorCode::kDenied);
  EXPECT_EQ(read(kOther, GetRequest{"/a", false}), ErrorCode::kOk);
}

TEST_F(AccessTest, AWatchIsNotToldOfWhatMayNotBeRead) {
  EXPECT_EQ(read(kOther, GetRequest{"/a", false, 7}), ErrorCode::kNoNode);
  EXPECT_EQ(prove(kRoot, "alice:secret"), ErrorCode::kOk);
  EXPECT_EQ(write(kRoot, private_node("/a")), ErrorCode::kOk);
  EXPECT_TRUE(cluster.events<kv::WatchEvent>(kServer, kOther).empty());
  EXPECT_EQ(write(kRoot, kv::SetAclOp{"/a", kv::open_acl()}), ErrorCode::kOk);
  EXPECT_EQ(write(kRoot, kv::SetOp{"/a", "more"}), ErrorCode::kOk);
  EXPECT_EQ(cluster.events<kv::WatchEvent>(kServer, kOther).size(), 1u) << "it had stayed";
}

TEST_F(AccessTest, AFeedDoesNotTellOfPrivateNodesThatAreGone) {
  EXPECT_EQ(prove(kRoot, "alice:secret"), ErrorCode::kOk);
  EXPECT_EQ(write(kRoot, kv::CreateOp{"/open"}), ErrorCode::kOk);
  const Zxid since = state().zxid();
  EXPECT_EQ(write(kRoot, private_node("/open/private")), ErrorCode::kOk);
  EXPECT_EQ(write(kRoot, kv::DeleteOp{"/open/private"}), ErrorCode::kOk);
  const auto told = [&](ConnectionId who) {
    const ClientReply reply = cluster.call(kServer, who, WatchSinceRequest{1, "/", since});
    return std::get<ChangesReply>(reply.body).changes.size();
  };
  EXPECT_EQ(told(kRoot), 2u);
  EXPECT_EQ(told(kOther), 0u);
}

TEST_F(AccessTest, AFeedOfANodeTellsOfItsPrivateChildrenAsAListDoes) {
  EXPECT_EQ(prove(kRoot, "alice:secret"), ErrorCode::kOk);
  EXPECT_EQ(write(kRoot, kv::CreateOp{"/open"}), ErrorCode::kOk);
  const Zxid since = state().zxid();
  EXPECT_EQ(write(kRoot, private_node("/open/private")), ErrorCode::kOk);
  EXPECT_EQ(write(kRoot, kv::SetOp{"/open/private", "x"}), ErrorCode::kOk);
  const auto told = [&](ConnectionId who, bool recursive) {
    const ClientReply reply = cluster.call(kServer, who, WatchSinceRequest{1, "/open", since, recursive});
    return std::get<ChangesReply>(reply.body).changes.size();
  };
  EXPECT_EQ(told(kOther, false), 1u) << "the child came";
  EXPECT_EQ(told(kRoot, false), 1u);
  EXPECT_EQ(told(kOther, true), 0u) << "what it holds is another's";
  EXPECT_EQ(told(kRoot, true), 2u);
  EXPECT_EQ(write(kRoot, kv::DeleteOp{"/open/private"}), ErrorCode::kOk);
  EXPECT_EQ(told(kOther, false), 2u);
}

TEST_F(AccessTest, WhoHeldALockIsToldToThoseWhoMayReadIt) {
  EXPECT_EQ(prove(kRoot, "alice:secret"), ErrorCode::kOk);
  kv::CreateOp lock = private_node("/private");
  lock.data.clear();
  EXPECT_EQ(write(kRoot, lock), ErrorCode::kOk);
  const Zxid since = state().zxid();
  EXPECT_EQ(write(kRoot, kv::AcquireOp{"/private", "me"}), ErrorCode::kOk);
  EXPECT_EQ(write(kRoot, kv::ReleaseOp{"/private/lock-0000000000"}), ErrorCode::kOk);
  const auto names = [&](ConnectionId who, std::string root, bool recursive) {
    const ClientReply reply =
        cluster.call(kServer, who, WatchSinceRequest{1, std::move(root), since, recursive, true});
    std::string told;
    for (const auto& change : std::get<ChangesReply>(reply.body).changes)
      if (change.left != nullptr) told += change.left->name;
    return told;
  };
  for (const char* root : {"/", "/private"}) {
    EXPECT_EQ(names(kRoot, root, true), "me");
    EXPECT_EQ(names(kOther, root, true), "");
  }
  EXPECT_EQ(names(kRoot, "/private", false), "me");
  EXPECT_EQ(names(kOther, "/private", false), "");
  EXPECT_EQ(write(kRoot, kv::SetAclOp{"/private", kv::open_acl()}), ErrorCode::kOk);
  EXPECT_EQ(names(kOther, "/private", true), "") << "it was not his to read";
  EXPECT_EQ(names(kOther, "/private", false), "");
}

TEST_F(AccessTest, LocksComeInPagesThatFitAnAnswer) {
  for (const char* path : {"/l1", "/l2", "/l3"}) EXPECT_EQ(write(kRoot, kv::AcquireOp{path}), ErrorCode::kOk);
  const ClientReply first = cluster.call(kServer, kOther, LockListRequest{"/", 2});
  const auto& page = std::get<LockListReply>(first.body);
  ASSERT_EQ(page.locks.size(), 2u);
  EXPECT_EQ(page.next, "/l2");
  const ClientReply second = cluster.call(kServer, kOther, LockListRequest{"/", 2, page.next});
  ASSERT_EQ(std::get<LockListReply>(second.body).locks.size(), 1u);
  EXPECT_EQ(std::get<LockListReply>(second.body).locks[0].path, "/l3");
  EXPECT_EQ(std::get<LockListReply>(second.body).next, "");
}

TEST_F(AccessTest, SessionsComeInPagesAndOnlyASuperUserIsToldWhoTheyAre) {
  EXPECT_EQ(prove(kRoot, "alice:secret"), ErrorCode::kOk);
  EXPECT_EQ(write(kRoot, kv::CreateOp{"/mine", {}, true}), ErrorCode::kOk);
  const auto page = [&](ConnectionId who, SessionListRequest request) {
    return std::get<SessionListReply>(cluster.call(kServer, who, request).body);
  };
  const SessionListReply all = page(kOther, {SessionId(), 1000, true});
  EXPECT_EQ(all.next, SessionId());
  ASSERT_EQ(all.sessions.size(), state().session_count());
  size_t owners = 0;
  for (const SessionInfo& session : all.sessions) {
    if (session.ephemerals == 0) continue;
    ++owners;
    EXPECT_EQ(session.paths, std::vector<std::string>{"/mine"});
    EXPECT_TRUE(session.who.empty()) << "it is another's";
  }
  EXPECT_EQ(owners, 1u);
  bool known = false;
  for (const SessionInfo& session : page(kRoot, {}).sessions) {
    EXPECT_TRUE(session.paths.empty());
    for (const kv::Credential& credential : session.who) {
      known = known || credential.id == "alice";
      EXPECT_EQ(credential.id.find("secret"), std::string::npos);
    }
  }
  EXPECT_TRUE(known) << "its own";
  const SessionListReply first = page(kOther, {SessionId(), 1});
  ASSERT_EQ(first.sessions.size(), 1u);
  EXPECT_EQ(first.next, first.sessions[0].id);
  EXPECT_EQ(page(kOther, {first.next, 1}).sessions.at(0).id, all.sessions.at(1).id);
}

TEST_F(AccessTest, OnlyASuperUserEndsSomebodysSession) {
  EXPECT_EQ(write(kOther, kv::CreateOp{"/mine", {}, true}), ErrorCode::kOk);
  const SessionId other = state().get("/mine")->stat.ephemeral_owner;
  EXPECT_EQ(read(kRoot, EndSessionRequest{other}), ErrorCode::kDenied);
  EXPECT_EQ(read(kOther, EndSessionRequest{other}), ErrorCode::kDenied);
  EXPECT_TRUE(state().session(other));
  EXPECT_EQ(prove(kRoot, "super:test"), ErrorCode::kOk);
  EXPECT_EQ(read(kRoot, EndSessionRequest{other}), ErrorCode::kOk);
  EXPECT_FALSE(state().session(other)) << "it is over when it is answered";
  EXPECT_EQ(state().get("/mine").code(), ErrorCode::kNoNode);
  EXPECT_EQ(cluster.events<SessionEndEvent>(kServer, kOther).size(), 1u) << "its client is told";
  EXPECT_EQ(read(kRoot, EndSessionRequest{other}), ErrorCode::kOk) << "again";
}

class SmallAnswersTest : public AccessTest {
 protected:
  SmallAnswersTest() : AccessTest(small()) {}
  static ReplicaOptions small() {
    ReplicaOptions options;
    options.reply_bytes_max = 1'000;
    return options;
  }
};

TEST_F(SmallAnswersTest, ALocksWaitersAreCutAndCounted) {
  for (int i = 0; i < 20; ++i) EXPECT_EQ(write(kRoot, kv::AcquireOp{"/l", "a name"}), ErrorCode::kOk);
  for (const RequestBody& body : {RequestBody(LockShowRequest{"/l"}), RequestBody(LockListRequest{})}) {
    const ClientReply reply = cluster.call(kServer, kOther, body);
    const auto* list = std::get_if<LockListReply>(&reply.body);
    const lock::LockView& view = list != nullptr ? list->locks.at(0) : std::get<lock::LockView>(reply.body);
    EXPECT_TRUE(view.holder.has_value());
    EXPECT_GT(view.waiters.size(), 3u);
    EXPECT_GT(view.more, 3u);
    EXPECT_EQ(view.waiters.size() + view.more, 19u);
  }
}

// Servers may grant different timeouts; what one granted is the same on all.
TEST(SessionTimeouts, AreThoseOfTheServerThatIsAsked) {
  ReplicaOptions options;
  options.session_timeout_min_ms = 2'000;
  options.session_timeout_max_ms = 4'000;
  Cluster cluster(3, options);
  const ServerId leader = cluster.elect();
  const ServerId follower = cluster.follower();
  EXPECT_EQ(cluster.open(leader, ConnectionId(1), 1).timeout_ms, 2'000u);
  EXPECT_EQ(cluster.open(follower, ConnectionId(2), 3'000).timeout_ms, 3'000u);
  EXPECT_EQ(cluster.open(follower, ConnectionId(3), 10'000).timeout_ms, 4'000u);
  cluster.advance(100 * kMs);
  EXPECT_EQ(cluster.replica(leader).state().state_hash(), cluster.replica(follower).state().state_hash());
}

class LimitsTest : public AccessTest {
 protected:
  LimitsTest() : AccessTest(limits()) {}
  static ReplicaOptions limits() {
    ReplicaOptions options;
    options.nodes_max = 3;  // "/" included
    options.data_bytes_max = 10;
    options.sessions_max = 2;
    return options;
  }
};

TEST_F(LimitsTest, WhatGrowsIsRefusedAndWhatFreesGoesOn) {
  EXPECT_EQ(write(kRoot, kv::CreateOp{"/a", "12345"}), ErrorCode::kOk);
  EXPECT_EQ(write(kRoot, kv::SetOp{"/a", "12345678901"}), ErrorCode::kLimitReached);
  EXPECT_EQ(write(kRoot, kv::SetOp{"/a", "1234567890"}), ErrorCode::kOk);
  EXPECT_EQ(write(kRoot, kv::CreateOp{"/b", "x"}), ErrorCode::kLimitReached);
  EXPECT_EQ(write(kRoot, kv::CreateOp{"/b", ""}), ErrorCode::kOk);
  EXPECT_EQ(write(kRoot, kv::CreateOp{"/c", ""}), ErrorCode::kLimitReached);
  EXPECT_EQ(write(kRoot, kv::AcquireOp{"/b"}), ErrorCode::kLimitReached);
  EXPECT_EQ(write(kRoot, kv::SetOp{"/a", "123"}), ErrorCode::kOk);
  EXPECT_EQ(write(kRoot, kv::DeleteOp{"/b"}), ErrorCode::kOk);
  EXPECT_EQ(write(kRoot, kv::CreateOp{"/c", ""}), ErrorCode::kOk);
}

TEST_F(LimitsTest, WhatWasAppliedBeforeIsAnsweredAsItWasThen) {
  EXPECT_EQ(write(kRoot, kv::CreateOp{"/a", ""}), ErrorCode::kOk);
  EXPECT_EQ(write(kRoot, kv::CreateOp{"/b", ""}), ErrorCode::kOk);
  EXPECT_EQ(cluster.call(kServer, kRoot, WriteRequest{2, 2, kv::CreateOp{"/b", ""}}).error.code,
            ErrorCode::kOk);
}

TEST_F(LimitsTest, OneSessionTooManyIsRefusedUntilAnotherCloses) {
  EXPECT_EQ(cluster.open(kServer, ConnectionId(3)).code, ErrorCode::kLimitReached);
  EXPECT_EQ(write(kOther, kv::CloseSessionOp{}), ErrorCode::kOk);
  EXPECT_EQ(cluster.open(kServer, ConnectionId(4)).code, ErrorCode::kOk);
}

class ReserveTest : public AccessTest {
 protected:
  ReserveTest() : AccessTest(small()) {}
  static ReplicaOptions small() {
    ReplicaOptions options;
    options.raft.uncommitted_bytes_max = 8 << 10;
    return options;
  }
};

// With a disk that writes nothing, what was proposed stays uncommitted.
TEST_F(ReserveTest, WhatFreesStillFitsWhereWhatGrowsDoesNot) {
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(write(kOther, kv::CreateOp{"/gone" + std::to_string(i), ""}), ErrorCode::kOk);
  }
  cluster.stall_disk(kServer);
  uint64_t last = 0;
  for (int i = 0; i < 200; ++i) {
    const uint64_t number = ++numbers[kRoot];
    last = cluster.send(kServer, kRoot, WriteRequest{number, 1, kv::CreateOp{"/n" + std::to_string(i), ""}});
    cluster.settle();
  }
  ASSERT_TRUE(cluster.reply(kServer, kRoot, last).has_value());
  EXPECT_EQ(cluster.reply(kServer, kRoot, last)->error.code, ErrorCode::kOverloaded);
  std::vector<uint64_t> deletes;
  for (int i = 0; i < 5; ++i) {
    const uint64_t number = ++numbers[kOther];
    deletes.push_back(cluster.send(kServer, kOther,
                                   WriteRequest{number, number, kv::DeleteOp{"/gone" + std::to_string(i)}}));
    cluster.settle();
    EXPECT_FALSE(cluster.reply(kServer, kOther, deletes.back()).has_value()) << "it was taken, and waits";
  }
  cluster.resume_disk(kServer);
  cluster.settle();
  for (const uint64_t id : deletes) {
    ASSERT_TRUE(cluster.reply(kServer, kOther, id).has_value());
    EXPECT_EQ(cluster.reply(kServer, kOther, id)->error.code, ErrorCode::kOk);
  }
}

}  // namespace
}  // namespace quorate::server::test
