// Locks over the tree: who holds which path with which token, who waits, and who is granted a lock by what an
// entry did.
//
// A lock is a path; its queue is its children (kv/queue.h). Everything is decided from the replicated tree,
// in the apply step of the entry that caused it: a hand-over costs one commit and wakes exactly the one whose
// turn it is.
//
// Who asks sees what the View shows: a lock needs kRead on its path.
//
// Thread safety: none; const functions over a state that the caller owns.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "kv/state_machine.h"
#include "kv/view.h"

namespace quorate::lock {

// A waiter became the holder.
struct Grant {
  SessionId session;
  std::string node;  // its place in the queue, "/path/lock-0000000007"
  Token token;
  Zxid zxid;  // of the entry that freed the lock
};

// The grants that follow from what one entry changed: whoever holds behind it and did not before, each once.
// Not for acquires that held at once: their outcome says so. Costs what the entry changed, and the number of
// holders of each lock that was left.
std::vector<Grant> grants(const kv::StateMachine& state, const kv::Applied& applied);

// A place in a queue was taken from a session that lives on and did not ask for it.
struct Loss {
  SessionId session;
  std::string node;
  Zxid zxid;
};
std::vector<Loss> losses(const kv::Applied& applied);

// Where a queue node stands now.
struct Place {
  bool held = false;
  Token token;
};
// Errors: kNoNode when it has left the queue; kBadQueue when it is no queue node; kDenied.
Result<Place> place_of(const kv::View& state, std::string_view node);

// Whether the lock is held with that token, by whichever session. Errors: kNotHolder, kNoNode, kBadPath,
// kDenied.
Status verify(const kv::View& state, std::string_view path, Token token);

struct Contender {
  std::string node;
  SessionId session;
  Token token;           // a waiter's is the one it will hold with
  std::string data;      // who it says it is
  int64_t since_ms = 0;  // wall clock: when it joined the queue
  kv::PlaceMode mode;
};

struct LockView {
  std::string path;
  std::optional<Contender> holder;
  // Who holds beside it, or may believe so: of each recipe the first, and the readers of another recipe that
  // stand behind readers alone.
  std::vector<Contender> sharing;
  std::vector<Contender> waiters;  // in the order they will be served
  uint64_t more = 0;               // behind these, that had no room
  bool mixed = false;    // names of more than one recipe: more than one client may believe to hold it
  bool unknown = false;  // names of no recipe that is known here, perhaps no lock: all are told as waiters
  uint64_t kept = 0;     // places that are kept for holders whose session expired
  Zxid zxid;
};

// What a view costs of an answer's bytes, roughly: paths and data, and this for each of its parts.
inline constexpr size_t kViewPartBytes = 48;
size_t bytes_of(const LockView& view);

// The holder, and as many waiters as have room in about `bytes_max`. Errors: kNoNode, kBadPath, kDenied.
Result<LockView> show(const kv::View& state, std::string_view path, size_t bytes_max = SIZE_MAX);

struct ListOptions {
  std::string after;  // only paths behind this one; "": from the first
  size_t max = 1000;  // locks
  // Locks that do not fit any more are for the next page; the first is cut as show() cuts.
  size_t bytes_max = SIZE_MAX;
};
struct LockPage {
  std::vector<LockView> locks;
  std::string next;  // `after` of the next page; "": there are no more
};
// Every path under `root` that has a queue and may be read, by path, a page at a time.
LockPage list(const kv::View& state, std::string_view root, const ListOptions& options = {});

}  // namespace quorate::lock
