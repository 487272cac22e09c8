#include "kv/watch_table.h"

#include <unordered_map>
#include <utility>

#include "base/check.h"
#include "kv/path.h"

namespace quorate::kv {
namespace {

struct Key {
  ConnectionId connection;
  uint64_t watch = 0;

  friend bool operator==(const Key&, const Key&) = default;
};

struct KeyHash {
  size_t operator()(const Key& key) const noexcept {
    return std::hash<uint64_t>{}(key.connection.value() * 0x9e3779b97f4a7c15U + key.watch);
  }
};

struct PathHash {
  using is_transparent = void;
  size_t operator()(std::string_view path) const noexcept { return std::hash<std::string_view>{}(path); }
};

struct Watch;

// The watches of one path, or those of one connection, in the order of registration.
struct List {
  Watch* first = nullptr;
  Watch* last = nullptr;
};

struct Link {
  Watch* prev = nullptr;
  Watch* next = nullptr;
};

using Paths = std::unordered_map<std::string, List, PathHash, std::equal_to<>>;

struct Watch {
  Key key;
  WatchKind kind = WatchKind::kData;
  Paths::value_type* path = nullptr;
  Link on_path;
  Link on_connection;
};

template <Link Watch::*kLink>
void append(List& list, Watch& watch) {
  (watch.*kLink).prev = list.last;
  (list.last == nullptr ? list.first : (list.last->*kLink).next) = &watch;
  list.last = &watch;
}

template <Link Watch::*kLink>
void unlink(List& list, Watch& watch) {
  const Link link = watch.*kLink;
  (link.prev == nullptr ? list.first : (link.prev->*kLink).next) = link.next;
  (link.next == nullptr ? list.last : (link.next->*kLink).prev) = link.prev;
}

}  // namespace

struct WatchTable::Impl {
  void remove(Watch& watch);
  void fire_at(std::string_view path, WatchKind kind, EventKind event, Zxid zxid,
               std::vector<WatchEvent>& events);

  // References into an unordered_map stay valid while others come and go, so the lists may point into these.
  std::unordered_map<Key, Watch, KeyHash> watches;
  std::unordered_map<ConnectionId, List> connections;
  Paths paths;
};

void WatchTable::Impl::remove(Watch& watch) {
  unlink<&Watch::on_path>(watch.path->second, watch);
  if (watch.path->second.first == nullptr) paths.erase(paths.find(watch.path->first));
  const auto connection = connections.find(watch.key.connection);
  unlink<&Watch::on_connection>(connection->second, watch);
  if (connection->second.first == nullptr) connections.erase(connection);
  const Key key = watch.key;
  watches.erase(key);
}

void WatchTable::Impl::fire_at(std::string_view path, WatchKind kind, EventKind event, Zxid zxid,
                               std::vector<WatchEvent>& events) {
  const auto at = paths.find(path);
  if (at == paths.end()) return;
  for (Watch* watch = at->second.first; watch != nullptr;) {
    Watch* const next = watch->on_path.next;
    if (watch->kind == kind) {
      events.push_back({watch->key.connection, watch->key.watch, event, std::string(path), zxid});
      remove(*watch);  // of the last one it takes the list along, and then there is no next
    }
    watch = next;
  }
}

WatchTable::WatchTable() : impl_(std::make_unique<Impl>()) {}
WatchTable::~WatchTable() = default;

void WatchTable::add(ConnectionId connection, uint64_t watch, WatchKind kind, std::string_view path) {
  remove(connection, watch);
  const Key key{connection, watch};
  Watch& added = impl_->watches[key];
  added.key = key;
  added.kind = kind;
  auto at = impl_->paths.find(path);
  if (at == impl_->paths.end()) at = impl_->paths.try_emplace(std::string(path)).first;
  added.path = &*at;
  append<&Watch::on_path>(at->second, added);
  append<&Watch::on_connection>(impl_->connections[connection], added);
}

void WatchTable::remove(ConnectionId connection, uint64_t watch) {
  const auto at = impl_->watches.find(Key{connection, watch});
  if (at != impl_->watches.end()) impl_->remove(at->second);
}

void WatchTable::drop_connection(ConnectionId connection) {
  for (auto at = impl_->connections.find(connection); at != impl_->connections.end();
       at = impl_->connections.find(connection)) {
    impl_->remove(*at->second.first);
  }
}

std::vector<WatchEvent> WatchTable::fire(const Applied& applied) {
  std::vector<WatchEvent> events;
  if (impl_->watches.empty()) return events;
  for (const Change& change : applied.changes) {
    const auto at = [&](std::string_view path, WatchKind kind, EventKind event) {
      impl_->fire_at(path, kind, event, applied.zxid, events);
    };
    if (change.kind == Change::Kind::kDataSet) {
      at(change.path, WatchKind::kData, EventKind::kDataChanged);
      continue;
    }
    if (change.kind == Change::Kind::kCreated) {
      at(change.path, WatchKind::kData, EventKind::kCreated);
    } else {
      at(change.path, WatchKind::kData, EventKind::kDeleted);
      at(change.path, WatchKind::kChildren, EventKind::kDeleted);
    }
    at(parent_of(change.path), WatchKind::kChildren, EventKind::kChildrenChanged);
  }
  return events;
}

size_t WatchTable::size() const { return impl_->watches.size(); }

std::optional<EventKind> missed_since(const StateMachine& state, std::string_view path, WatchKind kind,
                                      Zxid seen, bool existed) {
  const Result<NodeView> node = state.get(path);
  if (!node.ok()) return existed ? std::optional(EventKind::kDeleted) : std::nullopt;
  const Stat& stat = node->stat;
  // What stands there now was made after the client looked: what it saw was deleted before that.
  if (existed && stat.czxid > seen) return EventKind::kDeleted;
  if (kind == WatchKind::kData) {
    if (!existed) return EventKind::kCreated;
    return stat.mzxid > seen ? std::optional(EventKind::kDataChanged) : std::nullopt;
  }
  const bool children_changed = existed ? stat.pzxid > seen : stat.cversion != 0;
  return children_changed ? std::optional(EventKind::kChildrenChanged) : std::nullopt;
}

}  // namespace quorate::kv
