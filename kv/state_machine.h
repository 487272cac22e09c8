// The replicated state machine: a tree of nodes and the sessions that own some of them. Every server applies
// the same entries in the same order and comes to the same state, outcomes and hash, whatever its clock,
// locale or memory layout.
//
// apply() uses nothing but the state and the entry. Reads are const and may be served at any index.
//
// Thread safety: none. One owner.
//
// Invariants (check_consistency()): every ephemeral node has a live owner and stands in its list; every node
// but "/" has a parent, which is not ephemeral; num_children and the sibling list agree; the hash equals the
// one recomputed from the state.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "base/time.h"
#include "kv/acl.h"
#include "kv/command.h"
#include "kv/left_place.h"
#include "kv/record_list.h"

namespace quorate::kv {

// A session that asks for less gets this. What a service grants is decided before an entry is proposed
// (server/replica.h), since servers may differ in that.
inline constexpr uint32_t kSessionTimeoutMinMs = 1;

struct Limits {
  size_t results_max = 64;  // unacknowledged outcomes a session
  // Their bytes. Once reached, no further request is applied: kTooManyResults, never evicted. The last
  // outcome kept may reach up to 4 kB beyond it.
  size_t results_bytes_max = 16 << 10;
  size_t history_bytes_max = 8 << 20;    // of changes kept for watches that resume
  size_t recursive_delete_max = 50'000;  // nodes
  // That one entry changes, if it makes missing parents: those of a multi of 2 MiB could be a million.
  size_t made_nodes_max = 50'000;
  // The paths and lists of permissions of the nodes that one entry makes, if it makes missing parents or
  // acquires, or says "auth": a list is stored once, but it is in the record of each node that has it.
  size_t made_bytes_max = 16 << 20;
  // No limit: what paths and lists are hashed with in memory, since clients choose both. Nothing that another
  // server sees depends on it, so each draws its own by chance.
  uint64_t hash_key = 0;
};

// One change to the tree, as apply made it, in order.
struct Change {
  enum class Kind : uint8_t { kCreated, kDeleted, kDataSet };
  Kind kind = Kind::kCreated;
  std::string path;
  SessionId owner;          // of an ephemeral node
  bool sequential = false;  // made by a sequential create
  Zxid czxid;               // of the node's creation
  uint32_t order = 0;       // of the node among those that its entry made
  // The lists of permissions that say who may be told: of the node (as it was, if it is deleted) for the
  // change itself, and of its parent for what that does to the parent's children. Null: open to all.
  std::shared_ptr<const Acl> acl;
  std::shared_ptr<const Acl> parent_acl;
  // Of a place in a queue, or one kept for an expired holder: how it holds, or held before it was set.
  PlaceMode place{};
  // Of a place in a lock's queue, by its name, that is deleted; else null.
  std::shared_ptr<const LeftPlace> left{};
};

// The outcome of a session's request, for the server where that session is attached.
struct SessionOutcome {
  SessionId session;
  uint64_t number = 0;
  uint32_t epoch = 0;  // of the request: an answer to an earlier attachment is none to the present one
  Outcome outcome;
  // The number was applied before; this is the stored outcome.
  bool repeated = false;
};
struct OriginOutcome {
  Origin origin;
  Outcome outcome;
};
struct SessionEnd {
  SessionId session;
  bool expired = false;  // false: closed by its client
};

// What one entry did.
struct Applied {
  Zxid zxid;
  std::vector<SessionOutcome> outcomes;
  std::vector<OriginOutcome> origin_outcomes;
  std::vector<Change> changes;
  std::vector<SessionId> sessions_attached;  // opened or attached
  std::vector<SessionEnd> sessions_ended;
  std::vector<std::string> quota_warnings;  // paths of quotas whose soft limit this entry went beyond
};

struct SessionView {
  SessionId id;
  uint32_t epoch = 0;
  uint32_t timeout_ms = 0;
  uint64_t next_number = 1;
  size_t ephemerals = 0;
};

enum class NodeKind : uint8_t { kPersistent = 0, kEphemeral = 1, kContainer = 2, kTtl = 3 };

struct NodeView {
  std::string_view data;  // valid until the next apply
  Stat stat;
  bool sequential = false;  // made by a sequential create
  NodeKind kind = NodeKind::kPersistent;
  int64_t ttl_ms = 0;        // of a kTtl
  const Acl* acl = nullptr;  // valid as the data; null: open to all
  bool null_data = false;    // as CreateOp has it
};

// A child as the queue rule sees it.
struct Child {
  std::string_view name;  // valid until the next apply
  Zxid czxid;
  SessionId owner;
  bool sequential = false;
  uint32_t order = 0;  // among the nodes that its entry made
  NodeKind kind = NodeKind::kPersistent;
  // Of an ephemeral node made by a sequential create, or of a place kept for an expired holder.
  PlaceMode place{};
};

inline constexpr size_t kChildrenLookedAtMax = 50'000;

// Where a page of children ended. It stays a place among the children whatever becomes of that child.
struct ChildCursor {
  Zxid czxid;
  uint32_t order = 0;
  std::string name;

