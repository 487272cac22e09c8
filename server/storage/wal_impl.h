// The log's writing side. wal.h says how to use it; docs/storage-format.md why it writes what it writes.
//
// Thread safety: none.
//
// Invariant: what is durable ends at end_ in the newest segment with the frame whose checksum is
// last_checksum_ and says logged_; group_ holds what comes behind it.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "server/storage/wal.h"
#include "server/storage/wal_format.h"
#include "server/storage/wal_recovery.h"
#include "server/storage/wal_segments.h"
#include "server/storage/wal_state_file.h"

namespace quorate::server::wal {

uint64_t entry_bytes_max(const WalOptions& options);

// What was appended and is not written yet, brought to its net effect.
struct Group {
  bool empty = true;
  LogState state;                     // as of its end
  Index first;                        // of its entries; what is durable from here on is dropped
  std::string frame;                  // room for a frame's header, then the entries' bytes
  std::vector<uint32_t> entry_bytes;  // of each entry
};

class WalImpl final : public Wal {
 public:
  WalImpl(FileSystem& fs, const std::string& directory, const WalIdentity& identity,
          const WalOptions& options);

  Status start_new();
  Status start_recovered(Recovery& recovery);

  Status append(const std::optional<raft::HardState>& hard_state,
                std::span<const raft::Entry> entries) override;
  Status sync() override;
  Result<bool> idle() override;
  Status cut(Index index, Term term) override;
  WalStats stats() const override;

 private:
  // Remembers an error that makes the log unusable.
  Status checked(Status status);
  void begin_group();
  void drop_pending_from(Index first);
  std::optional<Term> term_at(Index index) const;
  void remember_term(Index index, Term term);
  void forget_terms_from(Index first);

  Status flush();
  Status write_part(size_t count);
  Status write_frame(FrameHeader header, std::string& frame);
  Status write_state_frame(FrameKind kind, const LogState& state);
  Status roll();
  Status write_slots(const raft::HardState& hard_state);
  Status repair_tail(const Tail& tail);
  Status do_cut(Index index, Term term);
  Status do_sync();
  Result<bool> do_idle();

  // Constant after construction.
  FileSystem& fs_;
  const std::string directory_;
  const WalIdentity identity_;
  const WalOptions options_;

  WalStats stats_;
  Segments segments_;
  StateFile state_file_;
  std::optional<Error> unusable_;

  // The newest segment.
  std::unique_ptr<File> file_;
  SegmentHeader header_;
  uint64_t header_checksum_ = 0;
  uint64_t end_ = kFramesBegin;
  uint64_t last_checksum_ = 0;
  bool vouched_ = true;  // nothing would be lost with the last frame

  LogState logged_;
  Index logged_next_{1};  // one beyond the last durable entry
  Group group_;
  Index next_{1};  // one beyond the last entry, durable or not
  // Where terms begin, behind the cut: the first index of each run of entries of one term.
  std::vector<std::pair<Index, Term>> terms_;
};

}  // namespace quorate::server::wal
