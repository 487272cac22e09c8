// The last changes to the tree, for watches that resume: a ring bounded in bytes, oldest forgotten first. It
// follows from the entries alone, so it is the same on all servers, but it is in no hash.
//
// Thread safety: none.
//
// Invariants: zxids rise; of an entry there are all changes or none; what is kept costs at most the limit;
// every change above floor() is kept.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "kv/acl_table.h"
#include "kv/checkpoint.h"
#include "kv/record_list.h"
#include "kv/state_machine.h"

namespace quorate::kv {

class Slice;

class ChangeHistory {
 public:
  explicit ChangeHistory(size_t bytes_max, uint64_t hash_key = 0) : bytes_max_(bytes_max), lists_(hash_key) {}

  // REQUIRES: zxid is above all that were added before.
  void add(Zxid zxid, const std::vector<Change>& changes);

  // Changes up to and including this one are forgotten.
  Zxid floor() const { return floor_; }
  // As StateMachine::changes_since(); `now`: the zxid of the last applied entry.
  Result<StateMachine::PastChanges> since(std::string_view root, Zxid since, size_t max_changes,
                                          Zxid now) const;
  Result<StateMachine::PastChanges> since(const StateMachine::WantedPath& wanted, Zxid since,
                                          size_t max_changes, Zxid now) const;
  // What is kept, and what it costs: a path's bytes and kChangeBytes each, and for each list of permissions
  // that is not open to all its bytes and kListBytes, although it is kept once; for a place in a lock's queue
  // that was left, who that was, and kLeftBytes.
  uint64_t size() const { return end_ - oldest_.number; }
  size_t bytes() const { return bytes_; }

  // ---- checkpoints, as StateMachine has them

  size_t dirty_bytes() const;
  // REQUIRES: no capture is under way.
  void begin_capture();
  void capture_early(Slice& slice);
  // True when nothing is left.
  bool capture_erasures(Slice& slice);
  bool capture_changes(Slice& slice);
  // Empty from here on, as if changes up to `floor` had been forgotten. REQUIRES: no capture is under way.
  void forget_all(Zxid floor);
  // As if everything had changed. REQUIRES: no capture is under way.
  void mark_all_dirty();
  // The same as add() for the changes in one record of a capture, which then count as captured. Errors:
  // kCorruption unless each comes behind those before, with the next place, and has a valid path and lists.
  Status load(const ChangeKey& first, const std::vector<ChangeRecord>& changes);
  // What the meta record said; forgets what is beyond the limit. Errors: kCorruption if a whole record is
  // not above the floor, if what is above it is not `changes`, or if one of them is above `now`, the zxid of
  // the last applied entry.
  Status finish_load(Zxid floor, uint64_t changes, Zxid now);

  // How often a list was looked for by its bytes, for tests.
  uint64_t lists_looked_for() const { return lists_.looked_for(); }

  // A change costs its path and this.
  static constexpr size_t kChangeBytes = 11;
  static constexpr size_t kListBytes = 4;
  static constexpr size_t kLeftBytes = 1;

 private:
  template <class Wanted>
  Result<StateMachine::PastChanges> collect(const Wanted& wanted, Zxid since, size_t max_changes,
                                            Zxid now) const;
  static constexpr size_t kBlockBytes = 64 << 10;

  // Changes, one behind the other: zxid, size of the path, kind and which of the others there are, ids
  // of lists, who left, path. They are numbered from 0 for as long as the process lives.
  struct Block {
    uint64_t begin = 0;  // the number of its first change
    Zxid before;         // the zxid of the change before that
    uint32_t place = 0;  // which the first is among its entry's, if that is the same entry
    Zxid last;           // the zxid of its last change
    std::string bytes;
  };
  struct Item {
    Zxid zxid;
    Change::Kind kind = Change::Kind::kCreated;
    uint32_t place = 0;
    uint32_t acl = AclTable::kOpen;
    uint32_t parent_acl = AclTable::kOpen;
    std::string_view left;  // as ChangeRecord has it
    std::string_view path;
  };
  // Where a walk along the changes is.
  struct Cursor {
    size_t block = 0;
    size_t offset = 0;
    uint64_t number = 0;
    Zxid before;
    uint32_t place = 0;
  };
  // Changes in one record: those from where the group before ends. It is erased when all of them are
  // forgotten; the floor tells which changes of the oldest are.
  struct Group {
    ChangeKey key;
    uint64_t end = 0;
  };

  // A list that changes had last, and its id, with a reference: mostly the next has the same, and a list
  // may be long.
  struct LastList {
    std::shared_ptr<const Acl> acl;
    uint32_t id = AclTable::kOpen;
  };
  // With one more reference.
  uint32_t id_of(const std::shared_ptr<const Acl>& acl, LastList& last);
  // One reference to each list becomes the change's.
  void append(const Item& item);
  // The id of the list with these bytes, with one more reference; none: the open one. Errors: kCorruption.
  Result<uint32_t> load_list(std::string_view bytes);
  size_t list_cost(uint32_t acl) const;
  static size_t left_cost(std::string_view left) { return left.empty() ? 0 : kLeftBytes + left.size(); }
  // Beyond kChangeBytes.
  size_t payload_bytes(const Item& item) const;
  std::shared_ptr<const Acl> shared(uint32_t acl) const;
  void forget_oldest_entry();
  void trim();
  // At the beginning of a block.
  Cursor at_block(size_t block) const;
  // At the change with this number. REQUIRES: oldest_.number <= number <= end_.
  Cursor at(uint64_t number) const;
  // REQUIRES: cursor.number < end_.
  Item next(Cursor& cursor) const;
  void append_to(std::string& value, const Item& item, uint64_t distance) const;
  Status load_one(Zxid zxid, uint32_t place, const ChangeRecord& change);
  // At least one change, and no more bytes than fit into a group and into `room`, about.
  Record next_group(Cursor& cursor, size_t room);

  const size_t bytes_max_;
  AclTable lists_;  // a reference for each change that has the list
  LastList last_acl_, last_parent_acl_;
  std::deque<Block> blocks_;
  Cursor oldest_;     // at the oldest that is kept, in the first block
  uint64_t end_ = 0;  // the number of the next that comes
  size_t bytes_ = 0;
  Zxid newest_;
  Zxid floor_;

  uint64_t captured_end_ = 0;         // changes below are in captures, or in the one under way
  std::deque<Group> groups_;          // of these, but for what is to come
  std::vector<ChangeKey> erased_;     // groups that were forgotten since the last capture began
  uint64_t dirty_payload_bytes_ = 0;  // of the changes from captured_end_ on
  uint64_t frozen_ = 0;  // of the capture under way: changes from here to captured_end_ are to come
  std::vector<ChangeKey> frozen_erased_;
  RecordList early_;

  Zxid begins_within_;          // of what was loaded: the first change is not its entry's first
  uint32_t loaded_places_ = 0;  // of the entry that was loaded last
};

}  // namespace quorate::kv
