#include "kv/queue.h"

#include <gtest/gtest.h>

namespace quorate::kv {
namespace {

Child queued(std::string_view name, uint64_t czxid, uint64_t owner = 1) {
  return {name, Zxid(czxid), SessionId(owner), true};
}

TEST(Queue, NamesTellTheirDialect) {
  EXPECT_EQ(dialect_of("lock-0000000001"), Dialect::kLock);
  EXPECT_EQ(dialect_of("_c_7a1f-lock-0000000001"), Dialect::kLock);
  EXPECT_EQ(dialect_of("lock-12345678901"), Dialect::kLock);
  EXPECT_EQ(dialect_of("0123456789abcdef0123456789abcdef__lock__0000000001"), Dialect::kKazoo);
  EXPECT_EQ(dialect_of("x__rlock__0000000001"), Dialect::kKazoo);
  EXPECT_EQ(dialect_of("_c_1-__READ__0000000001"), Dialect::kCurator);
  EXPECT_EQ(dialect_of("_c_1-__WRIT__0000000001"), Dialect::kCurator);
  for (const char* name : {"x-12345-0000000001", "0000000001", "lock-", "lock", "__lock__", "lock-1x"})
    EXPECT_EQ(dialect_of(name), Dialect::kUnknown) << name;
}

TEST(Queue, ReadersOfOtherRecipesAreKnownByTheirNames) {
  EXPECT_TRUE(is_foreign_reader("x__rlock__0000000001"));
  EXPECT_TRUE(is_foreign_reader("_c_1-__READ__0000000001"));
  for (const char* name : {"x__lock__0000000001", "_c_1-__WRIT__0000000001", "lock-0000000001", "__READ__"})
    EXPECT_FALSE(is_foreign_reader(name)) << name;
}

TEST(Queue, AnEmptyPathHasNoDialect) {
  const QueueView view = queue_of({});
  EXPECT_EQ(view.dialect, Dialect::kEmpty);
  EXPECT_TRUE(view.queue.empty());
}

TEST(Queue, OrderIsTheOrderOfCreation) {
  const Child children[] = {queued("lock-0000000001", 9), queued("lock-0000000002", 7),
                            queued("lock-0000000000", 7)};
  const QueueView view = queue_of(children);
  ASSERT_EQ(view.queue.size(), 3u);
  EXPECT_EQ(view.queue[0].name, "lock-0000000002");
  EXPECT_EQ(view.queue[1].name, "lock-0000000000");
  EXPECT_EQ(view.queue[2].name, "lock-0000000001");
}

TEST(Queue, NobodyCanForgeAPlace) {
  const Child children[] = {{"lock-0000000000", Zxid(1), SessionId(), true},    // persistent
                            {"lock-0000000001", Zxid(2), SessionId(1), false},  // named by hand
                            queued("lock-0000000002", 3)};
  const QueueView view = queue_of(children);
  ASSERT_EQ(view.queue.size(), 1u);
  EXPECT_EQ(view.queue[0].name, "lock-0000000002");
  EXPECT_EQ(view.strangers.size(), 2u);
  EXPECT_EQ(view.dialect, Dialect::kLock);
}

TEST(Queue, TwoDialectsAreMixed) {
  const Child both[] = {queued("lock-0000000000", 1), queued("a__lock__0000000001", 2)};
  EXPECT_EQ(queue_of(both).dialect, Dialect::kMixed);
  const Child kazoo[] = {queued("b__lock__0000000000", 1), queued("a__lock__0000000001", 2)};
  EXPECT_EQ(queue_of(kazoo).dialect, Dialect::kKazoo);
  const Child back[] = {queued("x-0000000000", 1), queued("lock-0000000001", 2)};
  EXPECT_EQ(queue_of(back).dialect, Dialect::kMixed);
  const Child readers[] = {queued("a__rlock__0000000000", 1), queued("a__lock__0000000001", 2)};
  EXPECT_EQ(queue_of(readers).dialect, Dialect::kKazoo);
  const Child curator[] = {queued("__READ__0000000000", 1), queued("__WRIT__0000000001", 2)};
  EXPECT_EQ(queue_of(curator).dialect, Dialect::kCurator);
  const Child writers[] = {queued("__WRIT__0000000000", 1), queued("lock-0000000001", 2)};
  EXPECT_EQ(queue_of(writers).dialect, Dialect::kMixed);
}

TEST(Queue, NamesOfNoRecipeAreOfNoLock) {
  const Child members[] = {queued("member-0000000000", 1), queued("n_0000000001", 2),
                           queued("0000000002", 3)};
  EXPECT_EQ(queue_of(members).dialect, Dialect::kUnknown);
}

TEST(Queue, AKeptPlaceIsOfItsDialect) {
  Child kept = queued("a__lock__0000000000", 1, 0);
  kept.place.gone = true;
  const Child alone[] = {kept};
  EXPECT_EQ(queue_of(alone).dialect, Dialect::kKazoo);
  const Child before[] = {kept, queued("lock-0000000001", 2)};
  EXPECT_EQ(queue_of(before).dialect, Dialect::kMixed);
}

TEST(Queue, KeptPlacesArePassedAtOnceAsOneByOne) {
  const PlaceMode modes[] = {{}, {Mode::kShared, 0, 5}, {Mode::kPermit, 1, 5}, {Mode::kPermit, 3, 5}};
  for (const PlaceMode& kept : modes) {
    for (const PlaceMode& behind : modes) {
      for (size_t count = 0; count < 6; ++count) {
        Holders at_once, one_by_one;
        at_once.pass(kept, count);
        for (size_t i = 0; i < count; ++i) one_by_one.next(kept);
        for (int i = 0; i < 4; ++i) EXPECT_EQ(at_once.next(behind), one_by_one.next(behind)) << count;
      }
    }
  }
}

}  // namespace
}  // namespace quorate::kv
