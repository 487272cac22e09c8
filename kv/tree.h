// The tree of nodes in memory: found by path in one hash table, siblings linked in the order of creation, its
// hash kept as it changes. It knows the rules of Stat and of what hangs together; who may do what is decided
// above it (operations.h).
//
// Thread safety: none.
//
// Invariants: "/" is there; every other node has a parent, which is not ephemeral; every ephemeral node
// stands in its owner's list in the order of creation, and, if it was made by a sequential create, in its
// parent's queue; hash() is the sum of the hashes of all nodes. check() recomputes them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "kv/command.h"
#include "kv/node.h"
#include "kv/queue.h"

namespace quorate::kv {

// A path and where it is. `ref` is kNone where there is no node.
struct Place {
  std::string_view path;
  uint64_t hash = 0;
  Ref ref = kNone;
};

class Tree {
 public:
  // When and by what a change is made.
  struct Cause {
    Zxid zxid;
    int64_t wall_ms = 0;
  };

  Tree();
  ~Tree();
  Tree(const Tree&) = delete;
  Tree& operator=(const Tree&) = delete;

  Place find(std::string_view path) const;

  // REQUIRES: `parent` is there and not ephemeral; `path` is a valid path directly below it and not there.
  Place create(const Place& parent, std::string_view path, std::string_view data, SessionId owner,
               bool sequential, const Cause& cause);
  // REQUIRES: it is there. Its version rises.
  void set(const Place& place, std::string_view data, const Cause& cause);
  // REQUIRES: it is there, has no children and is not "/".
  void remove(const Place& place, const Cause& cause);

  // What follows REQUIRES that the node is there. Views are valid until the next change.
  const Node& node(Ref ref) const { return nodes_[ref]; }
  SessionId owner(Ref ref) const;
  std::string path(Ref ref) const;
  Stat stat(Ref ref) const;
  uint32_t child_count(Ref ref) const { return parent_part(ref).children; }
  // Children ever made below it: the next sequence suffix.
  uint64_t creates(Ref ref) const { return parent_part(ref).creates; }
  std::vector<Child> children(Ref ref) const;
  Child child(Ref ref) const;
  // kNone where nobody queues.
  Ref first_queued(Ref ref) const { return parent_part(ref).first_queued; }
  uint32_t queued_count(Ref ref) const { return parent_part(ref).queued; }
  // The dialect of its queue, as queue_of() says, without walking it.
  Dialect queue_dialect(Ref ref) const;

  // What a session owns, in the order of creation.
  Ref first_owned(SessionId owner) const;
  Ref next_owned(Ref ref) const { return ephemerals_[nodes_[ref].part].owned_next; }
  size_t owned_count(SessionId owner) const;
  size_t owner_count() const { return owned_.size(); }

  // Nodes that have a queue, in no order that means anything.
  const std::vector<Ref>& queues() const { return queues_; }

  size_t size() const { return size_; }
  uint64_t hash() const { return hash_; }
  // What the tree takes in memory, malloc's own overhead estimated.
  size_t bytes() const;
  // What is wrong, in a sentence.
  std::optional<std::string> check() const;

 private:
  struct Owned {
    Ref first = kNone, last = kNone;
    size_t count = 0;
  };

  const ParentPart& parent_part(Ref ref) const;
  uint64_t hash_of(Ref ref, uint64_t path_hash) const;
  uint64_t parent_hash_of(Ref ref, uint64_t path_hash) const;
  bool is_at(Ref ref, std::string_view path) const;

  void insert_slot(Ref ref);
  void erase_slot(Ref ref);
  void grow_slots();

  void put_payload(Node& node, std::string_view name, std::string_view data);
  void free_payload(Node& node);

  void link_child(ParentPart& part, Ref ref);
  void unlink_child(ParentPart& part, Ref ref);
  void link_owned(Ref ref, SessionId owner);
  void unlink_owned(Ref ref);
  void link_queued(Ref parent, ParentPart& part, Ref ref);
  void unlink_queued(ParentPart& part, Ref ref);
  static uint32_t* dialect_counter(ParentPart& part, std::string_view name);

  std::optional<std::string> check_node(Ref ref, uint64_t& hash) const;
  std::optional<std::string> check_children(Ref ref, uint64_t& seen) const;
  std::optional<std::string> check_owned(uint64_t ephemerals) const;

  Slab<Node> nodes_;
  Slab<ParentPart> parents_;
  Slab<EphemeralPart> ephemerals_;
  // Open addressing, linear probing; a power of two; never more than 3/4 full.
  std::vector<Ref> slots_;
  std::unordered_map<SessionId, Owned> owned_;
  std::vector<Ref> queues_;
  Ref root_ = kNone;
  size_t size_ = 0;
  size_t payload_bytes_ = 0;
  uint64_t hash_ = 0;
};

}  // namespace quorate::kv
