// Bytes that are written once and then shared: a view into an immutable block, which lives as long as any view of it.
// The entries of one batch are views into one block; the same block goes to disk and to every peer without a copy.
//
// Thread safety: a block is immutable after it is handed to Bytes, so views may be read anywhere.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/check.h"

namespace quorate {

class Bytes {
 public:
  Bytes() = default;
  explicit Bytes(std::string bytes)
      : block_(std::make_shared<const std::string>(std::move(bytes))), view_(*block_) {}
  explicit Bytes(std::shared_ptr<const std::string> block) : block_(std::move(block)), view_(*block_) {}

  std::string_view view() const { return view_; }
  size_t size() const { return view_.size(); }
  bool empty() const { return view_.empty(); }

  // A view of a part of the same block. REQUIRES: offset + size <= this->size().
  Bytes slice(size_t offset, size_t size) const {
    CHECK(offset <= view_.size() && size <= view_.size() - offset);
    Bytes part;
    part.block_ = block_;
    part.view_ = view_.substr(offset, size);
    return part;
  }

  // Grows this view by `next` and returns true if that lies directly behind it in the same block; else does nothing.
  bool extend(const Bytes& next) {
    if (block_ != next.block_ || view_.data() + view_.size() != next.view_.data()) return false;
    view_ = std::string_view(view_.data(), view_.size() + next.view_.size());
    return true;
  }

  friend bool operator==(const Bytes& a, const Bytes& b) { return a.view_ == b.view_; }

 private:
  std::shared_ptr<const std::string> block_;
  std::string_view view_;
};

}  // namespace quorate