  friend bool operator==(const ChildCursor&, const ChildCursor&) = default;
};
struct ChildPageOptions {
  std::optional<ChildCursor> after;  // nothing: from the first
  size_t count_max = 1'000;          // at least one child is looked at, whatever these say
  size_t bytes_max = 256 << 10;      // of names
  std::string_view prefix;           // of the names that are wanted
};
struct ChildPage {
  std::vector<Child> children;      // in the order of creation
  std::optional<ChildCursor> next;  // nothing: there are no more
  size_t looked_at = 0;             // children, the walk to the cursor's place included
};

class StateMachine {
 public:
  explicit StateMachine(const Limits& limits = {});
  ~StateMachine();
  StateMachine(StateMachine&&) noexcept;
  StateMachine& operator=(StateMachine&&) noexcept;

  // REQUIRES: index == applied() + 1, and a payload that is a Stamp and a command this version knows: an
  // unknown command is a CHECK failure with a sentence, because skipping it would let servers disagree.
  Applied apply(Index index, std::string_view payload);
  // Hints, for several entries or reads that come one behind the other: has the processor fetch from memory
  // what they will look at, for all of them at once, where each would wait for its own. Changes nothing, and
  // takes any bytes. Best called with the next kPrefetchMax, shortly before they are applied or read.
  static constexpr size_t kPrefetchMax = 16;
  void prefetch_entries(std::span<const std::string_view> payloads) const;
  void prefetch_paths(std::span<const std::string_view> paths) const;
  // An entry that is not for the state machine (a no-op, a configuration) still counts.
  void skip(Index index);

  Index applied() const;
  // The zxid of the last applied entry.
  Zxid zxid() const;
  Stamp last_stamp() const;
  // Additive over nodes, sessions and results; equal states have equal hashes however they were reached.
  uint64_t state_hash() const;

  // Errors of all reads: kBadPath, kNoNode.
  Result<NodeView> get(std::string_view path) const;
  // Whether there is a node, for who needs to know no more: false for what is no path at all, too.
  bool contains(std::string_view path) const;
  // Names in creation order, which is queue order.
  Result<std::vector<Child>> children(std::string_view path) const;
  // A part of them: in the order of creation, so that pages neither repeat nor leave out a child that was
  // there from the first page to the last; those made meanwhile come at the end. A page may be empty and not
  // the last where few names have the prefix: at most kChildrenLookedAtMax are looked at for one. Costs the
  // page, and a walk to its place, from the nearer end, if the cursor's child was deleted.
  Result<ChildPage> children_page(std::string_view path, const ChildPageOptions& options) const;
  // The first in a lock's queue, without walking the others. It holds unless the place of an expired holder
  // is kept.
  std::optional<Child> first_queued(std::string_view path) const;
  // The children of a lock's path that hold. Costs their number.
  std::vector<Child> holders(std::string_view path) const;
  // Whether this node, a place in a queue, holds. Costs the number of holders before it, which is added to
  // *looked_at.
  bool holds(std::string_view node, size_t* looked_at = nullptr) const;
  // How many places are kept for expired holders.
  size_t kept_places(std::string_view path) const;

