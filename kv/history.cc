#include "kv/history.h"

#include <algorithm>
#include <cstring>

#include "base/check.h"
#include "kv/checkpoint.h"
#include "kv/path.h"
#include "kv/text.h"

namespace quorate::kv {
namespace {

// What a record takes beside the path, and an erasure.
constexpr size_t kChangeRecordBytes = 15;
constexpr size_t kErasureBytes = 13;

// Beside the kind: ids of lists follow.
constexpr uint8_t kHasAcl = 0x80;
constexpr uint8_t kHasParentAcl = 0x40;

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
  return item.path.size() + list_cost(item.acl) + list_cost(item.parent_acl);
}

std::shared_ptr<const Acl> ChangeHistory::shared(uint32_t acl) const {
  return acl == AclTable::kOpen ? nullptr : lists_.share(acl);
}

void ChangeHistory::append(Zxid zxid, uint32_t place, Change::Kind kind, uint32_t acl, uint32_t parent_acl,
                           std::string_view path) {
  const size_t need = kChangeBytes + 2 * kListBytes + path.size();
  if (blocks_.empty() || blocks_.back().bytes.size() + need > kBlockBytes) {
    blocks_.push_back({end_, newest_, place, zxid, {}});
    blocks_.back().bytes.reserve(kBlockBytes);
    if (blocks_.size() == 1) oldest_ = at_block(0);
  }
  Block& block = blocks_.back();
  char head[kChangeBytes];
  const uint64_t number = zxid.value();
  const auto size = static_cast<uint16_t>(path.size());
  auto what = static_cast<uint8_t>(kind);
  if (acl != AclTable::kOpen) what |= kHasAcl;
  if (parent_acl != AclTable::kOpen) what |= kHasParentAcl;
  std::memcpy(head, &number, sizeof(number));
  std::memcpy(head + sizeof(number), &size, sizeof(size));
  head[kChangeBytes - 1] = static_cast<char>(what);
  block.bytes.append(head, kChangeBytes);
  for (const uint32_t id : {acl, parent_acl}) {
    if (id != AclTable::kOpen) block.bytes.append(reinterpret_cast<const char*>(&id), kListBytes);
  }
  block.bytes.append(path);
  block.last = newest_ = zxid;
  bytes_ += kChangeBytes + path.size() + list_cost(acl) + list_cost(parent_acl);
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
  item.kind = static_cast<Change::Kind>(what & ~(kHasAcl | kHasParentAcl));
  item.place = zxid == cursor.before ? cursor.place : 0;
  const char* behind = head + kChangeBytes;
  const auto take_list = [&behind](uint32_t& acl) {
    std::memcpy(&acl, behind, kListBytes);
    behind += kListBytes;
  };
  if ((what & kHasAcl) != 0) take_list(item.acl);
  if ((what & kHasParentAcl) != 0) take_list(item.parent_acl);
  item.path = {behind, size};
  cursor.offset += static_cast<size_t>(behind - head) + size;
  ++cursor.number;
  cursor.before = zxid;
  cursor.place = item.place + 1;
  return item;
}

void ChangeHistory::add(Zxid zxid, const std::vector<Change>& changes) {
  if (changes.empty()) return;
  CHECK(zxid > newest_);
  uint32_t place = 0;
  for (const Change& change : changes) {
    const auto id_of = [this](const std::shared_ptr<const Acl>& acl) {
      return acl == nullptr ? AclTable::kOpen : lists_.acquire(*acl);
    };
    const size_t before = bytes_;
    append(zxid, place++, change.kind, id_of(change.acl), id_of(change.parent_acl), change.path);
    dirty_payload_bytes_ += bytes_ - before - kChangeBytes;
  }
  trim();
}

void ChangeHistory::trim() {
  while (bytes_ > bytes_max_) forget_oldest_entry();
}

void ChangeHistory::forget_oldest_entry() {
  Forgotten forgotten;
  while (oldest_.number < end_) {
    Cursor behind = oldest_;
    const Item item = next(behind);
    if (forgotten.changes != 0 && item.zxid != forgotten.zxid) break;
    forgotten.zxid = item.zxid;
    ++forgotten.changes;
    bytes_ -= kChangeBytes + payload_bytes(item);
    if (oldest_.number >= captured_end_) {
      dirty_payload_bytes_ -= payload_bytes(item);
    } else if (oldest_.number >= frozen_) {
      early_.push_back(record_of(item));
    }
    lists_.release(item.acl);
    lists_.release(item.parent_acl);
    oldest_ = behind;
    for (; oldest_.block > 0; --oldest_.block) blocks_.pop_front();
  }
  floor_ = forgotten.zxid;
  if (oldest_.number > captured_end_) return;  // no capture has them
  frozen_ = std::max(frozen_, oldest_.number);
  erased_.push_back(forgotten);
  erased_changes_ += forgotten.changes;
}

Result<StateMachine::PastChanges> ChangeHistory::since(std::string_view root, Zxid since, size_t max_changes,
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
    size_t looked = 0;
    for (Cursor cursor = block == 0 ? oldest_ : at_block(block); cursor.number < end_;) {
      const Item item = next(cursor);
      if (item.zxid <= since) continue;
      if (looked >= max_changes && item.zxid != past.up_to) return past;
      ++looked;
      past.up_to = item.zxid;
      if (is_at_or_below(item.path, root)) {
        past.changes.push_back(
            {item.kind, item.zxid, std::string(item.path), shared(item.acl), shared(item.parent_acl)});
      }
    }
  }
  past.up_to = std::max(since, now);
  return past;
}

