// When this server makes a checkpoint, and how: begun when enough has changed, captured in slices while apply
// goes on, and handed to the store once this server's own log holds durably what the checkpoint holds.
//
// Why never beyond the durable log: after any crash the log then goes on behind the state without a gap, and
// where it does not, something is damaged.
//
// Thread safety: none.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "base/ids.h"
#include "base/time.h"
#include "kv/state_machine.h"
#include "server/store_job.h"

namespace quorate::server {

// Jobs for the store that were not handed out yet, in order; each with an id of its own.
class StoreJobs {
 public:
  template <class Body>
  uint64_t add(Body body) {
    jobs_.push_back({++last_, std::move(body)});
    return last_;
  }
  std::vector<StoreJob> take() { return std::exchange(jobs_, {}); }

 private:
  uint64_t last_ = 0;
  std::vector<StoreJob> jobs_;
};

class Checkpoints {
 public:
  struct Options {
    size_t dirty_bytes = 0;      // begin when so much of the state has changed
    size_t dirty_bytes_max = 0;  // apply waits beyond this while one is under way
    size_t log_bytes = 0;        // begin when so much of the log was applied
    size_t slice_bytes = 0;      // captured at once
    // From one slice to the next, so that requests find the processor free; not while the next checkpoint is
    // due already.
    Duration slice_pause = Duration::zero();
  };

  Checkpoints(const Options& options, StoreJobs& jobs) : options_(options), jobs_(jobs) {}

  // Servers whose states change alike would all write at once, and a quorum would be as slow as a disk that
  // is busy: the first checkpoint of the one at `place` of `servers` comes the earlier, and so do all behind
  // it.
  void stagger(size_t place, size_t servers);
  // So many bytes of the log were applied.
  void applied(size_t bytes) { log_bytes_ += bytes; }
  // One that holds everything up to `index` is wanted as soon as that was applied.
  void want(Index index) { wanted_ = index > wanted_ ? index : wanted_; }
  // What is in the store is this, and `state` was loaded from it.
  void reset(Index index);

  // Begins, goes on, hands out what is complete. `name` names the state as it is now; it is called only when
  // one is begun. `log` is up to where our log is durable.
  template <class Name>
  void advance(kv::StateMachine& state, Index log, Instant now, Name name) {
    if (phase_ == Phase::kNone && due(state)) begin(state, name());
    go_on(state, log, now);
  }
  // When advance() next has something to do by itself.
  Instant deadline() const { return phase_ == Phase::kCapturing ? next_slice_ : kNever; }
  // The index of the checkpoint that this job has made durable; nothing if the job is none of ours.
  std::optional<Index> done(uint64_t job);

  // The newest durable one; 0: there is none.
  Index durable() const { return durable_; }
  bool under_way() const { return phase_ != Phase::kNone; }
  // Apply has to wait for the checkpoint that is under way.
  bool holds_apply(const kv::StateMachine& state) const {
    return phase_ != Phase::kNone && state.dirty_bytes() >= options_.dirty_bytes_max;
  }

 private:
  enum class Phase : uint8_t { kNone, kCapturing, kCaptured, kWriting };

  bool enough(const kv::StateMachine& state) const;
  bool due(const kv::StateMachine& state) const;
  void begin(kv::StateMachine& state, StateName name);
  void go_on(kv::StateMachine& state, Index log, Instant now);
  void capture(kv::StateMachine& state, Instant now);

  Options options_;
  StoreJobs& jobs_;
  Phase phase_ = Phase::kNone;
  StateName name_;
  kv::RecordList records_;
  Instant next_slice_;
  uint64_t job_ = 0;
  size_t log_bytes_ = 0;  // applied since the last was begun
  // Of the limits, what counts: less than the whole before the first.
  size_t place_ = 0, servers_ = 1;
  Index wanted_;
  Index durable_;
};

}  // namespace quorate::server
