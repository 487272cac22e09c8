#include "client/cli/import_state.h"

#include <algorithm>
#include <charconv>
#include <numeric>

#include "base/checksum.h"
#include "client/cli/zookeeper_walk.h"
#include "kv/acl.h"
#include "kv/path.h"
#include "kv/state_import.h"

namespace quorate::cli {

namespace {

// As the source would tell of it. `acl` holds the list's bytes.
kv::NodeRecord record_of(const kv::NodeView& node, std::string& acl) {
  kv::NodeRecord record;
  record.czxid = node.stat.czxid;
  record.mzxid = node.stat.mzxid;
  record.ctime_ms = node.stat.ctime_ms;
  record.mtime_ms = node.stat.mtime_ms;
  record.version = node.stat.version;
  record.aversion = node.stat.aversion;
  record.creates = creates_of(node.stat.cversion, node.stat.num_children);
  acl.clear();
  if (node.acl != nullptr && *node.acl != kv::open_acl()) kv::append_acl(acl, *node.acl);
  record.acl = acl;
  record.data = node.data;
  record.null_data = node.null_data;
  return record;
}

// For each node, by its place in `nodes`: its order among those of the same czxid.
std::vector<uint32_t> orders_of(const std::vector<Zxid>& czxids) {
  std::vector<size_t> sorted(czxids.size());
  std::iota(sorted.begin(), sorted.end(), size_t{0});
  std::stable_sort(sorted.begin(), sorted.end(), [&](size_t a, size_t b) { return czxids[a] < czxids[b]; });
  std::vector<uint32_t> orders(czxids.size(), 0);
  for (size_t i = 1; i < sorted.size(); ++i)
    if (czxids[sorted[i]] == czxids[sorted[i - 1]]) orders[sorted[i]] = orders[sorted[i - 1]] + 1;
  return orders;
}

}  // namespace

kv::QuotaLimits parse_quota_limits(std::string_view text) {
  kv::QuotaLimits limits;
  while (!text.empty()) {
    const size_t end = std::min(text.find_first_of(",;"), text.size());
    const std::string_view part = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    const size_t equals = part.find('=');
    if (equals == std::string_view::npos) continue;
    const std::string_view key = part.substr(0, equals);
    int64_t value = -1;
    const std::string_view digits = part.substr(equals + 1);
    (void)std::from_chars(digits.data(), digits.data() + digits.size(), value);
    value = std::max<int64_t>(value, -1);
    if (key == "count") limits.count_soft = value;
    if (key == "bytes") limits.bytes_soft = value;
    if (key == "countHardLimit") limits.count_hard = value;
    if (key == "byteHardLimit") limits.bytes_hard = value;
  }
  return limits;
}

Result<kv::StateMachine> build_state(const ImportedNodes& nodes, const ImportedQuotas& quotas, Zxid last) {
  std::vector<Zxid> czxids;
  czxids.reserve(nodes.size());
  for (const auto& [path, bytes] : nodes) {
    const auto record = kv::decode_node(bytes);
    if (!record.ok()) return record.error();
    czxids.push_back(record->czxid);
  }
  const std::vector<uint32_t> orders = orders_of(czxids);
  kv::StateImport import;
  size_t at = 0;
  for (const auto& [path, bytes] : nodes) {
    kv::NodeRecord record = *kv::decode_node(bytes);
    record.order = orders[at++];
    if (Status added = import.add(path, record); !added.ok()) return added.error();
  }
  for (const auto& [path, limits] : quotas)
    if (Status set = import.set_quota(path, limits); !set.ok()) return set.error();
  return import.finish(last);
}

std::vector<WideNode> wide_nodes(const ImportedNodes& nodes) {
  struct Children {
    size_t count = 0, bytes = 0;
  };
  std::map<std::string_view, Children> parents;
  for (const auto& [path, record] : nodes) {
    if (path == "/") continue;
    Children& children = parents[kv::parent_of(path)];
    ++children.count;
    children.bytes += kv::name_of(path).size() + kListNameBytes;
  }
  std::vector<WideNode> wide;
  for (const auto& [path, children] : parents)
    if (children.bytes > kListBytesMax) wide.push_back({std::string(path), children.count});
  return wide;
}

void Comparison::differs(std::string_view path) {
  ++differing;
  if (paths.size() < kPathsMax) paths.emplace_back(path);
}

void Comparison::add(std::string_view path, const kv::NodeRecord& node) {
  const uint64_t theirs = node_hash(path, node);
  ++source_nodes;
  source_hash += theirs;
  const auto mine = state_.get(path);
  if (!mine.ok()) return differs(path);
  seen_.insert(checksum64(path));
  std::string acl;
  if (node_hash(path, record_of(*mine, acl)) != theirs) differs(path);
}

std::optional<std::vector<std::string>> Comparison::names(const std::string& path, size_t children) const {
  const auto mine = state_.children(path);
  const size_t of_source_alone = path == "/" ? 1 : 0;  // "/zookeeper"
  if (!mine.ok() || mine->size() + of_source_alone != children) return std::nullopt;
  std::vector<std::string> names;
  names.reserve(children);
  for (const kv::Child& child : *mine) names.emplace_back(child.name);
  return names;
}

void Comparison::finish() {
  std::vector<std::string> to_visit = {"/"};
  std::string acl;
  while (!to_visit.empty()) {
    const std::string path = std::move(to_visit.back());
    to_visit.pop_back();
    const kv::NodeView node = *state_.get(path);
    if (node.kind == kv::NodeKind::kEphemeral) continue;
    ++nodes;
    hash += node_hash(path, record_of(node, acl));
    if (!seen_.contains(checksum64(path))) differs(path);
    if (node.stat.num_children == 0) continue;
    const auto children = *state_.children(path);
    for (const kv::Child& child : children) to_visit.push_back(kv::join_path(path, child.name));
  }
}

}  // namespace quorate::cli
