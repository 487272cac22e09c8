#include "kv/watch_paths.h"

#include <cstring>

#include "base/check.h"
#include "base/checksum.h"

namespace quorate::kv {

uint16_t WatchPaths::word(Ref path) const {
  uint16_t word = 0;
  std::memcpy(&word, at(path) + sizeof(Ref), sizeof(word));
  return word;
}

std::string_view WatchPaths::text(Ref path) const {
  const size_t length = (word(path) & ((1U << kLengthBits) - 1)) + size_t{1};
  return {at(path) + kHeaderBytes, length};
}

Ref WatchPaths::first(Ref path) const {
  Ref first = kNone;
  std::memcpy(&first, at(path), sizeof(first));
  return first;
}

void WatchPaths::set_first(Ref path, Ref first) { std::memcpy(at(path), &first, sizeof(first)); }

uint8_t WatchPaths::marks(Ref path) const { return static_cast<uint8_t>(word(path) >> kLengthBits); }

void WatchPaths::set_marks(Ref path, uint8_t marks) {
  CHECK(marks < 8);
  const auto word_now = static_cast<uint16_t>((word(path) & ((1U << kLengthBits) - 1)) |
                                              (static_cast<uint32_t>(marks) << kLengthBits));
  std::memcpy(at(path) + sizeof(Ref), &word_now, sizeof(word_now));
}

uint64_t WatchPaths::hash_of(std::string_view path) const { return checksum64(path, key_); }

Ref WatchPaths::find(std::string_view path) const {
  return table_.find(hash_of(path), [&](Ref ref) { return text(ref) == path; });
}

Ref WatchPaths::allocate(size_t units) {
  if (const Ref ref = free_[units]; ref != kNone) {
    std::memcpy(&free_[units], at(ref), sizeof(Ref));
    return ref;
  }
  if (block_used_ + units > size_t{1} << kBlockUnitBits) {
    CHECK_MSG(blocks_.size() < size_t{1} << (32 - kBlockUnitBits), "more than 16 GiB of watched paths");
    blocks_.push_back(std::make_unique<char[]>(kBlockBytes));
    block_used_ = blocks_.size() == 1 ? 1 : 0;  // kNone is never handed out
  }
  const Ref ref = static_cast<Ref>((blocks_.size() - 1) << kBlockUnitBits) + block_used_;
  block_used_ += static_cast<uint32_t>(units);
  return ref;
}

Ref WatchPaths::find_or_add(std::string_view path) {
  CHECK(!path.empty());
  CHECK(path.size() <= kPathBytesMax);
  const uint64_t hash = hash_of(path);
  if (const Ref known = table_.find(hash, [&](Ref ref) { return text(ref) == path; }); known != kNone)
    return known;
  const Ref ref = allocate(units_of(path.size()));
  const auto length_word = static_cast<uint16_t>(path.size() - 1);
  set_first(ref, kNone);
  std::memcpy(at(ref) + sizeof(Ref), &length_word, sizeof(length_word));
  std::memcpy(at(ref) + kHeaderBytes, path.data(), path.size());
  table_.insert(hash, ref, rehash());
  return ref;
}

void WatchPaths::erase(Ref path) {
  CHECK(first(path) == kNone);
  table_.erase(hash_of(text(path)), path, rehash());
  if (table_.size() == 0) {
    const uint64_t rehashed = rehashed_;
    *this = WatchPaths(key_);
    rehashed_ = rehashed;
    return;
  }
  Ref& free = free_[units_of(text(path).size())];
  std::memcpy(at(path), &free, sizeof(free));
  free = path;
}

}  // namespace quorate::kv
