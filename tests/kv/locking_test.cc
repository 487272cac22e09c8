// Shared locks, semaphores, upgrades, delays: what each operation on a queue does, and when it is refused.
#include <gtest/gtest.h>

#include "kv/path.h"
#include "tests/kv/machine.h"

namespace quorate::kv {
namespace {

constexpr PlaceMode kExclusiveMode{};
constexpr PlaceMode kSharedMode{Mode::kShared};
PlaceMode permit(uint32_t permits) { return {Mode::kPermit, permits}; }

class Locking : public ::testing::Test {
 protected:
  Outcome acquire(SessionId session, PlaceMode mode = {}, std::string path = "/l") {
    return machine.run(session, AcquireOp{std::move(path), "me", mode});
  }
  // Refused with this code and a message that says so, and nothing changed.
  void expect_refusal(SessionId session, const Operation& operation, ErrorCode code,
                      std::string_view says = {}) {
    const uint64_t nodes = machine.state.node_count();
    const Applied applied = machine.apply_as(session, operation);
    const Outcome& outcome = applied.outcomes.at(0).outcome;
    EXPECT_EQ(outcome.code, code) << outcome.message;
    EXPECT_NE(outcome.message.find(says), std::string::npos) << outcome.message;
    EXPECT_TRUE(applied.changes.empty());
    EXPECT_EQ(machine.state.node_count(), nodes);
    EXPECT_EQ(machine.state.check_consistency(), std::nullopt);
  }
  std::vector<std::string> holders(std::string_view path = "/l") const {
    std::vector<std::string> names;
    for (const Child& child : machine.state.holders(path)) names.emplace_back(child.name);
    return names;
  }
  static std::string hex(SessionId session) {
    char text[32];
    std::snprintf(text, sizeof(text), "0x%llx", static_cast<unsigned long long>(session.value()));
    return text;
  }

