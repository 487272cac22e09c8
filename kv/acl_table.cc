#include "kv/acl_table.h"

#include "base/check.h"
#include "base/checksum.h"

namespace quorate::kv {

AclTable::AclTable(uint64_t hash_key) : ids_(0, Hash{hash_key}) {
  std::string bytes;
  append_acl(bytes, open_acl());
  const auto at = ids_.emplace(std::move(bytes), kOpen).first;
  slots_.push_back({std::make_shared<const Acl>(open_acl()), &at->first, 0, 0});
}

uint32_t AclTable::acquire(const Acl& acl) {
  CHECK_MSG(!acl.empty(), "a list without entries was not refused");
  ++looked_for_;
  scratch_.clear();
  append_acl(scratch_, acl);
  if (const auto known = ids_.find(scratch_); known != ids_.end()) {
    retain(known->second);
    return known->second;
  }
  uint32_t id = end();
  if (free_.empty()) {
    slots_.emplace_back();
  } else {
    id = free_.back();
    free_.pop_back();
  }
  const auto at = ids_.emplace(scratch_, id).first;
  slots_[id] = {std::make_shared<const Acl>(acl), &at->first, checksum64(at->first), 1};
  return id;
}

void AclTable::retain(uint32_t id) {
  CHECK(used(id));
  if (id != kOpen) ++slots_[id].references;
}

void AclTable::release(uint32_t id) {
  if (id == kOpen) return;
  CHECK(used(id));
  CHECK(slots_[id].references > 0);
  if (--slots_[id].references > 0) return;
  ids_.erase(ids_.find(*slots_[id].bytes));
  slots_[id] = {};
  free_.push_back(id);
}

}  // namespace quorate::kv
