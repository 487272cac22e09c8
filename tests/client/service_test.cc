// The registry: its JSON is Curator's, and its instances come and go with their sessions.
#include "client/quorate/service.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <csignal>
#include <map>

#include "tests/client/real_server.h"

namespace quorate::client {
namespace {

// ---- JSON

TEST(ServiceJson, ReadsWhatCuratorWrites) {
  const auto instance =
      read_instance(R"({"name":"search","id":"x","address":"10.0.0.1","port":1,"sslPort":null,"payload":"p",)"
                    R"("registrationTimeUTC":1795289441479,"serviceType":"DYNAMIC","uriSpec":null})");
  ASSERT_TRUE(instance.ok()) << instance.error().message;
  EXPECT_EQ(instance->name, "search");
  EXPECT_EQ(instance->id, "x");
  EXPECT_EQ(instance->address, "10.0.0.1");
  EXPECT_EQ(instance->port, 1);
  EXPECT_EQ(instance->ssl_port, std::nullopt);
  EXPECT_EQ(instance->payload, "\"p\"");
  EXPECT_EQ(instance->registered_ms, 1795289441479);
  EXPECT_TRUE(instance->enabled);
  EXPECT_EQ(instance->weight, 1U);
  const auto drained = read_instance(
      R"({"name":"search","id":"x","address":"10.0.0.1","port":null,"sslPort":null,"payload":null,)"
      R"("registrationTimeUTC":1,"serviceType":"DYNAMIC","uriSpec":{"parts":[{"value":"scheme","variable":true}]},)"
      R"("enabled":false})");
  ASSERT_TRUE(drained.ok());
  EXPECT_FALSE(drained->enabled);
  EXPECT_EQ(drained->port, std::nullopt);
}

TEST(ServiceJson, WritesWhatCuratorReads) {
  ServiceInstance instance{.name = "search", .id = "y", .address = "h", .port = 7};
  instance.registered_ms = 5;
  EXPECT_EQ(write_instance(instance),
            R"({"name":"search","id":"y","address":"h","port":7,"sslPort":null,"payload":null,)"
            R"("registrationTimeUTC":5,"serviceType":"DYNAMIC","uriSpec":null})");
}

TEST(ServiceJson, RefusesWhatIsNoInstance) {
  for (const char* text : {"", "x", "[]", "{}", R"({"name":"a"})", R"({"name":1,"id":2})"})
    EXPECT_EQ(read_instance(text).code(), ErrorCode::kMalformed) << text;
  const auto odd = read_instance(
      R"({"name":"a","id":"b","port":70000,"enabled":"no","quorate":{"weight":-5,"tags":[1,"t"],"metadata":{"a":1}}})");
  ASSERT_TRUE(odd.ok());
  EXPECT_EQ(odd->port, std::nullopt);
  EXPECT_EQ(odd->weight, 0U);
  EXPECT_EQ(odd->tags, std::vector<std::string>{"t"});
  EXPECT_TRUE(odd->metadata.empty());
}

RC_GTEST_PROP(ServiceJson, WhatIsWrittenIsRead, ()) {
  const auto word = rc::gen::container<std::string>(rc::gen::inRange<char>(32, 127));
  ServiceInstance instance;
  instance.name = "n" + *word;
  instance.id = "i" + *word;
  instance.address = *word;
  if (*rc::gen::arbitrary<bool>()) instance.port = *rc::gen::arbitrary<uint16_t>();
  if (*rc::gen::arbitrary<bool>()) instance.ssl_port = *rc::gen::arbitrary<uint16_t>();
  instance.enabled = *rc::gen::arbitrary<bool>();
  instance.weight = *rc::gen::inRange<uint32_t>(0, 1'000'001);
  instance.tags = *rc::gen::container<std::vector<std::string>>(word);
  instance.metadata = *rc::gen::container<std::map<std::string, std::string>>(word, word);
  instance.registered_ms = *rc::gen::arbitrary<int64_t>();
  RC_ASSERT(*read_instance(write_instance(instance)) == instance);
}

TEST(ServicePick, GoesAroundAndFollowsTheWeights) {
  std::vector<ServiceInstance> three(3);
  for (size_t i = 0; i < 3; ++i) three[i].id = std::to_string(i);
  three[1].weight = 0;
  three[2].weight = 3;
  EXPECT_EQ(pick_one(three, Pick::kRoundRobin, 4, 0).id, "1");
  std::map<std::string, int> picked;
  for (uint64_t random = 0; random < 400; ++random) ++picked[pick_one(three, Pick::kWeighted, 0, random).id];
  EXPECT_EQ(picked["0"], 100);
  EXPECT_EQ(picked["1"], 0);
  EXPECT_EQ(picked["2"], 300);
  three[0].weight = three[2].weight = 0;
  EXPECT_EQ(pick_one(three, Pick::kWeighted, 0, 4).id, "1") << "without any weight all are equal";
}

// ---- against a server

class Services : public RealServer {
 protected:
  Registry registry{a, path}, other{b, path};
};

TEST_F(Services, AnInstanceIsThereAsLongAsItsSession) {
  EXPECT_TRUE(registry.services()->empty());
  EXPECT_TRUE(registry.instances("search")->empty());
  Result<Registration> one = registry.add({.name = "search", .id = "one", .address = "h1", .port = 1});
  ASSERT_TRUE(one.ok()) << one.error().message;
  EXPECT_EQ(other.add({.name = "search", .id = "one", .address = "h2"}).code(), ErrorCode::kNodeExists);
  auto dies = std::make_unique<Client>(options());
  Registry third(*dies, path);
  Result<Registration> two = third.add({.name = "search", .address = "h2", .port = 2, .tags = {"t"}});
  ASSERT_TRUE(two.ok());
  EXPECT_EQ(two->instance().id.size(), 32U);
  auto known = *other.next_instances("search", {}, kLong);
  EXPECT_EQ(known.size(), 2U);
  EXPECT_EQ(*other.services(), std::vector<std::string>{"search"});
  dies->close();
  known = *other.next_instances("search", known, kLong);
  EXPECT_EQ(known, std::vector<ServiceInstance>{one->instance()});
  EXPECT_TRUE(one->remove().ok());
  EXPECT_EQ(one->remove().code(), ErrorCode::kNoNode);
  EXPECT_TRUE(other.instances("search")->empty());
}

TEST_F(Services, WhatHasNoNameOrAddressIsRefused) {
  EXPECT_EQ(registry.add({.name = "", .address = "h"}).code(), ErrorCode::kInvalidArgument);
  EXPECT_EQ(registry.add({.name = "a/b", .address = "h"}).code(), ErrorCode::kInvalidArgument);
  EXPECT_EQ(registry.add({.name = "a", .id = "..", .address = "h"}).code(), ErrorCode::kInvalidArgument);
  EXPECT_EQ(registry.add({.name = "a"}).code(), ErrorCode::kInvalidArgument);
  EXPECT_EQ(registry.add({.name = "a", .address = "h", .payload = "{"}).code(), ErrorCode::kInvalidArgument);
  EXPECT_EQ(registry.instances("").code(), ErrorCode::kInvalidArgument);
}

// It goes to Curator's clients as it was given, but for spaces.
TEST_F(Services, APayloadKeepsTheOrderOfItsMembers) {
  const std::string payload = R"({"@class":"Details","word":"wide","length":4})";
  Result<Registration> one =
      registry.add({.name = "search",
                    .address = "h",
                    .payload = R"( {"@class": "Details", "word": "wide", "length": 4})"});
  ASSERT_TRUE(one.ok()) << one.error().message;
  EXPECT_EQ(one->instance().payload, payload);
  EXPECT_NE(a.get(one->node())->data.find("\"payload\":" + payload), std::string::npos);
  EXPECT_EQ(*registry.instances("search"), std::vector<ServiceInstance>{one->instance()});
}

TEST_F(Services, DrainingKeepsWhatOthersWrote) {
  const std::string node = path + "/search/x";
  ASSERT_TRUE(
      a.create(node, R"({"name":"search","id":"x","uriSpec":{"parts":[]},"port":1})", {.parents = true})
          .ok());
  EXPECT_TRUE(registry.set_enabled("search", "x", false).ok());
  EXPECT_EQ(a.get(node)->data,
            R"({"name":"search","id":"x","uriSpec":{"parts":[]},"port":1,"enabled":false})");
  EXPECT_FALSE(registry.instances("search")->front().enabled);
  EXPECT_TRUE(registry.set_enabled("search", "x", true).ok());
  EXPECT_TRUE(registry.instances("search")->front().enabled);
  EXPECT_EQ(registry.set_enabled("search", "y", true).code(), ErrorCode::kNoNode);
  ASSERT_TRUE(a.create(path + "/search/z", "no JSON").ok());
  EXPECT_EQ(registry.set_enabled("search", "z", true).code(), ErrorCode::kMalformed);
  EXPECT_EQ(registry.instances("search")->size(), 1U) << "what is no instance is passed over";
}

TEST_F(Services, ACacheFollowsAndPicks) {
  ServiceCache cache(registry, "search", kLong);
  ASSERT_TRUE(cache.wait_until_seen(kLong).ok());
  EXPECT_EQ(cache.pick(), std::nullopt);
  Result<Registration> one = other.add({.name = "search", .id = "1", .address = "h", .tags = {"fast"}});
  Result<Registration> two = other.add({.name = "search", .id = "2", .address = "h"});
  ASSERT_TRUE(server::eventually([&] { return cache.view().instances.size() == 2; }));
  EXPECT_FALSE(cache.view().stale);
  EXPECT_NE(cache.pick()->id, cache.pick()->id) << "in turns";
  EXPECT_EQ(cache.pick(Pick::kRandom, "fast")->id, "1");
  ASSERT_TRUE(other.set_enabled("search", "1", false).ok());
  ASSERT_TRUE(server::eventually([&] { return !cache.pick(Pick::kRoundRobin, "fast").has_value(); }));
  EXPECT_EQ(cache.pick(Pick::kWeighted)->id, "2");
}

TEST(ServiceCacheWithoutServers, GoesOnAnsweringAndSaysThatItIsStale) {
  server::TestCluster cluster;
  ASSERT_TRUE(cluster.leader().has_value());
  Options options;
  options.endpoints.clear();
  for (size_t i = 0; i < 3; ++i)
    options.endpoints.push_back("127.0.0.1:" + std::to_string(cluster.client_port(i)));
  Client registering(options);
  Result<Registration> one = Registry(registering).add({.name = "search", .id = "1", .address = "h"});
  ASSERT_TRUE(one.ok()) << one.error().message;
  options.request_timeout = milliseconds(500);
  Client client(options);
  Registry registry(client);
  ServiceCache cache(registry, "search", milliseconds(50));
  ASSERT_TRUE(cache.wait_until_seen(kLong).ok());
  ASSERT_TRUE(server::eventually([&] { return !cache.view().stale; }));
  cluster.kill(0);
  cluster.kill(1);
  ASSERT_TRUE(server::eventually([&] { return cache.view().stale; }));
  EXPECT_EQ(cache.pick()->id, "1") << "what it saw last";
  EXPECT_GT(cache.view().age, milliseconds(0));
  cluster.start(0);
  EXPECT_TRUE(server::eventually([&] { return !cache.view().stale; }));
}

}  // namespace
}  // namespace quorate::client
