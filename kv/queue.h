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

#include <algorithm>
#include <cstddef>
#include <span>
#include <string_view>
#include <vector>

#include "kv/state_machine.h"

namespace quorate::kv {

// Whose names stand in a queue, because each recipe only counts its own (docs/locks.md). Of the native places
// are those of the first two.
enum class Dialect : uint8_t {
  kEmpty,    // nobody queued
  kLock,     // "...lock-0000000001": native, Curator, go-zookeeper
  kKazoo,    // "...__lock__0000000001", and "...__rlock__0000000001" of its readers
  kCurator,  // "...__READ__0000000001" and "...__WRIT__0000000001": its lock for readers and writers
  kUnknown,  // names of no recipe that is known here: it may be no lock at all
  kMixed,    // of more than one: two clients may each believe to hold it
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
  // As next(), of `count` places of one mode, one behind the other. REQUIRES: none was told before.
  void pass(const PlaceMode& place, size_t count) {
    if (count == 0 || !next(place)) return;
    const size_t more = place.mode == Mode::kShared   ? count - 1
                        : place.mode == Mode::kPermit ? std::min(count, size_t{first_.permits}) - 1
                                                      : 0;
    count_ += more;
    ended_ = more < count - 1;
  }

 private:
  PlaceMode first_;
  size_t count_ = 0;
  bool ended_ = false;
};

struct QueueView {
  Dialect dialect = Dialect::kEmpty;  // of those who stand in it and of those it is kept for
  std::vector<Child> queue;           // the holders first
  size_t holders = 0;                 // how many of the queue
  std::vector<Child> gone;            // places kept for holders whose session expired
  std::vector<Child> strangers;       // other children
};

// Of one name: neither kEmpty nor kMixed.
Dialect dialect_of(std::string_view name);
// Of several.
inline Dialect both(Dialect a, Dialect b) {
  if (a == Dialect::kEmpty || a == b) return b;
  return b == Dialect::kEmpty ? a : Dialect::kMixed;
}
// A reader's place by its name: it holds beside the readers before it, as its recipe sees it. The cluster
// takes it for an exclusive one.
bool is_foreign_reader(std::string_view name);
QueueView queue_of(std::span<const Child> children);

}  // namespace quorate::kv
