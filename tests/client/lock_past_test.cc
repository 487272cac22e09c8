// What the changes below a lock's path say about its queue.
#include "client/lock_past.h"

#include <gtest/gtest.h>

namespace quorate::client {
namespace {

std::string place(uint64_t number) { return "/l/lock-" + std::to_string(number); }
PlaceChange created(uint64_t number, uint64_t zxid) {
  return {EventKind::kCreated, place(number), Zxid(zxid)};
}
// As servers tell it that keep nothing of who left.
PlaceChange deleted(uint64_t number, uint64_t zxid) {
  return {EventKind::kDeleted, place(number), Zxid(zxid)};
}

Contender contender(uint64_t number, uint64_t token) {
  Contender out;
  out.node = place(number);
  out.token = Token(token);
  out.name = "number " + std::to_string(number);
  return out;
}

// One came at 1,000 ms times its token, and goes at so much times the zxid.
PlaceChange left(uint64_t number, uint64_t token, uint64_t zxid, uint64_t session = 0x77) {
  PlaceChange change = deleted(number, zxid);
  change.left = contender(number, token);
  change.left->session = SessionId(session);
  change.left->since_ms = static_cast<int64_t>(1'000 * token);
  change.left_ms = static_cast<int64_t>(1'000 * zxid);
  return change;
}

// Token, first, until, state of each place.
struct Row {
  uint64_t token, first, until;
  PlaceState state;
  friend bool operator==(const Row&, const Row&) = default;
};
std::vector<Row> rows(const LockHistory& history) {
  std::vector<Row> out;
  for (const PastPlace& each : history.places)
    out.push_back({each.token.value(), each.first.value(), each.until.value(), each.state});
  return out;
}
using Rows = std::vector<Row>;

TEST(LockPast, WithoutChangesNothingIsKnown) {
  const LockHistory history = past_of("/l", Zxid(7), {}, std::nullopt);
  EXPECT_TRUE(history.places.empty());
  EXPECT_EQ(history.path, "/l");
  EXPECT_EQ(history.since, Zxid(7));
}

TEST(LockPast, EachIsTheFirstWhenThoseBeforeItHaveGone) {
  const LockHistory history = past_of(
      "/l", Zxid(),
      {created(0, 10), created(1, 11), created(2, 12), deleted(1, 13), deleted(0, 14), created(3, 15)},
      std::nullopt);
  EXPECT_EQ(rows(history), (Rows{{10, 10, 14, PlaceState::kLeft},
                                 {11, 0, 13, PlaceState::kLeft},
                                 {12, 14, 0, PlaceState::kHolds},
                                 {15, 0, 0, PlaceState::kWaits}}));
}

TEST(LockPast, ASecondWhoIsSeenToHoldIsToldSo) {
  LockInfo seen;
  seen.holder = contender(0, 10);
  seen.sharing = {contender(1, 11)};
  seen.waiters = {contender(2, 12)};
  const LockHistory history = past_of("/l", Zxid(), {created(0, 10), created(1, 11), created(2, 12)}, seen);
  EXPECT_EQ(rows(history), (Rows{{10, 10, 0, PlaceState::kHolds},
                                 {11, 0, 0, PlaceState::kHolds},
                                 {12, 0, 0, PlaceState::kWaits}}));
  ASSERT_TRUE(history.places[1].contender);
  EXPECT_EQ(history.places[1].contender->name, "number 1");
}

TEST(LockPast, WhoWasThereBeforeTheHistoryBeginsStandsBeforeAllOthers) {
  LockInfo seen;
  seen.holder = contender(9, 40);
  seen.waiters = {contender(11, 60)};
  const LockHistory history =
      past_of("/l", Zxid(50), {created(11, 60), deleted(10, 61), deleted(8, 62)}, seen);
  EXPECT_EQ(rows(history), (Rows{{0, 0, 62, PlaceState::kLeft},
                                 {40, 62, 0, PlaceState::kHolds},
                                 {0, 0, 61, PlaceState::kLeft},
                                 {60, 0, 0, PlaceState::kWaits}}));
  EXPECT_TRUE(history.places[0].from_before);
  EXPECT_FALSE(history.places[1].from_before);
}

TEST(LockPast, APlaceThatIsKeptForAnExpiredHolderIsHeldByNobody) {
  const std::vector<PlaceChange> events{created(0, 10), created(1, 11), deleted(0, 12), created(0, 12)};
  EXPECT_EQ(rows(past_of("/l", Zxid(), events, std::nullopt)),
            (Rows{{10, 10, 12, PlaceState::kKept}, {11, 0, 0, PlaceState::kWaits}}));
  std::vector<PlaceChange> over = events;
  over.push_back(deleted(0, 20));
  EXPECT_EQ(rows(past_of("/l", Zxid(), over, std::nullopt)),
            (Rows{{10, 10, 12, PlaceState::kExpired}, {11, 20, 0, PlaceState::kHolds}}));
  // ... and where its coming is forgotten.
  EXPECT_EQ(rows(past_of("/l", Zxid(10), {created(1, 11), deleted(0, 12), created(0, 12)}, std::nullopt)),
            (Rows{{0, 0, 12, PlaceState::kKept}, {11, 0, 0, PlaceState::kWaits}}));
}

// First and until on the wall clock, and the name.
struct When {
  int64_t first_ms, until_ms;
  std::string name;
  friend bool operator==(const When&, const When&) = default;
};
std::vector<When> times(const LockHistory& history) {
  std::vector<When> out;
  for (const PastPlace& each : history.places)
    out.push_back({each.first_ms, each.until_ms, each.contender ? each.contender->name : "?"});
  return out;
}
using Times = std::vector<When>;

TEST(LockPast, OfThoseThatHaveGoneItIsToldWhoTheyWereAndWhen) {
  LockInfo seen;
  seen.holder = contender(2, 12);
  seen.holder->since_ms = 12'000;
  seen.waiters = {contender(3, 16)};
  const LockHistory history = past_of(
      "/l", Zxid(),
      {created(0, 10), created(1, 11), created(2, 12), left(1, 11, 13), left(0, 10, 14), created(3, 16)},
      seen);
  EXPECT_EQ(times(history), (Times{{10'000, 14'000, "number 0"},
                                   {0, 13'000, "number 1"},
                                   {14'000, 0, "number 2"},
                                   {0, 0, "number 3"}}));
  EXPECT_EQ(history.places[0].contender->session, SessionId(0x77));
  EXPECT_EQ(history.places[0].contender->since_ms, 10'000);
}

TEST(LockPast, OfOneThatCameBeforeTheHistoryBeginsTheTokenIsToldWhenItGoes) {
  const LockHistory history = past_of("/l", Zxid(50), {created(11, 60), left(8, 40, 62)}, std::nullopt);
  EXPECT_EQ(rows(history), (Rows{{40, 0, 62, PlaceState::kLeft}, {60, 62, 0, PlaceState::kHolds}}));
  EXPECT_EQ(times(history), (Times{{0, 62'000, "number 8"}, {62'000, 0, "?"}}));
}

TEST(LockPast, WhoExpiredIsToldBesideWhatIsKeptForHim) {
  std::vector<PlaceChange> events{created(0, 10), created(1, 11), left(0, 10, 12), created(0, 12)};
  EXPECT_EQ(times(past_of("/l", Zxid(), events, std::nullopt)),
            (Times{{10'000, 12'000, "number 0"}, {0, 0, "?"}}));
  events.push_back(left(0, 12, 20, 0));
  const LockHistory history = past_of("/l", Zxid(), events, std::nullopt);
  EXPECT_EQ(rows(history), (Rows{{10, 10, 12, PlaceState::kExpired}, {11, 20, 0, PlaceState::kHolds}}));
  EXPECT_EQ(times(history), (Times{{10'000, 12'000, "number 0"}, {20'000, 0, "?"}}));
  EXPECT_EQ(history.places[0].contender->session, SessionId(0x77));
  // ... and where only the end of its delay is in the history.
  const LockHistory late = past_of("/l", Zxid(15), {left(0, 12, 20, 0)}, std::nullopt);
  EXPECT_EQ(rows(late), (Rows{{0, 0, 20, PlaceState::kExpired}}));
  EXPECT_EQ(times(late), (Times{{0, 20'000, "number 0"}}));
}

TEST(LockPast, OnlyPlacesOfItsOwnQueueAreTold) {
  const auto event = [](std::string path) {
    return PlaceChange{EventKind::kCreated, std::move(path), Zxid(10)};
  };
  EXPECT_TRUE(past_of("/l", Zxid(),
                      {event("/l"), event("/l/lock-0/lock-1"), event("/l/config"), event("/lock-1"),
                       event("/list/lock-1"), event("/l/x-0000000001")},
                      std::nullopt)
                  .places.empty());
  EXPECT_EQ(past_of("/l", Zxid(), {event("/l/abc__lock__0000000001")}, std::nullopt).places.size(), 1U);
  EXPECT_EQ(past_of("/", Zxid(), {event("/lock-1")}, std::nullopt).places.size(), 1U);
}

// The path was deleted, and its numbers begin anew.
TEST(LockPast, ANameMayComeAgain) {
  EXPECT_EQ(rows(past_of("/l", Zxid(), {created(0, 10), deleted(0, 11), created(0, 12)}, std::nullopt)),
            (Rows{{10, 10, 11, PlaceState::kLeft}, {12, 12, 0, PlaceState::kHolds}}));
  // Who is there now is not who was there under that name.
  LockInfo seen;
  seen.holder = contender(0, 12);
  const LockHistory history = past_of("/l", Zxid(), {created(0, 10), deleted(0, 11), created(0, 12)}, seen);
  EXPECT_EQ(times(history), (Times{{0, 0, "?"}, {0, 0, "number 0"}}));
}

}  // namespace
}  // namespace quorate::client
