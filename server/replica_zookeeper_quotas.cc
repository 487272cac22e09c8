#include "server/replica_zookeeper_quotas.h"

#include <algorithm>
#include <charconv>
#include <set>
#include <utility>
#include <vector>

#include "kv/path.h"

namespace quorate::server {

namespace zk = zookeeper;

namespace {

constexpr std::string_view kLimitsName = "zookeeper_limits";
constexpr std::string_view kStatsName = "zookeeper_stats";

enum class Part : uint8_t { kNode, kLimitsOf, kStatsOf };

// What a path below kQuotaRoot stands for: the node "/a/b", or the limits or the use of its quota.
struct Place {
  std::string path;
  Part part = Part::kNode;
};

Place place_of(std::string_view path) {
  std::string_view rest = path.substr(kQuotaRoot.size());
  const std::string_view name = rest.substr(rest.rfind('/') + 1);
  const Part part = name == kLimitsName ? Part::kLimitsOf : name == kStatsName ? Part::kStatsOf : Part::kNode;
  if (part != Part::kNode) rest.remove_suffix(name.size() + 1);
  return {rest.empty() ? "/" : std::string(rest), part};
}

// The names of what stands below the node's place.
std::vector<std::string> names_below(const std::string& path, const kv::StateMachine& state,
                                     const kv::View& view) {
  const std::string prefix = path == "/" ? path : path + "/";
  std::set<std::string> names;
  for (const std::string& quota : state.quotas()) {
    if (quota == path) {
      if (view.quota(path).ok()) names.insert({std::string(kLimitsName), std::string(kStatsName)});
    } else if (quota.starts_with(prefix) && view.quota(quota).ok()) {
      names.insert(quota.substr(prefix.size(), quota.find('/', prefix.size()) - prefix.size()));
    }
  }
  return {names.begin(), names.end()};
}

ReservedNode leaf(std::string data) {
  ReservedNode node;
  node.stat.data_length = static_cast<int32_t>(data.size());
  node.data = std::move(data);
  node.may_write = true;
  return node;
}

std::optional<QuotaWrite> write_limits(const std::string& path, std::string_view data) {
  const auto limits = parse_limits(data);
  if (!limits) return zk::ErrorCode::kBadArguments;
  return kv::SetQuotaOp{path, *limits};
}

struct Writer {
  const kv::StateMachine& state;
  const kv::View& view;

  bool has_quota(const Place& at) const { return view.quota(at.path).ok(); }
  bool stands(const Place& at) const {
    return at.part != Part::kNode ? has_quota(at)
                                  : state.get(at.path).ok() || !names_below(at.path, state, view).empty();
  }

