#include "kv/watch_table.h"

#include <algorithm>
#include <map>
#include <set>
#include <tuple>
#include <unordered_map>
#include <utility>

#include "base/check.h"
#include "base/checksum.h"
#include "kv/path.h"
#include "kv/path_numbers.h"
#include "kv/slab.h"
#include "kv/watch_paths.h"

namespace quorate::kv {
namespace {

// Marks of a path: watches that look at the node itself, at its children, at all below. One may outlast its
// last watch until the next walk over the list.
constexpr uint8_t kLooksHere = 1;
constexpr uint8_t kLooksAtChildren = 2;
constexpr uint8_t kLooksBelow = 4;

constexpr uint8_t marks_of(WatchKind kind) {
  switch (kind) {
    case WatchKind::kData:
      return kLooksHere;
    case WatchKind::kChildren:
      return kLooksAtChildren;
    case WatchKind::kPersistent:
    case WatchKind::kNodeFeed:
      return kLooksHere | kLooksAtChildren;
    case WatchKind::kRecursive:
    case WatchKind::kTreeFeed:
      return kLooksBelow;
  }
  CHECK_MSG(false, "no kind of watch");
}

constexpr bool looks_below(WatchKind kind) { return marks_of(kind) == kLooksBelow; }
constexpr bool is_feed(WatchKind kind) {
  return kind == WatchKind::kNodeFeed || kind == WatchKind::kTreeFeed;
}
constexpr bool is_persistent(WatchKind kind) {
  return kind == WatchKind::kPersistent || kind == WatchKind::kRecursive;
}

EventKind event_of(Change::Kind kind) {
  switch (kind) {
    case Change::Kind::kCreated:
      return EventKind::kCreated;
    case Change::Kind::kDeleted:
      return EventKind::kDeleted;
    case Change::Kind::kDataSet:
      break;
  }
  return EventKind::kDataChanged;
}

struct Watch {
  uint64_t id = 0;
  Ref path = kNone;
  // The list of its path: those that look below first. The first one's prev is the last, whose next is none.
  Ref prev = kNone;
  Ref next = kNone;
  uint32_t connection : 29 = 0;  // a reference
  uint32_t kind : 3 = 0;

  WatchKind what() const { return static_cast<WatchKind>(kind); }
};
static_assert(sizeof(Watch) == 24);

struct Connection {
  ConnectionId id;
  RefTable watches;
  uint32_t feeds = 0;
};

// What persistent watches are told of an entry that changed more than one thing: the changes that count at
// their own path, and those that count for their parent.
struct Folded {
  explicit Folded(const std::vector<Change>& changes);
  bool at_path(size_t i) const { return all_ || at_path_[i]; }
  bool at_parent(size_t i) const { return all_ || at_parent_[i]; }

 private:
  bool all_;
  std::vector<bool> at_path_, at_parent_;
};

Folded::Folded(const std::vector<Change>& changes) : all_(changes.size() <= 1) {
  if (all_) return;
  at_path_.resize(changes.size());
  at_parent_.resize(changes.size());
  PathNumbers paths, parents;
  std::vector<size_t> decides;  // of each path
  for (size_t i = 0; i < changes.size(); ++i) {
    const Change& change = changes[i];
    const bool set = change.kind == Change::Kind::kDataSet;
    const auto [path, first] = paths.of(change.path);
    if (first) decides.push_back(i);
    if (!set || changes[decides[path]].kind == Change::Kind::kDataSet) decides[path] = i;
    if (!set) at_parent_[i] = parents.of(parent_of(change.path)).first;
  }
  for (const size_t i : decides) at_path_[i] = true;
}

}  // namespace

struct WatchTable::Impl {
  explicit Impl(const WatchLimits& l) : limits(l), paths(l.hash_key) {}

  uint64_t hash_of(uint64_t watch) const {
    return checksum64({reinterpret_cast<const char*>(&watch), sizeof(watch)}, limits.hash_key);
  }
  // Of those that are in the way of another.
  auto rehash() {
    return [this](Ref other) {
      ++rehashed;
      return hash_of(watches[other].id);
    };
  }
  Ref find(ConnectionId connection, uint64_t watch) const;
  void link(Ref ref);
  void unlink(Ref ref);
  void remove(Ref ref);
  // Takes it out of all but its connection's table.
  void forget(Ref ref);
  // Calls visit(ref) for the watches of a path whose marks are among `marks`; true from it: the watch has
  // fired for the last time.
  template <class Visit>
  void walk(std::string_view path, uint8_t marks, const Visit& visit);

