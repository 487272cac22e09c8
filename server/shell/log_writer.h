// Writes what the replica wants to be durable, in place, and says when it is; and what the log asks for
// between writes.
//
// A full disk is the one failure that is waited out: groups are kept in their order and tried again, nothing
// of them is reported, and the consensus above sees a stalled disk and hands leadership on. Every other
// failure ends the process.
//
// Thread safety: none; it lives on the loop's thread.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "raft/message.h"
#include "server/shell/log_repeats.h"
#include "server/shell/net.h"
#include "server/storage/wal.h"

namespace quorate::server {

class LogWriter {
 public:
  // `wal` may be null until set_wal(). `durable` is called from write(), or from a later turn of the loop
  // after a full disk.
  LogWriter(boost::asio::io_context& loop, std::unique_ptr<Wal> wal, Duration slow_sync,
            Duration no_space_retry, std::function<void(Ticket)> durable);
  ~LogWriter();

  void set_wal(std::unique_ptr<Wal> wal);
  // Appends and syncs one group. Errors: the log is unusable.
  Status write(const std::optional<raft::HardState>& hard_state, const std::vector<raft::Entry>& entries,
               Ticket ticket);
  // Cuts the log behind a durable state: behind all that was written before, and before what is written next.
  // A full disk only delays it. Errors: the log is unusable.
  Status cut(Index index, Term term);
  // Something waits for room on the disk.
  bool is_full() const { return no_space_; }
  // Before a clean shutdown: leaves the log as well marked as a bounded time allows.
  void finish();

 private:
  Status sync();
  Status cut_now();
  void retry_later();
  void care();
  void arm_care(Duration after);
  [[noreturn]] static void give_up(const Error& error);

  std::unique_ptr<Wal> wal_;
  const Duration slow_sync_, no_space_retry_;
  LogRepeats repeats_;
  const std::function<void(Ticket)> durable_;
  Timer retry_timer_, care_timer_;
  // Appended and not durable; 0: none. Speaks for every earlier one too.
  Ticket waiting_;
  std::optional<std::pair<Index, Term>> cut_;  // not done yet: the disk is full
  bool no_space_ = false;
  bool care_armed_ = false;
  Instant last_write_;
  Instant last_care_;
};

}  // namespace quorate::server