// ---- checkpoints

Record ChangeHistory::record_of(const Item& item) const {
  ChangeRecord change{item.kind, item.path};
  if (item.acl != AclTable::kOpen) change.acl = lists_.bytes(item.acl);
  if (item.parent_acl != AclTable::kOpen) change.parent_acl = lists_.bytes(item.parent_acl);
  return {change_key(item.zxid, item.place), encode_change(change)};
}

size_t ChangeHistory::dirty_bytes() const {
  const uint64_t first = std::max(captured_end_, oldest_.number);
  return (end_ - first) * kChangeRecordBytes + dirty_payload_bytes_ + erased_changes_ * kErasureBytes;
}

void ChangeHistory::begin_capture() {
  CHECK(frozen_ == captured_end_ || oldest_.number >= captured_end_);
  CHECK(frozen_erased_.empty());
  CHECK(early_.empty());
  frozen_ = std::max(captured_end_, oldest_.number);
  captured_end_ = end_;
  dirty_payload_bytes_ = 0;
  frozen_erased_.swap(erased_);
  frozen_erased_place_ = 0;
  erased_changes_ = 0;
}

void ChangeHistory::capture_early(Slice& slice) { slice.put_all(early_); }

bool ChangeHistory::capture_erasures(Slice& slice) {
  while (!frozen_erased_.empty()) {
    const Forgotten& entry = frozen_erased_.back();
    for (; frozen_erased_place_ < entry.changes; ++frozen_erased_place_) {
      if (slice.full()) return false;
      slice.put({change_key(entry.zxid, frozen_erased_place_), std::nullopt});
    }
    frozen_erased_.pop_back();
    frozen_erased_place_ = 0;
  }
  return true;
}

bool ChangeHistory::capture_changes(Slice& slice) {
  for (Cursor cursor = at(frozen_); cursor.number < captured_end_; frozen_ = cursor.number) {
    if (slice.full()) return false;
    slice.put(record_of(next(cursor)));
  }
  return true;
}

// ---- loading

Result<uint32_t> ChangeHistory::load_list(std::string_view bytes) {
  if (bytes.empty()) return AclTable::kOpen;
  ByteReader in(bytes);
  const Acl list = read_acl(in);
  const Error damaged{ErrorCode::kCorruption, "the history has a list of permissions that none can have"};
  if (!in.done() || list.empty() || !validate_acl(list).ok()) return damaged;
  const uint32_t id = lists_.acquire(list);
  if (id != AclTable::kOpen && lists_.bytes(id) == bytes) return id;
  lists_.release(id);
  return damaged;
}

Status ChangeHistory::load(Zxid zxid, uint32_t place, const ChangeRecord& change) {
  const bool follows = size() > 0 && zxid == newest_ ? place == loaded_places_ : zxid > newest_ && place == 0;
  if (!follows) {
    return {ErrorCode::kCorruption,
            "the records of the history leave a gap before zxid " + std::to_string(zxid.value())};
  }
  if (!validate_path(change.path).ok()) {
    return {ErrorCode::kCorruption, "the history has a path that none can have: " + shown(change.path)};
  }
  const Result<uint32_t> acl = load_list(change.acl);
  if (!acl.ok()) return acl.error();
  const Result<uint32_t> parent_acl = load_list(change.parent_acl);
  if (!parent_acl.ok()) {
    lists_.release(*acl);
    return parent_acl.error();
  }
  append(zxid, place, change.kind, *acl, *parent_acl, change.path);
  loaded_places_ = place + 1;
  return {};
}

Status ChangeHistory::finish_load(Zxid floor, Zxid now) {
  if (floor > now || newest_ > now) {
    return {ErrorCode::kCorruption, "the history goes on behind the last entry"};
  }
  Cursor first = oldest_;
  if (size() > 0 && next(first).zxid <= floor) {
    return {ErrorCode::kCorruption, "the history holds what it says to have forgotten"};
  }
  floor_ = floor;
  newest_ = std::max(newest_, floor);
  captured_end_ = frozen_ = end_;
  dirty_payload_bytes_ = 0;
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
  erased_changes_ = 0;
  captured_end_ = frozen_ = oldest_.number;
  dirty_payload_bytes_ = bytes_ - size() * kChangeBytes;
}

}  // namespace quorate::kv
