// Children page by page: whole, in order, and steady while others come and go.
#include <gtest/gtest.h>

#include <map>
#include <set>

#include "base/random.h"
#include "tests/kv/machine.h"

namespace quorate::kv {
namespace {

class ListingTest : public ::testing::Test {
 protected:
  ListingTest() { run(create("/p")); }
  void run(Operation operation) {
    const Outcome outcome = machine_.run(session_, std::move(operation));
    ASSERT_EQ(outcome.code, ErrorCode::kOk) << outcome.message;
  }
  void make(const std::string& name) { run(create("/p/" + name)); }
  ChildPage page(const ChildPageOptions& options) const {
    return machine_.state.children_page("/p", options).value();
  }
  static std::vector<std::string> names(const ChildPage& page) {
    std::vector<std::string> names;
    for (const Child& child : page.children) names.emplace_back(child.name);
    return names;
  }

  Machine machine_;
  SessionId session_ = machine_.open();
};

using Names = std::vector<std::string>;

TEST_F(ListingTest, PagesAddUpToAll) {
  for (const char* name : {"d", "a", "c", "b", "e"}) make(name);
  ChildPageOptions options;
  options.count_max = 2;
  ChildPage part = page(options);
  EXPECT_EQ(names(part), (Names{"d", "a"}));
  options.after = part.next;
  part = page(options);
  EXPECT_EQ(names(part), (Names{"c", "b"}));
  options.after = part.next;
  part = page(options);
  EXPECT_EQ(names(part), (Names{"e"}));
  EXPECT_EQ(part.next, std::nullopt);
}

// What a client says of a child that it never saw costs a walk, and the walk is told of.
TEST_F(ListingTest, AWalkToTheCursorsPlaceGoesFromTheNearerEndAndIsCounted) {
  for (int i = 0; i < 100; ++i) make(std::to_string(i));
  ChildPageOptions options;
  options.count_max = 1;
  std::vector<ChildCursor> cursors;
  for (ChildPage part = page(options); part.next; part = page(options)) {
    cursors.push_back(*part.next);
    options.after = part.next;
  }
  ASSERT_EQ(cursors.size(), 99U);
  for (const auto& [place, walked] : std::map<size_t, size_t>{{0, 2}, {49, 100}, {97, 4}, {98, 2}}) {
    options.after = cursors[place];
    EXPECT_EQ(page(options).looked_at, 1U);
    options.after->name = "gone";
    const ChildPage part = page(options);
    EXPECT_EQ(names(part), Names{std::to_string(place + 1)});
    EXPECT_LE(part.looked_at, walked + 1) << place;
    EXPECT_GT(part.looked_at, 1U) << place;
  }
  options.after = ChildCursor{Zxid(UINT64_MAX), 0, "gone"};
  EXPECT_EQ(page(options).looked_at, 0U);
  EXPECT_TRUE(page(options).children.empty());
}

TEST_F(ListingTest, APageThatEndsWithTheLastChildIsTheLast) {
  make("a");
  make("b");
  ChildPageOptions options;
  options.count_max = 2;
  EXPECT_EQ(page(options).next, std::nullopt);
  EXPECT_TRUE(machine_.state.children_page("/p/a", options)->children.empty());
}

TEST_F(ListingTest, AnySizeGivesAtLeastOne) {
  make("long-name");
  make("other");
  ChildPageOptions options;
  options.count_max = 0;
  options.bytes_max = 0;
  EXPECT_EQ(names(page(options)), Names{"long-name"});
  options.count_max = 10;
  options.bytes_max = 13;
  EXPECT_EQ(names(page(options)), Names{"long-name"});
  options.bytes_max = 14;
  EXPECT_EQ(page(options).children.size(), 2U);
}

TEST_F(ListingTest, APrefixLeavesOutTheOthers) {
  for (const char* name : {"x1", "y1", "x2", "y2", "x3"}) make(name);
  ChildPageOptions options;
  options.prefix = "y";
  EXPECT_EQ(names(page(options)), (Names{"y1", "y2"}));
  options.count_max = 1;
  const ChildPage first = page(options);
  EXPECT_EQ(names(first), Names{"y1"});
  options.after = first.next;
  EXPECT_EQ(names(page(options)), Names{"y2"});
}

TEST_F(ListingTest, GoesOnBehindAChildThatIsGoneOrMadeAnew) {
  for (const char* name : {"a", "b", "c", "d"}) make(name);
  ChildPageOptions options;
  options.count_max = 2;
  options.after = page(options).next;
  run(DeleteOp{"/p/b"});
  EXPECT_EQ(names(page(options)), (Names{"c", "d"}));
  make("b");
  EXPECT_EQ(names(page(options)), (Names{"c", "d"}));
  EXPECT_NE(page(options).next, std::nullopt);
  run(DeleteOp{"/p", -1, true});
  run(create("/p"));
  make("new");
  EXPECT_EQ(names(page(options)), Names{"new"});
}

TEST_F(ListingTest, SiblingsOfOneEntryAreToldApart) {
  run(MultiOp{{CreateOp{"/p/c"}, CreateOp{"/p/b"}, CreateOp{"/p/a"}}});
  ChildPageOptions options;
  options.count_max = 1;
  options.after = page(options).next;
  EXPECT_EQ(names(page(options)), Names{"b"});
  run(DeleteOp{"/p/c"});
  EXPECT_EQ(names(page(options)), Names{"b"});
}

TEST_F(ListingTest, RefusesWhatOtherReadsRefuse) {
  EXPECT_EQ(machine_.state.children_page("/none", {}).code(), ErrorCode::kNoNode);
  EXPECT_EQ(machine_.state.children_page("bad", {}).code(), ErrorCode::kBadPath);
}

TEST_F(ListingTest, APageLooksAtNoMoreThanItsLimit) {
  const size_t children = kChildrenLookedAtMax + 10;
  for (size_t i = 0; i < children; ++i) make(std::to_string(i));
  make("wanted");
  ChildPageOptions options;
  options.prefix = "w";
  const ChildPage first = page(options);
  EXPECT_TRUE(first.children.empty());
  ASSERT_NE(first.next, std::nullopt);
  options.after = first.next;
  EXPECT_EQ(names(page(options)), Names{"wanted"});
}

// Whatever comes and goes between the pages: who was there all the time is told once.
TEST_F(ListingTest, WhoStaysIsToldOnce) {
  Random random(3);
  for (int round = 0; round < 100; ++round) {
    std::multiset<std::string> told;
    std::set<std::string> stayed;
    for (const std::string& name : machine_.names("/p")) stayed.insert(name);
    ChildPageOptions options;
    do {
      options.count_max = 1 + random.below(4);
      const ChildPage part = page(options);
      for (const Child& child : part.children) told.emplace(child.name);
      options.after = part.next;
      for (uint64_t changes = random.below(6); changes > 0; --changes) {
        const std::string name = std::to_string(random.below(40));
        if (machine_.exists("/p/" + name)) {
          run(DeleteOp{"/p/" + name});
          stayed.erase(name);
        } else if (told.size() < 200) {
          make(name);
        }
      }
    } while (options.after);
    for (const std::string& name : stayed) ASSERT_EQ(told.count(name), 1U) << name;
  }
}

}  // namespace
}  // namespace quorate::kv
