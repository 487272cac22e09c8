// The key that paths and lists are hashed with in memory: what it is for, and that nothing else depends on
// it.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/checksum.h"
#include "base/random.h"
#include "kv/tree.h"
#include "kv/watch_table.h"
#include "tests/kv/checkpoints.h"
#include "tests/kv/colliding_paths.h"
#include "tests/kv/machine.h"

namespace quorate::kv {
namespace {

constexpr size_t kMany = 2'000;

size_t longest_search(uint64_t hash_key, const std::vector<std::string>& paths) {
  Tree tree(hash_key);
  const Place root = tree.find("/");
  for (const std::string& path : paths) (void)tree.create(root, path, {}, {});
  return tree.longest_search();
}

template <class Hash>
std::vector<std::string> paths_with_low(const Hash& hash) {
  std::vector<std::string> paths;
  for (uint64_t i = 0; paths.size() < kMany; ++i) {
    std::string path = "/" + std::to_string(i);
    if (hash(path) < 1U << 22) paths.push_back(std::move(path));
  }
  return paths;
}

TEST(HashKey, PathsThatStandSideBySideDoNotWithAnother) {
  const std::vector<std::string> paths = paths_with_low(PathKey(7));
  ASSERT_GT(longest_search(7, paths), 100U) << "these do";
  EXPECT_LT(longest_search(8, paths), 40U);
}

// A checksum without a key is known to everybody.
TEST(HashKey, PathsWithLikeChecksumsComeApart) {
  EXPECT_LT(longest_search(7, paths_of_one_checksum(kMany)), 40U);
  EXPECT_LT(longest_search(7, paths_with_low([](std::string_view path) {
                             return static_cast<uint32_t>(checksum64(path));
                           })),
            40U);
  EXPECT_LT(longest_search(7, paths_with_low([](std::string_view path) { return checksum64(path) >> 32; })),
            40U);
}

Limits with_key(uint64_t key) {
  Limits limits;
  limits.hash_key = key;
  return limits;
}

std::string any_path(Random& random) {
  std::string path;
  for (uint64_t depth = 1 + random.below(4); depth > 0; --depth)
    path += "/" + std::to_string(random.below(6));
  return path;
}

std::vector<std::string> paths_of(const Applied& applied) {
  std::vector<std::string> paths;
  for (const Change& change : applied.changes) paths.push_back(change.path);
  return paths;
}

// Servers draw their own keys, and compare their states.
TEST(HashKey, NothingThatAnotherServerSeesDependsOnIt) {
  Machine one(with_key(1)), two(with_key(2));
  SessionId session = one.open();
  ASSERT_EQ(two.open(), session);
  Random random(5);
  for (int i = 0; i < 2'000; ++i) {
    CreateOp op = create(any_path(random), std::to_string(i));
    op.parents = true;
    if (random.below(2) == 0)
      op.acl = {{kAllPermissions, "world", "anyone"},
                {kRead, "ip", "192.0.2." + std::to_string(random.below(50))}};
    Operation operation = op;
    switch (random.below(7)) {
      case 0:
        operation = DeleteOp{any_path(random), -1, true};
        break;
      case 1:
        operation = AcquireOp{any_path(random), {}};
        break;
      case 2:
        operation = SetOp{any_path(random), std::to_string(i), -1};
        break;
      case 3:  // taken back
        operation = MultiOp{{op, SetAclOp{op.path, {{kAllPermissions, "world", "anyone"}}, -1},
                             DeleteOp{any_path(random), -1, true}, CheckOp{"/none"}}};
        break;
      case 4:
        operation = MultiOp{{DeleteOp{any_path(random), -1, true}, op}};
        break;
      default:
        break;
    }
    ASSERT_EQ(one.run(session, operation), two.run(session, operation));
    if (random.below(50) == 0) {
      const Applied ended = one.apply(ExpireSessions{{session}});
      ASSERT_EQ(paths_of(ended), paths_of(two.apply(ExpireSessions{{session}})));
      session = one.open();
      ASSERT_EQ(two.open(), session);
    }
    ASSERT_EQ(one.state.state_hash(), two.state.state_hash());
  }
  EXPECT_EQ(describe(one.state), describe(two.state));
  EXPECT_EQ(one.state.scrub(SIZE_MAX), std::optional(true));
  const RecordList of_one = capture_all(one.state), of_two = capture_all(two.state);
  Store store_one, store_two;
  write(store_one, of_one);
  write(store_two, of_two);
  EXPECT_EQ(store_one, store_two);
  const auto loaded = load(store_one, with_key(3));
  ASSERT_TRUE(loaded.ok()) << loaded.error().message;
  EXPECT_EQ(loaded->state_hash(), two.state.state_hash());
  EXPECT_EQ(describe(*loaded), describe(two.state));
  EXPECT_EQ(loaded->check_consistency(), std::nullopt);
}

std::vector<std::string> described(const Fired& fired) {
  std::vector<std::string> told;
  const auto name = [](ConnectionId connection, uint64_t watch) {
    return std::to_string(connection.value()) + " " + std::to_string(watch) + ":";
  };
  for (const WatchEvent& event : fired.events) {
    told.push_back(name(event.connection, event.watch) + std::to_string(static_cast<int>(event.kind)) +
                   event.path);
  }
  for (const FeedBatch& batch : fired.batches) {
    told.push_back(name(batch.connection, batch.watch));
    for (const StateMachine::PastChange& change : batch.changes)
      told.back() += " " + std::to_string(static_cast<int>(change.kind)) + change.path;
  }
  for (const ConnectionId connection : fired.overrun) told.push_back(name(connection, 0) + " overran");
  return told;
}

// What the simulator shows of its servers' keys is true of all.
TEST(HashKey, NorDoesWhatWatchesAreToldNorTheOrder) {
  WatchTable one({.hash_key = 1}), two({.hash_key = 2});
  Machine machine;
  SessionId session = machine.open();
  Random random(6);
  size_t told = 0;
  for (int i = 0; i < 3'000; ++i) {
    const ConnectionId connection(1 + random.below(5));
    const uint64_t watch = 1 + random.below(30);
    if (const uint64_t what = random.below(40); what == 0) {
      one.drop_connection(connection);
      two.drop_connection(connection);
    } else if (what < 4) {
      one.remove(connection, watch);
      two.remove(connection, watch);
    } else if (what < 20) {
      const auto kind = static_cast<WatchKind>(1 + random.below(6));
      const std::string path = random.below(8) == 0 ? "/" : any_path(random);
      ASSERT_TRUE(one.add(connection, watch, kind, path).ok());
      ASSERT_TRUE(two.add(connection, watch, kind, path).ok());
    }
    CreateOp op = create(any_path(random));
    op.parents = true;
    op.ephemeral = random.below(3) == 0;
    Applied applied = machine.apply_as(session, op);
    if (random.below(4) == 0) applied = machine.apply_as(session, DeleteOp{any_path(random), -1, true});
    if (random.below(50) == 0) {
      applied = machine.apply(ExpireSessions{{session}});
      session = machine.open();
    }
    const std::vector<std::string> of_one = described(one.fire(applied));
    ASSERT_EQ(of_one, described(two.fire(applied)));
    ASSERT_EQ(one.size(), two.size());
    told += of_one.size();
  }
  EXPECT_GT(told, 3'000U);
}

}  // namespace
}  // namespace quorate::kv
