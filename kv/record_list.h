// Many records, in order, in a few blocks of memory: what a capture hands to the thread that stores it.
//
// Grows while requests are served, and is freed on another thread. So it never moves what it holds (one block
// for 100,000 nodes paused the loop for 8 to 60 ms when it grew), and is freed in hundreds of pieces rather
// than in hundreds of thousands: each of these takes the allocator's lock for a moment, and a thread of low
// priority that is put aside with it in hand makes the loop wait (up to 160 ms were seen).
//
// Thread safety: none.
#pragma once

#include <algorithm>
#include <cstddef>
#include <deque>
#include <initializer_list>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "base/check.h"
#include "base/codec.h"
#include "kv/record.h"

namespace quorate::kv {

// Valid as long as the list is, and nothing is added to it.
struct RecordView {
  std::string_view key;
  std::optional<std::string_view> value;  // nothing: the key is erased
};

class RecordList {
 public:
  class Iterator {
   public:
    using iterator_category = std::input_iterator_tag;
    using value_type = RecordView;
    using difference_type = std::ptrdiff_t;
    using pointer = void;
    using reference = RecordView;

    RecordView operator*() const {
      size_t behind = 0;
      return decode(*block_, offset_, behind);
    }
    Iterator& operator++() {
      (void)decode(*block_, offset_, offset_);
      if (offset_ == block_->size()) {
        ++block_;
        offset_ = 0;
      }
      return *this;
    }
    friend bool operator==(const Iterator&, const Iterator&) = default;

   private:
    friend class RecordList;
    using Block = std::deque<std::string>::const_iterator;
    explicit Iterator(Block block) : block_(block) {}

    Block block_;
    size_t offset_ = 0;
  };

  RecordList() = default;
  RecordList(std::initializer_list<Record> records) {
    for (const Record& record : records) push_back(record);
  }

  void push_back(const Record& record) {
    const size_t most = kHeadBytesMax + record.key.size() + (record.value ? record.value->size() : 0);
    if (blocks_.empty() || blocks_.back().capacity() - blocks_.back().size() < most) {
      blocks_.emplace_back();
      blocks_.back().reserve(std::max(most, kBlockBytes));
    }
    ByteWriter out(blocks_.back());
    last_at_ = blocks_.back().size();
    out.string(record.key);
    out.u8(record.value ? 1 : 0);
    if (record.value) out.string(*record.value);
    ++size_;
    bytes_ += record.key.size() + (record.value ? record.value->size() : 0);
  }
  // All of `other`, behind what is here; `other` is empty afterwards.
  void take(RecordList& other) {
    if (other.empty()) return;
    for (std::string& block : other.blocks_) blocks_.push_back(std::move(block));
    last_at_ = other.last_at_;
    size_ += other.size_;
    bytes_ += other.bytes_;
    other = RecordList();
  }
  void clear() { *this = RecordList(); }

  bool empty() const { return size_ == 0; }
  size_t size() const { return size_; }
  // Of keys and values.
  size_t bytes() const { return bytes_; }
  // REQUIRES: there is one.
  RecordView back() const {
    CHECK(!empty());
    size_t behind = 0;
    return decode(blocks_.back(), last_at_, behind);
  }
  Iterator begin() const { return Iterator(blocks_.begin()); }
  Iterator end() const { return Iterator(blocks_.end()); }

 private:
  static constexpr size_t kBlockBytes = 32 << 10;
  static constexpr size_t kHeadBytesMax = 21;  // two lengths, and whether there is a value

  static RecordView decode(const std::string& block, size_t at, size_t& behind) {
    ByteReader in(std::string_view(block).substr(at));
    RecordView record{in.string(), std::nullopt};
    if (in.u8() != 0) record.value = in.string();
    behind = block.size() - in.remaining();
    return record;
  }

  std::deque<std::string> blocks_;  // none of them empty
  size_t size_ = 0, bytes_ = 0;
  size_t last_at_ = 0;  // of the last record, in the last block
};

}  // namespace quorate::kv