  std::optional<QuotaWrite> operator()(const zk::Create& create) const {
    const Place at = place_of(create.path);
    if (create.flags != 0) return zk::ErrorCode::kBadArguments;
    if (!state.get(at.path).ok()) return zk::ErrorCode::kNoNode;
    // A client makes the limits first, and then what it thinks has to count for them.
    if (at.part == Part::kStatsOf) return zk::ErrorCode::kOk;
    if (stands(at)) return zk::ErrorCode::kNodeExists;
    return write_limits(at.path, create.data);
  }
  std::optional<QuotaWrite> operator()(const zk::SetData& set) const {
    const Place at = place_of(set.path);
    if (!stands(at)) return zk::ErrorCode::kNoNode;
    if (set.version > 0) return zk::ErrorCode::kBadVersion;
    if (at.part != Part::kLimitsOf) return zk::ErrorCode::kOk;
    return write_limits(at.path, set.data);
  }
  // What belongs to a quota goes with its limits, before a client comes to delete that, too.
  std::optional<QuotaWrite> operator()(const zk::Delete& remove) const {
    const Place at = place_of(remove.path);
    if (at.part == Part::kStatsOf) return zk::ErrorCode::kOk;
    if (!stands(at)) return zk::ErrorCode::kNoNode;
    if (remove.version > 0) return zk::ErrorCode::kBadVersion;
    if (at.part == Part::kLimitsOf) return kv::SetQuotaOp{at.path, {}};
    return names_below(at.path, state, view).empty() ? zk::ErrorCode::kOk : zk::ErrorCode::kNotEmpty;
  }
};

}  // namespace

bool is_quota_path(std::string_view path) {
  return path.size() > kQuotaRoot.size() + 1 && path.starts_with(kQuotaRoot) &&
         path[kQuotaRoot.size()] == '/' && kv::validate_path(path).ok();
}

std::vector<std::string> quota_roots(const kv::StateMachine& state, const kv::View& view) {
  return names_below("/", state, view);
}

std::optional<ReservedNode> quota_node(std::string_view path, const kv::StateMachine& state,
                                       const kv::View& view) {
  const Place at = place_of(path);
  if (at.part != Part::kNode) {
    const auto quota = view.quota(at.path);
    if (!quota.ok()) return std::nullopt;
    if (at.part == Part::kLimitsOf) return leaf(limits_text(quota->limits));
    return leaf("count=" + std::to_string(quota->used.count) + ",bytes=" + std::to_string(quota->used.bytes));
  }
  std::vector<std::string> names = names_below(at.path, state, view);
  if (names.empty() && !state.get(at.path).ok()) return std::nullopt;
  ReservedNode node;
  node.stat.num_children = static_cast<int32_t>(names.size());
  node.children = std::move(names);
  node.may_write = true;
  return node;
}

bool writes_quota(const zk::RequestBody& request) {
  if (const auto* create = std::get_if<zk::Create>(&request)) return is_quota_path(create->path);
  if (const auto* set = std::get_if<zk::SetData>(&request)) return is_quota_path(set->path);
  const auto* remove = std::get_if<zk::Delete>(&request);
  return remove != nullptr && is_quota_path(remove->path);
}

std::optional<QuotaWrite> quota_write(const zk::RequestBody& request, const kv::StateMachine& state,
                                      const kv::View& view) {
  const Writer writer{state, view};
  if (const auto* create = std::get_if<zk::Create>(&request);
      create != nullptr && is_quota_path(create->path))
    return writer(*create);
  if (const auto* set = std::get_if<zk::SetData>(&request); set != nullptr && is_quota_path(set->path))
    return writer(*set);
  if (const auto* remove = std::get_if<zk::Delete>(&request);
      remove != nullptr && is_quota_path(remove->path))
    return writer(*remove);
  return std::nullopt;
}

std::string limits_text(const kv::QuotaLimits& limits) {
  return "count=" + std::to_string(limits.count_soft) + ",bytes=" + std::to_string(limits.bytes_soft) +
         "=;byteHardLimit=" + std::to_string(limits.bytes_hard) +
         ";countHardLimit=" + std::to_string(limits.count_hard);
}

std::optional<kv::QuotaLimits> parse_limits(std::string_view text) {
  kv::QuotaLimits limits;
  while (!text.empty()) {
    const size_t end = std::min(text.find_first_of(",;"), text.size());
    std::string_view pair = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    while (pair.ends_with('=')) pair.remove_suffix(1);
    if (pair.empty()) continue;
    const size_t equals = pair.find('=');
    if (equals == std::string_view::npos) return std::nullopt;
    const std::string_view key = pair.substr(0, equals), value = pair.substr(equals + 1);
    int64_t number = 0;
    const auto [at, error] = std::from_chars(value.data(), value.data() + value.size(), number);
    if (error != std::errc() || at != value.data() + value.size() || number < -1) return std::nullopt;
    if (key == "count") limits.count_soft = number;
    if (key == "bytes") limits.bytes_soft = number;
    if (key == "countHardLimit") limits.count_hard = number;
    if (key == "byteHardLimit") limits.bytes_hard = number;
  }
  return limits;
}

}  // namespace quorate::server
