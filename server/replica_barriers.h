// Reads and signs of life that wait for a read index. All that arrive in one drain share one barrier; one
// barrier is one confirmation of leadership, wherever it was asked.
//
//   collecting -> sent (asked the leader) -> confirmed (has an index) -> taken, once that index is applied
//
// Thread safety: none.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <vector>

#include "base/ids.h"
#include "base/time.h"
#include "server/client_message.h"
#include "server/replica_writes.h"

namespace quorate::server {

// Signs of life in one question, and so in its answer: it must have room in a frame between servers. More
// are asked about in several.
inline constexpr size_t kQuestionAliveMax = 100'000;

struct WaitingRead {
  Asker asker;
  SessionId session;  // of the connection; of a ping: who is alive
  RequestBody body;
  Instant asked;
  Duration gather{};  // of a sign of life: how long it waits for others to be asked about along with it
  size_t bytes = 0;   // that it takes while it waits; Barriers counts them
};

class Barriers {
 public:
  void add(WaitingRead read);

  struct Question {
    uint64_t counter = 0;
    std::vector<SessionId> alive;
  };
  // What was collected becomes one question to the leader of `term`, up to kQuestionAliveMax signs of life;
  // what is behind them stays collected. Nothing if nothing waits.
  std::optional<Question> ask(Term term, Instant now, uint64_t counter);
  // When what was collected is to be asked: a read at once, signs of life after they have gathered, so that
  // many of them share one question. kNever when nothing waits.
  Instant due() const { return due_; }

  // The leader's answer: for this question's requests and for all reads that were asked before. Ignored
  // unless that question of that term is open.
  void confirm(uint64_t counter, Term term, Index index, const std::vector<SessionId>& gone);
  // The first open question that was sent before `sent_before` and everything asked after it are collected
  // again, so that the order of the reads stays.
  void collect_again(Instant sent_before = kNever);
  // This question and everything asked after it.
  void collect_again(uint64_t counter);

  struct Served {
    std::vector<WaitingRead> reads;
    std::set<SessionId> gone;
  };
  // Everything whose index is applied.
  std::vector<Served> take_applied(Index applied);
  // What has waited since before `before` without a confirmation: given up here.
  std::vector<WaitingRead> take_older(Instant before);

  bool empty() const { return collected_.empty() && open_.empty(); }
  // Of all that waits.
  size_t bytes() const { return bytes_; }

 private:
  struct Open {
    Term term;
    Instant sent;
    std::vector<WaitingRead> reads;
  };

  void find_due();

  std::vector<WaitingRead> collected_;  // roughly by age
  Instant due_ = kNever;                // Invariant: the earliest of collected_
  std::map<uint64_t, Open> open_;       // by counter
  std::multimap<Index, Served> confirmed_;
  size_t bytes_ = 0;
};

}  // namespace quorate::server
