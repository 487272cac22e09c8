// A node with all that is below it.
#include "kv/execution.h"
#include "kv/path.h"
#include "kv/text.h"

namespace quorate::kv {
namespace {

// A subtree over the limit is counted up to here, to be refused with its size; beyond, what it would cost to
// count is no longer worth it.
constexpr size_t kCountedNodesMax = 1'000'000;

}  // namespace

Outcome Execution::remove_all(const Place& place) {
  // Every node stands before its children, and the last child before the first: read from the end, children
  // come before their parent, in the order of creation.
  std::vector<Ref> found{place.ref};
  // Mostly all have one list, which may be long.
  uint32_t permitted = AclTable::kOpen;
  for (size_t at = 0; at < found.size() && found.size() < kCountedNodesMax; ++at) {
    if (tree_.child_count(found[at]) == 0) continue;
    if (const uint32_t acl = tree_.node(found[at]).acl; acl != permitted) {
      if (Status status = allowed(found[at], kDelete); !status.ok()) return refuse(status);
      permitted = acl;
    }
    for (Ref child = tree_.last_child(found[at]); child != kNone; child = tree_.node(child).prev)
      found.push_back(child);
  }
  // What its multi changed before counts too, so that no entry takes long to apply.
  if (changes_.size() + found.size() > limits_.recursive_delete_max) {
    const bool more = found.size() >= kCountedNodesMax;
    return refuse(ErrorCode::kTooManyNodes,
                  "the node at " + shown(place.path) + " and what is below it are " +
                      (more ? "at least " + std::to_string(kCountedNodesMax) : std::to_string(found.size())) +
                      " nodes; at most " + std::to_string(limits_.recursive_delete_max) +
                      " can be deleted at once, so delete it in parts");
  }
  // Siblings stand side by side, and their parent's path may be long to find.
  Ref parent = kNone;
  std::string above;
  for (; !found.empty(); found.pop_back()) {
    const Node& node = tree_.node(found.back());
    if (node.parent != parent) above = tree_.path(node.parent);
    parent = node.parent;
    const std::string path = join_path(above, node.name());
    erase({path, found.back()});
  }
  return std::move(outcome_);
}

}  // namespace quorate::kv
