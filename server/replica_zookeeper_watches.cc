// Watches of ZooKeeper's clients. They know a watch by its path and kind, so its number in the table follows
// from these.
#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include "base/checksum.h"
#include "kv/path.h"
#include "server/replica_impl.h"
#include "server/replica_zookeeper_words.h"

namespace quorate::server {

namespace zk = zookeeper;

namespace {

constexpr kv::WatchKind kKinds[] = {kv::WatchKind::kData, kv::WatchKind::kChildren,
                                    kv::WatchKind::kPersistent, kv::WatchKind::kRecursive};

// WatcherType's numbers; a persistent watch is of every type.
bool is_of_type(kv::WatchKind kind, int32_t type) {
  if (type == 1 && kind == kv::WatchKind::kData) return false;
  if (type == 2 && kind == kv::WatchKind::kChildren) return false;
  return type >= 1 && type <= 3;
}

// Changes of the history that are looked at in one go.
constexpr size_t kChangesLookedAt = 2'000;

}  // namespace

// 64 bits of a seeded hash stand for the path: two paths of one connection that collide would share a watch,
// which does not happen by chance, and the seed is not known to who chooses paths.
uint64_t Replica::Impl::zookeeper_watch_id(kv::WatchKind kind, std::string_view path) const {
  return checksum64(path, zookeeper_watch_seed + static_cast<uint64_t>(kind));
}

Status Replica::Impl::zookeeper_watch(ConnectionId id, kv::WatchKind kind, std::string_view path) {
  const uint64_t watch = zookeeper_watch_id(kind, path);
  if (watches.contains(id, watch)) return {};
  return watches.add(id, watch, kind, path);
}

// Whether there is such a watch; they are removed if asked for.
bool Replica::Impl::zookeeper_watches(ConnectionId id, const std::string& path, int32_t type, bool remove) {
  bool any = false;
  for (const kv::WatchKind kind : kKinds) {
    const uint64_t watch = zookeeper_watch_id(kind, path);
    if (!is_of_type(kind, type) || !watches.contains(id, watch)) continue;
    any = true;
    if (remove) watches.remove(id, watch);
  }
  return any;
}

void Replica::Impl::zookeeper_tell(ConnectionId id, kv::EventKind kind, std::string path, Zxid zxid) {
  output.clients.push_back({id, kv::WatchEvent{id, 0, kind, std::move(path), zxid}});
}

// What a client had before it lost its connection: what it missed fires, the rest is watched again.
Status Replica::Impl::zookeeper_set_watches(ConnectionId id, SessionId session,
                                            const zk::SetWatches& request) {
  const Zxid seen(static_cast<uint64_t>(std::max<int64_t>(request.relative_zxid, 0)));
  // More than it can have had: what is missed is told and not kept, so that the table would not refuse it.
  const size_t count = request.data.size() + request.exists.size() + request.children.size() +
                       request.persistent.size() + request.recursive.size();
  if (count > options.watches.per_connection_max)
    return {ErrorCode::kLimitReached, "these are more watches than a connection may have"};
  looked_at += count;
  const bool replays = !request.persistent.empty() || !request.recursive.empty();
  if (replays && seen >= state.history_floor() && seen < state.zxid())
    looked_at += state.zxid().value() - seen.value();
  const auto resume = [&](const std::vector<std::string>& paths, kv::WatchKind kind, bool existed) {
    for (const std::string& path : paths) {
      if (Status done = zookeeper_resume(id, session, kind, path, seen, existed); !done.ok()) return done;
    }
    return Status();
  };
  if (Status done = resume(request.data, kv::WatchKind::kData, true); !done.ok()) return done;
  if (Status done = resume(request.exists, kv::WatchKind::kData, false); !done.ok()) return done;
  if (Status done = resume(request.children, kv::WatchKind::kChildren, true); !done.ok()) return done;
  const auto keep = [&](const std::vector<std::string>& paths, kv::WatchKind kind) {
    for (const std::string& path : paths) {
      if (!kv::validate_path(path).ok()) continue;
      if (Status added = zookeeper_watch(id, kind, path); !added.ok()) return added;
    }
    return Status();
  };
  if (Status done = keep(request.persistent, kv::WatchKind::kPersistent); !done.ok()) return done;
  if (Status done = keep(request.recursive, kv::WatchKind::kRecursive); !done.ok()) return done;
  zookeeper_replay(id, session, request);
  return {};
}

// As ZooKeeper compares: by mzxid, pzxid and existence. What the session may not read is not told of, but
// watched from here on.
Status Replica::Impl::zookeeper_resume(ConnectionId id, SessionId session, kv::WatchKind kind,
                                       const std::string& path, Zxid seen, bool existed) {
  if (!kv::validate_path(path).ok()) return {};
  const auto node = view_of(session).get(path);
  std::optional<kv::EventKind> missed;
  if (is_reserved(path) || node.code() == ErrorCode::kDenied) {
    // Nothing to tell.
  } else if (!existed) {
    if (node.ok()) missed = kv::EventKind::kCreated;
  } else if (!node.ok()) {
    missed = kv::EventKind::kDeleted;
  } else if (kind == kv::WatchKind::kData) {
    if (node->stat.mzxid > seen) missed = kv::EventKind::kDataChanged;
  } else if (node->stat.pzxid > seen) {
    missed = kv::EventKind::kChildrenChanged;
  }
  if (!missed) return zookeeper_watch(id, kind, path);
  zookeeper_tell(id, *missed, path, Zxid());
  return {};
}

// What "/zookeeper/config" says may have changed, and who watches it is told.
void Replica::Impl::address_heard(ServerId server, std::string client_address) {
  if (client_address.empty()) return;
  const auto text = [this] { return raft ? config_text(raft->configuration(), client_addresses) : ""; };
  const std::string before = text();
  client_addresses[server] = std::move(client_address);
  if (text() == before) return;
  kv::Applied change;
  change.zxid = state.zxid();
  change.changes.push_back({kv::Change::Kind::kDataSet, std::string(kConfigPath)});
  fire_watches(change);
}

namespace {

using Paths = std::set<std::string, std::less<>>;

// What of these has a history.
Paths watched_paths(const std::vector<std::string>& asked) {
  Paths paths;
  for (const std::string& path : asked)
    if (kv::validate_path(path).ok() && !is_reserved(path)) paths.insert(path);
  return paths;
}

bool is_at_or_below(std::string_view path, const Paths& roots) {
  if (roots.empty()) return false;
  for (std::string_view at = path;; at = kv::parent_of(at)) {
    if (roots.contains(at)) return true;
    if (at == "/") return false;
  }
}

struct Missed {
  bool created_first = false;  // the first change made it: it was not there before
  Zxid last;
};

}  // namespace

// Persistent watches are told what the history of changes holds: of each path what it came to, in the order
// of the last changes. Where the history does not reach back so far, the client is told of the watched nodes
// themselves, so that it reads again. The history is walked once for all of them: a client may have
// thousands, and nobody else is served meanwhile.
void Replica::Impl::zookeeper_replay(ConnectionId id, SessionId session, const zk::SetWatches& request) {
  const Zxid seen(static_cast<uint64_t>(std::max<int64_t>(request.relative_zxid, 0)));
  const kv::View view = view_of(session);
  const Paths persistent = watched_paths(request.persistent);
  const Paths recursive = watched_paths(request.recursive);
  if (persistent.empty() && recursive.empty()) return;
  std::map<std::string, Missed> missed;  // of watched paths
  std::map<std::string, Zxid> children;  // watched themselves, whose children came or went
  const auto is_watched = [&](std::string_view path) {
    return persistent.contains(path) || is_at_or_below(path, recursive);
  };
  const auto is_wanted = [&](std::string_view path) {
    return is_watched(path) || (path != "/" && persistent.contains(kv::parent_of(path)));
  };
  const auto collect = [&](const kv::StateMachine::PastChange& change) {
    if (is_watched(change.path) && view.may_tell(change)) {
      const auto [at, first] = missed.try_emplace(change.path);
      if (first) at->second.created_first = change.kind == kv::Change::Kind::kCreated;
      at->second.last = change.zxid;
    }
    if (change.kind == kv::Change::Kind::kDataSet || change.path == "/") return;
    const std::string_view parent = kv::parent_of(change.path);
    if (persistent.contains(parent) && view.may_tell_of_child(change))
      children[std::string(parent)] = change.zxid;
  };
  const auto tell_to_read_again = [&](const Paths& roots, bool with_children) {
    for (const std::string& root : roots) {
      if (view.get(root).code() == ErrorCode::kDenied) continue;
      missed[root] = {false, state.zxid()};
      if (with_children) children[root] = state.zxid();
    }
  };
  for (Zxid from = seen; from < state.zxid();) {
    const auto past = state.changes_since(is_wanted, from, kChangesLookedAt);
    if (!past.ok()) {
      tell_to_read_again(persistent, true);
      tell_to_read_again(recursive, false);
      break;
    }
    for (const auto& change : past->changes) collect(change);
    from = past->up_to;
  }

  struct Told {
    Zxid zxid;
    kv::EventKind kind;
    std::string path;
  };
  std::vector<Told> told;
  for (const auto& [path, what] : missed) {
    const bool there = state.get(path).ok();
    if (!there && what.created_first) continue;  // it came and went
    const kv::EventKind kind = !there               ? kv::EventKind::kDeleted
                               : what.created_first ? kv::EventKind::kCreated
                                                    : kv::EventKind::kDataChanged;
    told.push_back({what.last, kind, path});
  }
  for (const auto& [path, zxid] : children) {
    if (state.get(path).ok()) told.push_back({zxid, kv::EventKind::kChildrenChanged, path});
  }
  std::stable_sort(told.begin(), told.end(), [](const Told& a, const Told& b) { return a.zxid < b.zxid; });
  for (Told& event : told) zookeeper_tell(id, event.kind, std::move(event.path), Zxid());
}

}  // namespace quorate::server
