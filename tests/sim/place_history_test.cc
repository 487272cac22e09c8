#include "tests/sim/place_history.h"

#include <gtest/gtest.h>

#include "tests/sim/expect_says.h"

namespace quorate::sim {
namespace {

using Kind = kv::Change::Kind;

kv::PlaceMode shared() { return {kv::Mode::kShared}; }
kv::PlaceMode permit() { return {kv::Mode::kPermit, 2}; }
kv::PlaceMode delayed() { return {kv::Mode::kExclusive, 0, 500}; }

// Places are named by their session: "/l/1" is that of session 1.
struct PlaceTest : testing::Test {
  static kv::Change change(Kind kind, uint64_t session, uint64_t czxid, kv::PlaceMode mode = {}) {
    kv::Change made;
    made.kind = kind;
    made.path = "/l/" + std::to_string(session);
    made.owner = mode.gone ? SessionId() : SessionId(session);
    made.sequential = true;
    made.czxid = Zxid(czxid);
    made.place = mode;
    return made;
  }
  Verdict apply(uint64_t zxid, std::vector<kv::Change> changes, int64_t at_ms = 0) {
    applied.zxid = Zxid(zxid);
    applied.changes = std::move(changes);
    const Verdict verdict = places.committed(applied, at_ms);
    applied = {};
    return verdict;
  }
  void join(uint64_t zxid, uint64_t session, kv::PlaceMode mode = {}) {
    EXPECT_FALSE(apply(zxid, {change(Kind::kCreated, session, zxid, mode)}));
  }
  void leave(uint64_t zxid, uint64_t session, uint64_t czxid, kv::PlaceMode mode = {}) {
    applied.outcomes.push_back({SessionId(session), 1, 1, {}, false});
    EXPECT_FALSE(apply(zxid, {change(Kind::kDeleted, session, czxid, mode)}));
  }

