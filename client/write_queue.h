// The numbered writes of one session, each applied once.
//
// A write gets its number when it is first sent; from then on that number is its, and it is sent again, in
// the order of the numbers, until its outcome arrives: over a new connection, or after a refusal. A caller
// whose patience ends before that is told kOutcomeUnknown, and the write is brought to its end without it,
// because a later number cannot be applied before. One that was never sent is taken back instead, unless it
// must happen however late.
//
// Thread safety: none. Invariant: numbers in flight are consecutive from acked_below() on, except for those
// answered out of order.
#pragma once

#include <deque>
#include <optional>
#include <variant>

#include "base/random.h"
#include "client/request.h"
#include "client/wire.h"

namespace quorate::client {

// Unanswered writes on the way; more wait. The servers keep 64 results for a session.
inline constexpr size_t kWritesInFlightMax = 32;
// The lowest unanswered number can only be refused for a gap if the servers do not know what they answered:
// after this often, the session is of no use.
inline constexpr size_t kGapsMax = 10;

// What is answered for what was sent `waited` ago, or longer.
Error outcome_unknown(Duration waited);

class WriteQueue {
 public:
  enum class IfLate { kTakeBack, kSendStill };
  // `timeout` is only for the text of an error.
  // What is added is an api::Write or an api::AddCredential: both take a number of the session.
  using Request = std::variant<api::Write, api::AddCredential>;
  uint64_t add(RequestIds& ids, Request request, Instant deadline, Duration timeout, OnReply on_reply,
               IfLate if_late = IfLate::kTakeBack);
  // Sends what may be sent. REQUIRES: the connection is attached to the session.
  void send(Instant now, Sink& sink);
  // Nothing that was sent will be answered any more: all of it is to be sent again.
  void connection_lost();

  bool owns(uint64_t id) const;
  // The verdict is kFinal (also for what was put off) unless the connection or the session must end.
  Verdict on_reply(Instant now, const api::Reply& reply, Random& random);

  // Takes back a write that was never sent; its callback is not called. False: it was sent, or is answered.
  bool withdraw(uint64_t id);
  // The callers whose deadline has passed: `unsent` for a write that was taken back, else kOutcomeUnknown.
  void expire(Instant now, const Error& unsent);
  // The session is over: kOutcomeUnknown for what was sent, `unsent` for the rest.
  void fail(Instant now, const Error& unsent);
  // What waits for a session can not have one.
  void fail_unsent(Instant now, const Error& error);

  bool empty() const { return in_flight_.empty() && waiting_.empty(); }
  bool anything_outstanding() const { return outstanding_ > 0; }
  // When send() or expire() has something to do.
  Instant deadline(bool attached) const;
  uint64_t acked_below() const { return in_flight_.empty() ? next_number_ : in_flight_.front().number; }

 private:
  struct Entry {
    uint64_t id = 0;
    uint64_t number = 0;
    Request request;
    Instant deadline = kNever;
    Duration timeout{};
    OnReply on_reply;  // empty: the caller was told
    IfLate if_late = IfLate::kTakeBack;
    bool outstanding = false;
  };
  void send_entry(Entry& entry, Sink& sink);
  static void fill(Entry& entry);
  void put_off(Instant now, Random& random);
  void answer(Instant now, Entry& entry, Result<api::Reply> reply);

  std::deque<Entry> in_flight_;  // numbered, by number
  std::deque<Entry> waiting_;    // never sent
  uint64_t next_number_ = 1;
  size_t outstanding_ = 0;
  Instant resend_at_{};  // not before
  size_t refusals_ = 0;  // in a row
  size_t gaps_ = 0;      // of the lowest number, in a row
};

}  // namespace quorate::client
