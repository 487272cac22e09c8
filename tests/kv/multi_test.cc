// Several operations in one request: all or nothing, and what each is told.
#include <gtest/gtest.h>

#include "tests/kv/machine.h"

namespace quorate::kv {
namespace {

class MultiTest : public ::testing::Test {
 protected:
  Outcome run(Operation operation) { return machine_.run(session_, std::move(operation)); }
  Outcome multi(std::vector<MultiOp::Part> parts) { return run(MultiOp{std::move(parts)}); }
  // Refused for the last of its operations, and nothing was done.
  void expect_refusal(std::vector<MultiOp::Part> parts, ErrorCode code) {
    const size_t last = parts.size() - 1;
    const size_t nodes = machine_.state.node_count();
    const Applied applied = machine_.apply_as(session_, MultiOp{std::move(parts)});
    const Outcome& outcome = applied.outcomes.at(0).outcome;
    EXPECT_EQ(outcome.code, code) << outcome.message;
    ASSERT_EQ(outcome.results.size(), last + 1);
    EXPECT_EQ(outcome.results[last].code, code);
    EXPECT_FALSE(outcome.results[last].message.empty());
    EXPECT_TRUE(applied.changes.empty());
    EXPECT_EQ(machine_.state.node_count(), nodes);
    EXPECT_EQ(machine_.state.check_consistency(), std::nullopt);
  }

