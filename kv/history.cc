#include "kv/history.h"

#include <algorithm>
#include <cstring>

#include "base/check.h"
#include "kv/checkpoint.h"
#include "kv/path.h"
#include "kv/text.h"

namespace quorate::kv {
namespace {

// What a change takes in a record beside the path, and an erasure.
constexpr size_t kChangeRecordBytes = 3;
constexpr size_t kErasureBytes = 13;
// A record of about so much at most: each costs the store as much as a node does, so a change for itself
// would make a checkpoint of the history the most part of the work of one.
constexpr size_t kGroupBytes = 4096;

// Beside the kind: ids of lists follow, and who left.
constexpr uint8_t kHasAcl = 0x80;
constexpr uint8_t kHasParentAcl = 0x40;
constexpr uint8_t kHasLeft = 0x20;

bool is_at_or_below(std::string_view path, std::string_view root) {
  if (root == "/") return true;
  return path.starts_with(root) && (path.size() == root.size() || path[root.size()] == '/');
}

}  // namespace

// ---- the ring

size_t ChangeHistory::list_cost(uint32_t acl) const {
  return acl == AclTable::kOpen ? 0 : kListBytes + lists_.bytes(acl).size();
}

size_t ChangeHistory::payload_bytes(const Item& item) const {
  return item.path.size() + list_cost(item.acl) + list_cost(item.parent_acl) + left_cost(item.left);
}

std::shared_ptr<const Acl> ChangeHistory::shared(uint32_t acl) const {
  return acl == AclTable::kOpen ? nullptr : lists_.share(acl);
}

void ChangeHistory::append(const Item& item) {
  CHECK(item.left.size() <= UINT8_MAX);
  const size_t need = kChangeBytes + 2 * kListBytes + left_cost(item.left) + item.path.size();
  if (blocks_.empty() || blocks_.back().bytes.size() + need > kBlockBytes) {
    blocks_.push_back({end_, newest_, item.place, item.zxid, {}});
    blocks_.back().bytes.reserve(kBlockBytes);
    if (blocks_.size() == 1) oldest_ = at_block(0);
  }
  Block& block = blocks_.back();
  char head[kChangeBytes];
  const uint64_t number = item.zxid.value();
  const auto size = static_cast<uint16_t>(item.path.size());
  auto what = static_cast<uint8_t>(item.kind);
  if (item.acl != AclTable::kOpen) what |= kHasAcl;
  if (item.parent_acl != AclTable::kOpen) what |= kHasParentAcl;
  if (!item.left.empty()) what |= kHasLeft;
  std::memcpy(head, &number, sizeof(number));
  std::memcpy(head + sizeof(number), &size, sizeof(size));
  head[kChangeBytes - 1] = static_cast<char>(what);
  block.bytes.append(head, kChangeBytes);
  for (const uint32_t id : {item.acl, item.parent_acl}) {
    if (id != AclTable::kOpen) block.bytes.append(reinterpret_cast<const char*>(&id), kListBytes);
  }
  if (!item.left.empty()) {
    block.bytes.push_back(static_cast<char>(static_cast<uint8_t>(item.left.size())));
    block.bytes.append(item.left);
  }
  block.bytes.append(item.path);
  block.last = newest_ = item.zxid;
  bytes_ += kChangeBytes + payload_bytes(item);
  ++end_;
}

ChangeHistory::Cursor ChangeHistory::at_block(size_t block) const {
  return {block, 0, blocks_[block].begin, blocks_[block].before, blocks_[block].place};
}

ChangeHistory::Cursor ChangeHistory::at(uint64_t number) const {
  if (number == end_) return {blocks_.size(), 0, end_, newest_, 0};
  const auto behind = std::upper_bound(blocks_.begin(), blocks_.end(), number,
                                       [](uint64_t n, const Block& block) { return n < block.begin; });
  Cursor cursor = at_block(static_cast<size_t>(behind - blocks_.begin()) - 1);
  while (cursor.number < number) (void)next(cursor);
  return cursor;
}

ChangeHistory::Item ChangeHistory::next(Cursor& cursor) const {
  if (cursor.offset == blocks_[cursor.block].bytes.size()) cursor = at_block(cursor.block + 1);
  const char* const head = blocks_[cursor.block].bytes.data() + cursor.offset;
  uint64_t number = 0;
  uint16_t size = 0;
  std::memcpy(&number, head, sizeof(number));
  std::memcpy(&size, head + sizeof(number), sizeof(size));
  const Zxid zxid(number);
  const auto what = static_cast<uint8_t>(head[kChangeBytes - 1]);
  Item item;
  item.zxid = zxid;
  item.kind = static_cast<Change::Kind>(what & ~(kHasAcl | kHasParentAcl | kHasLeft));
  item.place = zxid == cursor.before ? cursor.place : 0;
  const char* behind = head + kChangeBytes;
  const auto take_list = [&behind](uint32_t& acl) {
    std::memcpy(&acl, behind, kListBytes);
    behind += kListBytes;
  };
  if ((what & kHasAcl) != 0) take_list(item.acl);
  if ((what & kHasParentAcl) != 0) take_list(item.parent_acl);
  if ((what & kHasLeft) != 0) {
    const auto left = static_cast<uint8_t>(*behind);
    item.left = {behind + kLeftBytes, left};
    behind += kLeftBytes + left;
  }
  item.path = {behind, size};
  cursor.offset += static_cast<size_t>(behind - head) + size;
  ++cursor.number;
  cursor.before = zxid;
  cursor.place = item.place + 1;
  return item;
}

uint32_t ChangeHistory::id_of(const std::shared_ptr<const Acl>& acl, LastList& last) {
  if (acl == nullptr) return AclTable::kOpen;
  if (acl != last.acl) {
    lists_.release(last.id);
    last = {acl, lists_.acquire(*acl)};
  }
  lists_.retain(last.id);
  return last.id;
}

void ChangeHistory::add(Zxid zxid, const std::vector<Change>& changes) {
  if (changes.empty()) return;
  CHECK(zxid > newest_);
  uint32_t place = 0;
  for (const Change& change : changes) {
    const size_t before = bytes_;
    const std::string left = change.left == nullptr ? std::string() : encode_left_place(*change.left);
    const uint32_t acl = id_of(change.acl, last_acl_);
    const uint32_t parent_acl = id_of(change.parent_acl, last_parent_acl_);
    append({zxid, change.kind, place++, acl, parent_acl, left, change.path});
    dirty_payload_bytes_ += bytes_ - before - kChangeBytes;
  }
  trim();
}

void ChangeHistory::trim() {
  while (bytes_ > bytes_max_) forget_oldest_entry();
}

void ChangeHistory::forget_oldest_entry() {
  Zxid forgotten = floor_;
  for (bool first = true; oldest_.number < end_; first = false) {
    Cursor behind = oldest_;
    const Item item = next(behind);
    if (!first && item.zxid != forgotten) break;
    forgotten = item.zxid;
    bytes_ -= kChangeBytes + payload_bytes(item);
    if (oldest_.number >= captured_end_) {
      dirty_payload_bytes_ -= payload_bytes(item);
    } else if (oldest_.number >= frozen_) {
      // The capture is of a time when it was there.
      Record record{change_key(item.zxid, item.place), std::string()};
      append_to(*record.value, item, 0);
      early_.push_back(record);
      groups_.push_back({{item.zxid, item.place}, oldest_.number + 1});
    }
    lists_.release(item.acl);
    lists_.release(item.parent_acl);
    oldest_ = behind;
    for (; oldest_.block > 0; --oldest_.block) blocks_.pop_front();
  }
  floor_ = forgotten;
  if (frozen_ < captured_end_) frozen_ = std::max(frozen_, std::min(oldest_.number, captured_end_));
  for (; !groups_.empty() && groups_.front().end <= oldest_.number; groups_.pop_front())
    erased_.push_back(groups_.front().key);
}

Result<StateMachine::PastChanges> ChangeHistory::since(std::string_view root, Zxid since, size_t max_changes,
                                                       Zxid now) const {
  return collect([root](std::string_view path) { return is_at_or_below(path, root); }, since, max_changes,
                 now);
}

Result<StateMachine::PastChanges> ChangeHistory::since(const StateMachine::WantedPath& wanted, Zxid since,
                                                       size_t max_changes, Zxid now) const {
  return collect(wanted, since, max_changes, now);
}

template <class Wanted>
Result<StateMachine::PastChanges> ChangeHistory::collect(const Wanted& wanted, Zxid since, size_t max_changes,
                                                         Zxid now) const {
  if (since < floor_) {
    return {ErrorCode::kHistoryGone, "changes up to zxid " + std::to_string(floor_.value()) +
                                         " are forgotten; read the state again, and go on from there"};
  }
  StateMachine::PastChanges past;
  past.up_to = since;
  // Blocks whose last is not behind `since` have nothing for us.
  const auto first = std::upper_bound(blocks_.begin(), blocks_.end(), since,
                                      [](Zxid zxid, const Block& block) { return zxid < block.last; });
  const auto block = static_cast<size_t>(first - blocks_.begin());
  if (first != blocks_.end()) {
    for (Cursor cursor = block == 0 ? oldest_ : at_block(block); cursor.number < end_;) {
      const Item item = next(cursor);
      if (item.zxid <= since) continue;
      if (past.looked_at >= max_changes && item.zxid != past.up_to) return past;
      ++past.looked_at;
      past.up_to = item.zxid;
      if (wanted(item.path)) {
        past.changes.push_back(
            {item.kind, item.zxid, std::string(item.path), shared(item.acl), shared(item.parent_acl),
             item.left.empty() ? nullptr
                               : std::make_shared<const LeftPlace>(decode_left_place(item.left).value())});
      }
    }
  }
  past.up_to = std::max(since, now);
  return past;
}

// ---- checkpoints

void ChangeHistory::append_to(std::string& value, const Item& item, uint64_t distance) const {
  ChangeRecord change{item.kind, item.path};
  if (item.acl != AclTable::kOpen) change.acl = lists_.bytes(item.acl);
  if (item.parent_acl != AclTable::kOpen) change.parent_acl = lists_.bytes(item.parent_acl);
  change.left = item.left;
  change.distance = distance;
  append_change(value, change);
}

Record ChangeHistory::next_group(Cursor& cursor, size_t room) {
  const size_t bytes_max = std::min(room, kGroupBytes);
  Group group;
  std::string value;
  for (Zxid before; cursor.number < captured_end_ && (value.empty() || value.size() < bytes_max);) {
    const Item item = next(cursor);
    if (value.empty()) {
      group.key = {item.zxid, item.place};
      before = item.zxid;
    }
    append_to(value, item, item.zxid - before);
    before = item.zxid;
  }
  group.end = cursor.number;
  groups_.push_back(group);
  return {change_key(group.key.zxid, group.key.place), std::move(value)};
}

size_t ChangeHistory::dirty_bytes() const {
  const uint64_t first = std::max(captured_end_, oldest_.number);
  return (end_ - first) * kChangeRecordBytes + dirty_payload_bytes_ + erased_.size() * kErasureBytes;
}

void ChangeHistory::begin_capture() {
  CHECK(frozen_ == captured_end_);
  CHECK(frozen_erased_.empty());
  CHECK(early_.empty());
  frozen_ = std::max(captured_end_, oldest_.number);
  captured_end_ = end_;
  dirty_payload_bytes_ = 0;
  frozen_erased_.swap(erased_);
}

void ChangeHistory::capture_early(Slice& slice) { slice.put_all(early_); }

bool ChangeHistory::capture_erasures(Slice& slice) {
  for (; !frozen_erased_.empty(); frozen_erased_.pop_back()) {
    if (slice.full()) return false;
    const ChangeKey& key = frozen_erased_.back();
    slice.put({change_key(key.zxid, key.place), std::nullopt});
  }
  return true;
}

bool ChangeHistory::capture_changes(Slice& slice) {
  if (frozen_ == captured_end_) return true;
  for (Cursor cursor = at(frozen_); cursor.number < captured_end_; frozen_ = cursor.number) {
    if (slice.full()) return false;
    slice.put(next_group(cursor, slice.room()));
  }
  return true;
}

// ---- loading

Result<uint32_t> ChangeHistory::load_list(std::string_view bytes) {
  if (bytes.empty()) return AclTable::kOpen;
  ByteReader in(bytes);
  const Acl list = read_acl(in);
  const Error damaged{ErrorCode::kCorruption, "the history has a list of permissions that none can have"};
  // As in the tree: a list that came from another cluster may say what no client may set here.
  if (!in.done() || list.empty()) return damaged;
  const uint32_t id = lists_.acquire(list);
  if (id != AclTable::kOpen && lists_.bytes(id) == bytes) return id;
  lists_.release(id);
  return damaged;
}

namespace {

Error gap_before(Zxid zxid) {
  return {ErrorCode::kCorruption,
          "the records of the history leave a gap before zxid " + std::to_string(zxid.value())};
}

}  // namespace

Status ChangeHistory::load_one(Zxid zxid, uint32_t place, const ChangeRecord& change) {
  if (size() == 0) {
    // Within an entry that is forgotten: finish_load() sees to that.
    if (place != 0) begins_within_ = zxid;
  } else if (zxid == newest_ ? place != loaded_places_ : zxid < newest_ || place != 0) {
    return gap_before(zxid);
  }
  if (!validate_path(change.path).ok()) {
    return {ErrorCode::kCorruption, "the history has a path that none can have: " + shown(change.path)};
  }
  if (!change.left.empty()) {
    const std::optional<LeftPlace> left = decode_left_place(change.left);
    if (!left || left->czxid > zxid || encode_left_place(*left) != change.left) {
      return {ErrorCode::kCorruption, "the history has a place in a lock's queue that none can have been"};
    }
  }
  const Result<uint32_t> acl = load_list(change.acl);
  if (!acl.ok()) return acl.error();
  const Result<uint32_t> parent_acl = load_list(change.parent_acl);
  if (!parent_acl.ok()) {
    lists_.release(*acl);
    return parent_acl.error();
  }
  append({zxid, change.kind, place, *acl, *parent_acl, change.left, change.path});
  loaded_places_ = place + 1;
  return {};
}

Status ChangeHistory::load(const ChangeKey& first, const std::vector<ChangeRecord>& changes) {
  Zxid zxid = first.zxid;
  uint32_t place = first.place;
  for (const ChangeRecord& change : changes) {
    if (change.distance > UINT64_MAX - zxid.value()) {
      return {ErrorCode::kCorruption, "the history has a zxid that none can have"};
    }
    if (change.distance > 0) {
      zxid = Zxid(zxid.value() + change.distance);
      place = 0;
    }
    if (Status loaded = load_one(zxid, place, change); !loaded.ok()) return loaded;
    ++place;
  }
  groups_.push_back({first, end_});
  return {};
}

Status ChangeHistory::finish_load(Zxid floor, uint64_t changes, Zxid now) {
  if (floor > now || newest_ > now) {
    return {ErrorCode::kCorruption, "the history goes on behind the last entry"};
  }
  if (begins_within_ > floor) return gap_before(begins_within_);
  captured_end_ = frozen_ = end_;
  dirty_payload_bytes_ = 0;
  for (Cursor first = oldest_; size() > 0 && next(first).zxid <= floor; first = oldest_)
    forget_oldest_entry();
  if (!erased_.empty()) {
    return {ErrorCode::kCorruption, "the history holds what it says to have forgotten"};
  }
  if (size() != changes) {
    return {ErrorCode::kCorruption, "records of the history are missing, or there are too many"};
  }
  floor_ = floor;
  newest_ = std::max(newest_, floor);
  // The limit may be lower than it was.
  trim();
  return {};
}

void ChangeHistory::forget_all(Zxid floor) {
  while (size() > 0) forget_oldest_entry();
  CHECK(early_.empty());
  floor_ = newest_ = std::max(newest_, floor);
}

void ChangeHistory::mark_all_dirty() {
  CHECK(frozen_erased_.empty());
  erased_.clear();
  groups_.clear();
  captured_end_ = frozen_ = oldest_.number;
  dirty_payload_bytes_ = bytes_ - size() * kChangeBytes;
}

}  // namespace quorate::kv
