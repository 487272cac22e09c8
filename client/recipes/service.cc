#include "client/quorate/service.h"

#include <algorithm>

#include "client/host.h"
#include "client/recipes/reads.h"
#include "client/recipes/remove_own.h"
#include "client/recipes/service_json.h"
#include "client/recipes/wait.h"

namespace quorate::client {
namespace {

constexpr milliseconds kTryAgain(200);

bool is_part_of_path(const std::string& name) {
  return !name.empty() && name != "." && name != ".." && name.find('/') == std::string::npos;
}

Status validate_instance(const ServiceInstance& instance) {
  if (!is_part_of_path(instance.name) || !is_part_of_path(instance.id))
    return Error{ErrorCode::kInvalidArgument,
                 "a service needs a name, and an instance an id, that can be one part of a path"};
  if (instance.address.empty())
    return Error{ErrorCode::kInvalidArgument, "an instance of a service needs an address"};
  return {};
}

}  // namespace

namespace {

std::string draw_id(Host& host) {
  constexpr char kHex[] = "0123456789abcdef";
  std::string id;
  for (const uint64_t half : {host.random_number(), host.random_number()}) {
    for (int shift = 60; shift >= 0; shift -= 4) id.push_back(kHex[half >> shift & 15]);
  }
  return id;
}

}  // namespace

std::string draw_instance_id() { return draw_id(Host::real()); }

// ---- registering

Registration& Registration::operator=(Registration&& other) noexcept {
  if (this != &other) {
    give_up_own(client_, node_);
    client_ = std::exchange(other.client_, nullptr);
    node_ = std::move(other.node_);
    instance_ = std::move(other.instance_);
  }
  return *this;
}

Registration::~Registration() {
  give_up_own(client_, node_);
}

Status Registration::remove() {
  if (client_ == nullptr) return Error{ErrorCode::kNoNode, "the instance is out of the registry already"};
  return remove_own(client_, node_);
}

Result<Registration> Registry::add(ServiceInstance instance) {
  if (instance.id.empty()) instance.id = draw_id(Host::of(client_));
  if (Status status = validate_instance(instance); !status.ok()) return status.error();
  Result<std::string> payload = checked_payload(instance.payload);
  if (!payload.ok()) return payload.error();
  instance.payload = std::move(*payload);
  if (instance.registered_ms == 0) instance.registered_ms = Host::of(client_).wall_ms();
  const Result<Created> made = client_.create(folder(instance.name) + "/" + instance.id,
                                              write_instance(instance), {.ephemeral = true, .parents = true});
  if (!made.ok()) return made.error();
  return Registration(client_, made->path, std::move(instance));
}

Status Registry::set_enabled(std::string_view name, std::string_view id, bool enabled) {
  const std::string node = folder(name) + "/" + std::string(id);
  while (true) {
    const Result<Node> now = client_.get(node);
    if (!now.ok()) return now.error();
    const Result<std::string> instance = with_enabled(now->data, enabled);
    if (!instance.ok()) return Error{instance.code(), node + ": " + instance.error().message};
    const Result<Stat> set = client_.set(node, *instance, now->stat.version);
    if (set.ok()) return {};
    if (set.code() != ErrorCode::kBadVersion) return set.error();
  }
}

// ---- looking

Result<std::vector<std::string>> Registry::services() {
  Result<std::vector<std::string>> names = client_.children(base_);
  if (names.code() == ErrorCode::kNoNode) return std::vector<std::string>();
  return names;
}

Result<std::vector<ServiceInstance>> Registry::instances(std::string_view name) {
  if (!is_part_of_path(std::string(name)))
    return Error{ErrorCode::kInvalidArgument, "a service needs a name that can be one part of a path"};
  const Result<std::vector<std::string>> ids = client_.children(folder(name));
  std::vector<ServiceInstance> all;
  if (ids.code() == ErrorCode::kNoNode) return all;
  if (!ids.ok()) return ids.error();
  std::vector<ReadRequest> reads;
  for (const std::string& id : *ids) reads.push_back({folder(name) + "/" + id});
  const Status read = read_each(client_, reads, [&](const ReadRequest&, const ReadResult& node) {
    if (!node.error.ok()) return;
    if (Result<ServiceInstance> instance = read_instance(node.data); instance.ok())
      all.push_back(std::move(*instance));
  });
  if (!read.ok()) return read.error();
  return all;
}

Result<std::vector<ServiceInstance>> Registry::next_instances(std::string_view name,
                                                              const std::vector<ServiceInstance>& known,
                                                              std::optional<milliseconds> wait) {
  using Instances = std::vector<ServiceInstance>;
  return wait_for<Instances>(client_, folder(name), wait, "the instances did not change in time",
                             [&]() -> Result<std::optional<Instances>> {
                               Result<Instances> now = instances(name);
                               if (!now.ok()) return now.error();
                               if (*now == known) return std::optional<Instances>();
                               return std::optional<Instances>(std::move(*now));
                             });
}

// ---- choosing

const ServiceInstance& pick_one(const std::vector<ServiceInstance>& instances, Pick how, uint64_t turn,
                                uint64_t random) {
  if (how == Pick::kRoundRobin) return instances[turn % instances.size()];
  uint64_t sum = 0;
  for (const ServiceInstance& each : instances) sum += each.weight;
  if (how == Pick::kRandom || sum == 0) return instances[random % instances.size()];
  uint64_t at = random % sum;
  for (const ServiceInstance& each : instances) {
    if (at < each.weight) return each;
    at -= each.weight;
  }
  return instances.back();
}

// ---- the cache

ServiceCache::ServiceCache(Registry& registry, std::string name, milliseconds look_every)
    : registry_(registry),
      name_(std::move(name)),
      look_every_(std::max(look_every, milliseconds(10))),
      random_(host().random_number()),
      join_(host().start_thread([this] { run(); })) {}

Host& ServiceCache::host() const { return Host::of(registry_.client_); }

std::chrono::nanoseconds ServiceCache::now() const { return host().now().time_since_epoch(); }

ServiceCache::~ServiceCache() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    changed_.notify_all();
    if (bell_) bell_->ring();
  }
  join_();
}

