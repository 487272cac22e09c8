// Who is granted a lock by what an entry did, and what a lock shows to whoever asks.
#include "lock/service.h"

#include <gtest/gtest.h>

#include "tests/kv/machine.h"

namespace quorate::lock {
namespace {

using kv::AcquireOp;
using kv::CloseSessionOp;
using kv::create;
using kv::create_ephemeral;
using kv::create_queued;
using kv::create_sequential;
using kv::DeleteOp;
using kv::ExpireSessions;
using kv::Outcome;
using kv::ReleaseOp;

class Locks : public ::testing::Test {
 protected:
  Outcome acquire(SessionId session, std::string path = "/a") {
    return machine.run(session, AcquireOp{std::move(path), "I am " + std::to_string(session.value())});
  }
  std::vector<Grant> grants_of(const kv::Command& command) {
    return grants(machine.state, machine.apply(command));
  }
  std::vector<Grant> grants_of(SessionId session, kv::Operation operation) {
    return grants_of(machine.request(session, std::move(operation)));
  }
  static void expect_grant(const std::vector<Grant>& granted, const Outcome& acquired, SessionId session) {
    ASSERT_EQ(granted.size(), 1u);
    EXPECT_EQ(granted[0].node, acquired.path);
    EXPECT_EQ(granted[0].token, acquired.token);
    EXPECT_EQ(granted[0].session, session);
  }

