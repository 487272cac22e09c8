// Every operation and every read, with every single permission, alone, in a multi and as what a watch is
// told: what is not given is denied. The tables say what each needs; an operation without a row fails the
// first test.
#include <gtest/gtest.h>

#include <functional>

#include "kv/view.h"
#include "kv/watch_table.h"
#include "tests/kv/machine.h"

namespace quorate::kv {
namespace {

const Credential kUser{"digest", "alice:secret"};
constexpr uint32_t kNothing = 0;
constexpr uint32_t kPermissions[] = {kRead, kWrite, kCreate, kDelete, kAdmin};

Acl only(uint32_t permissions) { return {{permissions, kUser.scheme, kUser.id}}; }

// Of the lock /held in every World.
constexpr uint64_t kHeldToken = 11;

struct Row {
  const char* name;
  Operation operation;
  std::string target;  // the node whose list decides
  uint32_t needed = kNothing;
  ErrorCode permitted = ErrorCode::kOk;  // what comes when it is allowed
};

const std::vector<Row>& rows() {
  static const Acl kOpen = open_acl();
  static const std::vector<Row> kRows = {
      {"create", create("/n/new"), "/n", kCreate},
      {"create there already", create("/n/leaf"), "/n", kCreate, ErrorCode::kNodeExists},
      {"create ephemeral", create_ephemeral("/n/new"), "/n", kCreate},
      {"create sequential", create_sequential("/n/new-"), "/n", kCreate},
      {"create container", CreateOp{"/n/new", {}, false, false, false, true}, "/n", kCreate},
      {"create with a time to live", CreateOp{"/n/new", {}, false, false, false, false, 1000}, "/n", kCreate},
      {"create with parents", CreateOp{"/n/x/y", {}, false, false, true}, "/n", kCreate},
      {"set", SetOp{"/n", "data"}, "/n", kWrite},
      {"set another version", SetOp{"/n", "data", 7}, "/n", kWrite, ErrorCode::kBadVersion},
      {"delete", DeleteOp{"/n/leaf"}, "/n", kDelete},
      {"delete another version", DeleteOp{"/n/leaf", 7}, "/n", kDelete, ErrorCode::kBadVersion},
      {"delete a subtree", DeleteOp{"/n/sub", -1, true}, "/n", kDelete},
      {"delete a subtree, below its top", DeleteOp{"/n/sub", -1, true}, "/n/sub", kDelete},
      {"delete a subtree, in its midst", DeleteOp{"/n/sub", -1, true}, "/n/sub/a", kDelete},
      {"acquire", AcquireOp{"/lock"}, "/lock", kCreate},
      {"acquire what is not there", AcquireOp{"/n/new/lock"}, "/n", kCreate},
      {"release", ReleaseOp{"/held/lock-0000000000"}, "/held", kNothing},
      {"acquire shared", AcquireOp{"/lock", "", {Mode::kShared}}, "/lock", kCreate},
      {"acquire several", AcquireManyOp{{{"/lock", ""}}}, "/lock", kCreate},
      {"upgrade", UpgradeOp{"/read/lock-0000000000"}, "/read", kNothing},
      {"downgrade", DowngradeOp{"/held/lock-0000000000"}, "/held", kNothing},
      {"break", BreakOp{"/held", Token(kHeldToken)}, "/held", kAdmin},
      {"break what is not held", BreakOp{"/held", Token(1)}, "/held", kAdmin, ErrorCode::kNotHolder},
      {"close", CloseSessionOp{}, "/n", kNothing},
      {"set the list", SetAclOp{"/n", kOpen}, "/n", kAdmin},
      {"set the list of another version", SetAclOp{"/n", kOpen, 7}, "/n", kAdmin, ErrorCode::kBadVersion},
      {"multi", MultiOp{{SetOp{"/n", "data"}}}, "/n", kWrite},
      {"set a quota", SetQuotaOp{"/n/leaf", {1, 1, 1, 1}}, "/n", kAdmin},
      {"set a quota where nothing is", SetQuotaOp{"/n/x/y", {1, 1, 1, 1}}, "/n", kAdmin},
      {"add a credential", AddCredentialOp{{"digest", "bob:secret"}}, "/n", kNothing},
  };
  return kRows;
}

struct PartRow {
  const char* name;
  MultiOp::Part part;
  std::string target;
  uint32_t needed = kNothing;
  ErrorCode permitted = ErrorCode::kOk;
};

// What a multi may hold: those above that it can, and its conditions.
std::vector<PartRow> part_rows() {
  std::vector<PartRow> parts = {
      {"check", CheckOp{"/n"}, "/n", kRead},
      {"check another version", CheckOp{"/n", 7}, "/n", kRead, ErrorCode::kBadVersion},
      {"check absent", CheckAbsentOp{"/n"}, "/n", kRead, ErrorCode::kNodeExists},
      {"check absent and it is", CheckAbsentOp{"/n/new"}, "/n", kNothing},
      {"check held", CheckHeldOp{"/held", Token(1)}, "/held", kRead, ErrorCode::kNotHolder},
  };
  for (const Row& row : rows()) {
    const auto add = [&](MultiOp::Part part) {
      parts.push_back({row.name, std::move(part), row.target, row.needed, row.permitted});
    };
    if (const auto* op = std::get_if<CreateOp>(&row.operation)) add(*op);
    if (const auto* op = std::get_if<SetOp>(&row.operation)) add(*op);
    if (const auto* op = std::get_if<DeleteOp>(&row.operation)) add(*op);
    if (const auto* op = std::get_if<SetAclOp>(&row.operation)) add(*op);
  }
  return parts;
}

// The tree that the rows speak of, in which `target` gives `given` to alice, and everything else is open.
struct World {
  World(const std::string& target, uint32_t given) {
    const SessionId builder = machine.open();
    session = machine.open();
    for (const char* path :
         {"/n", "/n/leaf", "/n/sub", "/n/sub/a", "/n/sub/a/b", "/lock", "/held", "/read"}) {
      EXPECT_EQ(machine.run(builder, create(path)).code, ErrorCode::kOk);
    }
    EXPECT_EQ(machine.run(session, AcquireOp{"/held"}).token, Token(kHeldToken));
    EXPECT_EQ(machine.run(session, AcquireOp{"/read", "", {Mode::kShared}}).code, ErrorCode::kOk);
    EXPECT_EQ(machine.run(builder, SetAclOp{target, only(given)}).code, ErrorCode::kOk);
  }
  World& as_alice() { return with({kUser}); }
  World& with(AddCredentialOp op) {
    EXPECT_EQ(machine.run(session, std::move(op)).code, ErrorCode::kOk);
    return *this;
  }
  View view() { return {machine.state, machine.state.credentials(session)}; }

