// The queue rule: who holds a lock and who waits, from nothing but the children of its path. Pure; used by
// the state machine, by inspection and by clients that look for themselves.
//
// Only ephemeral nodes made by a sequential create count, so that nobody can forge a place. Order is the
// order of creation (czxid, and within one entry the order of its operations), and nobody is overtaken: who
// holds are the first few.
//
// | place     | holds when                                                              |
// |-----------|-------------------------------------------------------------------------|
// | exclusive | it is the first                                                         |
// | shared    | all before it are shared                                                |
// | permit    | all before it are permits, and fewer than the semaphore has             |
//
// A place that is kept for an expired holder (PlaceMode::gone) stands before all others.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>
#include <vector>

#include "kv/state_machine.h"

namespace quorate::kv {

// What kind of names stand in a queue, because each kind of client only counts its own (docs/locks.md).
enum class Dialect : uint8_t {
  kEmpty,  // nobody queued
  kLock,   // "...lock-0000000001": native, Curator, go-zookeeper
  kKazoo,  // "...__lock__0000000001"
  kMixed,  // more than one, or names of read-write recipes: two clients may each believe to hold it
};

// Told the places of a queue from the first on: which of them hold.
class Holders {
 public:
  // Whether a place of this mode holds, behind those that were told.
  bool next(const PlaceMode& place) {
    const bool alike =
        place.mode == first_.mode &&
        (place.mode == Mode::kShared || (place.mode == Mode::kPermit && count_ < first_.permits));
    ended_ = ended_ || (count_ > 0 && !alike);
    if (ended_) return false;
    if (count_++ == 0) first_ = place;
    return true;
  }

 private:
  PlaceMode first_;
  size_t count_ = 0;
  bool ended_ = false;
};

struct QueueView {
  Dialect dialect = Dialect::kEmpty;
  std::vector<Child> queue;      // the holders first
  size_t holders = 0;            // how many of the queue
  std::vector<Child> gone;       // places kept for holders whose session expired
  std::vector<Child> strangers;  // other children
};

Dialect dialect_of(std::string_view name);
QueueView queue_of(std::span<const Child> children);

}  // namespace quorate::kv
