#include "raft/log.h"

#include <algorithm>

#include "base/check.h"

namespace quorate::raft {

Log::Log(Index snapshot_index, Term snapshot_term, std::vector<Entry> entries)
    : snapshot_index_(snapshot_index), snapshot_term_(snapshot_term) {
  for (Entry& entry : entries) append(std::move(entry));
}

std::optional<Term> Log::term_at(Index index) const {
  if (index == snapshot_index_) return snapshot_term_;
  if (index < snapshot_index_ || index > last_index()) return std::nullopt;
  return begin()[static_cast<std::ptrdiff_t>(index - first_index())].term;
}

const Entry& Log::at(Index index) const {
  CHECK(index >= first_index());
  CHECK(index <= last_index());
  return begin()[static_cast<std::ptrdiff_t>(index - first_index())];
}

std::vector<Entry> Log::read(Index first, size_t bytes_max) const {
  CHECK(first >= first_index());
  std::vector<Entry> found;
  if (first > last_index()) return found;
  const auto from = begin() + static_cast<std::ptrdiff_t>(first - first_index());
  auto end = from;
  size_t bytes = 0;
  while (end != entries_.end()) {
    bytes += end->encoded.size();
    if (end != from && bytes > bytes_max) break;
    ++end;
  }
  found.assign(from, end);
  return found;
}

// Terms never fall along the log, so both searches by term are binary.
Index Log::first_of_term_at(Index index) const {
  const Term term = at(index).term;
  const auto found =
      std::partition_point(begin(), entries_.end(), [term](const Entry& entry) { return entry.term < term; });
  return found->index;
}

Index Log::last_with_term_at_most(Index from, Term term) const {
  if (from <= snapshot_index_) return snapshot_index_;
  const size_t count = std::min(from, last_index()) - snapshot_index_;
  const auto found = std::partition_point(begin(), begin() + static_cast<std::ptrdiff_t>(count),
                                          [term](const Entry& entry) { return entry.term <= term; });
  return snapshot_index_ + static_cast<uint64_t>(found - begin());
}

Index Log::keeping(size_t bytes, Index last) const {
  Index index = last;
  for (; index > snapshot_index_; index = index.prev()) {
    const size_t size = at(index).encoded.size();
    if (size > bytes) break;
    bytes -= size;
  }
  return index;
}

void Log::append(Entry entry) {
  CHECK(entry.index == last_index().next());
  CHECK(entry.term >= last_term());
  entries_.push_back(std::move(entry));
}

void Log::truncate_from(Index index) {
  CHECK(index >= first_index());
  if (index > last_index()) return;
  entries_.erase(begin() + static_cast<std::ptrdiff_t>(index - first_index()), entries_.end());
}

void Log::compact(Index index) {
  CHECK(index >= snapshot_index_);
  CHECK(index <= last_index());
  const Term term = *term_at(index);
  unreleased_ += index - snapshot_index_;
  snapshot_index_ = index;
  snapshot_term_ = term;
}

void Log::reset(Index snapshot_index, Term snapshot_term) {
  unreleased_ = entries_.size();
  snapshot_index_ = snapshot_index;
  snapshot_term_ = snapshot_term;
}

void Log::release(size_t entries_max) {
  for (size_t i = std::min(entries_max, unreleased_); i > 0; --i, --unreleased_) entries_.pop_front();
}

}  // namespace quorate::raft
