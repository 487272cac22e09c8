// The tree of nodes in memory: found by path in one hash table, siblings linked in the order of creation, its
// hash kept as it changes. It knows the rules of Stat and of what hangs together; who may do what is decided
// above it (operations.h).
//
// Thread safety: none.
//
// Invariants: "/" is there; every other node has a parent, which is not ephemeral; siblings, and what one
// session owns, stand in the order of (czxid, order); every ephemeral node stands in its owner's list, and,
// if it was made by a sequential create, in its parent's queue; a container that had a child, or a node with
// a time to live, stands in the index of what is due exactly while it has no children; hash() is the sum of
// the hashes of all nodes. check() recomputes them.
//
// | file          | holds                                                  |
// |---------------|--------------------------------------------------------|
// | tree.cc       | changes, hashes, reading                               |
// | tree_links.cc | the hash table, the lists, the index of what is due    |
// | tree_listing.cc | children, page by page                               |
// | tree_undo.cc  | taking back what an entry did                          |
// | tree_capture.cc | what changed since the last checkpoint, and the scrub |
// | tree_load.cc  | putting back what a checkpoint holds                    |
// | tree_check.cc | the invariants                                         |
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "kv/acl_table.h"
#include "kv/command.h"
#include "kv/node.h"
#include "kv/path_table.h"
#include "kv/place_mode.h"
#include "kv/queue.h"
#include "kv/quotas.h"
#include "kv/record_list.h"

namespace quorate::kv {

class Slice;
struct NodeRecord;

// A path and where it is. `ref` is kNone where there is no node.
struct Place {
  std::string_view path;
  Ref ref = kNone;
};

// Of a queue with places that are not plainly exclusive.
struct QueueModes {
  uint32_t shared = 0;
  uint32_t permits = 0;    // places
  uint32_t semaphore = 0;  // how many permits there are, if there is such a place
  std::vector<Ref> gone;   // children that are kept for expired holders, all of one mode

  bool plain() const { return shared == 0 && permits == 0 && gone.empty(); }
};

// What a node to be made is, besides its path.
struct NewNode {
  std::string_view data;
  SessionId owner;  // of an ephemeral node
  bool sequential = false;
  bool container = false;
  int64_t ttl_ms = 0;              // 0: none
  uint32_t acl = AclTable::kOpen;  // with its reference, which becomes the node's
  bool null_data = false;          // REQUIRES: then `data` is empty
};

class Tree {
 public:
  // When and by what a change is made.
  struct Cause {
    Zxid zxid;
    int64_t wall_ms = 0;
    int64_t cluster_ms = 0;
  };

  // `hash_key`: as Limits has it.
  explicit Tree(uint64_t hash_key = 0);
  ~Tree();
  Tree(const Tree&) = delete;
  Tree& operator=(const Tree&) = delete;

  Place find(std::string_view path) const;
  // Has the processor fetch what find() and a change would wait for, for all these paths at once. Changes
  // nothing and needs no path to be there, or to be valid.
  void prefetch(std::span<const std::string_view> paths) const;

  // REQUIRES: `parent` is there and not ephemeral; `path` is a valid path directly below it and not there; at
  // most one of an owner, a container and a time to live.
  Place create(const Place& parent, std::string_view path, const NewNode& made, const Cause& cause);
  // REQUIRES: it is there; data that is null is empty. Its version rises.
  void set(const Place& place, std::string_view data, bool null_data, const Cause& cause);
  // REQUIRES: it is there. Its aversion rises; the reference to `acl` becomes its own.
  void set_acl(const Place& place, uint32_t acl, const Cause& cause);
  // REQUIRES: it is there, has no children and is not "/".
  void remove(const Place& place, const Cause& cause);

  // ---- several changes, all or none of them (tree_undo.cc)

  // From here on changes can be taken back, until keep() or undo(). REQUIRES: not begun already.
  void begin();
  void keep();
  // The tree is as it was at begin(): the same nodes, order, queues and hash.
  void undo();

