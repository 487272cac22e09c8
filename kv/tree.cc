#include "kv/tree.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "base/check.h"
#include "base/checksum.h"
#include "kv/path.h"

namespace quorate::kv {
namespace {

// As many misses as a processor has under way at once, about; more would push out what was fetched first.
constexpr size_t kPrefetchPathsMax = 16;
constexpr size_t kPrefetchPayloadBytes = 256;
constexpr size_t kCacheLineBytes = 64;
// What an entry of a node-based container takes, about.
constexpr size_t kMapEntryBytes = 64;

uint64_t hash_words(const uint64_t* words, size_t count) {
  return checksum64({reinterpret_cast<const char*>(words), count * sizeof(uint64_t)});
}

}  // namespace

Tree::Tree(uint64_t hash_key) : acls_(hash_key), path_key_(hash_key) {
  root_ = nodes_.allocate();
  Node& root = nodes_[root_];
  root.flags = Node::kUsed;
  root.path_hash = path_key_("/");
  put_payload(root, {}, {});
  table_.insert(root.path_hash, root_);
  size_ = 1;
  hash_ = hash_of(root_, checksum64("/"));
  mark_dirty(root_, "/");
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
  Place place{path, kNone};
  if (path == "/") {
    place.ref = root_;
    return place;
  }
  const uint32_t hash = path_key_(path);
  place.ref = table_.find(
      hash, [&](Ref ref) { return nodes_[ref].path_hash == hash && ref != root_ && is_at(ref, path); });
  return place;
}

// Each step waits for what the step before asked for, so each is done for all paths before the next one.
void Tree::prefetch(std::span<const std::string_view> paths) const {
  std::array<uint32_t, kPrefetchPathsMax> hashes;
  std::array<Ref, kPrefetchPathsMax> refs;
  for (; !paths.empty(); paths = paths.subspan(std::min(paths.size(), kPrefetchPathsMax))) {
    const size_t count = std::min(paths.size(), kPrefetchPathsMax);
    for (size_t i = 0; i < count; ++i) {
      hashes[i] = path_key_(paths[i]);
      table_.prefetch(hashes[i]);
    }
    for (size_t i = 0; i < count; ++i) {
      refs[i] = table_.likely(hashes[i]);
      const char* const node = reinterpret_cast<const char*>(&nodes_[refs[i]]);
      __builtin_prefetch(node);
      __builtin_prefetch(node + sizeof(Node) - 1);
    }
    for (size_t i = 0; i < count; ++i) {
      const Node& node = nodes_[refs[i]];
      const size_t size = std::min<size_t>(size_t{node.name_size} + node.data_size, kPrefetchPayloadBytes);
      for (size_t at = 0; at < size; at += kCacheLineBytes) __builtin_prefetch(node.payload + at);
    }
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
                            static_cast<uint64_t>(n.null_data) << 40 |
                                static_cast<uint64_t>(static_cast<uint32_t>(n.version)) << 8 | n.own_flags(),
                            owner(ref).value(),
                            n.order,
                            acls_.hash(n.acl)};
  const uint64_t hash = hash_words(words, std::size(words));
  if (!n.rare()) return hash;
  const RarePart part = rare(ref);
  const uint64_t rare_words[] = {path_hash, static_cast<uint64_t>(part.ttl_ms),
                                 static_cast<uint64_t>(part.due_ms), static_cast<uint64_t>(part.aversion)};
  return hash + hash_words(rare_words, std::size(rare_words));
}

uint64_t Tree::parent_hash_of(Ref ref, uint64_t path_hash) const {
  const ParentPart& part = parent_part(ref);
  if (part.creates == 0) return 0;
  const uint64_t words[] = {path_hash, part.creates, part.children, part.pzxid.value()};
  return hash_words(words, std::size(words));
}

// ---- changes

Place Tree::create(const Place& parent, std::string_view path, const NewNode& made, const Cause& cause) {
  CHECK(parent.ref != kNone);
  CHECK(!nodes_[parent.ref].ephemeral());
  CHECK((made.owner.value() != 0) + made.container + (made.ttl_ms != 0) <= 1);
  CHECK(!made.null_data || made.data.empty());
  grow_table();
  const Place place{path, nodes_.allocate()};
  Node& node = nodes_[place.ref];
  put_payload(node, name_of(path), made.data);
  node.null_data = made.null_data;
  node.czxid = node.mzxid = cause.zxid;
  node.ctime_ms = node.mtime_ms = cause.wall_ms;
  begin_making(cause.zxid);
  node.order = made_++;
  made_bytes_ += path.size() + acls_.kept_bytes(made.acl);
  node.acl = made.acl;
  node.parent = parent.ref;
  node.path_hash = path_key_(path);
  // The place may stand in the list of what changed already.
  node.flags =
      static_cast<uint8_t>((node.flags & dirty_mark_) | (made.sequential ? Node::kSequential : 0) |
                           (made.container ? Node::kContainer : 0) | (made.ttl_ms != 0 ? Node::kTtl : 0));
  if (made.ttl_ms != 0) put_rare(place.ref, {made.ttl_ms, cause.cluster_ms + made.ttl_ms, 0});
  if (made.owner.value() != 0) {
    node.part = ephemerals_.allocate();
    node.flags |= Node::kEphemeral;
    EphemeralPart& own = ephemerals_[node.part];
    own.owner = made.owner;
    const auto owned = owned_.find(made.owner);
    if (owned != owned_.end()) own.owned_prev = owned->second.last;
  }
  Node& above = nodes_[parent.ref];
  if (above.part == kNone) above.part = parents_.allocate();
  const ParentPart& part = parents_[above.part];
  node.prev = part.last_child;
  if (node.queued()) ephemerals_[node.part].queued_prev = part.last_queued;
  if (undoable_) done_.push_back({Done::Kind::kCreated, place.ref, part.pzxid, {}, {}});
  link(place, part.creates + 1, cause.zxid);
  return place;
}

void Tree::set(const Place& place, std::string_view data, bool null_data, const Cause& cause) {
  CHECK(place.ref != kNone);
  CHECK(!null_data || data.empty());
  Node& node = nodes_[place.ref];
  const uint64_t path_hash = checksum64(place.path);
  touch(place.ref, place.path);
  unschedule(place.ref);
  change_hash(place.ref, -hash_of(place.ref, path_hash));
  count_mode(place.ref, false);
  const Node before = node;
  if (undoable_) done_.push_back({Done::Kind::kSet, place.ref, {}, before, rare(place.ref)});
  if (data.size() == node.data_size && !undoable_) {
    if (!data.empty()) std::memcpy(node.payload + node.name_size, data.data(), data.size());
  } else {
    Node replaced = before;
    put_payload(node, before.name(), data);
    if (!undoable_) free_payload(replaced);
  }
  count_mode(place.ref, true);
  node.null_data = null_data;
  const int64_t grown = int64_t{node.data_size} - int64_t{before.data_size};
  count(place.path, 0, grown);
  dirty_bytes_ += grown;
  // Versions wrap around as ZooKeeper's do, and as signed arithmetic must not.
  node.version = static_cast<int32_t>(static_cast<uint32_t>(node.version) + 1);
  node.mzxid = cause.zxid;
  node.mtime_ms = cause.wall_ms;
  if (node.ttl()) {
    RarePart& part = rare_.find(place.ref)->second;
    part.due_ms = cause.cluster_ms + part.ttl_ms;
  }
  change_hash(place.ref, hash_of(place.ref, path_hash));
  schedule(place.ref);
}

void Tree::set_acl(const Place& place, uint32_t acl, const Cause& cause) {
  CHECK(place.ref != kNone);
  begin_making(cause.zxid);
  made_bytes_ += acls_.kept_bytes(acl);
  Node& node = nodes_[place.ref];
  const uint64_t path_hash = checksum64(place.path);
  RarePart part = rare(place.ref);
  touch(place.ref, place.path);
  change_hash(place.ref, -hash_of(place.ref, path_hash));
  if (undoable_) {
    done_.push_back({Done::Kind::kAclSet, place.ref, {}, node, part});
    acls_.retain(node.acl);
  }
  put_acl(node, acl);
  part.aversion = static_cast<int32_t>(static_cast<uint32_t>(part.aversion) + 1);
  put_rare(place.ref, part);
  change_hash(place.ref, hash_of(place.ref, path_hash));
}

// Of one that is dirty. The reference to `acl` becomes its own.
void Tree::put_acl(Node& node, uint32_t acl) {
  dirty_bytes_ +=
      static_cast<int64_t>(acls_.kept_bytes(acl)) - static_cast<int64_t>(acls_.kept_bytes(node.acl));
  acls_.release(node.acl);
  node.acl = acl;
}

void Tree::remove(const Place& place, const Cause& cause) {
  CHECK(place.ref != kNone);
  CHECK(place.ref != root_);
  CHECK(parent_part(place.ref).children == 0);
  const ParentPart& above = parents_[nodes_[nodes_[place.ref].parent].part];
  if (undoable_) done_.push_back({Done::Kind::kRemoved, place.ref, above.pzxid, {}, {}});
  unlink(place, above.creates, cause.zxid);
  if (!undoable_) release(place.ref);
}

void Tree::set_quota(std::string_view path, const QuotaLimits& limits) {
  quotas_.set(path, limits, quotas_.find(path) == nullptr && !limits.none() ? use_of(path) : QuotaUse{});
}

QuotaUse Tree::use_of(std::string_view path) const {
  QuotaUse use;
  const Ref top = find(path).ref;
  for (Ref at = top; at != kNone;) {
    ++use.count;
    use.bytes += nodes_[at].data_size;
    Ref next = first_child(at);
    for (; next == kNone && at != top; at = nodes_[at].parent) next = nodes_[at].next;
    at = next;
  }
  return use;
}

// ---- what hangs on a node

// A list of permissions that never changed and no time to live need no part.
void Tree::put_rare(Ref ref, const RarePart& rare) {
  Node& node = nodes_[ref];
  if (rare.ttl_ms == 0 && rare.aversion == 0) {
    if (node.rare()) rare_.erase(ref);
    node.flags = static_cast<uint8_t>(node.flags & ~Node::kRare);
  } else {
    rare_[ref] = rare;
    node.flags |= Node::kRare;
  }
}

void Tree::release(Ref ref) {
  Node& node = nodes_[ref];
  CHECK(!node.used());
  if (node.ephemeral()) {
    ephemerals_.release(node.part);
  } else if (node.part != kNone) {
    parents_.release(node.part);
  }
  put_rare(ref, {});
  acls_.release(node.acl);
  free_payload(node);
  const auto mark = static_cast<uint8_t>(node.flags & dirty_mark_);
  nodes_.release(ref);
  node.flags = mark;
}

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
  std::string path;
  this->path(ref, path);
  return path;
}

