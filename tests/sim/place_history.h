// What stood in the queues of locks and who held them, from the committed entries alone, by a rule of its own
// that is as plain as it can be; and whether clients were told the truth about it.
//
// It takes from the program under test only which nodes each entry made and took away, and how they hold. Who
// holds is decided here once more: kv/queue.h and lock/service.h must come to the same.
//
// Thread safety: none.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "kv/state_machine.h"
#include "lock/service.h"
#include "tests/sim/context.h"

namespace quorate::sim {

class PlaceHistory {
 public:
  // Looks at the queues whose paths begin with one of these.
  explicit PlaceHistory(std::vector<std::string> roots) : roots_(std::move(roots)) {}

  // An entry was committed. What it takes from others has one token; nobody who holds stops to, but by
  // leaving; whose session is over has left every queue; what is kept for a holder whose session expired is
  // kept as long as it was asked for, in cluster time.
  Verdict committed(const kv::Applied& applied, int64_t cluster_ms);

  // A session was told that its place holds from that entry on: a grant, or an acquire that held at once.
  Verdict told_begins(const std::string& node, Token token, Zxid zxid) const;
  // An answer that shows the state behind that entry says that the place holds, or that it waits.
  Verdict told_place(const std::string& node, Token token, bool held, Zxid zxid) const;
  // ... that there is no such place.
  Verdict told_gone(const std::string& node, Zxid zxid) const;
  // Somebody else took the place away by that entry.
  Verdict told_taken(const std::string& node, Zxid zxid) const;
  // ... a place of this session, which it took behind `from`.
  Verdict told_taken_since(SessionId session, Zxid from) const;
  // The lock is, or is not, held with that token behind that entry.
  Verdict told_held(const std::string& lock, Token token, bool held, Zxid zxid) const;
  // The same behind some entry from this one on.
  Verdict told_held_since(const std::string& lock, Token token, bool held, Zxid from) const;
  // A session gave up waiting in this queue, which it joined behind `from`: by `able` it did not hold yet.
  Verdict told_too_late(const std::string& lock, SessionId session, Zxid from, Zxid able) const;
  // Others hold or wait beside this place, so that it could not be upgraded.
  Verdict told_contended(const std::string& node, Zxid zxid) const;
  // Who holds and who waits.
  Verdict told_queue(const lock::LockView& view) const;

  size_t kept() const { return kept_; }
  // Of sessions that ran out: those that waited between others.
  size_t expired_between() const { return expired_between_; }
  // Whether somebody else than its session took it away: neither asked for by it, nor its end.
  bool was_taken(const std::string& node) const;

 private:
  struct Place {
    std::string node;
    SessionId session;
    Token token;
    kv::PlaceMode mode;
    Zxid from, held_from, until;  // 0: never yet
    bool taken = false;
    int64_t kept_since_ms = 0;  // of one that is kept

    bool there(Zxid zxid) const { return from <= zxid && (until.value() == 0 || zxid < until); }
    bool holds(Zxid zxid) const { return held_from.value() != 0 && held_from <= zxid && there(zxid); }
  };
  struct Queue {
    std::vector<Place> all;       // in the order of their creation
    std::vector<size_t> present;  // of these: kept ones first, then in their order
  };

  bool looked_at(std::string_view lock) const;
  Verdict take(Queue& queue, const kv::Change& change, const kv::Applied& applied, int64_t cluster_ms);
  void put(Queue& queue, const kv::Change& change, int64_t cluster_ms);
  Verdict hold(const std::string& lock, Queue& queue, Zxid zxid);
  const Place* find(const std::string& node) const;

  const std::vector<std::string> roots_;
  std::map<std::string, Queue> queues_;  // by path
  size_t kept_ = 0;                      // places, for holders whose session expired
  size_t expired_between_ = 0;
};

}  // namespace quorate::sim