  // What follows REQUIRES that the node is there. Views are valid until the next change.
  const Node& node(Ref ref) const { return nodes_[ref]; }
  SessionId owner(Ref ref) const;
  // All zero where it has none.
  RarePart rare(Ref ref) const { return nodes_[ref].rare() ? rare_.find(ref)->second : RarePart{}; }
  std::string path(Ref ref) const;
  void path(Ref ref, std::string& path) const;
  Stat stat(Ref ref) const;
  NodeKind kind(Ref ref) const;
  uint32_t child_count(Ref ref) const { return parent_part(ref).children; }
  Ref first_child(Ref ref) const { return parent_part(ref).first_child; }
  // The youngest; Node::prev leads to the others.
  Ref last_child(Ref ref) const { return parent_part(ref).last_child; }
  // Children ever made below it: the next sequence suffix.
  uint64_t creates(Ref ref) const { return parent_part(ref).creates; }
  std::vector<Child> children(Ref ref) const;
  // As StateMachine has it (tree_listing.cc).
  ChildPage children_page(Ref ref, const ChildPageOptions& options) const;
  Child child(Ref ref) const;
  // kNone where nobody queues.
  Ref first_queued(Ref ref) const { return parent_part(ref).first_queued; }
  uint32_t queued_count(Ref ref) const { return parent_part(ref).queued; }
  // The dialect of its queue, as queue_of() says, without walking it.
  Dialect queue_dialect(Ref ref) const;

  Ref next_queued(Ref ref) const { return ephemerals_[nodes_[ref].part].queued_next; }
  // As Child has it.
  PlaceMode place_mode(Ref ref) const;
  const QueueModes& queue_modes(Ref ref) const;
  // REQUIRES: a place in a queue. Costs the number of holders before it, which are added to *looked_at.
  bool holds(Ref ref, size_t* looked_at = nullptr) const;
  // Those in the lock's queue that hold, from the first on.
  template <class F>
  void for_each_holder(Ref lock, F each) const {
    Holders holders = kept_holders(lock);
    for (Ref at = first_queued(lock); at != kNone && holders.next(place_mode(at)); at = next_queued(at))
      each(at);
  }

  // What a session owns, in the order of creation.
  Ref first_owned(SessionId owner) const;
  Ref next_owned(Ref ref) const { return ephemerals_[nodes_[ref].part].owned_next; }
  size_t owned_count(SessionId owner) const;
  size_t owner_count() const { return owned_.size(); }
  size_t ephemeral_count() const { return ephemerals_.size(); }

  // Nodes that have a queue, in no order that means anything.
  const std::vector<Ref>& queues() const { return queues_; }

  // The cluster time from which on the cluster may remove the node, if it is one that may be and has no
  // children. A container that lost its last child may be at once.
  std::optional<int64_t> due(Ref ref) const;
  // The soonest of all nodes.
  std::optional<int64_t> next_due() const;
  // Nodes that may be removed at that time, those that are due the longest first.
  std::vector<Ref> due_nodes(int64_t cluster_ms, size_t max) const;

  // The bytes of the paths of what this entry has made so far, and of the lists that it gave, once for each
  // node.
  size_t made_bytes(Zxid entry) const { return making_ == entry ? made_bytes_ : 0; }

  size_t size() const { return size_; }
  uint64_t hash() const { return hash_; }

  // ---- checkpoints, as StateMachine has them (tree_capture.cc)

  // About the bytes of the records of what changed since the capture before.
  size_t dirty_bytes() const { return dirty_bytes_ > 0 ? static_cast<size_t>(dirty_bytes_) : 0; }
  // `now`: the zxid of the last applied entry. REQUIRES: no capture is under way.
  void begin_capture(Zxid now);
  // What a change had to copy before it was captured, however much.
  void capture_early(Slice& slice);
  // True when nothing is left. REQUIRES of the early ones and the nodes: the erasures are through.
  bool capture_erasures(Slice& slice);
  bool capture_nodes(Slice& slice);
  // As if everything had changed. REQUIRES: no capture is under way.
  void mark_all_dirty();