  WatchLimits limits;
  Slab<Watch> watches;
  Slab<Connection> connections;
  std::unordered_map<ConnectionId, Ref> by_id;
  WatchPaths paths;
  size_t size = 0;
  size_t below = 0;  // watches that look below
  // Of these, how many at a path of so many bytes: of a deep node's ancestors most need no look-up.
  std::vector<uint32_t> below_of_length = std::vector<uint32_t>(kPathBytesMax + 1);
  size_t persistent = 0;  // watches that stay, without the feeds
  size_t feeds = 0;
  uint64_t rehashed = 0;
};

namespace {

// What is told takes so much beside its path; and a batch of a feed beside its changes, which are shared.
constexpr size_t kToldBytes = 16;
constexpr size_t kBatchBytes = 128;
// An event, or a batch, in memory beside its path: here, and as a message to its client.
constexpr size_t kMessageBytes = 400;

// What fires while the changes of one entry are gone through.
class Firing {
 public:
  Firing(const Applied& applied, const WatchTable::MaySee& may_see, const WatchTable::HasRoom& has_room,
         const WatchTable::SeesLike& sees_like, bool folds, bool has_feeds)
      : applied_(applied),
        may_see_(may_see),
        has_room_(has_room),
        sees_like_(sees_like),
        folded_(folds ? applied.changes : kNoChanges),
        folds_(folds),
        has_feeds_(has_feeds),
        open_(std::all_of(applied.changes.begin(), applied.changes.end(), [](const Change& change) {
          return change.acl == nullptr && change.parent_acl == nullptr;
        })) {}

  bool sees(const Connection& connection, const std::shared_ptr<const Acl>& acl) {
    if (acl == nullptr) return true;
    if (!may_see_) return false;
    Asked& asked = asked_[connection.id];
    if (asked.acl != acl.get()) asked = {acl.get(), may_see_(connection.id, acl), asked.like};
    return asked.sees;
  }
  // False of both: there is no room, and nothing of this entry is told to that connection.
  bool tell(const Connection& connection, const Watch& watch, EventKind kind, std::string_view path) {
    if (!room(connection, {path.size() + kToldBytes, path.size() + kMessageBytes})) return false;
    fired_.events.push_back({connection.id, watch.id, kind, std::string(path), applied_.zxid});
    return true;
  }
  bool feed(const Connection& connection, const Watch& watch, size_t i) {
    CHECK(has_feeds_);
    if (overran(connection.id)) return false;
    const Change& change = applied_.changes[i];
    const auto [at, added] = batches_.try_emplace({connection.id, watch.id}, fed_.size());
    List& list = added ? list_of(connection, watch) : *fed_[at->second].list;
    const bool listed = list.told == i + 1;
    if (!room(connection, {change.path.size() + kToldBytes + (added ? kBatchBytes : 0),
                           (added ? kMessageBytes : 0) + (listed ? 0 : change.path.size() + kChangeBytes)})) {
      if (added) batches_.erase(at);
      return false;
    }
    if (added) fed_.push_back({connection.id, watch.id, &list});
    if (listed) return true;
    list.told = i + 1;
    list.changes->push_back({change.kind, applied_.zxid, change.path});
    return true;
  }
  bool counts_at_path(size_t i) const { return !folds_ || folded_.at_path(i); }
  bool counts_at_parent(size_t i) const { return !folds_ || folded_.at_parent(i); }
  Fired take();

 private:
  static inline const std::vector<Change> kNoChanges{};
  // Of a list that grows.
  static constexpr size_t kChangeBytes = 2 * sizeof(StateMachine::PastChange);

  using Changes = SharedChanges::Changes;
  struct List {
    std::shared_ptr<Changes> changes = std::make_shared<Changes>();
    size_t told = 0;  // of the entry's changes, those before this one are in it or are not for it
  };
  struct Fed {
    ConnectionId connection;
    uint64_t watch = 0;
    List* list = nullptr;
  };
  // What was asked about a connection, which may have a hundred thousand watches that are to be told the
  // same.
  struct Asked {
    const Acl* acl = nullptr;  // whether it may see what has this list
    bool sees = false;
    std::optional<uint64_t> like;
  };

