#include "server/storage/wal_impl.h"

#include <algorithm>

#include "base/check.h"

namespace quorate::server::wal {
namespace {

// The end of each segment is kept for frames without entries: cuts give room back, so they must not need any.
constexpr uint64_t kReserveBytes = 4096;

}  // namespace

uint64_t entry_bytes_max(const WalOptions& options) {
  return options.segment_bytes - kFramesBegin - kReserveBytes - kFrameHeaderBytes;
}

WalImpl::WalImpl(FileSystem& fs, const std::string& directory, const WalIdentity& identity,
                 const WalOptions& options)
    : fs_(fs),
      directory_(directory),
      identity_(identity),
      options_(options),
      segments_(fs, directory, options, stats_),
      state_file_(fs, directory, segments_) {}

Status WalImpl::checked(Status status) {
  if (!status.ok() && status.code() != ErrorCode::kNoSpace) {
    unusable_ =
        Error{status.code(), directory_ + ": the log cannot be used any more: " + status.error().message};
  }
  return status;
}

Status WalImpl::start_new() {
  header_.identity = identity_;
  header_.generation = 1;
  header_.first = Index(1);
  Result<std::unique_ptr<File>> file = segments_.create_first(header_);
  if (!file.ok()) return file.error();
  file_ = std::move(*file);
  header_.segment_bytes = options_.segment_bytes;
  header_checksum_ = last_checksum_ = segment_header_checksum(header_);
  Slot slot;
  slot.identity = identity_;
  slot.generation = 1;
  return state_file_.open(slot, false);
}

Status WalImpl::start_recovered(Recovery& recovery) {
  const Tail& tail = recovery.tail;
  header_ = tail.header;
  header_checksum_ = tail.header_checksum;
  end_ = tail.end;
  last_checksum_ = tail.checksum;
  vouched_ = tail.vouched;
  logged_ = recovery.logged;
  next_ = logged_.snapshot_index.next() + recovery.recovered.entries.size();
  logged_next_ = next_;
  for (const raft::Entry& entry : recovery.recovered.entries) remember_term(entry.index, entry.term);

  if (Status adopted = segments_.adopt(recovery); !adopted.ok()) return adopted;
  Result<std::unique_ptr<File>> file = fs_.open(directory_ + "/" + log_name(header_.generation));
  if (!file.ok()) return file.error();
  file_ = std::move(*file);
  if (Status repaired = repair_tail(tail); !repaired.ok()) return repaired;

  Slot slot = recovery.slots.newest.value_or(Slot{});
  slot.identity = identity_;
  slot.generation = header_.generation;
  slot.synced = end_;
  slot.hard_state = recovery.recovered.hard_state;
  if (Status opened = state_file_.open(slot, recovery.listing.state); !opened.ok()) return opened;
  if (recovery.recovered.hard_state == logged_.hard_state) return {};
  begin_group();
  group_.state.hard_state = recovery.recovered.hard_state;
  return flush();
}

// The last frame is written again: if a sync failed before the process ended, it may be in the page cache,
// marked clean, and not on the disk. Behind it a header's length of zeroes: a torn frame can then never be
// completed by later writes.
Status WalImpl::repair_tail(const Tail& tail) {
  bool changed = false;
  if (!tail.last_bytes.empty()) {
    if (Status written = segments_.write(*file_, tail.last_offset, tail.last_bytes); !written.ok())
      return written;
    changed = true;
  }
  if (tail.blank_bytes > 0) {
    const uint64_t size = std::min<uint64_t>(kFrameHeaderBytes, tail.blank_bytes);
    if (Status written = segments_.write(*file_, tail.end, std::string(size, '\0')); !written.ok())
      return written;
    changed = true;
  }
  if (changed) {
    if (Status synced = segments_.sync(*file_); !synced.ok()) return synced;
  }
  if (tail.blank_bytes <= kFrameHeaderBytes) return {};
  const std::string rest(tail.blank_bytes - kFrameHeaderBytes, '\0');
  if (Status written = segments_.write(*file_, tail.end + kFrameHeaderBytes, rest); !written.ok())
    return written;
  return segments_.sync(*file_);
}

void WalImpl::begin_group() {
  if (!group_.empty) return;
  group_.empty = false;
  group_.state = logged_;
  group_.first = next_;
  group_.frame.assign(kFrameHeaderBytes, '\0');
  group_.entry_bytes.clear();
}

std::optional<Term> WalImpl::term_at(Index index) const {
  if (index >= next_) return std::nullopt;
  auto run = std::upper_bound(terms_.begin(), terms_.end(), index,
                              [](Index at, const std::pair<Index, Term>& r) { return at < r.first; });
  if (run == terms_.begin()) return std::nullopt;
  return std::prev(run)->second;
}

void WalImpl::remember_term(Index index, Term term) {
  if (terms_.empty() || terms_.back().second != term) terms_.emplace_back(index, term);
}

void WalImpl::forget_terms_from(Index first) {
  while (!terms_.empty() && terms_.back().first >= first) terms_.pop_back();
}

// Entries from `first` on are replaced: those that were not written are dropped here, the others by the next
// frame.
void WalImpl::drop_pending_from(Index first) {
  const uint64_t keep = first > group_.first ? first - group_.first : 0;
  while (group_.entry_bytes.size() > keep) {
    group_.frame.resize(group_.frame.size() - group_.entry_bytes.back());
    group_.entry_bytes.pop_back();
  }
  group_.first = std::min(group_.first, first);
  forget_terms_from(first);
  next_ = first;
}

Status WalImpl::append(const std::optional<raft::HardState>& hard_state,
                       std::span<const raft::Entry> entries) {
  if (unusable_) return *unusable_;
  const uint64_t entry_max = entry_bytes_max(options_);
  for (const raft::Entry& entry : entries) {
    if (entry.encoded.size() > entry_max) {
      return Error{ErrorCode::kTooLarge, "an entry of " + std::to_string(entry.encoded.size()) +
                                             " bytes does not fit into the log; the limit is " +
                                             std::to_string(entry_max) + " (segment_bytes)"};
    }
  }
  if (!hard_state && entries.empty()) return {};
  begin_group();
  if (hard_state) {
    const raft::HardState& before = group_.state.hard_state;
    CHECK(hard_state->term >= before.term);
    CHECK(hard_state->term > before.term || before.vote.value() == 0 || hard_state->vote == before.vote);
    group_.state.hard_state = *hard_state;
  }
  if (entries.empty()) return {};
  const Index first = entries.front().index;
  CHECK(first > group_.state.snapshot_index);
  CHECK(first <= next_);
  if (first < next_) drop_pending_from(first);
  for (const raft::Entry& entry : entries) {
    CHECK(entry.index == next_);
    group_.frame.append(entry.encoded.view());
    group_.entry_bytes.push_back(static_cast<uint32_t>(entry.encoded.size()));
    remember_term(entry.index, entry.term);
    next_ = next_.next();
  }
  return {};
}

Status WalImpl::sync() {
  if (unusable_) return *unusable_;
  return checked(do_sync());
}

Status WalImpl::do_sync() {
  if (group_.empty) return {};
  return flush();
}

Status WalImpl::write_slots(const raft::HardState& hard_state) {
  const Slot& last = state_file_.last();
  if (last.hard_state == hard_state && last.generation == header_.generation) return {};
  Slot slot;
  slot.identity = identity_;
  slot.generation = header_.generation;
  slot.synced = end_;
  slot.hard_state = hard_state;
  return state_file_.write(slot);
}

// Writes the whole group: in one frame if it fits into a segment, otherwise in as many as it takes.
Status WalImpl::flush() {
  while (!group_.empty) {
    if (Status written = write_slots(group_.state.hard_state); !written.ok()) return written;
    const size_t all = group_.entry_bytes.size();
    const uint64_t room = header_.segment_bytes - end_;
    const uint64_t usable = all == 0 ? room : room - std::min(room, kReserveBytes);
    if (frame_bytes(group_.frame.size() - kFrameHeaderBytes) <= usable) {
      if (Status written = write_part(all); !written.ok()) return written;
      continue;
    }
    if (end_ > kFramesBegin) {
      if (Status rolled = roll(); !rolled.ok()) return rolled;
      continue;
    }
    size_t count = 0;
    uint64_t bytes = 0;
    while (count < all && frame_bytes(bytes + group_.entry_bytes[count]) <= usable)
      bytes += group_.entry_bytes[count++];
    CHECK(count > 0);
    if (Status written = write_part(count); !written.ok()) return written;
  }
  return {};
}

// The first `count` entries of the group become durable and leave it.
Status WalImpl::write_part(size_t count) {
  FrameHeader header;
  header.kind = FrameKind::kBatch;
  header.first = group_.first;
  header.state = group_.state;
  header.entry_count = static_cast<uint32_t>(count);
  const bool whole = count == group_.entry_bytes.size();
  size_t bytes = 0;
  for (size_t i = 0; i < count; ++i) bytes += group_.entry_bytes[i];
  std::string part;
  if (!whole) part = group_.frame.substr(0, kFrameHeaderBytes + bytes);
  const size_t unpadded = group_.frame.size();
  Status written = write_frame(header, whole ? group_.frame : part);
  if (!written.ok()) {
    if (whole) group_.frame.resize(unpadded);
    return written;
  }
  logged_next_ = group_.first + count;
  if (whole) {
    group_.empty = true;
    return {};
  }
  group_.first = logged_next_;
  group_.frame.erase(kFrameHeaderBytes, bytes);
  group_.entry_bytes.erase(group_.entry_bytes.begin(),
                           group_.entry_bytes.begin() + static_cast<ptrdiff_t>(count));
  return {};
}

// The hot path: one write, one sync.
Status WalImpl::write_frame(FrameHeader header, std::string& frame) {
  header.generation = header_.generation;
  header.offset = end_;
  header.previous = last_checksum_;
  header.synced = end_;  // every frame is synced before the next one is written
  const uint64_t checksum = seal_frame(frame, header, header_checksum_);
  if (Status written = segments_.write(*file_, end_, frame); !written.ok()) return written;
  if (Status synced = segments_.sync(*file_); !synced.ok()) return synced;
  end_ += frame.size();
  last_checksum_ = checksum;
  vouched_ = header.kind == FrameKind::kMark;
  logged_ = header.state;
  return {};
}

Status WalImpl::write_state_frame(FrameKind kind, const LogState& state) {
  FrameHeader header;
  header.kind = kind;
  header.first = logged_next_;
  header.state = state;
  std::string frame(kFrameHeaderBytes, '\0');
  return write_frame(header, frame);
}

Status WalImpl::roll() {
  SegmentHeader header;
  header.identity = identity_;
  header.generation = header_.generation + 1;
  header.first = logged_next_;
  header.state = logged_;
  header.previous_end = end_;
  header.previous_checksum = last_checksum_;
  Result<std::unique_ptr<File>> file = segments_.activate(header);
  if (!file.ok()) return file.error();
  file_ = std::move(*file);
  header_ = header;
  header_checksum_ = last_checksum_ = segment_header_checksum(header);
  end_ = kFramesBegin;
  vouched_ = true;
  return {};
}

Result<bool> WalImpl::idle() {
  if (unusable_) return *unusable_;
  Result<bool> done = do_idle();
  if (!done.ok()) return checked(done.error()).error();
  return done;
}

Result<bool> WalImpl::do_idle() {
  if (!vouched_ && header_.segment_bytes - end_ >= kFrameHeaderBytes) {
    if (Status written = write_state_frame(FrameKind::kMark, logged_); !written.ok()) return written.error();
    return true;
  }
  return segments_.prepare_spare(end_ - kFramesBegin);
}

Status WalImpl::cut(Index index, Term term) {
  if (unusable_) return *unusable_;
  return checked(do_cut(index, term));
}

Status WalImpl::do_cut(Index index, Term term) {
  const LogState& newest = group_.empty ? logged_ : group_.state;
  if (index > newest.snapshot_index) {
    const bool keeps_entries = term_at(index) == term;
    const bool durable = group_.empty || index < group_.first;
    if (keeps_entries && durable) {
      // Ahead of the group, which a full disk may hold up: this frame needs no new room.
      LogState state = logged_;
      state.snapshot_index = index;
      state.snapshot_term = term;
      if (header_.segment_bytes - end_ < kFrameHeaderBytes) {
        if (Status rolled = roll(); !rolled.ok()) return rolled;
        if (Status written = write_slots(logged_.hard_state); !written.ok()) return written;
      }
      if (Status written = write_state_frame(FrameKind::kBatch, state); !written.ok()) return written;
      group_.state.snapshot_index = index;
      group_.state.snapshot_term = term;
    } else {
      begin_group();
      if (!keeps_entries) {
        drop_pending_from(group_.first);
        terms_.clear();
        group_.first = next_ = index.next();
      }
      group_.state.snapshot_index = index;
      group_.state.snapshot_term = term;
      if (Status written = flush(); !written.ok()) return written;
    }
  } else if (newest.snapshot_index > logged_.snapshot_index) {
    // An earlier attempt found no room.
    if (Status written = flush(); !written.ok()) return written;
  }
  while (terms_.size() > 1 && terms_[1].first <= logged_.snapshot_index.next()) terms_.erase(terms_.begin());
  return segments_.drop_behind(logged_.snapshot_index);
}

WalStats WalImpl::stats() const {
  WalStats stats = stats_;
  stats.segments = segments_.all().size();
  return stats;
}

}  // namespace quorate::server::wal