  std::optional<SessionView> session(SessionId id) const;
  // In ascending order of id: the first `max` of those above `after`. Looks at the ids of all.
  std::vector<SessionView> sessions(SessionId after = {}, size_t max = SIZE_MAX) const;
  size_t session_count() const;
  // False where there is no such session, too.
  bool has_password(SessionId id, const SessionPassword& password) const;
  // What ACLs are matched against for the session's requests; none where there is no such session. Valid
  // until the next apply.
  const Credentials& credentials(SessionId id) const;
  std::vector<std::string> ephemerals(SessionId id) const;
  size_t node_count() const;
  size_t ephemeral_count() const;
  // The cluster time from which on there is something to reap (ReapNodes); nothing if there is nothing.
  std::optional<int64_t> next_reap() const;
  // What may be reaped at that cluster time, those that are due the longest first: at most `max` of them,
  // with about `bytes_max` of paths. Costs what it gives.
  std::vector<std::string> reapable(int64_t cluster_ms, size_t max, size_t bytes_max) const;
  // The paths at `root` and below that have somebody in their queue, in ascending order: the first `max` of
  // those above `after` whose list of permissions (null: open to all) may be read. Looks at all queues, but
  // not at the rest of the tree, and keeps what it gives.
  using MayRead = std::function<bool(const Acl* acl)>;
  std::vector<std::string> queues(std::string_view root, size_t max, std::string_view after = {},
                                  const MayRead& may_read = {}) const;
  size_t queue_count() const;  // of the whole tree
  std::optional<Quota> quota(std::string_view path) const;
  // Paths that have a quota, in ascending order.
  std::vector<std::string> quotas() const;
  size_t quota_count() const;
  // What all nodes hold in data.
  uint64_t data_bytes() const;
  // What the tree takes in memory.
  size_t tree_bytes() const;

  // ---- checkpoints: what changed since the capture before, taken in slices while apply() goes on

  // About how many bytes a capture begun now would give; it only grows by changes. What a state was loaded
  // from counts as captured.
  size_t dirty_bytes() const;
  // From now on capture() gives the state as it is at this moment, whatever apply() does meanwhile. REQUIRES:
  // no capture is under way.
  void begin_capture();
  // Appends records, about `bytes_max` of them at most; true when these were the last. In their order: a
  // later record of a key wins. REQUIRES: a capture is under way.
  bool capture(size_t bytes_max, RecordList& out);
  // The next capture gives the whole state, for a store that has nothing yet. REQUIRES: no capture is under
  // way.
  void mark_all_changed();
  // The same tree as the beginning of another cluster: at index 0, with zxids from `zxid_base` on, which must
  // be above the last one; sessions are closed, the history is forgotten, and the next capture gives
  // everything.
  void begin_anew(uint64_t zxid_base);

  // ---- scrub: whether memory still holds what was applied

  // Recomputes the hashes of about `nodes_max` nodes more, from where the call before ended. At the end of a
  // round over all nodes: whether their sum is the tree's hash.
  std::optional<bool> scrub(size_t nodes_max);
  // For tests of the scrub: changes a bit of a node in memory, as bad memory would. False if there is no such
  // node.
  bool damage_node(std::string_view path);

  // ---- the history of changes, bounded by Limits::history_bytes_max

  // Changes of lower zxids are forgotten (up to and including this one).
  Zxid history_floor() const;
  // What changed at `root` or below it after `since`, in order. Looks at about `max_changes` changes at most;
  // the second is up to where it has looked. Errors: kHistoryGone, with the floor in its message, if since <
  // floor.
  struct PastChange {
    Change::Kind kind = Change::Kind::kCreated;
    Zxid zxid;
    std::string path;
    // As Change has them: who may be told.
    std::shared_ptr<const Acl> acl{};
    std::shared_ptr<const Acl> parent_acl{};
    std::shared_ptr<const LeftPlace> left{};
  };
  struct PastChanges {
    std::vector<PastChange> changes;
    Zxid up_to;
    size_t looked_at = 0;  // changes, told or not
  };
  Result<PastChanges> changes_since(std::string_view root, Zxid since, size_t max_changes) const;
  // Of the paths that are wanted: for many roots at once, since all of the history behind `since` is walked.
  using WantedPath = std::function<bool(std::string_view path)>;
  Result<PastChanges> changes_since(const WantedPath& wanted, Zxid since, size_t max_changes) const;

  // Recomputes what is kept incrementally. What is wrong, in a sentence, or nothing. Slow: for tests, the
  // simulator and scrubs.
  std::optional<std::string> check_consistency() const;

 private:
  friend class StateImport;
  friend class StateLoader;
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// Builds a state from the records that captures gave, in ascending order of key; records of kinds that are
// not the state machine's are passed over.
class StateLoader {
 public:
  explicit StateLoader(const Limits& limits = {});
  ~StateLoader();
  // Errors: kCorruption for a record that no capture can have given, or out of order.
  Status add(std::string_view key, std::string_view value);
  // Errors: kCorruption if the hash recomputed from the records is not the one that they say.
  Result<StateMachine> finish();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace quorate::kv