  Machine machine_;
  SessionId session_ = machine_.open();
};

TEST_F(MultiTest, EachOperationSeesWhatThoseBeforeItDid) {
  const Applied applied = machine_.apply_as(
      session_, MultiOp{{CreateOp{"/a", "one"}, CheckOp{"/a", 0}, SetOp{"/a", "two", 0}, CheckOp{"/a", 1},
                         CreateOp{"/a/b"}, DeleteOp{"/a/b"}, CheckAbsentOp{"/a/b"}}});
  const Outcome& outcome = applied.outcomes.at(0).outcome;
  ASSERT_EQ(outcome.code, ErrorCode::kOk) << outcome.message;
  ASSERT_EQ(outcome.results.size(), 7U);
  EXPECT_EQ(outcome.results[0].path, "/a");
  EXPECT_EQ(outcome.results[0].stat.version, 0);
  EXPECT_EQ(outcome.results[2].stat.version, 1);
  EXPECT_EQ(applied.changes.size(), 4U);
  EXPECT_EQ(machine_.state.get("/a")->data, "two");
  EXPECT_EQ(machine_.stat("/a").cversion, 2);
}

TEST_F(MultiTest, ARefusedOneSaysWhichAndWhyAndDoesNothing) {
  ASSERT_EQ(run(create("/there", "data")).code, ErrorCode::kOk);
  const uint64_t tree = machine_.stat("/").pzxid.value();
  const Applied applied = machine_.apply_as(
      session_, MultiOp{{SetOp{"/there", "other"}, CreateOp{"/new"}, DeleteOp{"/none"}, CreateOp{"/more"}}});
  const Outcome& outcome = applied.outcomes.at(0).outcome;
  EXPECT_EQ(outcome.code, ErrorCode::kNoNode);
  EXPECT_NE(outcome.message.find("operation 3 of 4"), std::string::npos) << outcome.message;
  std::vector<ErrorCode> codes;
  for (const OperationResult& result : outcome.results) codes.push_back(result.code);
  EXPECT_EQ(codes, (std::vector<ErrorCode>{ErrorCode::kOk, ErrorCode::kOk, ErrorCode::kNoNode,
                                           ErrorCode::kNotAttempted}));
  EXPECT_TRUE(outcome.results[1].path.empty());
  EXPECT_TRUE(applied.changes.empty());
  EXPECT_EQ(machine_.state.get("/there")->data, "data");
  EXPECT_EQ(machine_.stat("/there").version, 0);
  EXPECT_EQ(machine_.stat("/").pzxid.value(), tree);
}

TEST_F(MultiTest, EveryOperationMayBeTheOneThatIsRefused) {
  ASSERT_EQ(run(create("/a", "data")).code, ErrorCode::kOk);
  ASSERT_EQ(run(create("/a/b")).code, ErrorCode::kOk);
  const CreateOp first{"/first"};
  const Acl acl = {{kRead, "world", "anyone"}};
  expect_refusal({first, CreateOp{"/a"}}, ErrorCode::kNodeExists);
  expect_refusal({first, CreateOp{"/none/x"}}, ErrorCode::kNoNode);
  expect_refusal({first, CreateOp{"bad"}}, ErrorCode::kBadPath);
  expect_refusal({first, CreateOp{"/e", "", true}, CreateOp{"/e/x"}}, ErrorCode::kNoChildrenForEphemerals);
  expect_refusal({first, CreateOp{"/t", "", false, false, false, false, 0}}, ErrorCode::kInvalidTtl);
  expect_refusal({first, SetOp{"/a", std::string(kDataBytesMax + 1, 'x')}}, ErrorCode::kTooLarge);
  expect_refusal({first, SetOp{"/none", ""}}, ErrorCode::kNoNode);
  expect_refusal({first, SetOp{"/a", "", 7}}, ErrorCode::kBadVersion);
  expect_refusal({first, DeleteOp{"/a"}}, ErrorCode::kNotEmpty);
  expect_refusal({first, DeleteOp{"/a", 7, true}}, ErrorCode::kBadVersion);
  expect_refusal({first, DeleteOp{"/a", -1, true}, CheckOp{"/a/b"}}, ErrorCode::kNoNode);
  expect_refusal({first, SetAclOp{"/a", {}}}, ErrorCode::kInvalidAcl);
  expect_refusal({first, SetAclOp{"/a", acl, 7}}, ErrorCode::kBadVersion);
  expect_refusal({first, SetAclOp{"/a/b", {{kAllPermissions, "world", "anyone"}}}, CheckOp{"/none"}},
                 ErrorCode::kNoNode);
  expect_refusal({first, CheckOp{"/a", 7}}, ErrorCode::kBadVersion);
  expect_refusal({first, CheckAbsentOp{"/first"}}, ErrorCode::kNodeExists);
  expect_refusal({first, CheckHeldOp{"/a", Token(1)}}, ErrorCode::kNotHolder);
  EXPECT_EQ(machine_.stat("/a/b").aversion, 0);
}

TEST_F(MultiTest, WritesOnlyWhileTheLockIsHeldWithTheToken) {
  const Outcome held = run(AcquireOp{"/lock", {}});
  ASSERT_TRUE(held.held);
  const SessionId other = machine_.open();
  const Outcome waits = machine_.run(other, AcquireOp{"/lock", {}});
  // A service may ask for its client: the token tells, not the session.
  EXPECT_EQ(machine_.run(other, MultiOp{{CheckHeldOp{"/lock", held.token}, CreateOp{"/work"}}}).code,
            ErrorCode::kOk);
  expect_refusal({CheckHeldOp{"/lock", waits.token}}, ErrorCode::kNotHolder);
  ASSERT_EQ(run(ReleaseOp{held.path}).code, ErrorCode::kOk);
  expect_refusal({SetOp{"/work", "late"}, CheckHeldOp{"/lock", held.token}}, ErrorCode::kNotHolder);
  EXPECT_EQ(multi({CheckHeldOp{"/lock", waits.token}}).code, ErrorCode::kOk);
  expect_refusal({CheckHeldOp{"/none", waits.token}}, ErrorCode::kNotHolder);
}

TEST_F(MultiTest, PlacesOfOneMultiQueueInItsOrder) {
  const CreateOp place = create_queued("/l/lock-");
  ASSERT_EQ(run(create("/l")).code, ErrorCode::kOk);
  const Outcome made = multi({place, place});
  ASSERT_EQ(made.code, ErrorCode::kOk);
  EXPECT_EQ(made.results[0].path, "/l/lock-0000000000");
  EXPECT_EQ(made.results[1].path, "/l/lock-0000000001");
  EXPECT_EQ(machine_.state.first_queued("/l")->name, "lock-0000000000");
  EXPECT_EQ(machine_.state.first_queued("/l")->order, 0U);
}

TEST_F(MultiTest, NothingIsSomething) {
  const Outcome outcome = multi({});
  EXPECT_EQ(outcome.code, ErrorCode::kOk);
  EXPECT_TRUE(outcome.results.empty());
}

TEST_F(MultiTest, HasLimits) {
  const std::string data(kDataBytesMax, 'x');
  ASSERT_EQ(run(create("/a")).code, ErrorCode::kOk);
  const Outcome outcome = multi({SetOp{"/a", data}, SetOp{"/a", data}});
  EXPECT_EQ(outcome.code, ErrorCode::kTooLarge);
  EXPECT_TRUE(outcome.results.empty());
  EXPECT_EQ(machine_.stat("/a").version, 0);
  MultiOp many;
  many.operations.resize(kMultiOperationsMax + 1, CheckAbsentOp{"/b"});
  EXPECT_EQ(validate(machine_.request(session_, many)).code(), ErrorCode::kTooLarge);
}

// Two megabytes of paths could ask for a million of nodes, and for gigabytes to tell of them.
TEST(MultiParents, AreNotMadeWithoutEnd) {
  Limits limits;
  limits.made_nodes_max = 10;
  Machine machine(limits);
  const SessionId session = machine.open();
  ASSERT_EQ(machine.run(session, SetQuotaOp{"/", {.count_soft = 1}}).code, ErrorCode::kOk);
  CreateOp first = create("/1/a/b/c/d"), second = create("/2/a/b/c/d"), third = create("/1/a/b/c/e/f");
  first.parents = second.parents = third.parents = true;
  EXPECT_EQ(machine.run(session, MultiOp{{first, second}}).code, ErrorCode::kOk);
  ASSERT_EQ(machine.run(session, DeleteOp{"/2", -1, true}).code, ErrorCode::kOk);
  const Applied applied = machine.apply_as(session, MultiOp{{SetOp{"/1", "x"}, third, second, third}});
  const Outcome& refused = applied.outcomes.at(0).outcome;
  EXPECT_EQ(refused.code, ErrorCode::kNodeExists) << "three changes and five";
  const Applied beyond = machine.apply_as(
      session, MultiOp{{third, SetOp{"/1", "x"}, SetOp{"/1", "y"}, SetOp{"/1", "z"}, second}});
  EXPECT_EQ(beyond.outcomes.at(0).outcome.code, ErrorCode::kOk) << "ten";
  ASSERT_EQ(machine.run(session, DeleteOp{"/2", -1, true}).code, ErrorCode::kOk);
  const SetOp set{"/1", "x"};
  const Applied over = machine.apply_as(session, MultiOp{{set, set, set, set, set, set, second}});
  EXPECT_EQ(over.outcomes.at(0).outcome.code, ErrorCode::kTooManyNodes);
  EXPECT_NE(over.outcomes.at(0).outcome.message.find("11 nodes; at most 10"), std::string::npos)
      << over.outcomes.at(0).outcome.message;
  EXPECT_TRUE(over.changes.empty());
  EXPECT_TRUE(over.quota_warnings.empty());
  EXPECT_FALSE(machine.exists("/2"));
  // Where no parent is missing the operations of a multi are its limit.
  std::vector<MultiOp::Part> plain(11, set);
  EXPECT_EQ(machine.run(session, MultiOp{plain}).code, ErrorCode::kOk);
  EXPECT_EQ(machine.state.check_consistency(), std::nullopt);
}

TEST_F(MultiTest, ItsOperationsAreValidatedBeforeItIsSent) {
  EXPECT_EQ(validate(machine_.request(session_, MultiOp{{CheckOp{"/a"}, CreateOp{"/a/"}}})).code(),
            ErrorCode::kBadPath);
}

TEST_F(MultiTest, ItsResultsComeBackToARetryUnlessTheyAreTooLong) {
  const SessionRequest small = machine_.request(session_, MultiOp{{CreateOp{"/a"}, SetOp{"/a", "x"}}});
  const Outcome first = machine_.apply(small).outcomes.at(0).outcome;
  const SessionOutcome again = machine_.apply(small).outcomes.at(0);
  EXPECT_TRUE(again.repeated);
  EXPECT_EQ(again.outcome, first);

  MultiOp many;
  for (int i = 0; i < 200; ++i) many.operations.emplace_back(CreateOp{"/a/" + std::to_string(i)});
  const SessionRequest big = machine_.request(session_, many);
  EXPECT_EQ(machine_.apply(big).outcomes.at(0).outcome.results.size(), 200U);
  const Outcome kept = machine_.apply(big).outcomes.at(0).outcome;
  EXPECT_EQ(kept.code, ErrorCode::kOk);
  EXPECT_TRUE(kept.results.empty());
  EXPECT_FALSE(kept.message.empty());
}

// Each node has the list in its record, though a request says it once, or not at all.
TEST(MadeBytes, AreLimitedForWhatMissingParentsAndLocksAreMadeWith) {
  Limits limits;
  limits.made_bytes_max = 2'000;
  Machine machine(limits);
  const SessionId session = machine.open();
  CreateOp top = create("/x");
  top.acl = {{kAllPermissions, "world", "anyone"}, {kRead, "digest", "alice:" + std::string(300, 'x')}};
  ASSERT_EQ(machine.run(session, top).code, ErrorCode::kOk);
  const auto makes = [&](const Operation& operation, ErrorCode code) {
    const Applied applied = machine.apply_as(session, operation);
    EXPECT_EQ(applied.outcomes.at(0).outcome.code, code) << applied.outcomes.at(0).outcome.message;
    if (code != ErrorCode::kOk) {
      EXPECT_TRUE(applied.changes.empty());
    }
    EXPECT_EQ(machine.state.check_consistency(), std::nullopt);
    return applied.outcomes.at(0).outcome.message;
  };
  makes(AcquireOp{"/x/a/b/c", {}}, ErrorCode::kOk);
  const std::string message = makes(AcquireOp{"/x/1/2/3/4/5", {}}, ErrorCode::kTooManyNodes);
  EXPECT_NE(message.find("at most 2000"), std::string::npos) << message;
  // Locks that are there, several at once.
  AcquireManyOp locks;
  for (int i = 0; i < 8; ++i) {
    CreateOp lock = create("/x/l" + std::to_string(i));
    lock.acl = top.acl;
    ASSERT_EQ(machine.run(session, lock).code, ErrorCode::kOk);
    locks.locks.push_back({lock.path, {}});
  }
  makes(locks, ErrorCode::kTooManyNodes);
  locks.locks.resize(3);
  makes(locks, ErrorCode::kOk);
  CreateOp deep = create("/y/1/2");
  deep.parents = true;
  deep.acl = top.acl;
  CreateOp other = deep;
  other.path = "/z/1/2";
  makes(MultiOp{{deep, other}}, ErrorCode::kTooManyNodes);
  EXPECT_FALSE(machine.exists("/y"));
  makes(deep, ErrorCode::kOk);
  makes(other, ErrorCode::kOk);
  // The paths alone.
  CreateOp paths = create("/p/" + std::string(900, 'x') + "/" + std::string(900, 'x') + "/y");
  paths.parents = true;
  makes(paths, ErrorCode::kTooManyNodes);
  // What a request says itself is limited as the request is.
  std::vector<MultiOp::Part> plain;
  for (int i = 0; i < 20; ++i) plain.emplace_back(CreateOp{"/" + std::to_string(i) + std::string(200, 'x')});
  makes(MultiOp{plain}, ErrorCode::kOk);
}

// A few bytes ask for a list of 15 kB.
class MadeOfAuth : public ::testing::Test {
 protected:
  MadeOfAuth() {
    for (int i = 0; i < 15; ++i) {
      const std::string user = std::to_string(10 + i) + std::string(900, 'u');
      const Credential credential{"digest", digest_id(user + ":password").value()};
      EXPECT_EQ(machine_.run(session_, AddCredentialOp{credential}).code, ErrorCode::kOk);
    }
  }
  static Limits limits() {
    Limits limits;
    limits.made_bytes_max = 50'000;
    return limits;
  }
  void expect(const Operation& operation, ErrorCode code) {
    const size_t nodes = machine_.state.node_count();
    const Applied applied = machine_.apply_as(session_, operation);
    const Outcome& outcome = applied.outcomes.at(0).outcome;
    EXPECT_EQ(outcome.code, code) << outcome.message;
    if (code != ErrorCode::kOk) {
      EXPECT_TRUE(applied.changes.empty());
      EXPECT_EQ(machine_.state.node_count(), nodes);
      EXPECT_NE(outcome.message.find("at most 50000"), std::string::npos) << outcome.message;
    }
    EXPECT_EQ(machine_.state.check_consistency(), std::nullopt);
  }
  static CreateOp node(int i) {
    CreateOp op = create("/" + std::to_string(i));
    op.acl = kAsker;
    return op;
  }

