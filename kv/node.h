// A node as it lies in memory, small because there are millions: what every node has in Node, what only some
// have beside it.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/ids.h"
#include "kv/slab.h"

namespace quorate::kv {

// Of a node that has or had children.
struct ParentPart {
  Ref first_child = kNone;  // in the order of creation
  Ref last_child = kNone;
  Ref first_queued =
      kNone;  // of those children that stand in the queue (ephemeral, made by a sequential create)
  Ref last_queued = kNone;
  uint32_t children = 0;
  uint32_t queued = 0;
  uint32_t queued_lock = 0;   // of these with a name of Dialect::kLock
  uint32_t queued_kazoo = 0;  // of Dialect::kKazoo
  uint64_t creates = 0;       // children ever made: the next sequence suffix
  Zxid pzxid;
  uint32_t queue_slot = 0;      // where this node stands in the tree's list of queues, if queued > 0
  uint32_t queued_curator = 0;  // of the queued, those with a name of Dialect::kCurator
};

// Of an ephemeral node, which has no children. The links order all that a session owns, and the queue among
// siblings.
struct EphemeralPart {
  SessionId owner;
  Ref owned_prev = kNone, owned_next = kNone;
  Ref queued_prev = kNone, queued_next = kNone;
};

// What few nodes have: a time to live, or a list of permissions that was changed.
struct RarePart {
  int64_t ttl_ms = 0;  // 0: none
  int64_t due_ms = 0;  // cluster time from which on it may be removed while it has no children
  int32_t aversion = 0;
};

struct Node {
  static constexpr uint8_t kUsed = 1;
  static constexpr uint8_t kEphemeral = 2;
  static constexpr uint8_t kSequential = 4;
  static constexpr uint8_t kContainer = 8;
  static constexpr uint8_t kTtl = 16;   // its RarePart says how long
  static constexpr uint8_t kRare = 32;  // it has a RarePart; says nothing of its own, so it is in no hash
  // In one of the tree's two lists of what changed. Not the node's own: they stay when its place is free
  // again, and are in no hash.
  static constexpr uint8_t kMarkA = 64;
  static constexpr uint8_t kMarkB = 128;
  static constexpr uint8_t kMarks = kMarkA | kMarkB;
  static constexpr uint8_t kOwnFlags = kUsed | kEphemeral | kSequential | kContainer | kTtl;

  char* payload = nullptr;  // the name, then the data
  Zxid czxid, mzxid;
  int64_t ctime_ms = 0, mtime_ms = 0;
  Ref parent = kNone;
  Ref prev = kNone, next = kNone;  // siblings in the order of creation
  Ref part = kNone;                // kEphemeral: its EphemeralPart; else its ParentPart, once it had a child
  uint32_t path_hash = 0;          // what the tree's table finds it by (PathKey), in no hash of the state
  uint32_t order = 0;              // among the nodes that its entry made: 0 for the first
  uint32_t acl = 0;                // 0: open to all
  int32_t version = 0;
  uint32_t data_size = 0;
  uint16_t name_size = 0;
  uint8_t flags = 0;
  bool null_data = false;  // its data is none at all, which ZooKeeper's clients tell from empty

  bool used() const { return (flags & kUsed) != 0; }
  bool ephemeral() const { return (flags & kEphemeral) != 0; }
  bool sequential() const { return (flags & kSequential) != 0; }
  bool container() const { return (flags & kContainer) != 0; }
  bool ttl() const { return (flags & kTtl) != 0; }
  bool rare() const { return (flags & kRare) != 0; }
  // Removed by the cluster itself once it is empty and due.
  bool reaped() const { return (flags & (kContainer | kTtl)) != 0; }
  uint8_t own_flags() const { return flags & kOwnFlags; }
  bool queued() const { return ephemeral() && sequential(); }
  std::string_view name() const { return {payload, name_size}; }
  std::string_view data() const { return {payload + name_size, data_size}; }
};
static_assert(sizeof(Node) == 80);

}  // namespace quorate::kv
