// What changed in the tree since the last capture, the captures themselves, and the scrub.
#include <limits>

#include "base/check.h"
#include "base/checksum.h"
#include "base/codec.h"
#include "kv/checkpoint.h"
#include "kv/path.h"
#include "kv/tree.h"

namespace quorate::kv {
namespace {

// What a record takes beside its path, list and data, about.
constexpr size_t kNodeRecordBytes = 32;

size_t erasure_bytes(std::string_view path) { return 2 + path.size(); }

}  // namespace

// ---- what changed

size_t Tree::record_bytes(const Node& node, std::string_view path) const {
  return kNodeRecordBytes + path.size() + acls_.kept_bytes(node.acl) + node.data_size;
}

// A change to what a capture under way still has to come to copies it first: the capture gives the state as
// it was at its beginning.
void Tree::mark_dirty(Ref ref, std::string_view path) {
  Node& node = nodes_[ref];
  if (node.flags & frozen_mark()) {
    early_.push_back(record_of(ref, path));
    node.flags = static_cast<uint8_t>(node.flags & ~frozen_mark());
  }
  dirty_bytes_ += static_cast<int64_t>(record_bytes(node, path));
  if (node.flags & dirty_mark_) return;  // a new node at a place that stands in the list already
  node.flags |= dirty_mark_;
  dirty_.push_back(ref);
}

void Tree::forget_dirty(Ref ref, std::string_view path) {
  Node& node = nodes_[ref];
  if (node.flags & frozen_mark()) {
    early_.push_back(record_of(ref, path));
    node.flags = static_cast<uint8_t>(node.flags & ~frozen_mark());
  }
  if (node.flags & dirty_mark_) dirty_bytes_ -= static_cast<int64_t>(record_bytes(node, path));
  // One that came after the last capture began is in none, so there is nothing to erase.
  if (node.czxid > captured_through_) return;
  ByteWriter(erased_).string(path);
  dirty_bytes_ += static_cast<int64_t>(erasure_bytes(path));
}

Record Tree::record_of(Ref ref, std::string_view path) const {
  const Node& node = nodes_[ref];
  const ParentPart& part = parent_part(ref);
  NodeRecord record;
  record.czxid = node.czxid;
  record.mzxid = node.mzxid;
  record.ctime_ms = node.ctime_ms;
  record.mtime_ms = node.mtime_ms;
  record.version = node.version;
  record.owner = owner(ref);
  record.sequential = node.sequential();
  record.container = node.container();
  record.order = node.order;
  if (node.acl != AclTable::kOpen) record.acl = acls_.bytes(node.acl);
  const RarePart rare_part = rare(ref);
  record.ttl_ms = rare_part.ttl_ms;
  record.due_ms = rare_part.due_ms;
  record.aversion = rare_part.aversion;
  record.creates = part.creates;
  if (part.creates != 0) record.pzxid = part.pzxid;
  record.data = node.data();
  record.null_data = node.null_data;
  return {node_key(path), encode_node(record)};
}

// ---- captures

void Tree::begin_capture(Zxid now) {
  CHECK(frozen_.empty());
  CHECK(frozen_erased_.empty());
  CHECK(early_.empty());
  frozen_.swap(dirty_);
  frozen_erased_.swap(erased_);
  frozen_at_ = 0;
  frozen_erased_at_ = 0;
  dirty_mark_ = frozen_mark();
  dirty_bytes_ = 0;
  captured_through_ = now;
}

void Tree::capture_early(Slice& slice) { slice.put_all(early_); }

bool Tree::capture_erasures(Slice& slice) {
  while (frozen_erased_at_ < frozen_erased_.size()) {
    if (slice.full()) return false;
    ByteReader in(std::string_view(frozen_erased_).substr(frozen_erased_at_));
    const size_t before = in.remaining();
    slice.put({node_key(in.string()), std::nullopt});
    frozen_erased_at_ += before - in.remaining();
  }
  frozen_erased_ = {};
  frozen_erased_at_ = 0;
  return true;
}

bool Tree::capture_nodes(Slice& slice) {
  for (; frozen_at_ < frozen_.size(); ++frozen_at_) {
    const Ref ref = frozen_[frozen_at_];
    Node& node = nodes_[ref];
    if ((node.flags & frozen_mark()) == 0) continue;  // copied before a change, or its place was taken
    if (node.used()) {
      if (slice.full()) return false;
      slice.put(record_of(ref, path(ref)));
    }
    node.flags = static_cast<uint8_t>(node.flags & ~frozen_mark());
  }
  frozen_ = {};
  frozen_at_ = 0;
  return true;
}

void Tree::mark_all_dirty() {
  CHECK(frozen_.empty());
  quotas_.mark_all_changed();
  for (Ref ref = 1; ref < nodes_.end(); ++ref) {
    if (nodes_[ref].used()) touch(ref, path(ref));
  }
}

// ---- scrub

// What hash() does not see. `path` becomes the node's. Goes by references that may be damaged themselves, so
// it believes none before it has looked.
std::optional<std::string> Tree::damage_of(Ref ref, std::string& path) const {
  path.clear();
  size_t size = 0;
  for (Ref at = ref; at != root_; at = nodes_[at].parent) {
    if (at == kNone || at >= nodes_.end() || !nodes_[at].used()) return "a parent is missing";
    size += 1 + nodes_[at].name_size;
    if (size > kPathBytesMax) return "the path is too long";
  }
  path = this->path(ref);
  const Node& node = nodes_[ref];
  if (node.path_hash != path_key_(path)) return "its path is not the one it was found by";
  const Ref parts_end = node.ephemeral() ? ephemerals_.end() : parents_.end();
  if (node.part >= parts_end || (node.ephemeral() && node.part == kNone)) return "a part is missing";
  if (ref == root_) return std::nullopt;
  const Node& above = nodes_[node.parent];
  if (above.ephemeral() || above.part == kNone || above.part >= parents_.end())
    return "its parent has no children";
  const ParentPart& part = parents_[above.part];
  if (node.prev >= nodes_.end() || node.next >= nodes_.end()) return "its siblings are missing";
  if ((node.prev == kNone ? part.first_child : nodes_[node.prev].next) != ref)
    return "its siblings are linked wrongly";
  if ((node.next == kNone ? part.last_child : nodes_[node.next].prev) != ref)
    return "its siblings are linked wrongly";
  return std::nullopt;
}

std::optional<bool> Tree::scrub(size_t nodes_max) {
  std::string path;
  for (; scrub_next_ < nodes_.end() && nodes_max > 0; ++scrub_next_) {
    if (!nodes_[scrub_next_].used()) continue;
    --nodes_max;
    if (damage_of(scrub_next_, path)) {
      scrub_damage_ = true;
      continue;
    }
    const uint64_t path_hash = checksum64(path);
    scrub_sum_ += hash_of(scrub_next_, path_hash) + parent_hash_of(scrub_next_, path_hash);
  }
  if (scrub_next_ < nodes_.end()) return std::nullopt;
  const bool ok = scrub_sum_ == hash_ && !scrub_damage_;
  scrub_next_ = 0;
  scrub_sum_ = 0;
  scrub_damage_ = false;
  return ok;
}

}  // namespace quorate::kv