void Tree::path(Ref ref, std::string& path) const {
  size_t size = ref == root_ ? 1 : 0;
  for (Ref at = ref; at != root_; at = nodes_[at].parent) size += 1 + nodes_[at].name_size;
  path.assign(size, '/');
  for (Ref at = ref; at != root_; at = nodes_[at].parent) {
    size -= nodes_[at].name_size;
    std::memcpy(path.data() + size, nodes_[at].payload, nodes_[at].name_size);
    --size;
  }
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
  stat.aversion = node.rare() ? rare(ref).aversion : 0;
  stat.ephemeral_owner = owner(ref);
  stat.data_length = static_cast<int32_t>(node.data_size);
  stat.num_children = static_cast<int32_t>(part.children);
  return stat;
}

NodeKind Tree::kind(Ref ref) const {
  const Node& node = nodes_[ref];
  if (node.ephemeral()) return NodeKind::kEphemeral;
  if (node.container()) return NodeKind::kContainer;
  return node.ttl() ? NodeKind::kTtl : NodeKind::kPersistent;
}

Child Tree::child(Ref ref) const {
  const Node& node = nodes_[ref];
  return {node.name(), node.czxid, owner(ref), node.sequential(), node.order, kind(ref), place_mode(ref)};
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
  Dialect dialect = Dialect::kEmpty;
  const auto add = [&dialect](uint32_t count, Dialect its) {
    if (count > 0) dialect = both(dialect, its);
  };
  add(part.queued_lock, Dialect::kLock);
  add(part.queued_kazoo, Dialect::kKazoo);
  add(part.queued_curator, Dialect::kCurator);
  add(part.queued - part.queued_lock - part.queued_kazoo - part.queued_curator, Dialect::kUnknown);
  for (const Ref kept : queue_modes(ref).gone) dialect = both(dialect, dialect_of(nodes_[kept].name()));
  return dialect;
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
  return nodes_.bytes() + parents_.bytes() + ephemerals_.bytes() + table_.bytes() + payload_bytes_ +
         size_ * 16 + (rare_.size() + due_.size() + modes_.size()) * kMapEntryBytes;
}

}  // namespace quorate::kv
