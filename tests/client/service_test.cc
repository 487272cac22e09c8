// The registry: its JSON is Curator's, and its instances come and go with their sessions.
#include "client/quorate/service.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <csignal>
#include <map>
#include <set>

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

// Whoever may write below a service decides what those read who look at it: to write it again takes a call a
// level.
TEST(ServiceJson, RefusesWhatIsNestedTooDeeply) {
  const auto nested = [](size_t levels) {
    return R"({"name":"a","id":"b","payload":)" + std::string(levels, '[') + std::string(levels, ']') + "}";
  };
  const auto deep = read_instance(nested(99));  // and the instance itself
  ASSERT_TRUE(deep.ok());
  EXPECT_EQ(read_instance(write_instance(*deep))->payload, deep->payload);
  for (const size_t levels : {size_t{100}, size_t{500'000}})
    EXPECT_EQ(read_instance(nested(levels)).code(), ErrorCode::kMalformed) << levels;
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

// Instances that are added, drained, taken out, and go with their sessions, against a map.
TEST_F(Services, ARegistryDoesWhatAMapDoes) {
  std::set<std::string> done;
  EXPECT_TRUE(rc::check([&] {
    struct Mine {
      ServiceInstance instance;
      size_t client;
      Registration registration;
    };
    const std::string here = fresh_path();
    Registry watching(b, here);
    std::vector<std::unique_ptr<Client>> clients(3);
    for (auto& client : clients) client = std::make_unique<Client>(options());
    std::map<std::string, std::map<std::string, Mine>> model;  // by name and id
    std::map<std::string, std::vector<ServiceInstance>> known;
    for (const auto& [dice, who] : *steps<std::pair<uint8_t, uint8_t>>(20)) {
      const std::string name = who % 2 == 0 ? "search" : "mail", id = "i" + std::to_string(who % 3);
      const size_t client = who / 8 % clients.size();
      Registry asks(*clients[client], here);
      const auto at = model[name].find(id);
      const bool there = at != model[name].end();
      if (dice % 5 < 2) {
        ServiceInstance instance{.name = name, .id = id, .address = "h" + std::to_string(dice), .port = dice};
        instance.registered_ms = 1 + dice;
        instance.tags = {std::to_string(who)};
        Result<Registration> added = asks.add(instance);
        RC_ASSERT(added.code() == (there ? ErrorCode::kNodeExists : ErrorCode::kOk));
        done.insert(there ? "refused" : "added");
        if (added.ok()) model[name].emplace(id, Mine{instance, client, std::move(*added)});
      } else if (dice % 5 == 2) {
        const bool enabled = dice % 2 == 0;
        const Status set = asks.set_enabled(name, id, enabled);
        RC_ASSERT(set.code() == (there ? ErrorCode::kOk : ErrorCode::kNoNode));
        if (there) at->second.instance.enabled = enabled;
        done.insert(!there ? "drained nobody" : enabled ? "enabled" : "drained");
      } else if (dice % 5 == 3 && there) {
        RC_ASSERT(at->second.registration.remove().ok());
        done.insert("removed");
        model[name].erase(at);
      } else if (dice % 5 == 4 && dice % 2 == 0) {
        clients[client]->close();
        for (auto& [service, instances] : model)
          if (std::erase_if(instances, [client](const auto& each) { return each.second.client == client; }) >
              0)
            done.insert("died");
        clients[client] = std::make_unique<Client>(options());
      }
      for (const auto& [service, instances] : model) {
        std::vector<ServiceInstance> expected;
        for (const auto& [key, mine] : instances) expected.push_back(mine.instance);
        RC_ASSERT(*watching.instances(service) == expected);
        // Whoever watches is woken exactly when an instance changed.
        const auto now = watching.next_instances(service, known[service], milliseconds(0));
        RC_ASSERT(now.ok() == (known[service] != expected));
        known[service] = expected;
      }
    }
  }));
  EXPECT_EQ(done, (std::set<std::string>{"added", "died", "drained", "drained nobody", "enabled", "refused",
                                         "removed"}));
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