  Machine machine;
  SessionId one = machine.open();
  SessionId two = machine.open();
  SessionId three = machine.open();
};

using Names = std::vector<std::string>;

// ---- how it is written

TEST(PlaceData, WhatIsWrittenIsRead) {
  for (const PlaceMode& mode :
       {PlaceMode{Mode::kShared}, PlaceMode{Mode::kPermit, 1}, PlaceMode{Mode::kPermit, kPermitsMax},
        PlaceMode{Mode::kExclusive, 0, 5}, PlaceMode{Mode::kShared, 0, kLockDelayMsMax, true},
        PlaceMode{Mode::kPermit, 3, 7, true}, PlaceMode{}}) {
    for (const std::string name : {"", "me", "a:b;c", ":"}) {
      const std::string data = write_place(mode, name);
      EXPECT_EQ(read_place(data).mode, mode) << data;
      EXPECT_EQ(read_place(data).name, name) << data;
      EXPECT_EQ(read_place(data).marked, mode != PlaceMode()) << data;
    }
  }
  EXPECT_EQ(write_place({Mode::kPermit, 3, 5000}, "me"), "quorate:permit/3;delay=5000:me");
}

TEST(PlaceData, AnythingElseIsSomebodysName) {
  for (const char* data :
       {"quorate:", "quorate:shared", "quorate:shared;", "quorate:shared;:me", "quorate:exclusive:me",
        "quorate:permit/:me", "quorate:permit/0:me", "quorate:permit/03:me", "quorate:permit/10001:me",
        "quorate:permit/3", "quorate:shared;delay=0:me", "quorate:shared;delay=3600001:me",
        "quorate:shared;gone:me", "quorate:shared;delay=5;:me", "Quorate:shared:me", " quorate:shared:me",
        "quorate:shared ;delay=5:me"}) {
    EXPECT_FALSE(read_place(data).marked) << data;
    EXPECT_EQ(read_place(data).mode, PlaceMode()) << data;
    EXPECT_EQ(read_place(data).name, data);
  }
}

// ---- shared and exclusive

TEST_F(Locking, ReadersShareAndKeepTheOrderOfArrival) {
  EXPECT_TRUE(acquire(one, kSharedMode).held);
  EXPECT_TRUE(acquire(two, kSharedMode).held);
  EXPECT_FALSE(acquire(three).held);
  EXPECT_FALSE(acquire(one, kSharedMode).held) << "behind a writer that waits";
  EXPECT_EQ(holders(), (Names{"lock-0000000000", "lock-0000000001"}));
  EXPECT_EQ(machine.state.get("/l/lock-0000000001")->data, "quorate:shared:me");
}

TEST_F(Locking, TokensOfAllHoldersCount) {
  const Outcome first = acquire(one, kSharedMode);
  const Outcome second = acquire(two, kSharedMode);
  const Outcome waits = acquire(three);
  for (const Outcome& holder : {first, second})
    EXPECT_EQ(machine.run(three, MultiOp{{CheckHeldOp{"/l", holder.token}}}).code, ErrorCode::kOk);
  EXPECT_EQ(machine.run(three, MultiOp{{CheckHeldOp{"/l", waits.token}}}).code, ErrorCode::kNotHolder);
}

TEST_F(Locking, OthersExclusivePlacesCountAsSuch) {
  machine.run(one, create("/l"));
  machine.run(one, create_queued("/l/_c_1-lock-"));
  EXPECT_FALSE(acquire(two, kSharedMode).held);
  machine.run(one, DeleteOp{"/l/_c_1-lock-0000000000"});
  EXPECT_EQ(holders(), Names{"lock-0000000001"});
}

TEST_F(Locking, KazoosQueueIsJoinedSharedUnderItsNames) {
  machine.run(one, create("/l"));
  machine.run(one, create_queued("/l/0123456789abcdef0123456789abcdef__lock__"));
  const Outcome shared = acquire(two, kSharedMode);
  EXPECT_TRUE(shared.path.ends_with("__lock__0000000001")) << shared.path;
}

TEST_F(Locking, NobodyWritesAPlaceByHand) {
  acquire(one, kSharedMode);
  CreateOp forged = create_queued("/l/lock-");
  forged.data = "quorate:shared:me";
  expect_refusal(two, forged, ErrorCode::kInvalidArgument);
  CreateOp gone{"/l/lock-", "quorate:shared;delay=9;gone:me", false, true};
  gone.ttl_ms = 5;
  expect_refusal(two, gone, ErrorCode::kInvalidArgument);
  expect_refusal(one, SetOp{"/l/lock-0000000000", "me"}, ErrorCode::kBadQueue, "upgrade");
  acquire(two);
  expect_refusal(two, SetOp{"/l/lock-0000000001", "quorate:shared:me"}, ErrorCode::kBadQueue);
  EXPECT_EQ(machine.run(two, SetOp{"/l/lock-0000000001", "a new name"}).code, ErrorCode::kOk);
  EXPECT_EQ(machine.run(one, SetOp{"/l/lock-0000000000", "quorate:shared:a new name"}).code, ErrorCode::kOk);
  EXPECT_EQ(holders(), Names{"lock-0000000000"});
}

TEST_F(Locking, WhatCannotBeAskedForIsRefused) {
  expect_refusal(one, AcquireOp{"/l", "", {Mode::kPermit, 0}}, ErrorCode::kInvalidArgument, "permits");
  expect_refusal(one, AcquireOp{"/l", "", {Mode::kPermit, kPermitsMax + 1}}, ErrorCode::kInvalidArgument);
  expect_refusal(one, AcquireOp{"/l", "", {Mode::kShared, 3}}, ErrorCode::kInvalidArgument);
  expect_refusal(one, AcquireOp{"/l", "", {Mode::kShared, 0, kLockDelayMsMax + 1}},
                 ErrorCode::kInvalidArgument, "delay");
  const AcquireOp kept{"/l", "", {Mode::kShared, 0, 5, true}};
  EXPECT_EQ(validate(machine.request(one, kept)).code(), ErrorCode::kInvalidArgument);
  expect_refusal(one, AcquireOp{"/l", "quorate:shared:me"}, ErrorCode::kInvalidArgument, "name");
  expect_refusal(one, AcquireOp{"/l", std::string(kDataBytesMax, 'x'), kSharedMode}, ErrorCode::kTooLarge);
}

// ---- up and down

TEST_F(Locking, AnUpgradeGivesANewPlaceAndToken) {
  const Outcome shared = acquire(one, {Mode::kShared, 0, 40});
  const Applied applied = machine.apply_as(one, UpgradeOp{shared.path});
  const Outcome& exclusive = applied.outcomes.at(0).outcome;
  EXPECT_EQ(exclusive.code, ErrorCode::kOk) << exclusive.message;
  EXPECT_TRUE(exclusive.held);
  EXPECT_GT(exclusive.token, shared.token);
  EXPECT_EQ(exclusive.path, "/l/lock-0000000001");
  EXPECT_FALSE(machine.exists(shared.path));
  EXPECT_EQ(machine.state.get(exclusive.path)->data, "quorate:exclusive;delay=40:me");
  EXPECT_FALSE(acquire(two, kSharedMode).held);
  expect_refusal(one, UpgradeOp{exclusive.path}, ErrorCode::kNotHolder, "shared");
}

TEST_F(Locking, AnUpgradeIsRefusedWhereOthersHoldOrWait) {
  const Outcome shared = acquire(one, kSharedMode);
  const Outcome other = acquire(two, kSharedMode);
  expect_refusal(one, UpgradeOp{shared.path}, ErrorCode::kContended,
                 "1 other holds the lock \"/l\" or waits for it; release it");
  const Outcome third = acquire(three);
  expect_refusal(one, UpgradeOp{shared.path}, ErrorCode::kContended,
                 "2 others hold the lock \"/l\" or wait for it");
  machine.run(three, ReleaseOp{third.path});
  machine.run(two, ReleaseOp{other.path});
  const Outcome waits = acquire(two);
  expect_refusal(one, UpgradeOp{shared.path}, ErrorCode::kContended);
  expect_refusal(two, UpgradeOp{shared.path}, ErrorCode::kNotHolder, hex(one));
  expect_refusal(two, UpgradeOp{waits.path}, ErrorCode::kNotHolder);
  machine.run(two, ReleaseOp{waits.path});
  EXPECT_EQ(machine.run(one, UpgradeOp{shared.path}).code, ErrorCode::kOk);
  expect_refusal(one, UpgradeOp{shared.path}, ErrorCode::kNoNode, "left the queue");
}

TEST_F(Locking, ADowngradeKeepsNodePlaceAndToken) {
  const Outcome exclusive = acquire(one);
  const Outcome reader = acquire(two, kSharedMode);
  const Outcome writer = acquire(three);
  EXPECT_FALSE(reader.held);
  expect_refusal(two, DowngradeOp{reader.path}, ErrorCode::kNotHolder);
  expect_refusal(three, DowngradeOp{writer.path}, ErrorCode::kNotHolder);
  expect_refusal(two, DowngradeOp{exclusive.path}, ErrorCode::kNotHolder, hex(one));
  const Outcome shared = machine.run(one, DowngradeOp{exclusive.path});
  EXPECT_EQ(shared.code, ErrorCode::kOk) << shared.message;
  EXPECT_EQ(shared.token, exclusive.token);
  EXPECT_EQ(shared.path, exclusive.path);
  EXPECT_EQ(holders(), (Names{"lock-0000000000", "lock-0000000001"}));
  EXPECT_EQ(machine.stat(exclusive.path).czxid.value(), exclusive.token.value());
  expect_refusal(one, DowngradeOp{exclusive.path}, ErrorCode::kNotHolder, "exclusively");
  EXPECT_EQ(machine.state.get(exclusive.path)->data, "quorate:shared:me");
}

TEST_F(Locking, ADowngradedPlaceHasDataAlthoughItHadNone) {
  const Outcome exclusive = acquire(one);
  ASSERT_EQ(machine.run(one, SetOp{exclusive.path, "", -1, true}).code, ErrorCode::kOk);
  ASSERT_EQ(machine.run(one, DowngradeOp{exclusive.path}).code, ErrorCode::kOk);
  const NodeView place = machine.state.get(exclusive.path).value();
  EXPECT_EQ(place.data, "quorate:shared:");
  EXPECT_FALSE(place.null_data);
}

// ---- semaphores

TEST_F(Locking, ASemaphoreLetsInAsManyAsItHasPermits) {
  const Outcome first = acquire(one, permit(2));
  EXPECT_TRUE(first.held);
  EXPECT_TRUE(acquire(two, permit(2)).held);
  EXPECT_FALSE(acquire(three, permit(2)).held);
  machine.run(one, ReleaseOp{first.path});
  EXPECT_EQ(holders(), (Names{"lock-0000000001", "lock-0000000002"}));
}

TEST_F(Locking, AnotherNumberOfPermitsIsRefusedWithTheOneThereIs) {
  acquire(one, permit(2));
  expect_refusal(two, AcquireOp{"/l", "", permit(3)}, ErrorCode::kBadQueue,
                 "a semaphore with 2 permits, not 3");
  expect_refusal(two, AcquireOp{"/l", "", kSharedMode}, ErrorCode::kBadQueue, "a semaphore with 2 permits");
  expect_refusal(two, AcquireOp{"/l", "", kExclusiveMode}, ErrorCode::kBadQueue,
                 "a semaphore with 2 permits");
  machine.run(one, ReleaseOp{"/l/lock-0000000000"});
  EXPECT_TRUE(acquire(two, permit(3)).held) << "free again, it may be another one";
  acquire(one, kSharedMode, "/shared");
  expect_refusal(two, AcquireOp{"/shared", "", permit(3)}, ErrorCode::kBadQueue, "shared");
}

TEST_F(Locking, PermitsWaitForAnExclusiveHolderOfAnotherClient) {
  machine.run(one, create("/l"));
  machine.run(one, create_queued("/l/lock-"));
  EXPECT_FALSE(acquire(two, permit(2)).held);
  EXPECT_FALSE(acquire(three, permit(2)).held);
  machine.run(one, DeleteOp{"/l/lock-0000000000"});
  EXPECT_EQ(holders().size(), 2u);
}

// ---- recipes kept apart

TEST_F(Locking, AServerMayKeepRecipesApart) {
  const auto place = [](std::string path) {
    CreateOp op = create_queued(std::move(path));
    op.one_recipe = true;
    return op;
  };
  machine.run(one, create("/l"));
  EXPECT_EQ(machine.run(one, place("/l/_c_1-lock-")).code, ErrorCode::kOk);
  expect_refusal(two, place("/l/x__lock__"), ErrorCode::kBadQueue, "another lock recipe");
  expect_refusal(two, place("/l/n-"), ErrorCode::kBadQueue);
  expect_refusal(two, MultiOp{{place("/l/x__lock__")}}, ErrorCode::kBadQueue);
  EXPECT_EQ(machine.run(two, place("/l/lock-")).code, ErrorCode::kOk);
  EXPECT_EQ(machine.run(two, create("/l/plain")).code, ErrorCode::kOk);
  machine.run(one, create("/n"));
  EXPECT_EQ(machine.run(one, place("/n/__READ__")).code, ErrorCode::kOk);
  EXPECT_EQ(machine.run(one, place("/n/__WRIT__")).code, ErrorCode::kOk) << "both of one recipe";
  for (const char* other : {"/n/x-", "/n/lock-", "/n/a__rlock__"})
    expect_refusal(two, place(other), ErrorCode::kBadQueue, "another lock recipe");
  machine.run(one, create("/k"));
  EXPECT_EQ(machine.run(one, place("/k/a__rlock__")).code, ErrorCode::kOk);
  EXPECT_EQ(machine.run(one, place("/k/a__lock__")).code, ErrorCode::kOk) << "kazoo's readers and writers";
  expect_refusal(two, place("/k/__WRIT__"), ErrorCode::kBadQueue);
  machine.run(one, create("/members"));
  EXPECT_EQ(machine.run(one, place("/members/n_")).code, ErrorCode::kOk);
  EXPECT_EQ(machine.run(one, place("/members/m_")).code, ErrorCode::kOk) << "of no recipe that is known";
  expect_refusal(two, place("/members/__READ__"), ErrorCode::kBadQueue);
  EXPECT_EQ(machine.run(one, create_queued("/l/x__lock__")).code, ErrorCode::kOk)
      << "where it is not asked for";
}

TEST_F(Locking, ARecipeIsKeptFromAMixedQueue) {
  machine.run(one, create("/l"));
  machine.run(one, create_queued("/l/lock-"));
  machine.run(one, create_queued("/l/x-"));
  for (const char* name : {"/l/lock-", "/l/x-", "/l/__READ__"}) {
    CreateOp op = create_queued(name);
    op.one_recipe = true;
    expect_refusal(two, op, ErrorCode::kBadQueue);
  }
}

TEST_F(Locking, NativePlacesStandAmongKazoosReaders) {
  machine.run(one, create("/l"));
  machine.run(one, create_queued("/l/a__rlock__"));
  machine.run(three, create_queued("/l/b__rlock__"));
  const Outcome writer = acquire(two);
  EXPECT_TRUE(writer.path.ends_with("__lock__0000000002")) << "a name that kazoo's readers wait for";
  EXPECT_FALSE(writer.held);
  const Names ours{writer.path.substr(3)};
  machine.run(one, DeleteOp{"/l/a__rlock__0000000000"});
  EXPECT_NE(holders(), ours);
  machine.run(three, DeleteOp{"/l/b__rlock__0000000001"});
  EXPECT_EQ(holders(), ours);
}

// Else kazoo, who waits for the kept place, would hold beside a native one of the other name.
TEST_F(Locking, APlaceBehindAKeptOneHasItsKindOfName) {
  machine.run(one, create("/l"));
  machine.run(one, create_queued("/l/x__lock__"));
  acquire(two, {Mode::kExclusive, 0, 500});
  machine.run(one, DeleteOp{"/l/x__lock__0000000000"});
  machine.apply(ExpireSessions{{two}});
  ASSERT_EQ(machine.state.kept_places("/l"), 1u);
  EXPECT_TRUE(acquire(three).path.ends_with("__lock__0000000003"));
  CreateOp other = create_queued("/l/lock-");
  other.one_recipe = true;
  expect_refusal(one, other, ErrorCode::kBadQueue);
}

TEST_F(Locking, NativePlacesAreRefusedWhereTheRecipeIsAnothers) {
  machine.run(one, create("/c"));
  machine.run(one, create_queued("/c/__READ__"));
  expect_refusal(two, AcquireOp{"/c", "", kExclusiveMode}, ErrorCode::kBadQueue, "Curator");
  machine.run(one, create("/members"));
  machine.run(one, create_queued("/members/n_"));
  expect_refusal(two, AcquireOp{"/members", "", kExclusiveMode}, ErrorCode::kBadQueue, "unknown");
}

// ---- refusals name the true holder

TEST_F(Locking, ARefusedReleaseNamesTheHolder) {
  const Outcome first = acquire(one);
  const Outcome second = acquire(two);
  expect_refusal(two, ReleaseOp{first.path}, ErrorCode::kNotHolder, hex(one) + " holds it, with token");
  machine.run(one, ReleaseOp{first.path});
  expect_refusal(one, ReleaseOp{first.path}, ErrorCode::kNoNode, hex(two) + " holds it");
  machine.run(two, ReleaseOp{second.path});
  expect_refusal(two, ReleaseOp{second.path}, ErrorCode::kNoNode, "nobody holds it");
  acquire(one, kSharedMode);
  acquire(two, kSharedMode);
  expect_refusal(three, ReleaseOp{"/l/lock-0000000002"}, ErrorCode::kNotHolder, "and 1 more hold it");
}

TEST_F(Locking, ABreakNeedsTheTokenOfAHolder) {
  const Outcome first = acquire(one);
  const Outcome second = acquire(two);
  expect_refusal(three, BreakOp{"/l", second.token}, ErrorCode::kNotHolder, hex(one));
  expect_refusal(three, BreakOp{"/none", first.token}, ErrorCode::kNoNode);
  EXPECT_EQ(machine.run(three, BreakOp{"/l", first.token}).code, ErrorCode::kOk);
  EXPECT_EQ(holders(), Names{"lock-0000000001"});
  expect_refusal(three, BreakOp{"/l", first.token}, ErrorCode::kNotHolder, hex(two));
}

TEST_F(Locking, ABreakNeedsThePermissionToAdminister) {
  CreateOp lock = create("/l");
  lock.acl = {{kAllPermissions & ~kAdmin, "world", "anyone"}};
  machine.run(one, lock);
  const Outcome held = acquire(one);
  expect_refusal(two, BreakOp{"/l", held.token}, ErrorCode::kDenied);
  machine.run(three, AddCredentialOp{{"digest", "root:x"}, true});
  EXPECT_EQ(machine.run(three, BreakOp{"/l", held.token}).code, ErrorCode::kOk);
}

// ---- the delay behind an expiry

TEST_F(Locking, AnExpiredHoldersPlaceIsKept) {
  const Outcome held = acquire(one, {Mode::kExclusive, 0, 500});
  const Outcome waits = acquire(two);
  machine.apply(ExpireSessions{{one}});
  EXPECT_TRUE(holders().empty());
  EXPECT_EQ(machine.state.kept_places("/l"), 1u);
  EXPECT_TRUE(machine.exists(held.path)) << "other clients wait for it as they did";
  EXPECT_EQ(machine.stat(held.path).ephemeral_owner, SessionId());
  EXPECT_FALSE(acquire(three).held);
  expect_refusal(two, ReleaseOp{"/l/none"}, ErrorCode::kNoNode, "kept for a holder");
  machine.apply(ReapNodes{{held.path}});
  EXPECT_TRUE(holders().empty()) << "not due yet";
  machine.stamp.cluster_ms += 500;
  machine.apply(ReapNodes{{held.path}});
  EXPECT_EQ(holders(), Names{std::string(name_of(waits.path))});
  EXPECT_EQ(machine.state.check_consistency(), std::nullopt);
}

TEST_F(Locking, OnlyAHoldersExpiryIsDelayed) {
  const PlaceMode delayed{Mode::kExclusive, 0, 500};
  const Outcome first = acquire(one, delayed);
  acquire(two, delayed);
  const Outcome third = acquire(three, delayed);
  machine.apply(ExpireSessions{{two}});
  EXPECT_EQ(machine.state.kept_places("/l"), 0u) << "it only waited";
  machine.run(one, ReleaseOp{first.path});
  EXPECT_EQ(holders(), Names{std::string(name_of(third.path))}) << "a release lets the next one in at once";
  machine.run(three, CloseSessionOp{});
  EXPECT_EQ(machine.state.kept_places("/l"), 0u) << "so does a session that is closed";
}

TEST_F(Locking, AKeptPlaceHoldsAsItsHolderDid) {
  acquire(one, {Mode::kShared, 0, 500});
  acquire(two, kSharedMode);
  machine.apply(ExpireSessions{{one}});
  EXPECT_EQ(holders(), Names{"lock-0000000001"}) << "readers go on";
  EXPECT_TRUE(acquire(three, kSharedMode).held);
  EXPECT_FALSE(acquire(three).held);

  acquire(two, {Mode::kPermit, 2, 500}, "/s");
  acquire(three, permit(2), "/s");
  machine.apply(ExpireSessions{{two}});
  EXPECT_EQ(holders("/s"), Names{"lock-0000000001"});
  EXPECT_FALSE(acquire(three, permit(2), "/s").held) << "the permit is not free";
  expect_refusal(three, AcquireOp{"/s", "", permit(3)}, ErrorCode::kBadQueue, "2 permits");
}

TEST_F(Locking, AKeptPlaceCannotBeRewrittenButDeleted) {
  const Outcome held = acquire(one, {Mode::kExclusive, 0, 500});
  const Outcome waits = acquire(two);
  machine.apply(ExpireSessions{{one}});
  const std::string data(machine.state.get(held.path)->data);
  expect_refusal(two, SetOp{held.path, data}, ErrorCode::kBadQueue);
  EXPECT_EQ(machine.run(two, DeleteOp{held.path}).code, ErrorCode::kOk);
  EXPECT_EQ(holders(), Names{std::string(name_of(waits.path))});
}

// ---- several at once

TEST_F(Locking, SeveralAreTakenInOneStep) {
  const Outcome all = machine.run(one, AcquireManyOp{{{"/a", "me"}, {"/b", "me"}}});
  EXPECT_EQ(all.code, ErrorCode::kOk) << all.message;
  EXPECT_TRUE(all.held);
  ASSERT_EQ(all.results.size(), 2u);
  EXPECT_EQ(all.results[0].path, "/a/lock-0000000000");
  EXPECT_EQ(all.results[1].path, "/b/lock-0000000000");
  for (const char* path : {"/a", "/b"})
    EXPECT_EQ(machine.run(two, MultiOp{{CheckHeldOp{path, all.token}}}).code, ErrorCode::kOk);
}

TEST_F(Locking, SeveralStandInTheSameOrderEverywhere) {
  acquire(one, {}, "/b");
  const Outcome first = machine.run(two, AcquireManyOp{{{"/a", ""}, {"/b", ""}}});
  EXPECT_FALSE(first.held);
  EXPECT_TRUE(first.results.at(0).held);
  EXPECT_FALSE(first.results.at(1).held);
  const Outcome second = machine.run(three, AcquireManyOp{{{"/b", ""}, {"/a", ""}}});
  EXPECT_FALSE(second.results.at(0).held);
  EXPECT_FALSE(second.results.at(1).held);
  machine.run(one, ReleaseOp{"/b/lock-0000000000"});
  EXPECT_EQ(machine.state.first_queued("/a")->owner, two);
  EXPECT_EQ(machine.state.first_queued("/b")->owner, two);
}

TEST_F(Locking, WithoutAWaitItIsAllOrNone) {
  acquire(one, {}, "/b");
  const AcquireManyOp both{{{"/a", ""}, {"/b", ""}}, false};
  expect_refusal(two, both, ErrorCode::kContended, "/b");
  machine.run(one, ReleaseOp{"/b/lock-0000000000"});
  EXPECT_TRUE(machine.run(two, both).held);
}

TEST_F(Locking, ALockThatCannotBeTakenLeavesTheOthersAlone) {
  machine.run(one, create("/data", "x"));
  expect_refusal(one, AcquireManyOp{{{"/a", ""}, {"/data", ""}}}, ErrorCode::kBadQueue, "lock 2 of 2");
  expect_refusal(one, AcquireManyOp{{{"/a", ""}, {"/a/b/..", ""}}}, ErrorCode::kBadPath);
  expect_refusal(one, AcquireManyOp{{{"/a", ""}, {"/a", ""}}}, ErrorCode::kInvalidArgument, "twice");
  expect_refusal(one, AcquireManyOp{}, ErrorCode::kTooLarge);
  AcquireManyOp many;
  for (size_t i = 0; i <= kLocksAtOnceMax; ++i) many.locks.push_back({"/l" + std::to_string(i), ""});
  const SessionRequest request = machine.request(one, many);
  EXPECT_EQ(validate(request).code(), ErrorCode::kTooLarge);
  expect_refusal(one, AcquireManyOp{{{"/" + std::string(kLocksAtOnceBytesMax, 'a'), ""}}},
                 ErrorCode::kTooLarge);
}

TEST_F(Locking, TheLargestOutcomeIsKeptForARetry) {
  AcquireManyOp many;
  const std::string tail(kLocksAtOnceBytesMax / kLocksAtOnceMax - 3, 'a');
  for (size_t i = 0; i < kLocksAtOnceMax; ++i) {
    many.locks.push_back({"/" + std::to_string(10 + i) + tail, ""});
    machine.run(one, create(many.locks.back().path));
    machine.run(one, create_queued(many.locks.back().path + "/0123456789abcdef0123456789abcdef__lock__"));
  }
  const SessionRequest request = machine.request(two, many);
  ASSERT_EQ(machine.apply(request).outcomes.at(0).outcome.results.size(), kLocksAtOnceMax);
  const SessionOutcome again = machine.apply(request).outcomes.at(0);
  EXPECT_TRUE(again.repeated);
  EXPECT_EQ(again.outcome.results.size(), kLocksAtOnceMax);
}

}  // namespace
}  // namespace quorate::kv
