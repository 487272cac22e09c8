#include "kv/tree.h"

#include <cstring>

#include "base/check.h"
#include "base/checksum.h"
#include "kv/path.h"

namespace quorate::kv {
namespace {

constexpr size_t kSlotsAtFirst = 64;

uint64_t hash_words(const uint64_t* words, size_t count) {
  return checksum64({reinterpret_cast<const char*>(words), count * sizeof(uint64_t)});
}

}  // namespace

Tree::Tree() : slots_(kSlotsAtFirst, kNone) {
  root_ = nodes_.allocate();
  Node& root = nodes_[root_];
  root.flags = Node::kUsed;
  root.path_hash = static_cast<uint32_t>(checksum64("/"));
  put_payload(root, {}, {});
  insert_slot(root_);
  size_ = 1;
  hash_ = hash_of(root_, checksum64("/"));
}

Tree::~Tree() {
  for (Ref ref = 1; ref < nodes_.end(); ++ref) {
    if (nodes_[ref].used()) free_payload(nodes_[ref]);
  }
}

// ---- finding

bool Tree::is_at(Ref ref, std::string_view path) const {
  while (ref != root_) {
    const Node& node = nodes_[ref];
    const std::string_view name = node.name();
    if (path.size() <= name.size() || !path.ends_with(name)) return false;
    path.remove_suffix(name.size());
    if (path.back() != '/') return false;
    path.remove_suffix(1);
    ref = node.parent;
  }
  return path.empty();
}

Place Tree::find(std::string_view path) const {
  Place place{path, checksum64(path), kNone};
  if (path == "/") {
    place.ref = root_;
    return place;
  }
  const auto low = static_cast<uint32_t>(place.hash);
  const size_t mask = slots_.size() - 1;
  for (size_t i = low & mask; slots_[i] != kNone; i = (i + 1) & mask) {
    if (nodes_[slots_[i]].path_hash == low && slots_[i] != root_ && is_at(slots_[i], path)) {
      place.ref = slots_[i];
      break;
    }
  }
  return place;
}

void Tree::insert_slot(Ref ref) {
  const size_t mask = slots_.size() - 1;
  size_t i = nodes_[ref].path_hash & mask;
  while (slots_[i] != kNone) i = (i + 1) & mask;
  slots_[i] = ref;
}

// Closes the gap by moving back what probed past it (Knuth, TAOCP 6.4, algorithm R), so that no tombstones
// pile up.
void Tree::erase_slot(Ref ref) {
  const size_t mask = slots_.size() - 1;
  size_t gap = nodes_[ref].path_hash & mask;
  while (slots_[gap] != ref) gap = (gap + 1) & mask;
  for (size_t i = (gap + 1) & mask; slots_[i] != kNone; i = (i + 1) & mask) {
    const size_t home = nodes_[slots_[i]].path_hash & mask;
    if (((i - home) & mask) < ((i - gap) & mask)) continue;
    slots_[gap] = slots_[i];
    gap = i;
  }
  slots_[gap] = kNone;
}

void Tree::grow_slots() {
  if ((size_ + 1) * 4 <= slots_.size() * 3) return;
  slots_.assign(slots_.size() * 2, kNone);
  for (Ref ref = 1; ref < nodes_.end(); ++ref) {
    if (nodes_[ref].used()) insert_slot(ref);
  }
}

// ---- hashing

// A node's own fields. What follows from its children is in parent_hash_of(), so that making a child leaves
// this alone.
uint64_t Tree::hash_of(Ref ref, uint64_t path_hash) const {
  const Node& n = nodes_[ref];
  const uint64_t words[] = {path_hash,
                            checksum64(n.data()),
                            n.czxid.value(),
                            n.mzxid.value(),
                            static_cast<uint64_t>(n.ctime_ms),
                            static_cast<uint64_t>(n.mtime_ms),
                            static_cast<uint64_t>(static_cast<uint32_t>(n.version)) << 8 | n.flags,
                            owner(ref).value()};
  return hash_words(words, std::size(words));
}

uint64_t Tree::parent_hash_of(Ref ref, uint64_t path_hash) const {
  const ParentPart& part = parent_part(ref);
  if (part.creates == 0) return 0;
  const uint64_t words[] = {path_hash, part.creates, part.children, part.pzxid.value()};
  return hash_words(words, std::size(words));
}

// ---- changes

Place Tree::create(const Place& parent, std::string_view path, std::string_view data, SessionId owner,
                   bool sequential, const Cause& cause) {
  CHECK(parent.ref != kNone);
  CHECK(!nodes_[parent.ref].ephemeral());
  grow_slots();
  const Place place{path, checksum64(path), nodes_.allocate()};
  Node& node = nodes_[place.ref];
  put_payload(node, name_of(path), data);
  node.czxid = node.mzxid = cause.zxid;
  node.ctime_ms = node.mtime_ms = cause.wall_ms;
  node.parent = parent.ref;
  node.path_hash = static_cast<uint32_t>(place.hash);
  node.flags = static_cast<uint8_t>(Node::kUsed | (sequential ? Node::kSequential : 0));
  insert_slot(place.ref);
  ++size_;

  hash_ -= parent_hash_of(parent.ref, parent.hash);
  Node& above = nodes_[parent.ref];
  if (above.part == kNone) above.part = parents_.allocate();
  ParentPart& part = parents_[above.part];
  link_child(part, place.ref);
  ++part.creates;
  part.pzxid = cause.zxid;
  if (owner.value() != 0) link_owned(place.ref, owner);
  if (node.queued()) link_queued(parent.ref, part, place.ref);
  hash_ += parent_hash_of(parent.ref, parent.hash) + hash_of(place.ref, place.hash);
  return place;
}

void Tree::set(const Place& place, std::string_view data, const Cause& cause) {
  CHECK(place.ref != kNone);
  Node& node = nodes_[place.ref];
  hash_ -= hash_of(place.ref, place.hash);
  if (data.size() == node.data_size) {
    if (!data.empty()) std::memcpy(node.payload + node.name_size, data.data(), data.size());
  } else {
    Node replaced = node;
    put_payload(node, replaced.name(), data);
    free_payload(replaced);
  }
  // Versions wrap around as ZooKeeper's do, and as signed arithmetic must not.
  node.version = static_cast<int32_t>(static_cast<uint32_t>(node.version) + 1);
  node.mzxid = cause.zxid;
  node.mtime_ms = cause.wall_ms;
  hash_ += hash_of(place.ref, place.hash);
}

void Tree::remove(const Place& place, const Cause& cause) {
  CHECK(place.ref != kNone);
  CHECK(place.ref != root_);
  Node& node = nodes_[place.ref];
  CHECK(parent_part(place.ref).children == 0);
  const uint64_t above_hash = checksum64(parent_of(place.path));
  hash_ -= hash_of(place.ref, place.hash) + parent_hash_of(place.ref, place.hash) +
           parent_hash_of(node.parent, above_hash);
  ParentPart& above = parents_[nodes_[node.parent].part];
  if (node.queued()) unlink_queued(above, place.ref);
  unlink_child(above, place.ref);
  above.pzxid = cause.zxid;
  hash_ += parent_hash_of(node.parent, above_hash);

  erase_slot(place.ref);
  if (node.ephemeral()) {
    unlink_owned(place.ref);
  } else if (node.part != kNone) {
    parents_.release(node.part);
  }
  free_payload(node);
  nodes_.release(place.ref);
  --size_;
}

// ---- links

void Tree::link_child(ParentPart& part, Ref ref) {
  Node& node = nodes_[ref];
  node.prev = part.last_child;
  (part.last_child == kNone ? part.first_child : nodes_[part.last_child].next) = ref;
  part.last_child = ref;
  ++part.children;
}

void Tree::unlink_child(ParentPart& part, Ref ref) {
  const Node& node = nodes_[ref];
  (node.prev == kNone ? part.first_child : nodes_[node.prev].next) = node.next;
  (node.next == kNone ? part.last_child : nodes_[node.next].prev) = node.prev;
  --part.children;
}

void Tree::link_owned(Ref ref, SessionId owner) {
  Node& node = nodes_[ref];
  node.part = ephemerals_.allocate();
  node.flags |= Node::kEphemeral;
  Owned& owned = owned_[owner];
  EphemeralPart& part = ephemerals_[node.part];
  part.owner = owner;
  part.owned_prev = owned.last;
  (owned.last == kNone ? owned.first : ephemerals_[nodes_[owned.last].part].owned_next) = ref;
  owned.last = ref;
  ++owned.count;
}

void Tree::unlink_owned(Ref ref) {
  const Ref own = nodes_[ref].part;
  const EphemeralPart& part = ephemerals_[own];
  const auto found = owned_.find(part.owner);
  CHECK(found != owned_.end());
  Owned& owned = found->second;
  (part.owned_prev == kNone ? owned.first : ephemerals_[nodes_[part.owned_prev].part].owned_next) =
      part.owned_next;
  (part.owned_next == kNone ? owned.last : ephemerals_[nodes_[part.owned_next].part].owned_prev) =
      part.owned_prev;
  if (--owned.count == 0) owned_.erase(found);
  ephemerals_.release(own);
}

uint32_t* Tree::dialect_counter(ParentPart& part, std::string_view name) {
  switch (dialect_of(name)) {
    case Dialect::kLock:
      return &part.queued_lock;
    case Dialect::kKazoo:
      return &part.queued_kazoo;
    case Dialect::kEmpty:
    case Dialect::kMixed:
      break;
  }
  return nullptr;
}

void Tree::link_queued(Ref parent, ParentPart& part, Ref ref) {
  EphemeralPart& own = ephemerals_[nodes_[ref].part];
  own.queued_prev = part.last_queued;
  (part.last_queued == kNone ? part.first_queued : ephemerals_[nodes_[part.last_queued].part].queued_next) =
      ref;
  part.last_queued = ref;
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

// ---- payloads

void Tree::put_payload(Node& node, std::string_view name, std::string_view data) {
  const size_t size = name.size() + data.size();
  char* const payload = size == 0 ? nullptr : new char[size];
  if (!name.empty()) std::memcpy(payload, name.data(), name.size());
  if (!data.empty()) std::memcpy(payload + name.size(), data.data(), data.size());
  node.payload = payload;
  node.name_size = static_cast<uint16_t>(name.size());
  node.data_size = static_cast<uint32_t>(data.size());
  payload_bytes_ += size;
}

void Tree::free_payload(Node& node) {
  payload_bytes_ -= size_t{node.name_size} + node.data_size;
  delete[] node.payload;
  node.payload = nullptr;
}

// ---- reading

const ParentPart& Tree::parent_part(Ref ref) const {
  static const ParentPart kChildless;
  const Node& node = nodes_[ref];
  return node.ephemeral() || node.part == kNone ? kChildless : parents_[node.part];
}

SessionId Tree::owner(Ref ref) const {
  const Node& node = nodes_[ref];
  return node.ephemeral() ? ephemerals_[node.part].owner : SessionId();
}

std::string Tree::path(Ref ref) const {
  if (ref == root_) return "/";
  size_t size = 0;
  for (Ref at = ref; at != root_; at = nodes_[at].parent) size += 1 + nodes_[at].name_size;
  std::string path(size, '/');
  for (Ref at = ref; at != root_; at = nodes_[at].parent) {
    size -= nodes_[at].name_size;
    std::memcpy(path.data() + size, nodes_[at].payload, nodes_[at].name_size);
    --size;
  }
  return path;
}

Stat Tree::stat(Ref ref) const {
  const Node& node = nodes_[ref];
  const ParentPart& part = parent_part(ref);
  Stat stat;
  stat.czxid = node.czxid;
  stat.mzxid = node.mzxid;
  stat.pzxid = part.creates == 0 ? node.czxid : part.pzxid;
  stat.ctime_ms = node.ctime_ms;
  stat.mtime_ms = node.mtime_ms;
  stat.version = node.version;
  // Twice the creates less those still there is creates plus deletes.
  stat.cversion = static_cast<int32_t>(static_cast<uint32_t>(2 * part.creates - part.children));
  stat.ephemeral_owner = owner(ref);
  stat.data_length = static_cast<int32_t>(node.data_size);
  stat.num_children = static_cast<int32_t>(part.children);
  return stat;
}

Child Tree::child(Ref ref) const {
  const Node& node = nodes_[ref];
  return {node.name(), node.czxid, owner(ref), node.sequential()};
}

std::vector<Child> Tree::children(Ref ref) const {
  const ParentPart& part = parent_part(ref);
  std::vector<Child> children;
  children.reserve(part.children);
  for (Ref at = part.first_child; at != kNone; at = nodes_[at].next) children.push_back(child(at));
  return children;
}

Dialect Tree::queue_dialect(Ref ref) const {
  const ParentPart& part = parent_part(ref);
  if (part.queued == 0) return Dialect::kEmpty;
  if (part.queued_lock == part.queued) return Dialect::kLock;
  if (part.queued_kazoo == part.queued) return Dialect::kKazoo;
  return Dialect::kMixed;
}

Ref Tree::first_owned(SessionId owner) const {
  const auto found = owned_.find(owner);
  return found == owned_.end() ? kNone : found->second.first;
}

size_t Tree::owned_count(SessionId owner) const {
  const auto found = owned_.find(owner);
  return found == owned_.end() ? 0 : found->second.count;
}

size_t Tree::bytes() const {
  // A payload of its own costs malloc's 8 bytes, and 8 more on average until the next multiple of 16.
  return nodes_.bytes() + parents_.bytes() + ephemerals_.bytes() + slots_.capacity() * sizeof(Ref) +
         payload_bytes_ + size_ * 16;
}

}  // namespace quorate::kv
