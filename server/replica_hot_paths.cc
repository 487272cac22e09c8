#include "server/replica_hot_paths.h"

#include <algorithm>
#include <utility>

#include "base/checksum.h"

namespace quorate::server {

HotPaths::HotPaths() {
  for (uint16_t i = 0; i < kHotPathsMax; ++i) order_[i] = i;
  table_.fill(kNone);
  group_anew();
}

void HotPaths::count(std::string_view path, Instant now) {
  if (path.empty() || path.size() > kHotPathBytesMax) return;
  advance(now);
  const uint64_t hash = checksum64(path);
  uint16_t slot = find(path, hash);
  if (slot == kNone) {
    slot = order_[0];
    Slot& taken = slots_[slot];
    if (!taken.path.empty()) take_out(slot);
    taken.path.assign(path);
    taken.hash = hash;
    taken.surplus = taken.count;
    put(slot);
  }
  increment(slot);
}

// The slot goes to the end of its group, and from there into the next one.
void HotPaths::increment(uint16_t at) {
  Slot& slot = slots_[at];
  Group& group = groups_[slot.group];
  const uint16_t last = --group.end;
  Slot& other = slots_[order_[last]];
  std::swap(order_[slot.place], order_[last]);
  std::swap(slot.place, other.place);
  ++slot.count;
  const uint16_t left = slot.group;
  const uint16_t next = last + 1U < kHotPathsMax ? slots_[order_[last + 1U]].group : kNone;
  if (next != kNone && groups_[next].count == slot.count) {
    --groups_[next].begin;
    slot.group = next;
    if (group.begin == group.end) free_groups_.push_back(left);
    return;
  }
  if (group.begin == group.end) {  // it was alone, and stays so
    group = {slot.count, last, static_cast<uint16_t>(last + 1)};
    return;
  }
  slot.group = free_groups_.back();
  free_groups_.pop_back();
  groups_[slot.group] = {slot.count, last, static_cast<uint16_t>(last + 1)};
}

void HotPaths::group_anew() {
  free_groups_.clear();
  uint16_t used = 0;
  for (uint16_t place = 0; place < kHotPathsMax; ++place) {
    Slot& slot = slots_[order_[place]];
    if (used == 0 || groups_[used - 1].count != slot.count) groups_[used++] = {slot.count, place, place};
    groups_[used - 1].end = static_cast<uint16_t>(place + 1);
    slot.group = static_cast<uint16_t>(used - 1);
    slot.place = place;
  }
  for (uint16_t i = kHotPathsMax; i > used; --i) free_groups_.push_back(static_cast<uint16_t>(i - 1));
}

void HotPaths::advance(Instant now) {
  if (!std::exchange(begun_, true)) halved_ = now;
  while (now - halved_ >= kHotPathsHalfTime) {
    window_ = (window_ + kHotPathsHalfTime) / 2;
    halved_ += kHotPathsHalfTime;
    halve();
    // Nothing is left of what came long ago.
    if (slots_[order_.back()].count == 0) halved_ += (now - halved_) / kHotPathsHalfTime * kHotPathsHalfTime;
  }
}

// Their order stays.
void HotPaths::halve() {
  for (Slot& slot : slots_) {
    slot.count /= 2;
    slot.surplus /= 2;
  }
  group_anew();
}

std::vector<HotPaths::Hot> HotPaths::hottest(Instant now) {
  advance(std::max(now, halved_));
  std::vector<Hot> hot;
  for (size_t place = kHotPathsMax; place-- > 0;) {
    const Slot& slot = slots_[order_[place]];
    if (slot.count == 0) break;
    hot.push_back({slot.path, slot.count, slot.surplus});
  }
  return hot;
}

Duration HotPaths::window(Instant now) {
  advance(std::max(now, halved_));
  return window_ + std::max(Duration::zero(), now - halved_);
}

// ---- by hash

uint16_t HotPaths::find(std::string_view path, uint64_t hash) const {
  for (size_t at = hash % kTableSize; table_[at] != kNone; at = (at + 1) % kTableSize) {
    const Slot& slot = slots_[table_[at]];
    if (slot.hash == hash && slot.path == path) return table_[at];
  }
  return kNone;
}

void HotPaths::put(uint16_t slot) {
  size_t at = slots_[slot].hash % kTableSize;
  while (table_[at] != kNone) at = (at + 1) % kTableSize;
  table_[at] = slot;
}

// Those behind it move up, as far as they may, so that no gap stands between one and its hash.
void HotPaths::take_out(uint16_t slot) {
  size_t gap = slots_[slot].hash % kTableSize;
  while (table_[gap] != slot) gap = (gap + 1) % kTableSize;
  for (size_t at = (gap + 1) % kTableSize; table_[at] != kNone; at = (at + 1) % kTableSize) {
    const size_t home = slots_[table_[at]].hash % kTableSize;
    if ((at - home) % kTableSize < (at - gap) % kTableSize) continue;
    table_[gap] = table_[at];
    gap = at;
  }
  table_[gap] = kNone;
}

}  // namespace quorate::server
