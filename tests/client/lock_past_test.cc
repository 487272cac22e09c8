// What the changes below a lock's path say about its queue.
#include "client/lock_past.h"

#include <gtest/gtest.h>

namespace quorate::client {
namespace {

std::string place(uint64_t number) { return "/l/lock-" + std::to_string(number); }
Event created(uint64_t number, uint64_t zxid) { return {EventKind::kCreated, place(number), Zxid(zxid)}; }
Event deleted(uint64_t number, uint64_t zxid) { return {EventKind::kDeleted, place(number), Zxid(zxid)}; }

Contender contender(uint64_t number, uint64_t token) {
  Contender out;
  out.node = place(number);
  out.token = Token(token);
  out.name = "number " + std::to_string(number);
  return out;
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
  const std::vector<Event> events{created(0, 10), created(1, 11), deleted(0, 12), created(0, 12)};
  EXPECT_EQ(rows(past_of("/l", Zxid(), events, std::nullopt)),
            (Rows{{10, 10, 12, PlaceState::kKept}, {11, 0, 0, PlaceState::kWaits}}));
  std::vector<Event> over = events;
  over.push_back(deleted(0, 20));
  EXPECT_EQ(rows(past_of("/l", Zxid(), over, std::nullopt)),
            (Rows{{10, 10, 12, PlaceState::kExpired}, {11, 20, 0, PlaceState::kHolds}}));
  // ... and where its coming is forgotten.
  EXPECT_EQ(rows(past_of("/l", Zxid(10), {created(1, 11), deleted(0, 12), created(0, 12)}, std::nullopt)),
            (Rows{{0, 0, 12, PlaceState::kKept}, {11, 0, 0, PlaceState::kWaits}}));
}

TEST(LockPast, OnlyPlacesOfItsOwnQueueAreTold) {
  const auto event = [](std::string path) { return Event{EventKind::kCreated, std::move(path), Zxid(10)}; };
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
}

}  // namespace
}  // namespace quorate::client