  bool overran(ConnectionId connection) const { return !overrun_.empty() && overrun_.contains(connection); }
  bool room(const Connection& connection, const WatchTable::Telling& telling) {
    if (overran(connection.id)) return false;
    if (!has_room_ || has_room_(connection.id, telling)) return true;
    overrun_.insert(connection.id);
    return false;
  }
  // Feeds of one kind at one path are told the same; where not everybody may see all of it, those of who may
  // see the same.
  List& list_of(const Connection& connection, const Watch& watch) {
    return lists_[{open_ ? 0 : like(connection.id), watch.what(), watch.path}];
  }
  uint64_t like(ConnectionId connection) {
    if (!sees_like_) return connection.value();
    Asked& asked = asked_[connection];
    if (!asked.like) asked.like = sees_like_(connection);
    return *asked.like;
  }

  const Applied& applied_;
  const WatchTable::MaySee& may_see_;
  const WatchTable::HasRoom& has_room_;
  const WatchTable::SeesLike& sees_like_;
  const Folded folded_;
  const bool folds_;
  const bool has_feeds_;
  const bool open_;  // to everybody
  Fired fired_;
  std::map<std::pair<ConnectionId, uint64_t>, size_t> batches_;
  std::vector<Fed> fed_;
  std::map<std::tuple<uint64_t, WatchKind, Ref>, List> lists_;
  std::set<ConnectionId> overrun_;
  std::unordered_map<ConnectionId, Asked> asked_;
};

Fired Firing::take() {
  fired_.overrun.assign(overrun_.begin(), overrun_.end());
  if (!overrun_.empty())
    std::erase_if(fired_.events, [&](const WatchEvent& event) { return overran(event.connection); });
  for (const Fed& fed : fed_) {
    if (overran(fed.connection)) continue;
    fired_.batches.push_back({fed.connection, fed.watch, SharedChanges(fed.list->changes), applied_.zxid});
  }
  return std::move(fired_);
}

}  // namespace

Ref WatchTable::Impl::find(ConnectionId connection, uint64_t watch) const {
  const auto at = by_id.find(connection);
  if (at == by_id.end()) return kNone;
  return connections[at->second].watches.find(hash_of(watch),
                                              [&](Ref ref) { return watches[ref].id == watch; });
}

void WatchTable::Impl::link(Ref ref) {
  Watch& watch = watches[ref];
  const Ref first = paths.first(watch.path);
  paths.set_marks(watch.path, static_cast<uint8_t>(paths.marks(watch.path) | marks_of(watch.what())));
  if (first == kNone) {
    watch.prev = ref;
    paths.set_first(watch.path, ref);
  } else if (looks_below(watch.what())) {
    watch.prev = watches[first].prev;
    watch.next = first;
    watches[first].prev = ref;
    paths.set_first(watch.path, ref);
  } else {
    watch.prev = watches[first].prev;
    watches[watch.prev].next = ref;
    watches[first].prev = ref;
  }
}

void WatchTable::Impl::unlink(Ref ref) {
  const Watch& watch = watches[ref];
  const Ref first = paths.first(watch.path);
  if (ref == first) {
    paths.set_first(watch.path, watch.next);
    if (watch.next == kNone) return paths.erase(watch.path);
    watches[watch.next].prev = watch.prev;
  } else {
    watches[watch.prev].next = watch.next;
    watches[watch.next == kNone ? first : watch.next].prev = watch.prev;
  }
}

void WatchTable::Impl::forget(Ref ref) {
  const Watch& watch = watches[ref];
  const WatchKind kind = watch.what();
  if (looks_below(kind)) {
    --below;
    --below_of_length[paths.text(watch.path).size()];
  }
  unlink(ref);
  --size;
  if (is_persistent(kind)) --persistent;
  if (is_feed(kind)) {
    --feeds;
    --connections[watch.connection].feeds;
  }
  watches.release(ref);
}

void WatchTable::Impl::remove(Ref ref) {
  const Ref connection_ref = watches[ref].connection;
  Connection& connection = connections[connection_ref];
  connection.watches.erase(hash_of(watches[ref].id), ref, rehash());
  forget(ref);
  if (connection.watches.size() > 0) return;
  by_id.erase(connection.id);
  connections.release(connection_ref);
}

template <class Visit>
void WatchTable::Impl::walk(std::string_view path, uint8_t marks, const Visit& visit) {
  const Ref at = paths.find(path);
  if (at == kNone || (paths.marks(at) & marks) == 0) return;
  uint8_t left = 0;  // the marks of what stays
  bool any_left = false;
  for (Ref ref = paths.first(at); ref != kNone;) {
    const Ref next = watches[ref].next;
    const uint8_t looks = marks_of(watches[ref].what());
    // Those that look below stand in front; who asks for no others needs to see no more.
    if (marks == kLooksBelow && looks != kLooksBelow) return;
    if ((looks & marks) != 0 && visit(watches[ref])) {
      remove(ref);  // the last one takes the path along
    } else {
      left |= looks;
      any_left = true;
    }
    ref = next;
  }
  if (any_left) paths.set_marks(at, left);
}

WatchTable::WatchTable(const WatchLimits& limits) : impl_(std::make_unique<Impl>(limits)) {}
WatchTable::~WatchTable() = default;

Status WatchTable::add(ConnectionId connection, uint64_t watch, WatchKind kind, std::string_view path) {
  Impl& impl = *impl_;
  const Ref known = impl.find(connection, watch);
  if (known == kNone) {
    if (impl.size >= impl.limits.watches_max) {
      return {ErrorCode::kLimitReached, "this server keeps " + std::to_string(impl.limits.watches_max) +
                                            " watches, which is its limit; use another server, or fewer"};
    }
    if (size(connection) >= impl.limits.per_connection_max) {
      return {ErrorCode::kLimitReached,
              "this connection has " + std::to_string(impl.limits.per_connection_max) +
                  " watches, which is its limit; watch recursively, or remove some"};
    }
  } else {
    impl.remove(known);
  }
  const auto [at, added] = impl.by_id.try_emplace(connection, kNone);
  if (added) {
    at->second = impl.connections.allocate();
    CHECK(at->second < 1U << 29);
    impl.connections[at->second].id = connection;
  }
  const Ref ref = impl.watches.allocate();
  Watch& made = impl.watches[ref];
  made.id = watch;
  made.connection = at->second & ((1U << 29) - 1);
  made.kind = static_cast<uint8_t>(kind) & 7U;
  made.path = impl.paths.find_or_add(path);
  impl.link(ref);
  Connection& owner = impl.connections[at->second];
  owner.watches.insert(impl.hash_of(watch), ref, impl.rehash());
  ++impl.size;
  if (looks_below(kind)) {
    ++impl.below;
    ++impl.below_of_length[path.size()];
  }
  if (is_persistent(kind)) ++impl.persistent;
  if (is_feed(kind)) {
    ++impl.feeds;
    ++owner.feeds;
  }
  return {};
}

void WatchTable::remove(ConnectionId connection, uint64_t watch) {
  if (const Ref ref = impl_->find(connection, watch); ref != kNone) impl_->remove(ref);
}

bool WatchTable::contains(ConnectionId connection, uint64_t watch) const {
  return impl_->find(connection, watch) != kNone;
}

void WatchTable::drop_connection(ConnectionId connection) {
  Impl& impl = *impl_;
  const auto at = impl.by_id.find(connection);
  if (at == impl.by_id.end()) return;
  const Ref ref = at->second;
  impl.connections[ref].watches.for_each([&impl](Ref watch) { impl.forget(watch); });
  impl.connections.release(ref);
  impl.by_id.erase(at);
}

Fired WatchTable::fire(const Applied& applied, const MaySee& may_see, const HasRoom& has_room,
                       const SeesLike& sees_like) {
  Impl& impl = *impl_;
  if (impl.size == 0) return {};
  Firing firing(applied, may_see, has_room, sees_like, impl.persistent > 0, impl.feeds > 0);
  for (size_t i = 0; i < applied.changes.size(); ++i) {
    const Change& change = applied.changes[i];
    const bool set = change.kind == Change::Kind::kDataSet;
    const bool deleted = change.kind == Change::Kind::kDeleted;
    // What looks at this very node or at all below it. True: it was a one-shot, or its connection overran.
    const auto here = [&](const Watch& watch) {
      const Connection& connection = impl.connections[watch.connection];
      const WatchKind kind = watch.what();
      if (!firing.sees(connection, change.acl)) return false;
      if (is_feed(kind)) return !firing.feed(connection, watch, i);
      if (is_persistent(kind)) {
        return firing.counts_at_path(i) &&
               !firing.tell(connection, watch, event_of(change.kind), change.path);
      }
      if (kind == WatchKind::kChildren && !deleted) return false;
      (void)firing.tell(connection, watch, event_of(change.kind), change.path);
      return true;
    };
    impl.walk(change.path, deleted ? kLooksHere | kLooksAtChildren | kLooksBelow : kLooksHere | kLooksBelow,
              here);
    if (change.path == "/") continue;
    std::string_view above = parent_of(change.path);
    if (!set) {
      const auto at_parent = [&](const Watch& watch) {
        const Connection& connection = impl.connections[watch.connection];
        if (!firing.sees(connection, change.parent_acl)) return false;
        if (is_feed(watch.what())) return !firing.feed(connection, watch, i);
        if (watch.what() != WatchKind::kChildren) {
          return firing.counts_at_parent(i) &&
                 !firing.tell(connection, watch, EventKind::kChildrenChanged, above);
        }
        (void)firing.tell(connection, watch, EventKind::kChildrenChanged, above);
        return true;
      };
      impl.walk(above, kLooksAtChildren, at_parent);
    }
    while (impl.below > 0) {
      if (impl.below_of_length[above.size()] > 0) impl.walk(above, kLooksBelow, here);
      if (above == "/") break;
      above = parent_of(above);
    }
  }
  return firing.take();
}

size_t WatchTable::size() const { return impl_->size; }

size_t WatchTable::size(ConnectionId connection) const {
  const auto at = impl_->by_id.find(connection);
  return at == impl_->by_id.end() ? 0 : impl_->connections[at->second].watches.size();
}

void WatchTable::for_each(const Seen& seen) const {
  for (const auto& [id, connection] : impl_->by_id) {
    impl_->connections[connection].watches.for_each([&, owner = id](Ref ref) {
      const Watch& watch = impl_->watches[ref];
      seen(owner, watch.what(), impl_->paths.text(watch.path));
    });
  }
}

std::vector<ConnectionId> WatchTable::fed() const {
  std::vector<ConnectionId> fed;
  if (impl_->feeds == 0) return fed;
  for (const auto& [id, ref] : impl_->by_id) {
    if (impl_->connections[ref].feeds > 0) fed.push_back(id);
  }
  std::sort(fed.begin(), fed.end());
  return fed;
}

size_t WatchTable::bytes() const {
  size_t bytes = impl_->watches.bytes() + impl_->connections.bytes() + impl_->paths.bytes();
  for (const auto& [id, ref] : impl_->by_id) bytes += impl_->connections[ref].watches.bytes() + 40;
  return bytes;
}

uint64_t WatchTable::rehashed() const { return impl_->rehashed + impl_->paths.rehashed(); }

bool feed_sees(WatchKind kind, std::string_view root, Change::Kind change, std::string_view path) {
  CHECK(is_feed(kind));
  if (kind == WatchKind::kTreeFeed || path == root) return true;
  return change != Change::Kind::kDataSet && parent_of(path) == root;
}

std::optional<EventKind> missed_since(const StateMachine& state, std::string_view path, WatchKind kind,
                                      Zxid seen, bool existed) {
  CHECK(kind == WatchKind::kData || kind == WatchKind::kChildren);
  const Result<NodeView> node = state.get(path);
  if (!node.ok()) return existed ? std::optional(EventKind::kDeleted) : std::nullopt;
  const Stat& stat = node->stat;
  // What it saw was in a life before this one's backup, perhaps behind it, where nothing says so.
  const bool restored = existed && seen.value() < state.zxid().value() - state.applied().value();
  // What stands there now was made after the client looked: what it saw was deleted before that.
  if (existed && stat.czxid > seen) return EventKind::kDeleted;
  if (kind == WatchKind::kData) {
    if (!existed) return EventKind::kCreated;
    return restored || stat.mzxid > seen ? std::optional(EventKind::kDataChanged) : std::nullopt;
  }
  const bool children_changed = existed ? restored || stat.pzxid > seen : stat.cversion != 0;
  return children_changed ? std::optional(EventKind::kChildrenChanged) : std::nullopt;
}

}  // namespace quorate::kv
