#include <vector>

#include "base/check.h"
#include "base/checksum.h"
#include "kv/path.h"
#include "kv/tree.h"

namespace quorate::kv {

// ---- the table

void Tree::grow_table() {
  if (table_.room() == 0) resize_table(size_ + 1, true);
}

void Tree::resize_table(size_t nodes, bool growing) {
  table_.reset(nodes, growing);
  for (Ref ref = 1; ref < nodes_.end(); ++ref) {
    if (nodes_[ref].used()) table_.insert(nodes_[ref].path_hash, ref);
  }
}

// ---- links

void Tree::link(const Place& place, uint64_t creates, Zxid pzxid) {
  Node& node = nodes_[place.ref];
  const Ref parent = node.parent;
  const uint64_t path_hash = checksum64(place.path);
  const uint64_t parent_hash = checksum64(parent_of(place.path));
  ParentPart& part = parents_[nodes_[parent].part];
  touch(parent, parent_of(place.path));
  unschedule(parent);
  change_hash(parent, -parent_hash_of(parent, parent_hash));
  node.flags |= Node::kUsed;
  table_.insert(node.path_hash, place.ref);
  ++size_;
  count(place.path, 1, node.data_size);
  link_child(part, place.ref);
  if (node.ephemeral()) link_owned(place.ref);
  if (node.queued()) link_queued(parent, part, place.ref);
  count_mode(place.ref, true);
  part.creates = creates;
  part.pzxid = pzxid;
  change_hash(parent, parent_hash_of(parent, parent_hash));
  change_hash(place.ref, hash_of(place.ref, path_hash) + parent_hash_of(place.ref, path_hash));
  mark_dirty(place.ref, place.path);
  schedule(parent);
  schedule(place.ref);
}

void Tree::unlink(const Place& place, uint64_t creates, Zxid pzxid) {
  Node& node = nodes_[place.ref];
  const Ref parent = node.parent;
  const uint64_t path_hash = checksum64(place.path);
  const uint64_t parent_hash = checksum64(parent_of(place.path));
  ParentPart& part = parents_[nodes_[parent].part];
  touch(parent, parent_of(place.path));
  forget_dirty(place.ref, place.path);
  unschedule(place.ref);
  unschedule(parent);
  change_hash(place.ref, -(hash_of(place.ref, path_hash) + parent_hash_of(place.ref, path_hash)));
  change_hash(parent, -parent_hash_of(parent, parent_hash));
  count_mode(place.ref, false);
  if (node.queued()) unlink_queued(part, place.ref);
  if (node.ephemeral()) unlink_owned(place.ref);
  unlink_child(part, place.ref);
  table_.erase(node.path_hash, place.ref);
  node.flags = static_cast<uint8_t>(node.flags & ~Node::kUsed);
  --size_;
  count(place.path, -1, -int64_t{node.data_size});
  part.creates = creates;
  part.pzxid = pzxid;
  change_hash(parent, parent_hash_of(parent, parent_hash));
  schedule(parent);
}

void Tree::link_child(ParentPart& part, Ref ref) {
  const Node& node = nodes_[ref];
  (node.prev == kNone ? part.first_child : nodes_[node.prev].next) = ref;
  (node.next == kNone ? part.last_child : nodes_[node.next].prev) = ref;
  ++part.children;
}

void Tree::unlink_child(ParentPart& part, Ref ref) {
  const Node& node = nodes_[ref];
  (node.prev == kNone ? part.first_child : nodes_[node.prev].next) = node.next;
  (node.next == kNone ? part.last_child : nodes_[node.next].prev) = node.prev;
  --part.children;
}

void Tree::link_owned(Ref ref) {
  const EphemeralPart& part = ephemerals_[nodes_[ref].part];
  Owned& owned = owned_[part.owner];
  (part.owned_prev == kNone ? owned.first : ephemerals_[nodes_[part.owned_prev].part].owned_next) = ref;
  (part.owned_next == kNone ? owned.last : ephemerals_[nodes_[part.owned_next].part].owned_prev) = ref;
  ++owned.count;
}

void Tree::unlink_owned(Ref ref) {
  const EphemeralPart& part = ephemerals_[nodes_[ref].part];
  const auto found = owned_.find(part.owner);
  CHECK(found != owned_.end());
  Owned& owned = found->second;
  (part.owned_prev == kNone ? owned.first : ephemerals_[nodes_[part.owned_prev].part].owned_next) =
      part.owned_next;
  (part.owned_next == kNone ? owned.last : ephemerals_[nodes_[part.owned_next].part].owned_prev) =
      part.owned_prev;
  if (--owned.count == 0) owned_.erase(found);
}

uint32_t* Tree::dialect_counter(ParentPart& part, std::string_view name) {
  switch (dialect_of(name)) {
    case Dialect::kLock:
      return &part.queued_lock;
    case Dialect::kKazoo:
      return &part.queued_kazoo;
    case Dialect::kCurator:
      return &part.queued_curator;
    case Dialect::kUnknown:
    case Dialect::kEmpty:
    case Dialect::kMixed:
      break;
  }
  return nullptr;
}

void Tree::link_queued(Ref parent, ParentPart& part, Ref ref) {
  const EphemeralPart& own = ephemerals_[nodes_[ref].part];
  (own.queued_prev == kNone ? part.first_queued : ephemerals_[nodes_[own.queued_prev].part].queued_next) =
      ref;
  (own.queued_next == kNone ? part.last_queued : ephemerals_[nodes_[own.queued_next].part].queued_prev) = ref;
  if (uint32_t* counter = dialect_counter(part, nodes_[ref].name())) ++*counter;
  if (part.queued++ == 0) {
    part.queue_slot = static_cast<uint32_t>(queues_.size());
    queues_.push_back(parent);
  }
}

void Tree::unlink_queued(ParentPart& part, Ref ref) {
  const EphemeralPart& own = ephemerals_[nodes_[ref].part];
  (own.queued_prev == kNone ? part.first_queued : ephemerals_[nodes_[own.queued_prev].part].queued_next) =
      own.queued_next;
  (own.queued_next == kNone ? part.last_queued : ephemerals_[nodes_[own.queued_next].part].queued_prev) =
      own.queued_prev;
  if (uint32_t* counter = dialect_counter(part, nodes_[ref].name())) --*counter;
  if (--part.queued == 0) {
    const Ref moved = queues_.back();
    queues_[part.queue_slot] = moved;
    parents_[nodes_[moved].part].queue_slot = part.queue_slot;
    queues_.pop_back();
  }
}

// ---- how places hold

PlaceMode Tree::place_mode(Ref ref) const {
  const Node& node = nodes_[ref];
  if (!node.sequential() || !(node.ephemeral() || node.ttl())) return {};
  const PlaceMode mode = read_place(node.data()).mode;
  return mode.gone == node.ttl() ? mode : PlaceMode();
}

const QueueModes& Tree::queue_modes(Ref ref) const {
  static const QueueModes kPlain;
  if (modes_.empty()) return kPlain;
  const auto found = modes_.find(ref);
  return found == modes_.end() ? kPlain : found->second;
}

Holders Tree::kept_holders(Ref lock) const {
  Holders holders;
  const std::vector<Ref>& gone = queue_modes(lock).gone;
  if (!gone.empty()) holders.pass(place_mode(gone.front()), gone.size());
  return holders;
}

bool Tree::holds(Ref ref, size_t* looked_at) const {
  const Ref lock = nodes_[ref].parent;
  Holders holders = kept_holders(lock);
  for (Ref at = first_queued(lock); holders.next(place_mode(at)); at = next_queued(at)) {
    if (looked_at != nullptr) ++*looked_at;
    if (at == ref) return true;
    if (next_queued(at) == kNone) break;
  }
  return false;
}

void Tree::count_mode(Ref ref, bool added) {
  const PlaceMode mode = place_mode(ref);
  if (mode.mode == Mode::kExclusive && !mode.gone) return;
  const Ref lock = nodes_[ref].parent;
  QueueModes& modes = modes_[lock];
  const uint32_t one = added ? 1 : uint32_t(-1);
  if (mode.gone && added) modes.gone.push_back(ref);
  if (mode.gone && !added) std::erase(modes.gone, ref);
  if (!mode.gone) (mode.mode == Mode::kShared ? modes.shared : modes.permits) += one;
  if (mode.mode == Mode::kPermit) modes.semaphore = mode.permits;
  if (modes.plain()) modes_.erase(lock);
}

// ---- what is due

std::optional<int64_t> Tree::due(Ref ref) const {
  const Node& node = nodes_[ref];
  if (!node.used() || !node.reaped() || child_count(ref) != 0) return std::nullopt;
  if (node.ttl()) return rare(ref).due_ms;
  // One that never had a child is still to get its first.
  return creates(ref) == 0 ? std::nullopt : std::optional<int64_t>(0);
}

void Tree::schedule(Ref ref) {
  if (!nodes_[ref].reaped()) return;
  if (const auto at = due(ref)) due_.emplace(*at, ref);
}

void Tree::unschedule(Ref ref) {
  if (!nodes_[ref].reaped()) return;
  if (const auto at = due(ref)) due_.erase({*at, ref});
}

std::optional<int64_t> Tree::next_due() const {
  if (due_.empty()) return std::nullopt;
  return due_.begin()->first;
}

std::vector<Ref> Tree::due_nodes(int64_t cluster_ms, size_t max) const {
  std::vector<Ref> refs;
  for (auto at = due_.begin(); at != due_.end() && at->first <= cluster_ms && refs.size() < max; ++at) {
    refs.push_back(at->second);
  }
  return refs;
}

}  // namespace quorate::kv
