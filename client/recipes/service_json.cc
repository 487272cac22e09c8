// An instance of a service as Curator's service discovery writes it.
#include <nlohmann/json.hpp>

#include "client/quorate/service.h"

namespace quorate::client {
namespace {

// A payload keeps the order of its members.
using json = nlohmann::ordered_json;

constexpr int64_t kWeightMax = 1'000'000;

json port_json(std::optional<uint16_t> port) { return port ? json(*port) : json(nullptr); }

std::string text(const json& object, const char* member) {
  const auto at = object.find(member);
  return at != object.end() && at->is_string() ? at->get<std::string>() : std::string();
}

std::optional<uint16_t> port(const json& object, const char* member) {
  const auto at = object.find(member);
  if (at == object.end() || !at->is_number_integer()) return std::nullopt;
  const auto number = at->get<int64_t>();
  if (number < 0 || number > UINT16_MAX) return std::nullopt;
  return static_cast<uint16_t>(number);
}

// What only these clients know.
void read_own(const json& own, ServiceInstance& instance) {
  if (!own.is_object()) return;
  if (const auto weight = own.find("weight"); weight != own.end() && weight->is_number_integer())
    instance.weight = static_cast<uint32_t>(std::clamp<int64_t>(weight->get<int64_t>(), 0, kWeightMax));
  if (const auto tags = own.find("tags"); tags != own.end() && tags->is_array()) {
    for (const json& tag : *tags)
      if (tag.is_string()) instance.tags.push_back(tag.get<std::string>());
  }
  if (const auto metadata = own.find("metadata"); metadata != own.end() && metadata->is_object()) {
    for (const auto& [key, value] : metadata->items())
      if (value.is_string()) instance.metadata[key] = value.get<std::string>();
  }
}

}  // namespace

std::string write_instance(const ServiceInstance& instance) {
  json payload = json::parse(instance.payload, nullptr, false);
  json out;
  out["name"] = instance.name;
  out["id"] = instance.id;
  out["address"] = instance.address;
  out["port"] = port_json(instance.port);
  out["sslPort"] = port_json(instance.ssl_port);
  out["payload"] = payload.is_discarded() ? json(nullptr) : std::move(payload);
  out["registrationTimeUTC"] = instance.registered_ms;
  out["serviceType"] = "DYNAMIC";
  out["uriSpec"] = nullptr;
  // Older versions of Curator do not know it.
  if (!instance.enabled) out["enabled"] = false;
  json own = json::object();
  if (!instance.metadata.empty()) own["metadata"] = instance.metadata;
  if (!instance.tags.empty()) own["tags"] = instance.tags;
  if (instance.weight != 1) own["weight"] = instance.weight;
  if (!own.empty()) out["quorate"] = std::move(own);
  return out.dump(-1, ' ', false, json::error_handler_t::replace);
}

Result<ServiceInstance> read_instance(std::string_view bytes) {
  const json in = json::parse(bytes, nullptr, false);
  if (!in.is_object())
    return Error{ErrorCode::kMalformed, "it holds no instance of a service, but no JSON object"};
  ServiceInstance instance;
  instance.name = text(in, "name");
  instance.id = text(in, "id");
  if (instance.name.empty() || instance.id.empty())
    return Error{ErrorCode::kMalformed, "the instance of a service has no name or no id"};
  instance.address = text(in, "address");
  instance.port = port(in, "port");
  instance.ssl_port = port(in, "sslPort");
  if (const auto payload = in.find("payload"); payload != in.end()) instance.payload = payload->dump();
  if (const auto at = in.find("registrationTimeUTC"); at != in.end() && at->is_number_integer())
    instance.registered_ms = at->get<int64_t>();
  if (const auto enabled = in.find("enabled"); enabled != in.end() && enabled->is_boolean())
    instance.enabled = enabled->get<bool>();
  if (const auto own = in.find("quorate"); own != in.end()) read_own(*own, instance);
  return instance;
}

Status Registry::set_enabled(std::string_view name, std::string_view id, bool enabled) {
  const std::string node = folder(name) + "/" + std::string(id);
  while (true) {
    const Result<Node> now = client_.get(node);
    if (!now.ok()) return now.error();
    json instance = json::parse(now->data, nullptr, false);
    if (!instance.is_object())
      return Error{ErrorCode::kMalformed, "the node at " + node + " holds no instance of a service"};
    instance["enabled"] = enabled;
    const Result<Stat> set =
        client_.set(node, instance.dump(-1, ' ', false, json::error_handler_t::replace), now->stat.version);
    if (set.ok()) return {};
    if (set.code() != ErrorCode::kBadVersion) return set.error();
  }
}

}  // namespace quorate::client
