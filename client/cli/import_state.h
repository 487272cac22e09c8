// What an import makes of the nodes that it has read: a state, and whether that is what the source holds.
//
// Thread safety: none.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_set>
#include <utility>
#include <vector>

#include "base/result.h"
#include "kv/checkpoint.h"
#include "kv/state_machine.h"

namespace quorate::cli {

// Path -> record (kv/checkpoint.h), parents before their children.
using ImportedNodes = std::map<std::string, std::string, std::less<>>;
using ImportedQuotas = std::vector<std::pair<std::string, kv::QuotaLimits>>;

// The limits in a node "zookeeper_limits" of ZooKeeper's quota tree; those that it does not name, or that do
// not parse, are none.
kv::QuotaLimits parse_quota_limits(std::string_view text);

// Nodes of one transaction get their order by path: the protocol does not tell the true one. `last`: the
// highest zxid that the source has named. Errors: as kv::StateImport's.
Result<kv::StateMachine> build_state(const ImportedNodes& nodes, const ImportedQuotas& quotas, Zxid last);

// A node whose children ZooKeeper's clients cannot list once Quorate has it.
struct WideNode {
  std::string path;
  size_t children = 0;
};
// What Quorate sends in one answer (ReplicaOptions::reply_bytes_max, server/replica.h), and what a name takes
// there beside its bytes.
inline constexpr size_t kListBytesMax = 4 << 20;
inline constexpr size_t kListNameBytes = 4;
std::vector<WideNode> wide_nodes(const ImportedNodes& nodes);

// A state against a source, by count, hash and node.
class Comparison {
 public:
  static constexpr size_t kPathsMax = 100;  // named ones

  explicit Comparison(const kv::StateMachine& state) : state_(state) {}

  // Each node of the source once.
  void add(std::string_view path, const kv::NodeRecord& node);
  // Behind the last one.
  void finish();
  // Of a node of the source with so many children that are not told: those of the state, if they are as many.
  // A child made since, in the place of another, shows in the parent's count of creates.
  std::optional<std::vector<std::string>> names(const std::string& path, size_t children) const;

  uint64_t source_nodes = 0, source_hash = 0;
  uint64_t nodes = 0, hash = 0;    // of the state
  uint64_t differing = 0;          // on either side only, or not the same on both
  std::vector<std::string> paths;  // of the first of those
  bool same() const { return differing == 0 && nodes == source_nodes && hash == source_hash; }

 private:
  void differs(std::string_view path);

  const kv::StateMachine& state_;
  std::unordered_set<uint64_t> seen_;  // checksums of paths
};

}  // namespace quorate::cli
