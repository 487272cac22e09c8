// The segment files of one log: spares are filled with zeroes or recycled, turned into the newest segment,
// and taken out at the old end. Each step leaves a folder that recovers to the same log.
//
// Thread safety: none.
//
// Errors: kNoSpace leaves everything as it was and the step can be tried again; after any other error the
// folder may be used only by opening the log anew.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "server/storage/file_system.h"
#include "server/storage/wal_format.h"
#include "server/storage/wal_recovery.h"

namespace quorate::server::wal {

class Segments {
 public:
  Segments(FileSystem& fs, std::string directory, const WalOptions& options, WalStats& stats);

  // For a new log: an empty folder with the first segment in it. Removes what a crash in here left behind.
  Result<std::unique_ptr<File>> create_first(const SegmentHeader& header);
  // For a log that was recovered: takes over what is there and removes what is of no worth.
  Status adopt(const Recovery& recovery);

  // Makes a segment with this header the newest one; `header.recycled` and `.segment_bytes` are filled in.
  // Durable, with its name, when it returns.
  Result<std::unique_ptr<File>> activate(SegmentHeader& header);
  // One piece of the work for a spare segment, of which the newest one holds `used_bytes` of frames: the spare
  // is filled twice as far, so that a log that hardly grows does not cost a segment of writes at each start.
  // False when it is far enough, or there are enough.
  Result<bool> prepare_spare(uint64_t used_bytes);
  // Takes out the segments that hold nothing behind `snapshot`.
  Status drop_behind(Index snapshot);

  // Oldest first, the last one is being written.
  const std::deque<Segment>& all() const { return segments_; }

  // A failed sync leaves it unknown what is durable, whatever its reason: never to be taken for "try again".
  Status sync_directory();
  Status sync(File& file);
  Status write(File& file, uint64_t offset, std::string_view bytes);

 private:
  std::string path(const std::string& name) const { return directory_ + "/" + name; }
  // Each: other writes wait no longer than for a step. Last only: somebody waits for all of it.
  enum class SyncStep { kEach, kLastOnly };
  Result<bool> fill_step(SyncStep sync_step);
  Status abandon_fill(Status why);
  Status remove_all(const std::vector<std::string>& names);
  Result<std::string> take_spare(bool& recycled);

  FileSystem& fs_;
  const std::string directory_;
  const WalOptions options_;
  WalStats& stats_;
  std::deque<Segment> segments_;
  std::vector<std::string> recycled_;
  std::vector<std::string> fresh_;
  uint64_t next_fresh_ = 1;
  std::unique_ptr<File> fill_;  // the spare that is being filled
  uint64_t filled_bytes_ = 0;
};

}  // namespace quorate::server::wal
