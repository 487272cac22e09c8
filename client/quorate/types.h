// What the client library speaks of: nodes, events, locks, servers. Plain values; only the standard library
// is needed.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/ids.h"
#include "base/result.h"

namespace quorate::client {

using std::chrono::milliseconds;

// For set() and remove(): whatever the version is.
inline constexpr int32_t kAnyVersion = -1;

// What is known of a node beside its data; ZooKeeper's Stat, field by field.
struct Stat {
  Zxid czxid, mzxid, pzxid;            // of the entries that made it, set its data, changed its children
  int64_t ctime_ms = 0, mtime_ms = 0;  // wall clock, since 1970
  int32_t version = 0, cversion = 0, aversion = 0;
  SessionId ephemeral_owner;  // 0: the node is persistent
  uint32_t data_bytes = 0, children = 0;
};

struct Node {
  std::string data;
  Stat stat;
};

struct Created {
  std::string path;  // with the suffix of a sequential node
  Stat stat;
};

struct CreateOptions {
  bool ephemeral = false;   // goes with the client's session
  bool sequential = false;  // "%010d" from the parent's counter is added to the path
  bool parents = false;     // makes missing parents (persistent, empty)
};

enum class EventKind : uint8_t { kCreated = 1, kDeleted = 2, kDataChanged = 3, kChildrenChanged = 4 };

struct Event {
  EventKind kind = EventKind::kDataChanged;
  std::string path;
  Zxid zxid;  // of the change
};

// ---- locks

struct Contender {
  std::string node;
  SessionId session;
  Token token;           // a waiter's is the one it will hold with
  std::string name;      // who it says it is (Options::name)
  int64_t since_ms = 0;  // wall clock: when it joined the queue
};

struct LockInfo {
  std::string path;
  std::optional<Contender> holder;
  std::vector<Contender> waiters;  // in the order they will be served
  bool mixed = false;  // nodes of more than one lock recipe: more than one client may believe to hold it
};

// ---- servers

enum class Role : uint8_t { kFollower, kPreCandidate, kCandidate, kLeader };

struct MemberStatus {
  ServerId id;
  bool learner = false;
  std::string peer_address;
  std::string client_address;  // empty: that server has not told this one yet
  std::optional<Index> match;  // told by the leader: what is durable there
};

// One server's own view; needs no quorum.
struct ServerStatus {
  ServerId id;
  ClusterId cluster;  // 0: the cluster is not formed yet
  Role role = Role::kFollower;
  bool may_vote = true;
  bool receiving = false;  // its state is on its way from another server
  Term term;
  ServerId leader;  // 0: none known
  Index last_index, committed, applied;
  Zxid zxid;
  uint64_t nodes = 0, sessions = 0, connections = 0, watches = 0;
  uint64_t state_hash = 0;
  std::vector<MemberStatus> members;
};

}  // namespace quorate::client