  static inline const Acl kAsker = {{kAllPermissions, "auth", ""}};
  Machine machine_{limits()};
  SessionId session_ = machine_.open();
};

TEST_F(MadeOfAuth, NodesAreLimitedByTheListsThatComeOfIt) {
  MultiOp some, many;
  for (int i = 0; i < 3; ++i) some.operations.emplace_back(node(i));
  for (int i = 3; i < 13; ++i) many.operations.emplace_back(node(i));
  expect(many, ErrorCode::kTooManyNodes);
  expect(some, ErrorCode::kOk);
  expect(node(13), ErrorCode::kOk);
}

TEST_F(MadeOfAuth, SoAreListsThatAreGivenToNodes) {
  MultiOp some, many;
  for (int i = 0; i < 10; ++i) {
    ASSERT_EQ(machine_.run(session_, create("/" + std::to_string(i))).code, ErrorCode::kOk);
    (i < 3 ? some : many).operations.emplace_back(SetAclOp{"/" + std::to_string(i), kAsker, -1});
  }
  expect(many, ErrorCode::kTooManyNodes);
  EXPECT_EQ(machine_.stat("/9").aversion, 0);
  expect(some, ErrorCode::kOk);
  EXPECT_EQ(machine_.stat("/2").aversion, 1);
  // Both count together, whatever asks first.
  expect(MultiOp{{SetAclOp{"/0", kAsker, -1}, SetAclOp{"/1", kAsker, -1}, node(10), node(11)}},
         ErrorCode::kTooManyNodes);
  expect(MultiOp{{node(10), node(11), SetAclOp{"/0", kAsker, -1}, SetAclOp{"/1", kAsker, -1}}},
         ErrorCode::kTooManyNodes);
  // What a request says itself is limited as the request is.
  const Acl said = {{kAllPermissions, "world", "anyone"}, {kRead, "digest", "a:" + std::string(900, 'x')}};
  MultiOp plain;
  for (int i = 0; i < 100; ++i) plain.operations.emplace_back(SetAclOp{"/0", said, -1});
  expect(plain, ErrorCode::kOk);
}

}  // namespace
}  // namespace quorate::kv