void ServiceCache::took(const Result<std::vector<ServiceInstance>>& seen, std::chrono::nanoseconds began) {
  const std::lock_guard lock(mutex_);
  failing_ = !seen.ok();
  if (seen.ok()) {
    instances_ = *seen;
    confirmed_ = began;
  }
  changed_.notify_all();
}

Result<std::vector<ServiceInstance>> ServiceCache::look_again(const std::vector<ServiceInstance>& known,
                                                              std::chrono::nanoseconds& began) {
  const Instant until = host().in(look_every_);
  Result<Bell> hung = Bell::hang(registry_.client_, registry_.folder(name_));
  if (!hung.ok()) return hung.error();
  const auto bell = std::make_shared<Bell>(std::move(*hung));
  {
    const std::lock_guard lock(mutex_);
    bell_ = bell;
    if (stopping_) return known;
  }
  while (true) {
    began = now();
    Result<std::vector<ServiceInstance>> seen = registry_.instances(name_);
    if (!seen.ok() || *seen != known || bell->broken()) return seen;
    const bool rang = bell->wait(until);
    const std::lock_guard lock(mutex_);
    if (stopping_) return known;
    if (!rang) break;
  }
  began = now();
  return registry_.instances(name_);
}

// A change ends the wait at once; without one it looks again, so that it knows whether it could.
void ServiceCache::run() {
  while (true) {
    std::vector<ServiceInstance> known;
    bool seen_before = false;
    {
      const std::lock_guard lock(mutex_);
      if (stopping_) return;
      known = instances_;
      seen_before = confirmed_.has_value() && !failing_;
    }
    std::chrono::nanoseconds began = now();
    took(seen_before ? look_again(known, began) : registry_.instances(name_), began);
    std::unique_lock lock(mutex_);
    if (failing_)
      host().wait(lock, changed_, host().in(std::min(look_every_, kTryAgain)), [this] { return stopping_; });
  }
}

ServiceView ServiceCache::view() const {
  const std::lock_guard lock(mutex_);
  ServiceView view{instances_, failing_ || !confirmed_, milliseconds(0)};
  if (!confirmed_) return view;
  view.age = std::chrono::duration_cast<milliseconds>(now() - *confirmed_);
  // A look that hangs is one that fails.
  view.stale = view.stale || view.age / 3 > look_every_;
  return view;
}

std::optional<ServiceInstance> ServiceCache::pick(Pick how, std::string_view tag) {
  const std::lock_guard lock(mutex_);
  std::vector<ServiceInstance> able;
  for (const ServiceInstance& each : instances_) {
    const bool has_tag = tag.empty() || std::find(each.tags.begin(), each.tags.end(), tag) != each.tags.end();
    if (each.enabled && has_tag) able.push_back(each);
  }
  if (able.empty()) return std::nullopt;
  // As good as any for shares of work (Steele and others, SplitMix64).
  uint64_t number = random_ += 0x9e3779b97f4a7c15U;
  number = (number ^ number >> 30) * 0xbf58476d1ce4e5b9U;
  number = (number ^ number >> 27) * 0x94d049bb133111ebU;
  return pick_one(able, how, turn_++, number ^ number >> 31);
}

Status ServiceCache::wait_until_seen(milliseconds wait) const {
  std::unique_lock lock(mutex_);
  if (host().wait(lock, changed_, host().in(wait), [this] { return confirmed_.has_value(); })) return {};
  return Error{ErrorCode::kTimeout, "no server said in time which instances " + name_ + " has"};
}

}  // namespace quorate::client