  PlaceHistory places{{"/l"}};
  kv::Applied applied;
};

TEST_F(PlaceTest, AHandOverPasses) {
  join(4, 1);
  join(5, 2);
  EXPECT_FALSE(places.told_begins("/l/1", Token(4), Zxid(4)));
  EXPECT_FALSE(places.told_place("/l/2", Token(5), false, Zxid(5)));
  leave(6, 1, 4);
  EXPECT_FALSE(places.told_begins("/l/2", Token(5), Zxid(6)));
  EXPECT_FALSE(places.told_held("/l", Token(5), true, Zxid(6)));
  EXPECT_FALSE(places.told_held("/l", Token(4), false, Zxid(6)));
  EXPECT_FALSE(places.told_gone("/l/1", Zxid(6)));
}

TEST_F(PlaceTest, AGrantTooEarlyOrTooOftenIsFound) {
  join(4, 1);
  join(5, 2);
  expect_says(places.told_begins("/l/2", Token(5), Zxid(5)), "and it never did");
  expect_says(places.told_begins("/l/1", Token(4), Zxid(5)), "it does from 4 on");
  expect_says(places.told_begins("/l/3", Token(6), Zxid(6)), "never was such a place");
  expect_says(places.told_begins("/l/1", Token(9), Zxid(4)), "with token 9");
}

TEST_F(PlaceTest, AFalseAnswerAboutAPlaceIsFound) {
  join(4, 1);
  join(5, 2);
  expect_says(places.told_place("/l/2", Token(5), true, Zxid(5)), "that is not so");
  expect_says(places.told_place("/l/2", Token(5), false, Zxid(4)), "not in the queue");
  expect_says(places.told_gone("/l/1", Zxid(5)), "and it is");
  expect_says(places.told_held("/l", Token(5), true, Zxid(5)), "is said to be held");
  expect_says(places.told_held("/l", Token(4), false, Zxid(5)), "is said to be not held");
}

TEST_F(PlaceTest, ReadersHoldTogetherAndNoneOvertakesAWriter) {
  join(4, 1, shared());
  join(5, 2, shared());
  join(6, 3);
  join(7, 4, shared());
  EXPECT_FALSE(places.told_begins("/l/2", Token(5), Zxid(5)));
  EXPECT_FALSE(places.told_place("/l/4", Token(7), false, Zxid(7)));
  expect_says(places.told_begins("/l/4", Token(7), Zxid(7)), "never did");
}

TEST_F(PlaceTest, NoMorePermitsThanThereAre) {
  join(4, 1, permit());
  join(5, 2, permit());
  join(6, 3, permit());
  EXPECT_FALSE(places.told_begins("/l/2", Token(5), Zxid(5)));
  expect_says(places.told_place("/l/3", Token(6), true, Zxid(6)), "that is not so");
  leave(7, 1, 4, permit());
  EXPECT_FALSE(places.told_begins("/l/3", Token(6), Zxid(7)));
}

TEST_F(PlaceTest, ADowngradeLetsReadersIn) {
  join(4, 1);
  join(5, 2, shared());
  EXPECT_FALSE(apply(6, {change(Kind::kDataSet, 1, 4)}));
  EXPECT_FALSE(places.told_begins("/l/2", Token(5), Zxid(6)));
  EXPECT_FALSE(places.told_place("/l/1", Token(4), true, Zxid(6)));
}

TEST_F(PlaceTest, AnUpgradeBesideNobodyMustNotBeRefused) {
  join(4, 1, shared());
  expect_says(places.told_contended("/l/1", Zxid(4)), "nobody else was there");
  join(5, 2);
  EXPECT_FALSE(places.told_contended("/l/1", Zxid(5)));
}

// A client library says no zxid: its answer must have been true at some time since it was asked.
TEST_F(PlaceTest, WhatWasHeldSinceIsKnown) {
  join(4, 1);
  join(5, 2);
  leave(7, 1, 4);
  EXPECT_FALSE(places.told_held_since("/l", Token(4), true, Zxid(6)));
  EXPECT_FALSE(places.told_held_since("/l", Token(4), false, Zxid(6)));
  EXPECT_FALSE(places.told_held_since("/l", Token(4), false, Zxid(3)));
  EXPECT_FALSE(places.told_held_since("/l", Token(5), false, Zxid(5)));
  EXPECT_FALSE(places.told_held_since("/l", Token(5), true, Zxid(5)));
  EXPECT_FALSE(places.told_held_since("/l", Token(9), false, Zxid(5)));
  expect_says(places.told_held_since("/l", Token(4), true, Zxid(7)), "at none it was");
  expect_says(places.told_held_since("/l", Token(5), false, Zxid(7)), "at none it was");
  expect_says(places.told_held_since("/l", Token(9), true, Zxid(4)), "at none it was");
}

TEST_F(PlaceTest, WhoGivesUpAlthoughItHoldsIsFound) {
  join(4, 1);
  join(5, 2);
  EXPECT_FALSE(places.told_too_late("/l", SessionId(2), Zxid(4), Zxid(5)));
  leave(7, 1, 4);
  EXPECT_FALSE(places.told_too_late("/l", SessionId(2), Zxid(4), Zxid(6)));
  EXPECT_FALSE(places.told_too_late("/l", SessionId(2), Zxid(5), Zxid(7)));
  expect_says(places.told_too_late("/l", SessionId(2), Zxid(4), Zxid(7)), "has held it since zxid 7");
}

TEST_F(PlaceTest, ADeadWaiterThatStaysIsFound) {
  join(4, 1);
  join(5, 2);
  applied.sessions_ended.push_back({SessionId(2), true});
  expect_says(apply(6, {}), "is over, and it stays");
}

TEST_F(PlaceTest, AnExpiredHoldersPlaceIsKeptAsLongAsItAskedFor) {
  join(4, 1, delayed());
  join(5, 2);
  kv::PlaceMode gone = delayed();
  gone.gone = true;
  applied.sessions_ended.push_back({SessionId(1), true});
  EXPECT_FALSE(
      apply(6, {change(Kind::kDeleted, 1, 4, delayed()), change(Kind::kCreated, 1, 6, gone)}, 1'000));
  EXPECT_FALSE(places.told_place("/l/2", Token(5), false, Zxid(6)));
  EXPECT_EQ(places.kept(), 1U);
  expect_says(apply(7, {change(Kind::kDeleted, 1, 6, gone)}, 1'499), "was for 499");
}

TEST_F(PlaceTest, AnExpiredHoldersPlaceThatIsNotKeptIsFound) {
  join(4, 1, delayed());
  applied.sessions_ended.push_back({SessionId(1), true});
  expect_says(apply(5, {change(Kind::kDeleted, 1, 4, delayed())}), "was not kept");
}

TEST_F(PlaceTest, WhatIsKeptThoughNobodyAskedIsFound) {
  join(4, 1, delayed());
  kv::PlaceMode gone = delayed();
  gone.gone = true;
  applied.outcomes.push_back({SessionId(1), 1, 1, {}, false});
  expect_says(apply(5, {change(Kind::kDeleted, 1, 4, delayed()), change(Kind::kCreated, 1, 5, gone)}),
              "nobody asked");
}

TEST_F(PlaceTest, SessionsThatExpireByOneEntryDoSoOneAfterTheOther) {
  join(4, 1);
  join(5, 2, delayed());
  kv::PlaceMode gone = delayed();
  gone.gone = true;
  const std::vector<kv::Change> second = {change(Kind::kDeleted, 2, 5, delayed()),
                                          change(Kind::kCreated, 2, 6, gone)};
  std::vector<kv::Change> both = {change(Kind::kDeleted, 1, 4)};
  both.insert(both.end(), second.begin(), second.end());
  applied.sessions_ended = {{SessionId(1), true}, {SessionId(2), true}};
  EXPECT_FALSE(apply(6, both)) << "the second came to hold when the first was gone";
}

TEST_F(PlaceTest, AWaitersPlaceThatIsKeptIsFound) {
  join(4, 1);
  join(5, 2, delayed());
  kv::PlaceMode gone = delayed();
  gone.gone = true;
  applied.sessions_ended = {{SessionId(2), true}};
  expect_says(apply(6, {change(Kind::kDeleted, 2, 5, delayed()), change(Kind::kCreated, 2, 6, gone)}),
              "nobody asked");
}

TEST_F(PlaceTest, WhoTookAPlaceAwayIsKnown) {
  join(4, 1);
  join(5, 2);
  applied.outcomes.push_back({SessionId(9), 1, 1, {}, false});
  EXPECT_FALSE(apply(6, {change(Kind::kDeleted, 1, 4)}));
  leave(7, 2, 5);
  EXPECT_TRUE(places.was_taken("/l/1"));
  EXPECT_FALSE(places.was_taken("/l/2"));
  EXPECT_FALSE(places.told_taken("/l/1", Zxid(6)));
  EXPECT_FALSE(places.told_taken_since(SessionId(1), Zxid(3)));
  expect_says(places.told_taken_since(SessionId(1), Zxid(4)), "and none was");
  expect_says(places.told_taken_since(SessionId(2), Zxid(3)), "and none was");
  expect_says(places.told_taken("/l/2", Zxid(7)), "its own session");
  expect_says(places.told_taken("/l/1", Zxid(7)), "that did not");
}

TEST_F(PlaceTest, WhatIsTakenBesideTheOneThatWasNamedIsFound) {
  join(4, 1, permit());
  join(5, 2, permit());
  applied.outcomes.push_back({SessionId(9), 1, 1, {}, false});
  expect_says(apply(6, {change(Kind::kDeleted, 1, 4, permit()), change(Kind::kDeleted, 2, 5, permit())}),
              "beside one with another token");
}

TEST_F(PlaceTest, ALookAtAQueueIsHeldToIt) {
  join(4, 1, shared());
  join(5, 2, shared());
  join(6, 3);
  const auto contender = [](const std::string& node) {
    lock::Contender one;
    one.node = node;
    return one;
  };
  lock::LockView view;
  view.path = "/l";
  view.zxid = Zxid(6);
  view.holder = contender("/l/1");
  view.sharing = {contender("/l/2")};
  view.waiters = {contender("/l/3")};
  EXPECT_FALSE(places.told_queue(view));
  view.sharing.clear();
  expect_says(places.told_queue(view), "1 who hold");
  view.sharing = {contender("/l/2")};
  view.waiters.clear();
  expect_says(places.told_queue(view), "0 who wait");
}

TEST_F(PlaceTest, OtherQueuesAreNotLookedAt) {
  kv::Change elsewhere = change(Kind::kDeleted, 1, 4);
  elsewhere.path = "/churn/1";
  EXPECT_FALSE(apply(5, {elsewhere}));
  elsewhere.path = "/l/1";
  expect_says(apply(6, {elsewhere}), "that it was not in");
}

}  // namespace
}  // namespace quorate::sim
