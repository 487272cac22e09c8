// Writes that clients of this server asked for and that have no outcome yet. They are kept until the apply
// step of this server shows what became of them, and go again to every new leader: the state machine applies
// each once, whatever arrives twice.
//
// Thread safety: none.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "base/ids.h"
#include "base/time.h"

namespace quorate::server {

// A client's request that waits for something.
struct Asker {
  ConnectionId connection;
  uint64_t request = 0;
  Instant asked{};  // of a write that has its outcome; elsewhere nothing
};

// A command on its way to the leader's log, known by (session, number) or, for opening and attaching, by a
// counter.
struct PendingCommand {
  SessionId session;
  uint64_t number = 0;
  uint64_t counter = 0;
  Bytes body;
};

// What one takes in memory beside its body, however short that is.
inline constexpr size_t kPendingBytes = 200;
// Those of one session that may wait; beyond: kOverloaded.
inline constexpr size_t kPendingWritesMax = 4'096;
// So much goes again to a leader before something of it has its outcome: to one that has no room for it all
// of it would stand in front of what it must hear of us to go on leading.
inline constexpr size_t kSentAgainBytesMax = 1 << 20;

class PendingWrites {
 public:
  // ---- sessions attached to this server

  void attach(SessionId session, ConnectionId connection, uint32_t epoch);
  // Forgets the session and what is pending for it.
  void detach(SessionId session);
  struct Attached {
    ConnectionId connection;
    uint32_t epoch = 0;
  };
  std::optional<Attached> attached(SessionId session) const;

  // ---- commands

  // `again`: it may have been applied already. REQUIRES: the session is attached.
  void add(SessionId session, uint64_t number, uint64_t request, Bytes body, Instant now, bool again = false);
  void add_opening(uint64_t counter, Asker asker, Bytes body, Instant now);
  // True while that number waits already: the same request came twice over one connection.
  bool contains(SessionId session, uint64_t number) const;

  // The outcome is known (or the command was refused): nothing more will be sent. Nothing if it is not
  // pending here.
  std::optional<Asker> finish(SessionId session, uint64_t number);
  std::optional<Asker> finish_opening(uint64_t counter);
  // A lower number of that session is still pending here.
  bool has_lower(SessionId session, uint64_t number) const;

  // Whether it was, or is about to be, sent more than once: that one of the copies was refused says nothing.
  bool sent_again(SessionId session, uint64_t number) const;
  bool was_sent_last_in(uint64_t sending, SessionId session, uint64_t number) const;

  // Commands to be sent, each once until send_again(). Those that go again come first and in order of each
  // session's numbers, the others as they were added. `sparingly`: to another server, which is sent again
  // kSentAgainBytesMax at a time. `sending`: by what its refusal is told from that of another.
  std::vector<PendingCommand> take_unsent(Instant now, bool sparingly, uint64_t sending);
  bool has_unsent() const { return !unsent_.empty() || !again_.empty(); }
  // Everything is unsent again: there is a new leader, or what was sent may be lost.
  void send_again();
  // This one is unsent again; nothing happens if it is not pending. In whatever order they are named, they go
  // by number: numbers that come highest first would leave a gap, and be back here, again and again.
  void send_again(SessionId session, uint64_t number);
  // As send_again(), for commands that were last sent before `before`. Walks all sessions: call it seldom.
  void send_again_older(Instant before, Instant now);
  // Openings that wait since before `before`; they are given up here.
  std::vector<Asker> take_openings_before(Instant before);

  // What all of them take in memory, about.
  size_t bytes() const { return bytes_ + count_ * kPendingBytes; }
  // How many of that session wait.
  size_t count(SessionId session) const;
  bool empty() const { return count_ == 0; }

 private:
  struct Write {
    uint64_t request = 0;
    Bytes body;
    Instant asked;
    enum class Where : uint8_t { kUnsent, kAgain, kSent };
    Where where = Where::kUnsent;
    Instant sent{};        // last
    uint64_t sending = 0;  // the last
    bool again = false;    // a copy may be in a leader's log already, or was applied
    bool delayed = false;  // it went, or goes, by again_
  };
  struct Session {
    Attached attached;
    std::map<uint64_t, Write> writes;  // by number
  };
  struct Opening {
    Asker asker;
    Bytes body;
    Instant asked;
    bool unsent = true;
    Instant sent{};  // last
  };
  // What was to be sent when it was named; some are pending no more, or went by another way.
  struct Unsent {
    SessionId session;
    uint64_t number = 0;
    uint64_t counter = 0;  // of an opening; else 0
  };

  Write* find(SessionId session, uint64_t number);
  void put_again(SessionId session, uint64_t number, Write& write);
  void name_unsent(Unsent command);
  bool is_unsent(const Unsent& command);
  const Write* find(SessionId session, uint64_t number) const;
  PendingCommand take(SessionId session, uint64_t number, Instant now, uint64_t sending);
  void forget_bytes(const Bytes& body);

  std::unordered_map<SessionId, Session> sessions_;
  std::map<uint64_t, Opening> openings_;  // by counter, so by age
  std::vector<Unsent> unsent_;
  // All that is Where::kAgain, and no more. While a session has any, what it asks for goes behind these.
  std::set<std::pair<SessionId, uint64_t>> again_;
  size_t again_room_ = kSentAgainBytesMax;
  Instant again_room_since_{};
  size_t count_ = 0;
  size_t bytes_ = 0;
};

}  // namespace quorate::server
