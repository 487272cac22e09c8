// The whole state on its way to a client that makes a backup of it, part by part. A backup begins with a
// checkpoint of its own: it holds everything that was acknowledged before it was asked for. The client asks
// for each part by the last key that it has, one at a time; over a new connection to this server it goes on
// where it was.
//
// Thread safety: none.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "base/ids.h"
#include "base/random.h"
#include "base/time.h"
#include "server/client_message.h"
#include "server/replica_checkpoints.h"
#include "server/replica_writes.h"
#include "server/store_job.h"

namespace quorate::server {

// Backups that are made at once; each keeps a version of the store alive, and one part in memory.
inline constexpr size_t kBackupsMax = 2;
// One that nobody asked for a part of for so long is closed.
inline constexpr Duration kBackupIdle = std::chrono::seconds(30);
// Where there are too many, one that is complete makes room, or one that is quiet for so long: who made it
// has probably given up.
inline constexpr Duration kBackupQuiet = std::chrono::seconds(5);
// What is not there after so long (the checkpoint is still being made) is answered with an empty part, and
// asked for again: so no client has to know how long a checkpoint takes.
inline constexpr Duration kBackupAnswer = std::chrono::milliseconds(500);

class Backups {
 public:
  Backups(StoreJobs& jobs, uint64_t seed, size_t part_bytes)
      : jobs_(jobs), random_(seed), part_bytes_(part_bytes) {}

  // A new one, that holds at least everything up to `index`; its first answer names it. Errors:
  // kLimitReached.
  Result<SnapshotPartReply> begin(Index index, Instant now);
  // The part behind `request.after`. Answered by take_answers(). REQUIRES: request.snapshot != 0.
  void ask(const Asker& asker, const SnapshotPartRequest& request, Instant now);
  // Reads what was asked for and can be read. `checkpoint` is the newest durable one.
  void advance(Index checkpoint);
  // False: the job is none of this.
  bool done(const StoreDone& done);
  // Answers what has waited long enough, and closes what is idle.
  void tick(Instant now);
  Instant deadline() const;
  // The store is about to be replaced.
  void close_all();
  // The checkpoint that is needed for those that have not begun to be read.
  std::optional<Index> wanted() const;
  size_t open() const { return backups_.size(); }

  using Answer = std::variant<SnapshotPartReply, Error>;
  std::vector<std::pair<Asker, Answer>> take_answers() { return std::exchange(answers_, {}); }

 private:
  struct Backup {
    uint64_t id = 0;
    Index index;            // it holds at least this
    bool reading = false;   // a part of it was read: the snapshot is open in the store
    bool complete = false;  // its last part was answered: unless that is lost, nobody asks again
    uint64_t job = 0;       // reading; 0: not
    std::string job_after;  // what is being read
    std::optional<Asker> asker;
    std::string after;  // what is asked for
    Instant asked, used;
  };

  void answer(Backup& backup, Answer answer);
  void close(size_t at);

  StoreJobs& jobs_;
  Random random_;
  size_t part_bytes_;
  std::vector<Backup> backups_;
  std::vector<std::pair<Asker, Answer>> answers_;
};

}  // namespace quorate::server
