#include "client/recipes/service_json.h"

#include <algorithm>

#include <nlohmann/json.hpp>

namespace quorate::client {
namespace {

// A payload keeps the order of its members.
using json = nlohmann::ordered_json;

constexpr int64_t kWeightMax = 1'000'000;

// What is no JSON is discarded, and so is what is nested so deeply that to write it again, a call a level,
// would use up the stack: anybody who may write below a service could end all who look at it.
json parse(std::string_view bytes) {
  bool too_deep = false;
  const auto look = [&too_deep](int depth, json::parse_event_t event, const json&) {
    const bool opens =
        event == json::parse_event_t::array_start || event == json::parse_event_t::object_start;
    too_deep = too_deep || (opens && depth >= kJsonDepthMax);
    return !too_deep;
  };
  json parsed = json::parse(bytes, look, false);
  return too_deep ? json(json::value_t::discarded) : parsed;
}

std::string written(const json& object) {
  return object.dump(-1, ' ', false, json::error_handler_t::replace);
}

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
  json payload = parse(instance.payload);
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
  return written(out);
}

Result<ServiceInstance> read_instance(std::string_view bytes) {
  const json in = parse(bytes);
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

Result<std::string> with_enabled(std::string_view instance, bool enabled) {
  json in = parse(instance);
  if (!in.is_object()) return Error{ErrorCode::kMalformed, "it holds no instance of a service"};
  in["enabled"] = enabled;
  return written(in);
}

Result<std::string> checked_payload(std::string_view payload) {
  const json in = parse(payload);
  if (in.is_discarded())
    return Error{ErrorCode::kInvalidArgument,
                 "the payload of an instance must be JSON in UTF-8, nested at most " +
                     std::to_string(kJsonDepthMax) + " deep"};
  return in.dump();
}

}  // namespace quorate::client