  // What the operation came to, and that a refusal left no trace.
  ErrorCode run(Operation operation) {
    const size_t nodes = machine.state.node_count();
    const Applied applied = machine.apply_as(session, std::move(operation));
    const Outcome& outcome = applied.outcomes.at(0).outcome;
    if (outcome.code != ErrorCode::kOk) {
      EXPECT_TRUE(applied.changes.empty());
      EXPECT_EQ(machine.state.node_count(), nodes);
    }
    EXPECT_EQ(outcome.message.empty(), outcome.code == ErrorCode::kOk);
    EXPECT_EQ(machine.state.check_consistency(), std::nullopt);
    return outcome.code;
  }

  Machine machine;
  SessionId session;
};

ErrorCode expected(uint32_t given, uint32_t needed, ErrorCode permitted) {
  return needed == kNothing || (given & needed) != 0 ? permitted : ErrorCode::kDenied;
}

TEST(AclMatrix, HasARowForEveryOperation) {
  for (size_t kind = 0; kind < std::variant_size_v<Operation>; ++kind) {
    EXPECT_TRUE(
        std::any_of(rows().begin(), rows().end(), [&](const Row& r) { return r.operation.index() == kind; }))
        << "operation " << kind << " of kv::Operation has no row";
  }
  const std::vector<PartRow> parts = part_rows();
  for (size_t kind = 0; kind < std::variant_size_v<MultiOp::Part>; ++kind) {
    EXPECT_TRUE(
        std::any_of(parts.begin(), parts.end(), [&](const PartRow& r) { return r.part.index() == kind; }))
        << "operation " << kind << " of kv::MultiOp::Part has no row";
  }
}

TEST(AclMatrix, EachOperationAloneNeedsWhatItsRowSays) {
  for (const Row& row : rows()) {
    for (const uint32_t given : kPermissions) {
      SCOPED_TRACE(std::string(row.name) + " with " + std::to_string(given));
      EXPECT_EQ(World(row.target, given).as_alice().run(row.operation),
                expected(given, row.needed, row.permitted));
      EXPECT_EQ(World(row.target, given).run(row.operation), expected(kNothing, row.needed, row.permitted));
    }
    SCOPED_TRACE(row.name);
    const uint32_t others = kAllPermissions & ~row.needed;
    EXPECT_EQ(World(row.target, others).as_alice().run(row.operation),
              expected(others, row.needed, row.permitted));
    EXPECT_EQ(World(row.target, kNothing).with({{"digest", "root:secret"}, true}).run(row.operation),
              row.permitted);
  }
}

TEST(AclMatrix, EachOperationInAMultiNeedsTheSame) {
  for (const PartRow& row : part_rows()) {
    // Something before it that must be taken back, and something behind it.
    const MultiOp multi{{create("/before"), row.part, create("/behind")}};
    for (const uint32_t given : kPermissions) {
      SCOPED_TRACE(std::string(row.name) + " with " + std::to_string(given));
      EXPECT_EQ(World(row.target, given).as_alice().run(multi), expected(given, row.needed, row.permitted));
      EXPECT_EQ(World(row.target, given).run(multi), expected(kNothing, row.needed, row.permitted));
    }
    SCOPED_TRACE(row.name);
    EXPECT_EQ(World(row.target, kNothing).with({{"digest", "root:secret"}, true}).run(multi), row.permitted);
  }
}

TEST(AclMatrix, AMultiSeesTheListsThatItSets) {
  World open("/n", kAllPermissions);
  EXPECT_EQ(open.as_alice().run(MultiOp{{SetAclOp{"/n", only(kRead)}, SetOp{"/n", "data"}}}),
            ErrorCode::kDenied);
  EXPECT_EQ(open.view().acl("/n")->acl, only(kAllPermissions));
  World closed("/n", kAdmin);
  EXPECT_EQ(closed.as_alice().run(MultiOp{{SetAclOp{"/n", only(kWrite)}, SetOp{"/n", "data"}}}),
            ErrorCode::kOk);
}

// ---- reads

struct ReadRow {
  const char* name;
  std::function<ErrorCode(const View&)> read;
  std::string target;
  uint32_t needed = kNothing;
};

const std::vector<ReadRow>& read_rows() {
  static const std::vector<ReadRow> kRows = {
      {"get", [](const View& v) { return v.get("/n").code(); }, "/n", kRead},
      {"stat", [](const View& v) { return v.stat("/n").code(); }, "/n", kNothing},
      {"children", [](const View& v) { return v.children("/n").code(); }, "/n", kRead},
      {"acl", [](const View& v) { return v.acl("/n").code(); }, "/n", kRead | kAdmin},
      {"page of children", [](const View& v) { return v.children_page("/n", {}).code(); }, "/n", kRead},
      {"past changes",
       [](const View& v) {
         const auto past = v.changes_since("/n", Zxid(), 1000).value();
         const bool told = std::any_of(past.changes.begin(), past.changes.end(),
                                       [](const auto& change) { return change.path == "/n"; });
         return told ? ErrorCode::kOk : ErrorCode::kDenied;
       },
       "/n", kRead},
      {"first queued", [](const View& v) { return v.first_queued("/held").code(); }, "/held", kRead},
      {"holders", [](const View& v) { return v.holders("/held").code(); }, "/held", kRead},
      {"holds", [](const View& v) { return v.holds("/held/lock-0000000000").code(); }, "/held", kRead},
      {"queues", [](const View& v) { return v.queues("/held", 9).empty() ? ErrorCode::kDenied : ErrorCode::kOk; },
       "/held", kRead},
      {"quota", [](const View& v) { return v.quota("/n").code(); }, "/n", kRead},
  };
  return kRows;
}

TEST(AclMatrix, EachReadNeedsWhatItsRowSays) {
  for (const ReadRow& row : read_rows()) {
    for (const uint32_t given : kPermissions) {
      SCOPED_TRACE(std::string(row.name) + " with " + std::to_string(given));
      World world(row.target, given);
      world.machine.run(world.machine.open(), SetQuotaOp{"/n", {1, -1, -1, -1}});
      EXPECT_EQ(row.read(world.view()), expected(kNothing, row.needed, ErrorCode::kOk));
      EXPECT_EQ(row.read(world.as_alice().view()), expected(given, row.needed, ErrorCode::kOk));
      EXPECT_EQ(row.read(View::everything(world.machine.state)), ErrorCode::kOk);
    }
  }
}

TEST(AclMatrix, AListIsShownWithItsSecretsToWhoeverAdministersIt) {
  World reader("/n", kRead);
  EXPECT_EQ(reader.as_alice().view().acl("/n")->acl, (Acl{{kRead, "digest", "alice:x"}}));
  World admin("/n", kAdmin);
  EXPECT_EQ(admin.as_alice().view().acl("/n")->acl, only(kAdmin));
}

// ---- what watches are told

TEST(AclMatrix, AChangeCarriesTheListsThatSayWhoIsTold) {
  struct {
    const char* name;
    Operation operation;
    size_t change;
    const char* closed;  // the node whose list is not open
    bool of_the_node;    // else of its parent
  } const cases[] = {
      {"set", SetOp{"/n", "x"}, 0, "/n", true},
      {"set below", SetOp{"/n/leaf", "x"}, 0, "/n", false},
      {"deleted", DeleteOp{"/n/leaf"}, 0, "/n/leaf", true},
      {"deleted below", DeleteOp{"/n/leaf"}, 0, "/n", false},
      {"created below", create("/n/new"), 0, "/n", false},
      {"deleted in a subtree", DeleteOp{"/n/sub", -1, true}, 0, "/n/sub/a", false},
      {"deleted with a subtree", DeleteOp{"/n/sub", -1, true}, 1, "/n/sub/a", true},
      {"queued", AcquireOp{"/lock"}, 0, "/lock", true},
  };
  for (const auto& c : cases) {
    for (const uint32_t given : kPermissions) {
      SCOPED_TRACE(std::string(c.name) + " with " + std::to_string(given));
      World world(c.closed, given);
      world.with({kUser, true});
      const Applied applied = world.machine.apply_as(world.session, c.operation);
      ASSERT_EQ(applied.outcomes.at(0).outcome.code, ErrorCode::kOk);
      const Change& change = applied.changes.at(c.change);
      const auto& deciding = c.of_the_node ? change.acl : change.parent_acl;
      EXPECT_EQ(may_see(deciding, {kUser}), given == kRead);
      EXPECT_FALSE(may_see(deciding, {}));
    }
  }
}

TEST(AclMatrix, AChangeOfAnOpenNodeIsToldToAll) {
  Machine machine;
  const Applied applied = machine.apply_as(machine.open(), create("/a"));
  EXPECT_TRUE(may_see(applied.changes.at(0).acl, {}));
  EXPECT_TRUE(may_see(applied.changes.at(0).parent_acl, {}));
}

TEST(AclMatrix, AWatchIsToldOnlyWhatMayBeRead) {
  const ConnectionId alice(1), other(2);
  for (const uint32_t given : kPermissions) {
    SCOPED_TRACE(given);
    World world("/n", given);
    world.with({kUser, true});
    WatchTable watches;
    uint64_t id = 0;
    for (const ConnectionId who : {alice, other}) {
      for (const WatchKind kind : {WatchKind::kData, WatchKind::kChildren, WatchKind::kPersistent,
                                   WatchKind::kRecursive, WatchKind::kNodeFeed, WatchKind::kTreeFeed}) {
        ASSERT_TRUE(watches.add(who, ++id, kind, "/n").ok());
      }
    }
    const auto may = [&](ConnectionId who, const std::shared_ptr<const Acl>& acl) {
      return may_see(acl, who == alice ? Credentials{kUser} : Credentials{});
    };
    const Applied set = world.machine.apply_as(world.session, SetOp{"/n", "x"});
    EXPECT_TRUE(watches.fire(set).events.empty());
    const Fired fired = watches.fire(set, may);
    EXPECT_EQ(fired.events.size(), given == kRead ? 3U : 0U);   // data, persistent, recursive
    EXPECT_EQ(fired.batches.size(), given == kRead ? 2U : 0U);  // the feeds
    for (const WatchEvent& event : fired.events) EXPECT_EQ(event.connection, alice);
    for (const FeedBatch& batch : fired.batches) EXPECT_EQ(batch.connection, alice);
    // Whoever was not told still watches.
    EXPECT_EQ(watches.size(), given == kRead ? 11U : 12U);

    // A child that everybody may read, of a node that not everybody may list.
    const Fired below = watches.fire(world.machine.apply_as(world.session, create("/n/new")), may);
    size_t to_alice = 0, to_other = 0;
    for (const WatchEvent& event : below.events) {
      const bool of_the_child = event.path == "/n/new";
      EXPECT_TRUE(of_the_child || (given == kRead && event.connection == alice));
      if (of_the_child) ++(event.connection == alice ? to_alice : to_other);
    }
    EXPECT_EQ(to_alice, 1U);  // recursive
    EXPECT_EQ(to_other, 1U);
  }
}

// ---- where lists come from

TEST(AclOfANode, IsThatOfItsCreateWithAuthReplaced) {
  Machine machine;
  const SessionId session = machine.open();
  CreateOp op = create("/a/b");
  op.parents = true;
  op.acl = {{kAllPermissions, "auth", ""}};
  EXPECT_EQ(machine.run(session, op).code, ErrorCode::kInvalidAcl);
  EXPECT_FALSE(machine.exists("/a"));
  machine.run(session, AddCredentialOp{kUser});
  EXPECT_EQ(machine.run(session, op).code, ErrorCode::kOk);
  for (const char* path : {"/a", "/a/b"}) {
    EXPECT_EQ(View::everything(machine.state).acl(path)->acl, only(kAllPermissions)) << path;
  }
  EXPECT_EQ(machine.state.check_consistency(), std::nullopt);
}

TEST(AclOfANode, IsReplacedWithItsVersionRisen) {
  Machine machine;
  const SessionId session = machine.open();
  machine.run(session, create("/a"));
  EXPECT_EQ(machine.run(session, SetAclOp{"/a", {{1, "auth", ""}}}).code, ErrorCode::kInvalidAcl);
  EXPECT_EQ(machine.run(session, SetAclOp{"/a", {}}).code, ErrorCode::kInvalidAcl);
  EXPECT_EQ(machine.stat("/a").aversion, 0);
  EXPECT_EQ(machine.run(session, SetAclOp{"/a", only(kAdmin), 0}).stat.aversion, 1);
  EXPECT_EQ(machine.run(session, SetAclOp{"/a", only(kAdmin), 1}).code, ErrorCode::kDenied);
}

// Else a lock would be a way to make open nodes where only some may create.
TEST(AclOfANode, ThatAnAcquireMakesIsThatOfTheNodeAbove) {
  Machine machine;
  const SessionId session = machine.open();
  machine.run(session, AddCredentialOp{kUser});
  CreateOp locks = create("/locks");
  locks.acl = only(kAllPermissions);
  machine.run(session, locks);
  const std::string node = machine.run(session, AcquireOp{"/locks/a/b"}).path;
  for (const std::string& path : {std::string("/locks/a"), std::string("/locks/a/b"), node}) {
    EXPECT_EQ(View::everything(machine.state).acl(path)->acl, only(kAllPermissions)) << path;
  }
  EXPECT_EQ(machine.run(machine.open(), AcquireOp{"/locks/a/b"}).code, ErrorCode::kDenied);
  EXPECT_EQ(machine.state.check_consistency(), std::nullopt);
}

TEST(AclOfANode, DoesNotKeepItFromGoingWithItsSession) {
  Machine machine;
  const SessionId owner = machine.open();
  CreateOp op = create_ephemeral("/a");
  op.acl = only(kNothing);
  machine.run(owner, op);
  machine.run(machine.open(), SetAclOp{"/", only(kNothing)});
  machine.apply(ExpireSessions{{owner}});
  EXPECT_FALSE(machine.exists("/a"));
  EXPECT_EQ(machine.state.check_consistency(), std::nullopt);
}

// ---- credentials

TEST(AddCredential, RefusesWhatIsNotAskedFor) {
  Machine machine;
  const SessionId session = machine.open();
  for (const Credential& credential :
       {Credential{"super", ""}, Credential{"ip", "10.1.2.3"}, Credential{"auth", ""},
        Credential{"world", "anyone"}, Credential{"digest", "alice"}}) {
    EXPECT_EQ(machine.run(session, AddCredentialOp{credential}).code, ErrorCode::kInvalidArgument);
  }
  EXPECT_TRUE(machine.state.credentials(session).empty());
}

TEST(AddCredential, StaysWithTheSessionAcrossAttaches) {
  Machine machine;
  const SessionId session = machine.open();
  machine.run(session, AddCredentialOp{kUser, true});
  machine.run(session, AddCredentialOp{kUser});
  machine.apply(AttachSession{{}, session, {}, "10.1.2.3"});
  EXPECT_EQ(machine.state.credentials(session), (Credentials{kUser, {"super", ""}, {"ip", "10.1.2.3"}}));
}

TEST(AddCredential, StopsAtItsLimitAndAddsAllOrNothing) {
  Machine machine;
  const SessionId session = machine.open();
  for (size_t i = 1; i < kCredentialsMax; ++i) {
    EXPECT_EQ(machine.run(session, AddCredentialOp{{"x509", "CN=" + std::to_string(i)}}).code,
              ErrorCode::kOk);
  }
  EXPECT_EQ(machine.run(session, AddCredentialOp{kUser, true}).code, ErrorCode::kLimitReached);
  EXPECT_EQ(machine.state.credentials(session).size(), kCredentialsMax - 1);
  EXPECT_EQ(machine.run(session, AddCredentialOp{kUser}).code, ErrorCode::kOk);
  EXPECT_EQ(machine.state.check_consistency(), std::nullopt);
}

}  // namespace
}  // namespace quorate::kv
