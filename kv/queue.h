// The queue rule: who holds a lock and who waits, from nothing but the children of its path. Pure; used by
// the state machine, by inspection and by clients that look for themselves.
//
// Only ephemeral nodes made by a sequential create count, so that nobody can forge a place. Order is the
// order of creation (czxid, and within one entry the order of its operations).
#pragma once

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

struct QueueView {
  Dialect dialect = Dialect::kEmpty;
  std::vector<Child> queue;      // the holder first
  std::vector<Child> strangers;  // children that are not in the queue
};

Dialect dialect_of(std::string_view name);
QueueView queue_of(std::span<const Child> children);

}  // namespace quorate::kv
