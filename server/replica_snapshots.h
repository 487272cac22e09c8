// The state itself on its way from one server to another, part by part. The one that needs it asks for each
// part by the last key that it has, and asks again when no answer comes; so a connection that breaks costs
// the part that was under way, and a snapshot goes on where it was.
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
#include "server/peer_message.h"
#include "server/replica_checkpoints.h"
#include "server/store_job.h"

namespace quorate::server {

// Snapshots that a server reads at once; each keeps a version of the store alive.
inline constexpr size_t kSnapshotsMax = 4;
// One that nobody asked for a part of for so long is closed. Until then the log behind it is kept (within
// bounds), since whoever gets it needs that next.
inline constexpr Duration kSnapshotIdle = std::chrono::seconds(30);
// Parts that were received and are not stored yet; no more are asked for meanwhile.
inline constexpr size_t kPartsStoringMax = 4;
// Questions without an answer before another server is asked, if one leads; and if none does: a checkpoint
// that has to be made first may take a while.
inline constexpr size_t kUnansweredMax = 3;
inline constexpr size_t kUnansweredLongMax = 20;
// Times that a server says it cannot give the state, or go on with it, before another one is asked.
inline constexpr size_t kRefusalsMax = 2;
// Parts of another name than the first one had, one after the other, before the snapshot is begun anew: it
// may be the first that was damaged.
inline constexpr size_t kOtherNamesMax = 3;
// After a state that proved damaged another one is asked for after this.
inline constexpr Duration kAfterDamage = std::chrono::seconds(10);

// The side that has the state.
class SnapshotSender {
 public:
  SnapshotSender(StoreJobs& jobs, uint64_t seed, size_t part_bytes)
      : jobs_(jobs), random_(seed), part_bytes_(part_bytes) {}

  // REQUIRES, where it asks for a new one: the store has a checkpoint, at `checkpoint` or behind it. One part
  // for each asker is read at a time; what it asks meanwhile is dropped.
  void fetch(ServerId from, const SnapshotFetch& fetch, Index checkpoint, Instant now);
  // `term` is ours. False: the job is none of this.
  bool done(const StoreDone& done, Term term);
  // Closes what is idle.
  void tick(Instant now);
  Instant deadline() const;
  // The store is about to be replaced.
  void close_all();
  // Where the log behind the oldest open snapshot begins.
  std::optional<Index> oldest() const;
  size_t open() const { return sendings_.size(); }
  std::vector<std::pair<ServerId, SnapshotChunk>> take_messages() { return std::exchange(messages_, {}); }

 private:
  struct Sending {
    uint64_t id = 0;
    ServerId asker;
    BootNonce boot;
    Index index;            // it holds at least this
    bool advanced = false;  // a part behind the first was asked for
    bool complete = false;  // the last part was sent
    uint64_t job = 0;       // reading; 0: not
    std::string after;      // what is being read
    Instant used;
  };

  Sending* find(uint64_t id);
  Sending* open(ServerId from, const SnapshotFetch& fetch, Index checkpoint);
  void close(size_t at);
  void refuse(ServerId to, const SnapshotFetch& fetch, ErrorCode code, std::string why);

  StoreJobs& jobs_;
  Random random_;
  size_t part_bytes_;
  std::vector<Sending> sendings_;
  std::vector<std::pair<ServerId, SnapshotChunk>> messages_;
};

// The side that needs it.
class SnapshotReceiver {
 public:
  struct Options {
    ServerId id;
    BootNonce boot;
    Duration resend_interval{};
  };
  // What it goes by, anew each time.
  struct Situation {
    bool needed = false;
    Index at_least;   // the state must hold everything up to here, when it is asked for
    Index of_use;     // and up to here to be of use once it has come: what we have goes on meanwhile
    ServerId leader;  // 0: none known
    std::vector<ServerId> voters;  // ourselves included, or not
    ClusterId cluster;
    Term durable_term;  // of our hard state
    Instant now;
  };

  SnapshotReceiver(const Options& options, StoreJobs& jobs) : options_(options), jobs_(jobs) {}

  // Asks, asks again, finishes, or gives up what is not needed any more.
  void advance(const Situation& at);
  // A part arrived. True: it is from a server in chunk.term, which must be observed
  // (raft::Raft::observe_term).
  bool take(ServerId from, const SnapshotChunk& chunk, const Situation& at);
  // What became of a job: nothing of interest, or the state, or why there is none. False: none of our jobs.
  bool done(StoreDone& done, Instant now);
  // Given once, when the store has switched to it.
  std::optional<ReceivedState> take_received() { return std::exchange(received_, std::nullopt); }

  // From when the store is asked to switch until it has (or could not): the state in use must not move.
  bool finishing() const { return phase_ == Phase::kFinishing; }
  bool under_way() const { return phase_ != Phase::kNone; }
  // When advance() next has something to do by itself, as seen at `now`, when it was called last.
  Instant deadline(Instant now) const;
  uint64_t bytes() const { return bytes_; }  // of all parts that were taken
  std::vector<std::pair<ServerId, SnapshotFetch>> take_messages() { return std::exchange(messages_, {}); }
  std::string take_note() { return std::exchange(note_, {}); }

 private:
  enum class Phase : uint8_t { kNone, kAsking, kReceiving, kReceived, kFinishing };

  void ask(const Situation& at);
  void begin_anew(ServerId source);
  void refused(ServerId from, const SnapshotChunk& chunk, const Situation& at);
  ServerId source_behind(ServerId source, const Situation& at) const;
  void give_up();
  bool fits(const SnapshotChunk& chunk, const StateName& name, const Situation& at) const;
  bool other_name(const SnapshotChunk& chunk) const;

  Options options_;
  StoreJobs& jobs_;
  Phase phase_ = Phase::kNone;
  ServerId source_;
  uint64_t snapshot_ = 0;  // 0: not known yet
  StateName name_;
  Bytes name_bytes_;  // encoded, as the first part had it
  std::string after_;
  Term term_;           // the sender's
  bool begun_ = false;  // the store holds a part of it
  bool asked_ = false;  // a question is open
  Instant ask_again_;   // or may be asked
  size_t unanswered_ = 0;
  size_t refusals_ = 0;  // by source_, since it is asked, whatever parts it gave in between
  size_t other_names_ = 0;
  std::vector<uint64_t> storing_;
  uint64_t finish_job_ = 0;
  uint64_t bytes_ = 0;
  std::optional<ReceivedState> received_;
  std::vector<std::pair<ServerId, SnapshotFetch>> messages_;
  std::string note_;
};

}  // namespace quorate::server
