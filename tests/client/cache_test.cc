// A copy of a subtree against a real server, over random histories and over servers that go away.
#include "client/quorate/cache.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include "tests/client/real_server.h"

namespace quorate::client {
namespace {

using Caches = RealServer;

// What is there, as the servers tell it now.
void collect(Client& client, const std::string& path, std::map<std::string, std::string>& all) {
  const Result<Node> node = client.get(path);
  if (!node.ok()) return;
  all[path] = node->data;
  const std::vector<std::string> names = *client.children(path);
  for (const std::string& name : names) collect(client, path + "/" + name, all);
}

std::map<std::string, std::string> shown(const TreeCache& cache, const std::string& path) {
  std::map<std::string, std::string> all;
  if (const std::optional<Node> node = cache.get(path)) all[path] = node->data;
  for (const std::string& name : cache.children(path)) all.merge(shown(cache, path + "/" + name));
  return all;
}

TEST_F(Caches, ShowWhatIsThereAndFollowIt) {
  ASSERT_TRUE(a.create(path + "/x/y", "1", {.parents = true}).ok());
  std::mutex mutex;
  std::vector<std::string> told;
  TreeCache cache(b, path, [&](const std::string& changed) {
    const std::lock_guard lock(mutex);
    told.push_back(changed);
  });
  ASSERT_TRUE(cache.wait_until_seen(kLong).ok());
  EXPECT_EQ(cache.get(path + "/x/y")->data, "1");
  EXPECT_EQ(cache.children(path), std::vector<std::string>{"x"});
  EXPECT_EQ(cache.size(), 3U);
  const Result<Stat> set = a.set(path + "/x/y", "2");
  ASSERT_TRUE(cache.wait_until(set->mzxid, kLong).ok());
  EXPECT_EQ(cache.get(path + "/x/y")->data, "2");
  ASSERT_TRUE(a.remove_all(path + "/x").ok());
  ASSERT_TRUE(server::eventually([&] { return cache.size() == 1; }));
  EXPECT_EQ(cache.get(path + "/x/y"), std::nullopt);
  EXPECT_FALSE(cache.trouble());
  const std::lock_guard lock(mutex);
  ASSERT_EQ(told.size(), 6U) << "three seen, one set, two deleted";
  EXPECT_EQ(told[3], path + "/x/y");
}

TEST_F(Caches, AreOfWhatIsNotThereYet) {
  TreeCache cache(b, path);
  ASSERT_TRUE(cache.wait_until_seen(kLong).ok());
  EXPECT_EQ(cache.size(), 0U);
  const Result<Created> made = a.create(path, "x");
  ASSERT_TRUE(cache.wait_until(made->stat.czxid, kLong).ok());
  EXPECT_EQ(cache.get(path)->data, "x");
  EXPECT_EQ(cache.wait_until(Zxid(UINT64_MAX), kShort).code(), ErrorCode::kTimeout);
}

TEST_F(Caches, ShowInTheEndWhatTheServersHave) {
  EXPECT_TRUE(rc::check([this] {
    const std::string here = fresh_path();
    RC_ASSERT(a.create(here).ok());
    TreeCache cache(b, here);
    const auto history = *steps<std::pair<uint8_t, uint8_t>>(30);
    for (const auto& [what, where] : history) {
      const std::string child = here + "/" + std::to_string(where % 3);
      const std::string node = where % 2 == 0 ? child : child + "/" + std::to_string(where % 5);
      if (what % 4 < 2) {
        (void)a.create(node, std::to_string(what), {.parents = true});
      } else if (what % 4 == 2) {
        (void)a.set(node, std::to_string(what));
      } else {
        (void)a.remove_all(node);
      }
    }
    const Result<Stat> last = a.set(here, "last");
    RC_ASSERT(cache.wait_until(last->mzxid, kLong).ok());
    std::map<std::string, std::string> all;
    collect(a, here, all);
    RC_ASSERT(shown(cache, here) == all);
  }));
}

TEST(CacheOverServers, IsResumedWhereItWasAndReadAnewWhereItMust) {
  server::TestCluster cluster({"--history-bytes-max", "64KiB"});
  ASSERT_TRUE(cluster.leader().has_value());
  Options options;
  options.endpoints.clear();
  for (size_t i = 0; i < 3; ++i)
    options.endpoints.push_back("127.0.0.1:" + std::to_string(cluster.client_port(i)));
  Client client(options), writer(options);
  ASSERT_TRUE(writer.create("/a", "0").ok());
  TreeCache cache(client, "/a");
  ASSERT_TRUE(cache.wait_until_seen(kLong).ok());
  for (const size_t victim : {0U, 1U, 2U}) {
    cluster.kill(victim);
    ASSERT_TRUE(server::eventually([&] { return writer.set("/a", std::to_string(victim)).ok(); }));
    ASSERT_TRUE(server::eventually([&] { return cache.get("/a")->data == std::to_string(victim); }));
    cluster.start(victim);
    ASSERT_TRUE(cluster.leader().has_value());
  }

  // One that knows a single server, and misses more than anybody remembers while that is away.
  ASSERT_TRUE(writer.create("/a/goes").ok());
  options.endpoints.resize(1);
  Client away(options);
  TreeCache behind(away, "/a");
  ASSERT_TRUE(behind.wait_until_seen(kLong).ok());
  EXPECT_EQ(behind.size(), 2U);
  const Zxid seen = behind.complete();
  cluster.kill(0);
  ASSERT_TRUE(server::eventually([&] { return writer.remove("/a/goes").ok(); }));
  ASSERT_TRUE(writer.create("/a/comes").ok());
  const auto forgotten = [seen](Client& asks) {
    return asks.watch_changes("/a", {.since = seen}, [](const Result<Changes>&) {}).code() ==
           ErrorCode::kHistoryGone;
  };
  EXPECT_FALSE(forgotten(writer));
  ASSERT_TRUE(server::eventually([&] {
    for (int i = 0; i < 100; ++i) (void)writer.set("/a/comes", std::to_string(i));
    return forgotten(writer);
  }));
  cluster.start(0);
  ASSERT_TRUE(cluster.leader().has_value());
  ASSERT_TRUE(server::eventually([&] { return forgotten(away); })) << "its server remembers no more";
  const Result<Stat> last = writer.set("/a", "last");
  ASSERT_TRUE(last.ok());
  ASSERT_TRUE(behind.wait_until(last->mzxid, kLong).ok());
  EXPECT_EQ(behind.get("/a")->data, "last");
  EXPECT_EQ(behind.children("/a"), std::vector<std::string>{"comes"})
      << "what went while nobody told is gone";
}

}  // namespace
}  // namespace quorate::client
