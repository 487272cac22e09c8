// Term and vote, beside the log: two slots, in sectors far apart. A change is written to the first and
// synced, then to the second and synced; so whatever happens, one slot is intact, and any intact slot is at
// least as new as every promise that was made (unless a disk damages both).
//
// Thread safety: none.
//
// Errors: after kNoSpace the same write may be tried again; after any other error the process must end.
#pragma once

#include <memory>
#include <string>

#include "server/storage/wal_segments.h"

namespace quorate::server::wal {

class StateFile {
 public:
  StateFile(FileSystem& fs, std::string directory, Segments& disk)
      : fs_(fs), directory_(std::move(directory)), disk_(disk) {}

  // Both slots are written, also where the file is there already: what is in the page cache need not be on
  // the disk.
  Status open(Slot slot, bool file_exists);
  // `slot.sequence` is filled in.
  Status write(Slot slot);

  const Slot& last() const { return last_; }

 private:
  Status create(const Slot& slot);

  FileSystem& fs_;
  const std::string directory_;
  Segments& disk_;
  std::unique_ptr<File> file_;
  Slot last_;
};

}  // namespace quorate::server::wal
