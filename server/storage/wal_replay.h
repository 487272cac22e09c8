// What the frames of a log add up to: entries are appended, dropped and cut as each frame says.
//
// Thread safety: none.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "raft/entry.h"
#include "server/storage/wal_format.h"

namespace quorate::server::wal {

class Replay {
 public:
  // The oldest segment begins like this.
  void begin(Index first, const LogState& state);
  // A later segment begins like this: is that where the one before ended?
  bool continues(Index first, const LogState& state) const;
  // Returns what is wrong, or nothing.
  std::optional<std::string> apply(const FrameHeader& frame, std::string_view entries);

  const LogState& state() const { return state_; }
  // No entry is missing between the snapshot and the first one that was read.
  bool reaches_snapshot() const { return begin_ <= state_.snapshot_index.next(); }
  // Those behind the snapshot. Leaves nothing.
  std::vector<raft::Entry> take_entries();

 private:
  Index next() const { return begin_ + entries_.size(); }

  LogState state_;
  Index begin_;  // of the first of entries_, or of the one that would be
  std::vector<raft::Entry> entries_;
};

}  // namespace quorate::server::wal
