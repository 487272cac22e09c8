// When each session runs out, by the clock of the leader that is asked: only the leader's clocks count, and
// only while it leads.
//
// A touch costs one table look-up: the heap keeps the earliest time at which a session may run out, and is
// put right only when that time comes.
//
// Thread safety: none.
#pragma once

#include <cstdint>
#include <queue>
#include <unordered_map>
#include <vector>

#include "base/ids.h"
#include "base/time.h"
#include "kv/state_machine.h"

namespace quorate::server {

class SessionClocks {
 public:
  // A new leader: every session has its full timeout from now, because nobody knows what its predecessor had
  // heard.
  void restart(const std::vector<kv::SessionView>& sessions, Instant now);
  // Not the leader any more.
  void stop();

  // The session was opened or attached.
  void add(SessionId session, uint32_t timeout_ms, Instant now);
  void forget(SessionId session);
  // A sign of life. False when the session is unknown or its expiry has been proposed: it must not be
  // promised any more time.
  bool touch(SessionId session, Instant now);
  // Known, and not to be promised any more time.
  bool is_ending(SessionId session) const;

  // The session has run out, whatever its client says: take_overdue() gives it. Unless its expiry has been
  // proposed already.
  void end(SessionId session, Instant now);

  bool any_overdue(Instant now);
  // Every session that has run out; from now on touch() refuses them.
  std::vector<SessionId> take_overdue(Instant now);
  // The expiry of this session was not proposed after all: it has until then.
  void put_off(SessionId session, Instant until);
  // When any_overdue() may next be true; kNever if there is no session.
  Instant deadline() const;

 private:
  struct Clock {
    Duration timeout{};
    Instant deadline;
    Instant queued = kNever;  // the heap's entry that counts for it: the only one not to be thrown away
    bool ended = false;       // by end(): signs of life are refused
    bool expiring = false;
  };
  using Due = std::pair<Instant, SessionId>;

  void queue(SessionId session, Clock& clock);
  // Brings the heap's top up to date.
  void settle(Instant now);

  std::unordered_map<SessionId, Clock> clocks_;
  // Invariant: a session that is not expiring has an entry at clock.queued, which is at or before its
  // deadline.
  std::priority_queue<Due, std::vector<Due>, std::greater<>> due_;
};

}  // namespace quorate::server
