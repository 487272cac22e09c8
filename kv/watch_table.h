// One-shot watches of the sessions attached to one server. Not replicated: a client that moves registers
// again, saying what it saw last, so that nothing in between is missed.
//
// Thread safety: none.
//
// A watch fires once. Data watches fire on created, data set and deleted; child watches on a child made or
// deleted and on the node's own deletion. Each path is stored once, however many watch it.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "kv/state_machine.h"

namespace quorate::kv {

enum class WatchKind : uint8_t { kData = 1, kChildren = 2 };
enum class EventKind : uint8_t { kCreated = 1, kDeleted = 2, kDataChanged = 3, kChildrenChanged = 4 };

struct WatchEvent {
  ConnectionId connection;
  uint64_t watch = 0;  // the id it was registered with
  EventKind kind = EventKind::kCreated;
  std::string path;
  Zxid zxid;
};

class WatchTable {
 public:
  WatchTable();
  ~WatchTable();
  // A second registration of the same (connection, watch) replaces the first.
  void add(ConnectionId connection, uint64_t watch, WatchKind kind, std::string_view path);
  void remove(ConnectionId connection, uint64_t watch);
  void drop_connection(ConnectionId connection);
  // Events of one applied entry, at most one for each watch, in the order of the changes.
  std::vector<WatchEvent> fire(const Applied& applied);
  size_t size() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// What a client that last saw the path at `seen` (0: saw nothing, the node did not exist) has missed, if
// anything. `existed`: whether it saw the node. A node made anew since then counts as deleted. What leaves no
// trace is not told: a node that was not there, came and went; one that was there tells everything.
std::optional<EventKind> missed_since(const StateMachine& state, std::string_view path, WatchKind kind,
                                      Zxid seen, bool existed);

}  // namespace quorate::kv
