// The access control lists of a tree's nodes, each stored once: nodes hold a 32-bit id. Most trees have a
// handful of lists and millions of nodes.
//
// Ids depend on the history of the process (a load numbers them anew), so they never enter a hash or a
// record: the canonical bytes do.
//
// Thread safety: none; a list handed out as shared_ptr stays readable after its last node has gone.
//
// Invariants: id 0 is open_acl() and counts no references; every other id that is in use has one reference
// for each node that has it, and its bytes are no other's.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/checksum.h"
#include "kv/acl.h"

namespace quorate::kv {

class AclTable {
 public:
  static constexpr uint32_t kOpen = 0;

  // `hash_key`: as Limits has it, since clients choose the lists.
  explicit AclTable(uint64_t hash_key = 0);

  // The id of the list, with one more reference. REQUIRES: the list is not empty.
  uint32_t acquire(const Acl& acl);
  // One more reference to an id that is in use.
  void retain(uint32_t id);
  // One less. The last one frees the id for another list.
  void release(uint32_t id);

  // REQUIRES, below: the id is in use.
  const Acl& get(uint32_t id) const { return *slots_[id].acl; }
  std::shared_ptr<const Acl> share(uint32_t id) const { return slots_[id].acl; }
  std::string_view bytes(uint32_t id) const { return *slots_[id].bytes; }
  // What a record of a node or a change has of it: nothing of the open one.
  size_t kept_bytes(uint32_t id) const { return id == kOpen ? 0 : slots_[id].bytes->size(); }
  // Of the bytes; 0 for the open list, so that nodes without a list of their own hash nothing more.
  uint64_t hash(uint32_t id) const { return slots_[id].hash; }
  uint64_t references(uint32_t id) const { return slots_[id].references; }
  bool permits(uint32_t id, const Credentials& credentials, uint32_t permissions) const {
    return id == kOpen || kv::permits(get(id), credentials, permissions);
  }

  // How often a list was looked for by its bytes, for tests.
  uint64_t looked_for() const { return looked_for_; }
  // Lists in use, the open one included.
  size_t size() const { return ids_.size(); }
  // Ids in use are below.
  uint32_t end() const { return static_cast<uint32_t>(slots_.size()); }
  bool used(uint32_t id) const { return id < end() && slots_[id].acl != nullptr; }

 private:
  struct Slot {
    std::shared_ptr<const Acl> acl;
    const std::string* bytes = nullptr;  // the key in ids_
    uint64_t hash = 0;
    uint64_t references = 0;
  };

  // Not noexcept, so that the map keeps what it gave: lists may be long.
  struct Hash {
    uint64_t key = 0;
    size_t operator()(const std::string& bytes) const { return checksum64(bytes, key); }
  };

  std::vector<Slot> slots_;
  std::vector<uint32_t> free_;
  std::unordered_map<std::string, uint32_t, Hash> ids_;
  std::string scratch_;
  uint64_t looked_for_ = 0;
};

}  // namespace quorate::kv
