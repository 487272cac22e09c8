#include "server/storage/wal_replay.h"

#include <algorithm>
#include <iterator>

#include "base/bytes.h"

namespace quorate::server::wal {

void Replay::begin(Index first, const LogState& state) {
  begin_ = first;
  state_ = state;
}

bool Replay::continues(Index first, const LogState& state) const {
  return first == next() && state == state_;
}

std::optional<std::string> Replay::apply(const FrameHeader& frame, std::string_view bytes) {
  const Index first = frame.first;
  if (first > next() && first != frame.state.snapshot_index.next())
    return "entries are missing before this frame";
  if (first <= frame.state.snapshot_index) return "it replaces entries that a snapshot covers";
  Result<std::vector<raft::Entry>> entries = raft::decode_entries(Bytes(std::string(bytes)));
  if (!entries.ok()) return entries.error().message;
  if (entries->size() != frame.entry_count) return "it holds another number of entries than it says";
  for (size_t i = 0; i < entries->size(); ++i) {
    if ((*entries)[i].index != first + i) return "its entries are not consecutive";
  }

  if (first < begin_ || first > next()) {
    // All that was read until here is dropped: replaced, or behind a snapshot that came from elsewhere.
    entries_.clear();
    begin_ = first;
  } else {
    entries_.resize(first - begin_);
  }
  std::move(entries->begin(), entries->end(), std::back_inserter(entries_));
  state_ = frame.state;
  return std::nullopt;
}

std::vector<raft::Entry> Replay::take_entries() {
  const Index last_cut = state_.snapshot_index;
  if (begin_ <= last_cut) {
    const uint64_t cut = std::min<uint64_t>(last_cut.next() - begin_, entries_.size());
    entries_.erase(entries_.begin(), entries_.begin() + static_cast<ptrdiff_t>(cut));
  }
  return std::move(entries_);
}

}  // namespace quorate::server::wal