  kv::Machine machine;
  SessionId one = machine.open();
  SessionId two = machine.open();
  SessionId three = machine.open();
};

TEST_F(Locks, AReleaseGrantsToTheNextInLine) {
  const Outcome held = acquire(one);
  const Outcome second = acquire(two);
  const Outcome third = acquire(three);
  const std::vector<Grant> granted = grants_of(one, ReleaseOp{held.path});
  expect_grant(granted, second, two);
  EXPECT_EQ(granted[0].zxid, machine.state.zxid());
  expect_grant(grants_of(two, ReleaseOp{second.path}), third, three);
  EXPECT_TRUE(grants_of(three, ReleaseOp{third.path}).empty());
}

TEST_F(Locks, ADeletionOfTheHoldersNodeGrants) {
  const Outcome held = acquire(one);
  const Outcome second = acquire(two);
  expect_grant(grants_of(three, DeleteOp{held.path, -1}), second, two);
}

TEST_F(Locks, ACloseGrants) {
  acquire(one);
  const Outcome second = acquire(two);
  expect_grant(grants_of(one, CloseSessionOp{}), second, two);
}

TEST_F(Locks, AnExpiryGrants) {
  acquire(one);
  const Outcome second = acquire(two);
  expect_grant(grants_of(ExpireSessions{{one}}), second, two);
}

TEST_F(Locks, AWaiterThatLeavesGrantsNothing) {
  acquire(one);
  const Outcome second = acquire(two);
  acquire(three);
  EXPECT_TRUE(grants_of(two, ReleaseOp{second.path}).empty());
  EXPECT_TRUE(grants_of(ExpireSessions{{three}}).empty());
}

TEST_F(Locks, DeadWaitersAreSkipped) {
  acquire(one);
  acquire(two);
  const Outcome third = acquire(three);
  expect_grant(grants_of(ExpireSessions{{one, two}}), third, three);
}

TEST_F(Locks, DeadWaitersAreSkippedInWhateverOrderTheyDie) {
  acquire(one);
  acquire(two);
  const Outcome third = acquire(three);
  expect_grant(grants_of(ExpireSessions{{two, one}}), third, three);
}

TEST_F(Locks, ASessionWithTwoPlacesHandsOverOnceItHasNone) {
  acquire(one);
  acquire(one);
  const Outcome third = acquire(two);
  expect_grant(grants_of(one, CloseSessionOp{}), third, two);
}

TEST_F(Locks, ASessionWithTwoPlacesIsGrantedItsSecond) {
  const Outcome held = acquire(one);
  const Outcome second = acquire(one);
  expect_grant(grants_of(one, ReleaseOp{held.path}), second, one);
}

TEST_F(Locks, OneEntryMayGrantSeveralLocks) {
  acquire(one, "/a");
  acquire(one, "/b");
  const Outcome a = acquire(two, "/a");
  const Outcome b = acquire(three, "/b");
  const std::vector<Grant> granted = grants_of(ExpireSessions{{one}});
  ASSERT_EQ(granted.size(), 2u);
  EXPECT_EQ(granted[0].node, a.path);
  EXPECT_EQ(granted[1].node, b.path);
}

TEST_F(Locks, OtherChildrenGrantNothing) {
  machine.run(one, create("/a"));
  machine.run(one, create("/a/child"));
  machine.run(one, create_ephemeral("/a/ephemeral"));
  machine.run(one, create_sequential("/a/sequential-"));
  machine.run(two, create_queued("/a/lock-"));
  EXPECT_TRUE(grants_of(one, DeleteOp{"/a/child", -1}).empty());
  EXPECT_TRUE(grants_of(one, DeleteOp{"/a/ephemeral", -1}).empty());
  EXPECT_TRUE(grants_of(one, DeleteOp{"/a/sequential-0000000002", -1}).empty());
}

TEST_F(Locks, AnAcquireThatHoldsAtOnceIsNoGrant) { EXPECT_TRUE(grants_of(one, AcquireOp{"/a", {}}).empty()); }

// ---- shared locks and semaphores

TEST_F(Locks, AWritersReleaseLetsAllReadersBehindItIn) {
  const Outcome writer = acquire(one);
  const kv::AcquireOp shared{"/a", "", {kv::Mode::kShared}};
  const Outcome first = machine.run(two, shared);
  const Outcome second = machine.run(three, shared);
  acquire(one);
  const Outcome late = machine.run(two, shared);
  const std::vector<Grant> granted = grants_of(one, ReleaseOp{writer.path});
  ASSERT_EQ(granted.size(), 2u);
  EXPECT_EQ(granted[0].node, first.path);
  EXPECT_EQ(granted[1].node, second.path);
  EXPECT_TRUE(grants_of(two, ReleaseOp{first.path}).empty()) << "a reader that goes wakes nobody";
  EXPECT_EQ(grants_of(three, ReleaseOp{second.path}).size(), 1u);
  EXPECT_FALSE(place_of(kv::View::everything(machine.state), late.path)->held);
}

TEST_F(Locks, AWaitingWriterThatLeavesLetsTheReadersIn) {
  const kv::AcquireOp shared{"/a", "", {kv::Mode::kShared}};
  machine.run(one, shared);
  const Outcome writer = acquire(two);
  const Outcome reader = machine.run(three, shared);
  expect_grant(grants_of(two, ReleaseOp{writer.path}), reader, three);
}

TEST_F(Locks, ADowngradeLetsTheReadersIn) {
  const Outcome held = acquire(one);
  const Outcome reader = machine.run(two, kv::AcquireOp{"/a", "", {kv::Mode::kShared}});
  expect_grant(grants_of(one, kv::DowngradeOp{held.path}), reader, two);
  EXPECT_TRUE(grants_of(one, kv::SetOp{held.path, "quorate:shared:another name"}).empty());
}

TEST_F(Locks, AnUpgradeGrantsNothing) {
  const Outcome held = machine.run(one, kv::AcquireOp{"/a", "", {kv::Mode::kShared}});
  EXPECT_TRUE(grants_of(one, kv::UpgradeOp{held.path}).empty());
}

TEST_F(Locks, EachPermitWakesOne) {
  const kv::AcquireOp permit{"/a", "", {kv::Mode::kPermit, 2}};
  const Outcome first = machine.run(one, permit);
  const Outcome second = machine.run(one, permit);
  const Outcome third = machine.run(two, permit);
  machine.run(three, permit);
  const Outcome fifth = machine.run(three, permit);
  expect_grant(grants_of(one, ReleaseOp{first.path}), third, two);
  const std::vector<Grant> granted = grants_of(ExpireSessions{{one, two}});
  ASSERT_EQ(granted.size(), 2u);
  EXPECT_EQ(granted[1].node, fifth.path);
  EXPECT_FALSE(machine.exists(second.path));
}

TEST_F(Locks, AKeptPlaceGrantsWhenItsTimeIsOver) {
  const Outcome held = machine.run(one, kv::AcquireOp{"/a", "", {kv::Mode::kExclusive, 0, 300}});
  const Outcome waits = acquire(two);
  EXPECT_TRUE(grants_of(ExpireSessions{{one}}).empty());
  EXPECT_EQ(show(kv::View::everything(machine.state), "/a")->kept, 1u);
  EXPECT_FALSE(show(kv::View::everything(machine.state), "/a")->holder.has_value());
  EXPECT_TRUE(grants_of(kv::ReapNodes{{held.path}}).empty());
  machine.stamp.cluster_ms += 300;
  expect_grant(grants_of(kv::ReapNodes{{held.path}}), waits, two);
}

TEST_F(Locks, AKeptPermitGrantsWhenItsTimeIsOver) {
  const kv::AcquireOp permit{"/a", "", {kv::Mode::kPermit, 2, 300}};
  const Outcome first = machine.run(one, permit);
  machine.run(two, permit);
  const Outcome third = machine.run(three, permit);
  EXPECT_TRUE(grants_of(ExpireSessions{{one}}).empty());
  machine.stamp.cluster_ms += 300;
  expect_grant(grants_of(kv::ReapNodes{{first.path}}), third, three);
}

// ---- what is taken away

TEST_F(Locks, WhoIsRobbedIsTold) {
  const Outcome held = acquire(one);
  const Outcome waits = acquire(two);
  const kv::Applied broken = machine.apply_as(three, kv::BreakOp{"/a", held.token});
  ASSERT_EQ(losses(broken).size(), 1u);
  EXPECT_EQ(losses(broken)[0].session, one);
  EXPECT_EQ(losses(broken)[0].node, held.path);
  ASSERT_EQ(grants(machine.state, broken).size(), 1u);
  EXPECT_EQ(grants(machine.state, broken)[0].session, two);
  EXPECT_EQ(losses(machine.apply_as(three, DeleteOp{waits.path, -1})).size(), 1u) << "whatever took it";
}

TEST_F(Locks, WhoLeavesByHimselfIsNotTold) {
  const Outcome held = acquire(one);
  EXPECT_TRUE(losses(machine.apply_as(one, ReleaseOp{held.path})).empty());
  acquire(one);
  EXPECT_TRUE(losses(machine.apply(ExpireSessions{{one}})).empty()) << "it is told of its session's end";
  acquire(two);
  EXPECT_TRUE(losses(machine.apply_as(two, CloseSessionOp{})).empty());
}

TEST_F(Locks, TokensAreVerified) {
  const auto verified = [&](std::string_view path, Token token) {
    return verify(kv::View::everything(machine.state), path, token).code();
  };
  const kv::AcquireOp shared{"/a", "", {kv::Mode::kShared}};
  const Outcome first = machine.run(one, shared);
  const Outcome second = machine.run(two, shared);
  const Outcome waits = acquire(three);
  EXPECT_EQ(verified("/a", first.token), ErrorCode::kOk);
  EXPECT_EQ(verified("/a", second.token), ErrorCode::kOk);
  EXPECT_EQ(verified("/a", waits.token), ErrorCode::kNotHolder);
  EXPECT_EQ(verified("/none", first.token), ErrorCode::kNoNode);
  EXPECT_EQ(verified("bad", first.token), ErrorCode::kBadPath);
  machine.run(one, ReleaseOp{first.path});
  EXPECT_EQ(verified("/a", first.token), ErrorCode::kNotHolder);
  machine.run(two, ReleaseOp{second.path});
  machine.run(three, ReleaseOp{waits.path});
  EXPECT_EQ(verified("/a", waits.token), ErrorCode::kNotHolder);
}

// ---- where a node stands

TEST_F(Locks, PlacesTellWhoHolds) {
  const Outcome held = acquire(one);
  const Outcome second = acquire(two);
  EXPECT_TRUE(place_of(kv::View::everything(machine.state), held.path)->held);
  EXPECT_EQ(place_of(kv::View::everything(machine.state), held.path)->token, held.token);
  EXPECT_FALSE(place_of(kv::View::everything(machine.state), second.path)->held);
  machine.run(one, ReleaseOp{held.path});
  EXPECT_TRUE(place_of(kv::View::everything(machine.state), second.path)->held);
  EXPECT_EQ(place_of(kv::View::everything(machine.state), second.path)->token, second.token);
  EXPECT_EQ(place_of(kv::View::everything(machine.state), held.path).code(), ErrorCode::kNoNode);
}

TEST_F(Locks, PlacesRefuseWhatIsNoQueueNode) {
  machine.run(one, create("/plain"));
  machine.run(one, create_ephemeral("/ephemeral"));
  machine.run(one, create_sequential("/sequential-"));
  for (const char* path : {"/", "/plain", "/ephemeral", "/sequential-0000000002"}) {
    EXPECT_EQ(place_of(kv::View::everything(machine.state), path).code(), ErrorCode::kBadQueue) << path;
  }
  EXPECT_EQ(place_of(kv::View::everything(machine.state), "bad").code(), ErrorCode::kBadPath);
}

// ---- what is shown

TEST_F(Locks, ShowsHolderAndWaitersInOrder) {
  const Outcome held = acquire(one);
  const int64_t since = machine.stamp.wall_ms;
  const Outcome second = acquire(two);
  const Outcome third = acquire(three);
  const Result<LockView> view = show(kv::View::everything(machine.state), "/a");
  ASSERT_TRUE(view.ok());
  EXPECT_EQ(view->path, "/a");
  EXPECT_FALSE(view->mixed);
  EXPECT_EQ(view->zxid, machine.state.zxid());
  ASSERT_TRUE(view->holder.has_value());
  EXPECT_EQ(view->holder->node, held.path);
  EXPECT_EQ(view->holder->session, one);
  EXPECT_EQ(view->holder->token, held.token);
  EXPECT_EQ(view->holder->data, "I am 1");
  EXPECT_EQ(view->holder->since_ms, since);
  ASSERT_EQ(view->waiters.size(), 2u);
  EXPECT_EQ(view->waiters[0].node, second.path);
  EXPECT_EQ(view->waiters[1].node, third.path);
  EXPECT_EQ(view->waiters[1].token, third.token);
}

TEST_F(Locks, ShowsAFreeLockAndRefusesNoLock) {
  machine.run(one, create("/a"));
  EXPECT_FALSE(show(kv::View::everything(machine.state), "/a")->holder.has_value());
  EXPECT_EQ(show(kv::View::everything(machine.state), "/b").code(), ErrorCode::kNoNode);
  EXPECT_EQ(show(kv::View::everything(machine.state), "b").code(), ErrorCode::kBadPath);
}

TEST_F(Locks, ShowsThatAQueueIsMixed) {
  acquire(one);
  machine.run(two, create_queued("/a/x__lock__"));
  EXPECT_TRUE(show(kv::View::everything(machine.state), "/a")->mixed);
}

TEST_F(Locks, ShowsWhoMayBelieveToHoldAMixedQueue) {
  acquire(one);
  acquire(two);
  machine.run(three, create_queued("/a/x__lock__"));
  const LockView view = *show(kv::View::everything(machine.state), "/a");
  EXPECT_EQ(view.holder->session, one);
  ASSERT_EQ(view.sharing.size(), 1u);
  EXPECT_EQ(view.sharing[0].session, three);
  ASSERT_EQ(view.waiters.size(), 1u);
  EXPECT_EQ(view.waiters[0].session, two);
}

TEST_F(Locks, ShowsEveryReaderWhoMayBelieveToHoldAMixedQueue) {
  acquire(one);
  machine.run(two, create_queued("/a/__READ__"));
  machine.run(three, create_queued("/a/__READ__"));
  machine.run(one, create_queued("/a/__WRIT__"));
  machine.run(two, create_queued("/a/__READ__"));
  const LockView view = *show(kv::View::everything(machine.state), "/a");
  EXPECT_TRUE(view.mixed);
  EXPECT_EQ(view.holder->node, "/a/lock-0000000000");
  ASSERT_EQ(view.sharing.size(), 2u);
  EXPECT_EQ(view.sharing[0].node, "/a/__READ__0000000001");
  EXPECT_EQ(view.sharing[0].mode.mode, kv::Mode::kShared);
  EXPECT_EQ(view.sharing[1].node, "/a/__READ__0000000002");
  ASSERT_EQ(view.waiters.size(), 2u);
  EXPECT_EQ(view.waiters[0].node, "/a/__WRIT__0000000003");
}

TEST_F(Locks, ShowsALockForReadersAndWritersOfAnotherClientAsOne) {
  struct Recipe {
    std::string path, reader, writer;
  };
  for (const Recipe& recipe :
       {Recipe{"/c", "_c_1-__READ__", "_c_1-__WRIT__"}, Recipe{"/k", "x__rlock__", "x__lock__"}}) {
    machine.run(one, create(recipe.path));
    machine.run(one, create_queued(recipe.path + "/" + recipe.reader));
    machine.run(two, create_queued(recipe.path + "/" + recipe.reader));
    machine.run(three, create_queued(recipe.path + "/" + recipe.writer));
    const LockView view = *show(kv::View::everything(machine.state), recipe.path);
    EXPECT_FALSE(view.mixed);
    EXPECT_FALSE(view.unknown);
    EXPECT_EQ(view.holder->session, one);
    ASSERT_EQ(view.sharing.size(), 1u);
    EXPECT_EQ(view.sharing[0].session, two);
    ASSERT_EQ(view.waiters.size(), 1u);
    EXPECT_EQ(view.waiters[0].session, three);
  }
}

TEST_F(Locks, ClaimsNothingOfAFolderThatIsNoLock) {
  machine.run(one, create("/members"));
  machine.run(one, create_queued("/members/member-"));
  machine.run(two, create_queued("/members/n_"));
  const LockView view = *show(kv::View::everything(machine.state), "/members");
  EXPECT_FALSE(view.mixed);
  EXPECT_TRUE(view.unknown);
  EXPECT_FALSE(view.holder.has_value());
  EXPECT_TRUE(view.sharing.empty());
  EXPECT_EQ(view.waiters.size(), 2u);
}

TEST_F(Locks, NobodyHoldsBehindAKeptPlace) {
  machine.run(one, AcquireOp{"/a", "", {kv::Mode::kExclusive, 0, 500}});
  acquire(two);
  machine.apply(ExpireSessions{{one}});
  const LockView view = *show(kv::View::everything(machine.state), "/a");
  EXPECT_FALSE(view.holder.has_value());
  EXPECT_EQ(view.kept, 1u);
  EXPECT_EQ(view.waiters.size(), 1u);
}

TEST_F(Locks, ShowsAllWhoShare) {
  const kv::AcquireOp shared{"/a", "reader", {kv::Mode::kShared}};
  machine.run(one, shared);
  machine.run(two, shared);
  acquire(three);
  machine.run(one, shared);
  const LockView view = *show(kv::View::everything(machine.state), "/a");
  EXPECT_EQ(view.holder->data, "reader");
  EXPECT_EQ(view.holder->mode.mode, kv::Mode::kShared);
  ASSERT_EQ(view.sharing.size(), 1u);
  EXPECT_EQ(view.sharing[0].session, two);
  EXPECT_EQ(view.waiters.size(), 2u);
}

TEST_F(Locks, ListsWhatHasAQueueByPath) {
  for (const char* path : {"/z", "/b/c", "/b/a", "/bb"}) acquire(one, path);
  const auto paths = [&](std::string_view root, size_t max) {
    std::vector<std::string> listed;
    const LockPage page = list(kv::View::everything(machine.state), root, {.max = max});
    for (const LockView& view : page.locks) listed.push_back(view.path);
    return listed;
  };
  using Paths = std::vector<std::string>;
  EXPECT_EQ(paths("/", 10), (Paths{"/b/a", "/b/c", "/bb", "/z"}));
  EXPECT_EQ(paths("/", 2), (Paths{"/b/a", "/b/c"}));
  EXPECT_EQ(paths("/b", 10), (Paths{"/b/a", "/b/c"}));
  EXPECT_EQ(paths("/none", 10), Paths{});
  EXPECT_EQ(paths("not a path", 10), Paths{});
  const LockPage below = list(kv::View::everything(machine.state), "/b/a", {.max = 1});
  ASSERT_EQ(below.locks.size(), 1u);
  EXPECT_EQ(below.locks[0].holder->session, one);
  EXPECT_EQ(below.next, "") << "there are no more";
}

TEST_F(Locks, PagesTellEachLockOnceWhateverHasRoom) {
  std::vector<std::string> all;
  for (int i = 0; i < 9; ++i) {
    all.push_back("/l" + std::to_string(i));
    acquire(one, all.back());
    if (i % 3 == 0) acquire(two, all.back());
  }
  const kv::View view = kv::View::everything(machine.state);
  for (const size_t max : {size_t{1}, size_t{2}, size_t{9}, SIZE_MAX}) {
    for (const size_t bytes_max : {size_t{0}, size_t{1}, size_t{300}, size_t{500}, SIZE_MAX}) {
      std::vector<std::string> told;
      std::string after;
      do {
        const LockPage page = list(view, "/", {after, max, bytes_max});
        ASSERT_FALSE(page.locks.empty());
        ASSERT_LE(page.locks.size(), max);
        size_t bytes = 0;
        for (const LockView& lock : page.locks) {
          told.push_back(lock.path);
          bytes += bytes_of(lock);
        }
        EXPECT_TRUE(bytes <= bytes_max || page.locks.size() == 1);
        after = page.next;
      } while (!after.empty());
      EXPECT_EQ(told, all) << max << " locks, " << bytes_max << " bytes";
    }
  }
}

TEST_F(Locks, WaitersThatHaveNoRoomAreCounted) {
  acquire(one);
  for (int i = 0; i < 5; ++i) acquire(two);
  const kv::View view = kv::View::everything(machine.state);
  EXPECT_EQ(show(view, "/a")->more, 0u);
  const size_t whole = bytes_of(*show(view, "/a"));
  for (size_t bytes_max = 0; bytes_max <= whole; ++bytes_max) {
    const LockView cut = *show(view, "/a", bytes_max);
    ASSERT_TRUE(cut.holder.has_value()) << "always told";
    EXPECT_EQ(cut.waiters.size() + cut.more, 5u);
    EXPECT_TRUE(bytes_of(cut) <= bytes_max || cut.waiters.empty());
  }
  EXPECT_EQ(show(view, "/a", whole)->more, 0u);
  EXPECT_EQ(show(view, "/a", whole - 1)->more, 1u);
}

TEST_F(Locks, TokensGrowAlongAPathAlsoWhenItIsMadeAnew) {
  const Outcome first = acquire(one);
  machine.run(one, ReleaseOp{first.path});
  machine.run(one, DeleteOp{"/a", -1});
  const Outcome second = acquire(two);
  EXPECT_EQ(second.path, first.path);
  EXPECT_GT(second.token, first.token);
}

}  // namespace
}  // namespace quorate::lock
