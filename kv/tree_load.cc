// Putting back what a checkpoint holds. Nodes come in the order of their paths; siblings, owners' lists and
// queues are brought into the order of creation at the end.
#include <algorithm>

#include "base/check.h"
#include "base/checksum.h"
#include "kv/checkpoint.h"
#include "kv/path.h"
#include "kv/text.h"
#include "kv/tree.h"

namespace quorate::kv {
namespace {

// However many nodes a damaged record claims, memory is reserved for this many at most.
constexpr size_t kReservedNodesMax = 4 << 20;

Status refuse(std::string_view path, const char* why) {
  return Error{ErrorCode::kCorruption, "the record of the node at " + shown(path) + " " + why};
}

template <class T>
void sort_unique(std::vector<T>& values) {
  std::sort(values.begin(), values.end());
  values.erase(std::unique(values.begin(), values.end()), values.end());
}

// Whether a path is valid if its parent's is, which is looked at before.
bool is_below_valid(std::string_view path) {
  const size_t slash = path.rfind('/');
  return path.size() <= kPathBytesMax && slash != std::string_view::npos && slash + 1 < path.size() &&
         validate_path(path.substr(slash)).ok();
}

}  // namespace

void Tree::reserve(size_t nodes) {
  // With room for some more, so that a restarted server does not have to make it at its first create.
  nodes = std::min(nodes, kReservedNodesMax);
  if (nodes > table_.room()) resize_table(nodes + nodes / 8, false);
}

Status Tree::load(std::string_view path, const NodeRecord& record) {
  const bool is_root = path == "/";
  if (!is_root && !is_below_valid(path)) return refuse(path, "has a path that none can have");
  if ((record.owner.value() != 0) + record.container + (record.ttl_ms != 0) > 1 || record.ttl_ms < 0 ||
      (record.owner.value() != 0 && record.creates != 0) || record.data.size() > UINT32_MAX ||
      (record.null_data && !record.data.empty()) ||
      (is_root &&
       (record.owner.value() != 0 || record.container || record.ttl_ms != 0 || record.sequential))) {
    return refuse(path, "says what no node can be");
  }
  // Siblings mostly come one behind the other.
  if (!is_root && (loaded_below_ == kNone || parent_of(path) != loaded_below_path_)) {
    loaded_below_path_ = parent_of(path);
    loaded_below_ = find(loaded_below_path_).ref;
  }
  const Ref parent = is_root ? kNone : loaded_below_;
  if (!is_root) {
    if (parent == kNone) return refuse(path, "comes without its parent");
    const Node& above = nodes_[parent];
    if (above.ephemeral() || above.part == kNone) return refuse(path, "has a parent that never had a child");
    grow_table();
  }
  uint32_t acl = AclTable::kOpen;
  if (!record.acl.empty()) {
    ByteReader in(record.acl);
    const Acl list = read_acl(in);
    if (!in.done() || list.empty()) return refuse(path, "has permissions that do not parse");
    acl = acls_.acquire(list);
    if (acl == AclTable::kOpen || acls_.bytes(acl) != record.acl)
      return refuse(path, "has permissions in other bytes");
  }
  const Ref ref = is_root ? root_ : nodes_.allocate();
  const uint64_t path_hash = checksum64(path);
  Node& node = nodes_[ref];
  if (is_root) {
    change_hash(root_, -hash_of(root_, path_hash));
    free_payload(node);
  }
  put_payload(node, is_root ? std::string_view() : name_of(path), record.data);
  node.null_data = record.null_data;
  node.czxid = record.czxid;
  node.mzxid = record.mzxid;
  node.ctime_ms = record.ctime_ms;
  node.mtime_ms = record.mtime_ms;
  node.version = record.version;
  node.order = record.order;
  node.acl = acl;
  node.path_hash = path_key_(path);
  node.flags =
      static_cast<uint8_t>(node.flags | (record.sequential ? Node::kSequential : 0) |
                           (record.container ? Node::kContainer : 0) | (record.ttl_ms != 0 ? Node::kTtl : 0));
  put_rare(ref, {record.ttl_ms, record.due_ms, record.aversion});
  if (record.owner.value() != 0) {
    node.part = ephemerals_.allocate();
    node.flags |= Node::kEphemeral;
    ephemerals_[node.part].owner = record.owner;
    loaded_owned_.push_back(ref);
  } else if (record.creates != 0) {
    node.part = parents_.allocate();
    parents_[node.part].creates = record.creates;
    parents_[node.part].pzxid = record.pzxid;
  }
  if (node.reaped()) loaded_reaped_.push_back(ref);
  data_bytes_ += node.data_size;
  if (!is_root) {
    node.flags |= Node::kUsed;
    node.parent = parent;
    ParentPart& part = parents_[nodes_[parent].part];
    node.prev = part.last_child;
    if (node.prev != kNone && !made_in_order(node.prev, ref)) unordered_.push_back(parent);
    link_child(part, ref);
    if (node.queued()) queueing_.push_back(parent);
    count_mode(ref, true);
    table_.insert(node.path_hash, ref);
    ++size_;
  }
  change_hash(ref, hash_of(ref, path_hash));
  return {};
}

void Tree::order_children(Ref parent) {
  ParentPart& part = parents_[nodes_[parent].part];
  std::vector<Ref> children;
  children.reserve(part.children);
  for (Ref at = part.first_child; at != kNone; at = nodes_[at].next) children.push_back(at);
  std::sort(children.begin(), children.end(), [this](Ref a, Ref b) { return made_in_order(a, b); });
  part.first_child = part.last_child = kNone;
  part.children = 0;
  for (const Ref child : children) {
    nodes_[child].prev = part.last_child;
    nodes_[child].next = kNone;
    link_child(part, child);
  }
}

void Tree::queue_children(Ref parent) {
  ParentPart& part = parents_[nodes_[parent].part];
  for (Ref at = part.first_child; at != kNone; at = nodes_[at].next) {
    if (!nodes_[at].queued()) continue;
    ephemerals_[nodes_[at].part].queued_prev = part.last_queued;
    link_queued(parent, part, at);
  }
}

Status Tree::finish_load(Zxid now) {
  sort_unique(unordered_);
  for (const Ref parent : unordered_) order_children(parent);
  sort_unique(queueing_);
  for (const Ref parent : queueing_) queue_children(parent);
  std::sort(loaded_owned_.begin(), loaded_owned_.end(), [this](Ref a, Ref b) { return made_in_order(a, b); });
  for (const Ref ref : loaded_owned_) {
    EphemeralPart& part = ephemerals_[nodes_[ref].part];
    const auto owned = owned_.find(part.owner);
    if (owned != owned_.end()) part.owned_prev = owned->second.last;
    link_owned(ref);
  }
  for (const Ref ref : loaded_reaped_) schedule(ref);
  for (Ref ref = 1; ref < nodes_.end(); ++ref) {
    const Node& node = nodes_[ref];
    if (!node.used() || node.ephemeral() || node.part == kNone) continue;
    const std::string at = path(ref);
    const ParentPart& part = parents_[node.part];
    if (part.creates < part.children) return refuse(at, "has more children than were made");
    change_hash(ref, parent_hash_of(ref, checksum64(at)));
  }
  loaded_below_ = kNone;
  loaded_below_path_ = {};
  unordered_ = queueing_ = loaded_owned_ = loaded_reaped_ = {};
  for (const Ref ref : dirty_) nodes_[ref].flags = static_cast<uint8_t>(nodes_[ref].flags & ~Node::kMarks);
  dirty_ = {};
  dirty_bytes_ = 0;
  captured_through_ = now;
  return {};
}

}  // namespace quorate::kv
