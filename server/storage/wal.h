// The write-ahead log: term, vote and entries, durable. docs/storage-format.md has the bytes and what is
// assumed of the disk; this is how to use it.
//
//   auto opened = Wal::open(fs, "data/wal", identity, options);   // recovers
//   wal.append(hard_state, entries);       // buffers one group
//   wal.sync();                            // one write, one fdatasync for all groups since the last sync
//
// Thread safety: none. One owner; it may be moved to a thread of its own.
//
// After any error from append, sync, idle or cut the log is unusable and the process must end. Two
// exceptions: kTooLarge from append() took nothing in; and after kNoSpace from sync(), idle() or cut() what
// was appended is still there, nothing of it was promised, and the same call may be made again when there is
// room.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "raft/message.h"
#include "server/storage/file_system.h"

namespace quorate::server {

struct WalOptions {
  // Size of one segment file, zero-filled ahead of need: a multiple of 4096, at least 16 KiB. The largest
  // entry fits into one segment, so this is also a limit of its size (entry_bytes_max).
  uint64_t segment_bytes = 64 << 20;
  // Kept zero-filled and ready; recycled ones count.
  size_t spare_segments = 1;
  // Segments behind the cut that are kept to be written again rather than removed.
  size_t recycled_segments_max = 3;
};

// Whose log it is: in the header of every segment.
struct WalIdentity {
  ServerId server;
  Incarnation incarnation;
  ClusterId cluster;
};

struct WalRecovered {
  raft::HardState hard_state;
  // Behind which the log begins, set by cut(); 0: at entry 1.
  Index snapshot_index;
  Term snapshot_term;
  std::vector<raft::Entry> entries;
  // Bytes of a torn tail that were cut off: written, but never promised to anybody.
  uint64_t torn_bytes = 0;
};

struct WalStats {
  uint64_t bytes_written = 0;
  uint64_t syncs = 0;
  uint64_t segments = 0;
};

class Wal {
 public:
  struct Opened;

  // A new, empty log; its directory must not hold one with an entry in it. Durable when it returns.
  static Result<std::unique_ptr<Wal>> create(FileSystem& fs, const std::string& directory,
                                             const WalIdentity& identity, const WalOptions& options);
  // Reads everything back. Errors: kCorruption, naming the file and the offset, for damage anywhere that was
  // promised to be durable; kWrongServer, kWrongCluster for another identity. On any error nothing on disk
  // was changed.
  // `accept` is asked about what was read, before anything is changed; its error is open's.
  using Accept = std::function<Status(const WalRecovered&)>;
  static Result<Opened> open(FileSystem& fs, const std::string& directory, const WalIdentity& identity,
                             const WalOptions& options, const Accept& accept = {});
  // True if `directory` holds a log in which something was ever made durable.
  static bool exists(FileSystem& fs, const std::string& directory);
  // Who it says it is, from its newest segment's header; for a server that does not know its cluster yet.
  static Result<WalIdentity> identity(FileSystem& fs, const std::string& directory);
  // After open() said kCorruption: term and vote, if a copy of them is left that is at least as new as every
  // promise. kCorruption if not: then the server counts as wiped.
  static Result<raft::HardState> surviving_hard_state(FileSystem& fs, const std::string& directory,
                                                      const WalIdentity& identity);
  // The largest encoded entry that append() takes.
  static uint64_t entry_bytes_max(const WalOptions& options);

  virtual ~Wal() = default;

  // Adds to the group that the next sync() writes. What the entries replace is truncated by an appended
  // record. REQUIRES: entries are consecutive; the first one's index is at most one beyond the last, and
  // behind the cut; the term does not fall, and a vote does not change within its term.
  virtual Status append(const std::optional<raft::HardState>& hard_state,
                        std::span<const raft::Entry> entries) = 0;
  // Makes every appended group durable. One write and one fdatasync, more only where a segment ends.
  virtual Status sync() = 0;
  // While nothing is being written: refreshes the synced mark, and zero-fills a spare segment, twice as far
  // as the newest one is used. At most one write of at most 1 MiB, and its sync, a call; false when there was
  // nothing to do. Called until it says so before a clean shutdown, it leaves no window in which damage could
  // be taken for a torn tail.
  virtual Result<bool> idle() = 0;
  // A durable checkpoint covers everything up to `index` (of that term): whole segments behind it are
  // recycled. If the log does not hold that entry with that term, all its entries are dropped and it goes on
  // behind `index`. What was appended before may become durable with it. Durable when it returns.
  virtual Status cut(Index index, Term term) = 0;

  virtual WalStats stats() const = 0;
};

struct Wal::Opened {
  std::unique_ptr<Wal> wal;
  WalRecovered recovered;
};

}  // namespace quorate::server