  // Puts a captured node into a tree that nothing else was done to. REQUIRES: a valid path; parents come
  // before their children. Errors: kCorruption if it cannot be where it says.
  Status load(std::string_view path, const NodeRecord& record);
  void reserve(size_t nodes);
  // Behind the last: orders what came in the order of paths, and counts all as captured. `now`: the zxid of
  // the last applied entry. Errors: kCorruption if the nodes do not fit together.
  Status finish_load(Zxid now);

  // ---- scrub (tree_capture.cc)

  // Recomputes the hashes of about `nodes_max` nodes more. At the end of a round, whether their sum is hash()
  // and their links hold.
  std::optional<bool> scrub(size_t nodes_max);
  // For tests: the place of a node, to be damaged.
  Node& node_to_damage(Ref ref) { return nodes_[ref]; }

  // What the tree takes in memory, malloc's own overhead estimated.
  size_t bytes() const;
  // How many buckets of its table a search looks at, at most; for tests.
  size_t longest_search() const { return table_.longest_search(); }
  // What is wrong, in a sentence.
  std::optional<std::string> check() const;

  AclTable& acls() { return acls_; }
  const AclTable& acls() const { return acls_; }
  // What nodes hold in data.
  uint64_t data_bytes() const { return data_bytes_; }

  // ---- quotas; their use follows every change

  const Quotas& quotas() const { return quotas_; }
  // Limits without any remove it. Costs a walk of the subtree where there was no quota. REQUIRES: there is
  // one, or there are fewer than kQuotasMax.
  void set_quota(std::string_view path, const QuotaLimits& limits);
  // Paths whose quotas were set or removed since this was asked last.
  std::vector<std::string> take_changed_quotas() { return quotas_.take_changed(); }
  // What a subtree holds; nothing where there is no node.
  QuotaUse use_of(std::string_view path) const;

 private:
  struct Owned {
    Ref first = kNone, last = kNone;
    size_t count = 0;
  };
  // One change since begin(), with what it takes to undo it.
  struct Done {
    enum class Kind : uint8_t { kCreated, kSet, kAclSet, kRemoved };
    Kind kind = Kind::kCreated;
    Ref ref = kNone;
    Zxid pzxid;     // of the parent, before: kCreated, kRemoved
    Node before;    // kSet (its payload is kept), kAclSet
    RarePart rare;  // before: kSet, kAclSet
  };

  const ParentPart& parent_part(Ref ref) const;
  uint64_t hash_of(Ref ref, uint64_t path_hash) const;
  uint64_t parent_hash_of(Ref ref, uint64_t path_hash) const;
  bool is_at(Ref ref, std::string_view path) const;
  // Every change of a node's part of hash() goes through here, so that a scrub under way sees it.
  void change_hash(Ref ref, uint64_t difference) {
    hash_ += difference;
    if (ref < scrub_next_) scrub_sum_ += difference;
  }

  size_t record_bytes(const Node& node, std::string_view path) const;
  // Before any change to what a node's record holds.
  void touch(Ref ref, std::string_view path) {
    if ((nodes_[ref].flags & Node::kMarks) != dirty_mark_) mark_dirty(ref, path);
  }
  // Also behind the making of one.
  void mark_dirty(Ref ref, std::string_view path);
  // Before its removal.
  void forget_dirty(Ref ref, std::string_view path);
  Record record_of(Ref ref, std::string_view path) const;
  uint8_t frozen_mark() const { return dirty_mark_ ^ Node::kMarks; }
  std::optional<std::string> damage_of(Ref ref, std::string& path) const;
  void order_children(Ref parent);
  void queue_children(Ref parent);

  // Room in the table for one more.
  void grow_table();
  void resize_table(size_t nodes, bool growing);

  // Before an entry makes or gives anything.
  void begin_making(Zxid entry) {
    if (making_ != entry) made_bytes_ = made_ = 0;
    making_ = entry;
  }
  void put_payload(Node& node, std::string_view name, std::string_view data);
  void free_payload(Node& node);
  void put_rare(Ref ref, const RarePart& rare);
  void put_acl(Node& node, uint32_t acl);

