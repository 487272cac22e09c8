// The watches of the clients connected to one server. Not replicated: a client that moves registers again,
// saying what it saw last, so that nothing in between is missed.
//
// Thread safety: none.
//
// One-shot watches fire once: data watches on created, data set and deleted; child watches on a child made or
// deleted and on the node's own deletion. Persistent watches stay: those of one path see what a data and a
// child watch would, recursive ones what a data watch at each path below would; they tell one thing of a path
// for each entry, what it came to: created or deleted, whichever was last, else changed (and, beside that,
// that children came or went). Feeds also stay, and tell every single change, for clients that resume from
// the history of changes.
//
// In memory a watch takes 24 bytes and five to nine in the table of its connection; its path is stored once,
// however many watch it (kv/watch_paths.h).
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/ids.h"
#include "kv/state_machine.h"

namespace quorate::kv {

// The values of the first two are part of the client protocol.
enum class WatchKind : uint8_t {
  kData = 1,
  kChildren = 2,
  kPersistent = 3,  // both of the above
  kRecursive = 4,   // the path and all below it
  kNodeFeed = 5,    // every change of the node, and its children made and deleted
  kTreeFeed = 6,    // every change of the node and of all below it
};
enum class EventKind : uint8_t { kCreated = 1, kDeleted = 2, kDataChanged = 3, kChildrenChanged = 4 };

struct WatchEvent {
  ConnectionId connection;
  uint64_t watch = 0;  // the id it was registered with
  EventKind kind = EventKind::kCreated;
  std::string path;
  Zxid zxid;
};

// Changes that are told to many, and kept once.
class SharedChanges {
 public:
  using Changes = std::vector<StateMachine::PastChange>;
  SharedChanges() = default;
  SharedChanges(Changes changes) : changes_(std::make_shared<const Changes>(std::move(changes))) {}
  explicit SharedChanges(std::shared_ptr<const Changes> changes) : changes_(std::move(changes)) {}

  operator const Changes&() const {
    static const Changes kNoChanges;
    return changes_ == nullptr ? kNoChanges : *changes_;
  }
  auto begin() const { return all().begin(); }
  auto end() const { return all().end(); }
  size_t size() const { return all().size(); }
  bool empty() const { return all().empty(); }
  const StateMachine::PastChange& operator[](size_t i) const { return all()[i]; }

 private:
  const Changes& all() const { return *this; }

  std::shared_ptr<const Changes> changes_;
};

// All that one entry did to what a feed looks at.
struct FeedBatch {
  ConnectionId connection;
  uint64_t watch = 0;
  SharedChanges changes;
  Zxid zxid;
};

struct Fired {
  std::vector<WatchEvent> events;
  std::vector<FeedBatch> batches;  // one for each feed
  // There was no room for all that these are to be told, so nothing is above. Ascending. Some of their
  // watches are gone: they are of no use any more.
  std::vector<ConnectionId> overrun;
};

struct WatchLimits {
  size_t watches_max = 2'000'000;
  size_t per_connection_max = 100'000;
  // No limit: what ids and paths are hashed with, since clients choose both. A server draws it by chance.
  uint64_t hash_key = 0;
};

class WatchTable {
 public:
  explicit WatchTable(const WatchLimits& limits = {});
  ~WatchTable();
  // A second registration of the same (connection, watch) replaces the first. REQUIRES: a valid path. Errors:
  // kLimitReached; what was registered under that id stays.
  Status add(ConnectionId connection, uint64_t watch, WatchKind kind, std::string_view path);
  void remove(ConnectionId connection, uint64_t watch);
  bool contains(ConnectionId connection, uint64_t watch) const;
  // Costs its watches, once each.
  void drop_connection(ConnectionId connection);
  // What one applied entry fires, in the order of its changes. A change of a node whose list is not open is
  // told to those that `may_see` says (Change::acl, or parent_acl for what it does to the parent's children),
  // to nobody without it; a one-shot watch that may not be told stays.
  using MaySee = std::function<bool(ConnectionId, const std::shared_ptr<const Acl>&)>;
  // `has_room` is told what each connection would be told more; false: it overruns. Without it there is
  // always room.
  struct Telling {
    size_t bytes = 0;   // about, on their way to it
    size_t memory = 0;  // about, of this server's: what many are told is there once
  };
  using HasRoom = std::function<bool(ConnectionId, const Telling&)>;
  // Connections of one number may see the same. Without it each is by itself. Asked once for each that has a
  // feed to be told, as `may_see` is once for each and each list in turn.
  using SeesLike = std::function<uint64_t(ConnectionId)>;
  Fired fire(const Applied& applied, const MaySee& may_see = {}, const HasRoom& has_room = {},
             const SeesLike& sees_like = {});
  size_t size() const;
  // How many a connection has.
  size_t size(ConnectionId connection) const;
  // Calls seen(connection, kind, path) for each, in no order.
  using Seen = std::function<void(ConnectionId, WatchKind, std::string_view)>;
  void for_each(const Seen& seen) const;
  // Connections that have a feed, in ascending order.
  std::vector<ConnectionId> fed() const;
  // What all takes in memory.
  size_t bytes() const;
  // How many ids and paths were hashed because others came or went, for tests.
  uint64_t rehashed() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// What a feed of `kind` at `root` sees of a change at `path`, which is at root or below it.
bool feed_sees(WatchKind kind, std::string_view root, Change::Kind change, std::string_view path);

// What a client that last saw the path at `seen` (0: saw nothing, the node did not exist) has missed, if
// anything. `existed`: whether it saw the node. A node made anew since then counts as deleted. What leaves no
// trace is not told: a node that was not there, came and went; one that was there tells everything.
// What was seen before the cluster's zxids were raised (a backup restored, another cluster imported) counts
// as changed: a node that went back does not show it. REQUIRES: a one-shot kind.
std::optional<EventKind> missed_since(const StateMachine& state, std::string_view path, WatchKind kind,
                                      Zxid seen, bool existed);

}  // namespace quorate::kv
