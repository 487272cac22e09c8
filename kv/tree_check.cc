#include <algorithm>

#include "base/checksum.h"
#include "kv/path.h"
#include "kv/text.h"
#include "kv/tree.h"

namespace quorate::kv {

std::optional<std::string> Tree::check() const {
  uint64_t hash = 0;
  uint64_t used = 0;
  uint64_t linked = 0;  // children that their parent's list holds
  uint64_t ephemerals = 0;
  uint64_t queues = 0;
  uint64_t due_nodes = 0;
  uint64_t rare = 0;
  for (Ref ref = 1; ref < nodes_.end(); ++ref) {
    if (!nodes_[ref].used()) continue;
    ++used;
    if (nodes_[ref].ephemeral()) ++ephemerals;
    if (queued_count(ref) != 0) ++queues;
    if (nodes_[ref].rare()) ++rare;
    if (const auto at = due(ref)) {
      ++due_nodes;
      if (!due_.contains({*at, ref}))
        return "the node at " + shown(path(ref)) + " is due, but not by the index";
    }
    if (auto wrong = check_node(ref, hash)) return wrong;
    if (auto wrong = check_children(ref, linked)) return wrong;
  }
  if (used != size_) return "the number of nodes is not what was counted";
  if (linked + 1 != used) return "a node stands in no parent's list";
  if (queues != queues_.size()) return "the list of queues is not what was counted";
  if (due_nodes != due_.size()) return "the index of what is due is not what was counted";
  if (rare != rare_.size()) return "the rare parts are not what was counted";
  if (undoable_ || !done_.empty()) return "changes are neither kept nor undone";
  if (hash != hash_) return "the tree's hash is not that of its nodes";
  if (auto wrong = check_counts()) return wrong;
  return check_owned(ephemerals);
}

// What is counted as nodes come and go: references to lists, bytes, the use of quotas.
std::optional<std::string> Tree::check_counts() const {
  std::vector<uint64_t> references(acls_.end());
  uint64_t bytes = 0;
  for (Ref ref = 1; ref < nodes_.end(); ++ref) {
    if (!nodes_[ref].used()) continue;
    const uint32_t acl = nodes_[ref].acl;
    if (!acls_.used(acl))
      return "the node at " + shown(path(ref)) + " names a list of permissions that is not there";
    if (acl != AclTable::kOpen) ++references[acl];
    bytes += nodes_[ref].data_size;
  }
  if (bytes != data_bytes_) return "the bytes of data are not what was counted";
  for (uint32_t acl = 0; acl < acls_.end(); ++acl) {
    if (acls_.references(acl) != references[acl]) {
      return "the nodes with one list of permissions are not as many as were counted";
    }
  }
  return quotas_.check([this](std::string_view root) { return use_of(root); });
}

std::optional<std::string> Tree::check_node(Ref ref, uint64_t& hash) const {
  const Node& node = nodes_[ref];
  const std::string at = path(ref);
  const uint64_t path_hash = checksum64(at);
  hash += hash_of(ref, path_hash) + parent_hash_of(ref, path_hash);
  if (node.rare() && rare(ref).ttl_ms == 0 && rare(ref).aversion == 0) {
    return "the node at " + shown(at) + " has a rare part that says nothing";
  }
  if (node.ttl() != (rare(ref).ttl_ms != 0)) return "the node at " + shown(at) + " has half a time to live";
  if (find(at).ref != ref) return "the node at " + shown(at) + " cannot be found by its path";
  if (!validate_path(at).ok()) return "the node at " + shown(at) + " has a path that is not allowed";
  if (ref == root_) return std::nullopt;
  if (!nodes_[node.parent].used()) return "the node at " + shown(at) + " has no parent";
  if (nodes_[node.parent].ephemeral()) return "the node at " + shown(at) + " has an ephemeral parent";
  if (node.mzxid < node.czxid) return "the node at " + shown(at) + " was changed before it was made";
  return std::nullopt;
}

// The lists of one node: its children, and the queue among them, which queue_of() tells again.
std::optional<std::string> Tree::check_children(Ref ref, uint64_t& linked) const {
  const ParentPart& part = parent_part(ref);
  const std::string at = shown(path(ref));
  std::vector<Ref> expected;
  uint32_t count = 0;
  Ref prev = kNone;
  for (Ref child = part.first_child; child != kNone; child = nodes_[child].next) {
    if (nodes_[child].parent != ref || nodes_[child].prev != prev)
      return "the children of " + at + " are linked wrongly";
    if (prev != kNone && !made_in_order(prev, child)) {
      return "the children of " + at + " are not in the order of creation";
    }
    if (nodes_[child].queued()) expected.push_back(child);
    prev = child;
    ++count;
  }
  linked += count;
  if (part.last_child != prev) return "the children of " + at + " do not end where they should";
  if (count != part.children) return "the number of children of " + at + " is not what was counted";
  if (part.creates < count) return at + " has more children than were made";

  return check_queue(ref, expected);
}

std::optional<std::string> Tree::check_queue(Ref ref, const std::vector<Ref>& expected) const {
  const ParentPart& part = parent_part(ref);
  const std::string at = shown(path(ref));
  std::vector<Ref> queued;
  for (Ref child = part.first_queued; child != kNone; child = ephemerals_[nodes_[child].part].queued_next) {
    queued.push_back(child);
  }
  if (queued != expected || part.queued != queued.size())
    return "the queue of " + at + " is not made of its queue nodes";
  if (part.last_queued != (queued.empty() ? kNone : queued.back()))
    return "the queue of " + at + " does not end where it should";
  const QueueView view = queue_of(children(ref));
  if (view.dialect != queue_dialect(ref)) return "the dialect of " + at + " is not what was counted";
  const auto of_mode = [&](Mode mode) {
    return std::count_if(view.queue.begin(), view.queue.end(),
                         [mode](const Child& child) { return child.place.mode == mode; });
  };
  const QueueModes& modes = queue_modes(ref);
  if (modes.shared != of_mode(Mode::kShared) || modes.permits != of_mode(Mode::kPermit) ||
      modes.gone.size() != view.gone.size()) {
    return "how the places of " + at + " hold is not what was counted";
  }
  size_t holding = 0;
  for_each_holder(ref, [&holding](Ref) { ++holding; });
  if (holding != view.holders) return "who holds " + at + " is not who should";
  if (!queued.empty() && (part.queue_slot >= queues_.size() || queues_[part.queue_slot] != ref)) {
    return "the queue of " + at + " is not in the list of queues";
  }
  return std::nullopt;
}

bool Tree::made_in_order(Ref earlier, Ref later) const {
  const Node& a = nodes_[earlier];
  const Node& b = nodes_[later];
  return a.czxid == b.czxid ? a.order < b.order : a.czxid < b.czxid;
}

std::optional<std::string> Tree::check_owned(uint64_t ephemerals) const {
  uint64_t owned_nodes = 0;
  for (const auto& [owner, owned] : owned_) {
    const std::string name = "session " + std::to_string(owner.value());
    size_t count = 0;
    Ref prev = kNone;
    for (Ref ref = owned.first; ref != kNone; ref = ephemerals_[nodes_[ref].part].owned_next) {
      const EphemeralPart& part = ephemerals_[nodes_[ref].part];
      if (!nodes_[ref].ephemeral() || part.owner != owner || part.owned_prev != prev) {
        return "what " + name + " owns is linked wrongly";
      }
      if (prev != kNone && !made_in_order(prev, ref)) {
        return "what " + name + " owns is not in the order of creation";
      }
      prev = ref;
      ++count;
    }
    if (count == 0 || count != owned.count || owned.last != prev)
      return "what " + name + " owns is not what was counted";
    owned_nodes += count;
  }
  if (owned_nodes != ephemerals) return "an ephemeral node stands in no session's list";
  return std::nullopt;
}

}  // namespace quorate::kv