  // Puts a node with all its fields and parts into the table, the lists and the hash, between the siblings
  // that it names, and takes it out again. What it named then is what it goes back between.
  // `creates` and `pzxid` are the parent's from then on.
  void link(const Place& place, uint64_t creates, Zxid pzxid);
  void unlink(const Place& place, uint64_t creates, Zxid pzxid);
  // What an unlinked node still holds.
  void release(Ref ref);

  void link_child(ParentPart& part, Ref ref);
  void unlink_child(ParentPart& part, Ref ref);
  void link_owned(Ref ref);
  void unlink_owned(Ref ref);
  void link_queued(Ref parent, ParentPart& part, Ref ref);
  void unlink_queued(ParentPart& part, Ref ref);
  Holders kept_holders(Ref lock) const;
  // Around every change of a place's data, and with its coming and going.
  void count_mode(Ref ref, bool added);
  static uint32_t* dialect_counter(ParentPart& part, std::string_view name);
  // Counts a change for quotas and for all.
  void count(std::string_view path, int64_t nodes, int64_t bytes) {
    data_bytes_ += static_cast<uint64_t>(bytes);  // modulo 2^64: adding what is negative takes away
    quotas_.note(path, nodes, bytes);
  }
  // Around every change that can make a node due or not.
  void schedule(Ref ref);
  void unschedule(Ref ref);

  void undo_one(const Done& done);

  std::optional<std::string> check_node(Ref ref, uint64_t& hash) const;
  std::optional<std::string> check_children(Ref ref, uint64_t& seen) const;
  std::optional<std::string> check_queue(Ref ref, const std::vector<Ref>& expected) const;
  std::optional<std::string> check_owned(uint64_t ephemerals) const;
  std::optional<std::string> check_counts() const;
  bool made_in_order(Ref earlier, Ref later) const;
  Ref child_behind(Ref parent, const ChildCursor& cursor, size_t& looked_at) const;

  Slab<Node> nodes_;
  Slab<ParentPart> parents_;
  Slab<EphemeralPart> ephemerals_;
  std::unordered_map<Ref, RarePart> rare_;
  AclTable acls_;
  Quotas quotas_;
  uint64_t data_bytes_ = 0;
  const PathKey path_key_;
  PathTable table_;
  std::unordered_map<SessionId, Owned> owned_;
  std::vector<Ref> queues_;
  std::unordered_map<Ref, QueueModes> modes_;  // by parent; none where all places are plainly exclusive
  std::set<std::pair<int64_t, Ref>> due_;
  Ref root_ = kNone;
  size_t size_ = 0;
  size_t payload_bytes_ = 0;
  uint64_t hash_ = 0;
  // The entry that made nodes or gave lists last, and how many nodes so far.
  Zxid making_;
  uint32_t made_ = 0;
  size_t made_bytes_ = 0;  // of paths and lists
  bool undoable_ = false;
  std::vector<Done> done_;

  // What changed since the last capture began. A node stands in `dirty_` once, and then has dirty_mark_; so
  // has its place when the node is gone, until that is captured.
  uint8_t dirty_mark_ = Node::kMarkA;
  std::vector<Ref> dirty_;
  std::string erased_;  // paths that a capture holds or will hold, as codec strings
  int64_t dirty_bytes_ = 0;
  // A node made up to here is in a capture, or will be in the one under way.
  Zxid captured_through_;
  // Of the capture under way. A node that is still to be captured has frozen_mark(); one that changes before
  // is copied to `early_`.
  std::vector<Ref> frozen_;
  size_t frozen_at_ = 0;
  std::string frozen_erased_;
  size_t frozen_erased_at_ = 0;
  RecordList early_;

  // The nodes below are in scrub_sum_, as they are at this moment.
  Ref scrub_next_ = 0;
  uint64_t scrub_sum_ = 0;
  bool scrub_damage_ = false;

  // While loading: parents whose children did not come in their order, parents with a queue, ephemeral nodes,
  // and nodes that may become due.
  std::vector<Ref> unordered_, queueing_, loaded_owned_, loaded_reaped_;
  // The parent of the node that was loaded last.
  Ref loaded_below_ = kNone;
  std::string loaded_below_path_;
};

}  // namespace quorate::kv
