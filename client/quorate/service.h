// A registry of services: who offers what, where. Each instance is an ephemeral node, and goes with its
// session.
//
//   Registry registry(client, "/services");
//   Result<Registration> here = registry.add({.name = "search", .address = "10.0.0.7", .port = 8080});
//
//   ServiceCache search(registry, "search");               // kept true in the background
//   std::optional<ServiceInstance> one = search.pick();    // answers at once, also while there is no quorum
//
// Nodes and their JSON are laid out as Curator's service discovery does it (BASE/NAME/ID), so that its
// clients see these instances and these clients see theirs. What Curator has no field for is below "quorate".
//
// Thread safety: all members. None of these must outlive its Client, and a ServiceCache not its Registry.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "client/quorate/client.h"

namespace quorate::client {

struct ServiceInstance {
  std::string name;  // of the service: one part of a path
  std::string id{};  // of the instance, as well; empty: one is drawn
  std::string address{};
  std::optional<uint16_t> port{}, ssl_port{};
  bool enabled = true;  // false: drained, it is to be asked for nothing new
  uint32_t weight = 1;  // from 0 on; for Pick::kWeighted
  std::vector<std::string> tags{};
  std::map<std::string, std::string> metadata{};
  std::string payload = "null";  // JSON, for Curator's clients
  int64_t registered_ms = 0;     // wall clock

  friend bool operator==(const ServiceInstance&, const ServiceInstance&) = default;
};

// 128 random bits, as 32 hexadecimal digits.
std::string draw_instance_id();

// As the data of its node.
std::string write_instance(const ServiceInstance& instance);
// Errors: kMalformed.
Result<ServiceInstance> read_instance(std::string_view json);

class Registration {
 public:
  ~Registration();  // takes the instance out of the registry
  Registration(Registration&& other) noexcept
      : client_(std::exchange(other.client_, nullptr)),
        node_(std::move(other.node_)),
        instance_(std::move(other.instance_)) {}
  Registration& operator=(Registration&& other) noexcept;

  const ServiceInstance& instance() const { return instance_; }
  const std::string& node() const { return node_; }
  // Where an error says that nothing was done, it is there yet, and may be removed again.
  Status remove();

 private:
  friend class Registry;
  Registration(Client& client, std::string node, ServiceInstance instance)
      : client_(&client), node_(std::move(node)), instance_(std::move(instance)) {}
  Client* client_;  // null: it is out
  std::string node_;
  ServiceInstance instance_;
};

class Registry {
 public:
  explicit Registry(Client& client, std::string base = "/services")
      : client_(client), base_(std::move(base)) {}

  // Errors: kInvalidArgument without a name, an address, or with a payload that is no JSON; kNodeExists where
  // such an id is there (its session may be one that is not over yet).
  Result<Registration> add(ServiceInstance instance);
  // Names, in byte order.
  Result<std::vector<std::string>> services();
  // All of them, by id, drained ones too. Nodes that hold no instance are passed over.
  Result<std::vector<ServiceInstance>> instances(std::string_view name);
  // Waits until they are others than `known`. Errors: kTimeout.
  Result<std::vector<ServiceInstance>> next_instances(std::string_view name,
                                                      const std::vector<ServiceInstance>& known,
                                                      std::optional<milliseconds> wait = {});
  // Whatever else is in the node stays, also what Curator wrote. Until the instance registers again. Errors:
  // kNoNode, kMalformed.
  Status set_enabled(std::string_view name, std::string_view id, bool enabled);

 private:
  friend class ServiceCache;
  std::string folder(std::string_view name) const { return base_ + "/" + std::string(name); }

  Client& client_;
  const std::string base_;
};

class Bell;  // client/recipes/wait.h, the library's own
class Host;  // client/host.h, as well

enum class Pick : uint8_t { kRoundRobin, kRandom, kWeighted };

struct ServiceView {
  std::vector<ServiceInstance> instances;
  // The servers could not be asked, or not confirm it: this is what was true `age` ago.
  bool stale = true;
  milliseconds age{0};  // since the last linearizable look began
};

// What the instances of one service are, kept by a thread of its own: told of changes by a feed, and looked
// at again every `look_every`. When the cluster has no quorum it goes on answering with what it saw last, and
// says so.
class ServiceCache {
 public:
  ServiceCache(Registry& registry, std::string name, milliseconds look_every = milliseconds(2'000));
  ~ServiceCache();  // waits for a call that is under way
  ServiceCache(const ServiceCache&) = delete;
  ServiceCache& operator=(const ServiceCache&) = delete;

  ServiceView view() const;
  // One of those that are enabled, and have the tag if there is one. None: there is no such instance.
  std::optional<ServiceInstance> pick(Pick how = Pick::kRoundRobin, std::string_view tag = {});
  // Until the first look was answered. Errors: kTimeout.
  Status wait_until_seen(milliseconds wait) const;

 private:
  void run();
  // Behind a change, or when look_every is over, or at the end.
  Result<std::vector<ServiceInstance>> look_again(const std::vector<ServiceInstance>& known,
                                                  std::chrono::nanoseconds& began);
  void took(const Result<std::vector<ServiceInstance>>& seen, std::chrono::nanoseconds began);
  Host& host() const;
  std::chrono::nanoseconds now() const;  // of its clock

  Registry& registry_;
  const std::string name_;
  const milliseconds look_every_;

  mutable std::mutex mutex_;
  mutable std::condition_variable changed_;
  std::vector<ServiceInstance> instances_;             // guarded by mutex_, as all below
  std::optional<std::chrono::nanoseconds> confirmed_;  // when the last look began
  bool failing_ = false, stopping_ = false;
  uint64_t turn_ = 0, random_;
  std::shared_ptr<Bell> bell_;  // that is waited for
  std::function<void()> join_;  // its thread
};

// From several, which must not be empty. `turn` and `random`: any numbers, of which the policy uses one.
const ServiceInstance& pick_one(const std::vector<ServiceInstance>& instances, Pick how, uint64_t turn,
                                uint64_t random);

}  // namespace quorate::client
