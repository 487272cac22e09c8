// The log as it is in memory: everything behind the last snapshot. Whether it is durable is not its business.
//
// Thread safety: none.
//
// Invariant: entries are consecutive from snapshot_index() + 1 on; terms never fall along them.
//
// What is compacted away is gone at once for whoever asks, but its memory is given back in pieces, by
// release(): behind a checkpoint of 100,000 changes that is 30 ms of work (measured), for which nobody should
// wait.
#pragma once

#include <cstddef>
#include <deque>
#include <optional>
#include <vector>

#include "base/ids.h"
#include "raft/entry.h"

namespace quorate::raft {

class Log {
 public:
  Log() = default;
  Log(Index snapshot_index, Term snapshot_term, std::vector<Entry> entries);

  Index snapshot_index() const { return snapshot_index_; }
  Term snapshot_term() const { return snapshot_term_; }
  Index first_index() const { return snapshot_index_.next(); }
  Index last_index() const { return snapshot_index_ + size(); }
  Term last_term() const { return size() == 0 ? snapshot_term_ : entries_.back().term; }

  // Nothing for an index that was compacted away or is beyond the end.
  std::optional<Term> term_at(Index index) const;
  bool matches(Index index, Term term) const { return term_at(index) == term; }
  // REQUIRES: first_index() <= index <= last_index().
  const Entry& at(Index index) const;
  // Entries from `first` on, at most `bytes_max` bytes of them but at least one if there is one.
  std::vector<Entry> read(Index first, size_t bytes_max) const;
  // The lowest index behind the snapshot whose entry has this entry's term. REQUIRES: first_index() <= index
  // <= last.
  Index first_of_term_at(Index index) const;
  // The highest index up to `from` whose term is at most `term`; snapshot_index() if there is none.
  Index last_with_term_at_most(Index from, Term term) const;
  // The lowest index that can be compacted to with at most `bytes` bytes of entries behind it, up to `last`.
  // REQUIRES: snapshot_index() <= last <= last_index().
  Index keeping(size_t bytes, Index last) const;

  // REQUIRES: entry.index == last_index() + 1.
  void append(Entry entry);
  // Drops `index` and everything behind it. REQUIRES: first_index() <= index.
  void truncate_from(Index index);
  // Drops everything up to and including `index`. REQUIRES: snapshot_index() <= index <= last_index().
  void compact(Index index);
  // Forgets everything: the state comes from a snapshot.
  void reset(Index snapshot_index, Term snapshot_term);

  // Gives back the memory of up to `entries_max` entries that were compacted away or forgotten.
  void release(size_t entries_max);
  size_t unreleased() const { return unreleased_; }

 private:
  size_t size() const { return entries_.size() - unreleased_; }
  std::deque<Entry>::const_iterator begin() const {
    return entries_.begin() + static_cast<std::ptrdiff_t>(unreleased_);
  }

  Index snapshot_index_;
  Term snapshot_term_;
  std::deque<Entry> entries_;  // the first `unreleased_` of them are gone
  size_t unreleased_ = 0;
};

}  // namespace quorate::raft
