// What every part of one simulated run shares: time, chance, the plan, the trace and the counts; and how a
// run fails.
//
// Thread safety: none. A run has one thread.
#pragma once

#include <optional>
#include <set>
#include <stdexcept>
#include <string>

#include "base/random.h"
#include "tests/sim/model.h"
#include "tests/sim/plan.h"
#include "tests/sim/scheduler.h"
#include "tests/sim/statistics.h"
#include "tests/sim/trace.h"

namespace quorate::sim {

// A rule was broken: the run ends. Thrown, not returned, because the place that sees it is many frames inside
// the program under test's own calls (a CHECK) or inside an event.
class Violation : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// What a checker says: what is wrong, in a sentence, or nothing.
using Verdict = std::optional<std::string>;

inline void require(const Verdict& verdict) {
  if (verdict) throw Violation(*verdict);
}

struct Context {
  Context(uint64_t seed_number, Plan drawn, Trace writer)
      : seed(seed_number), plan(std::move(drawn)), random(seed_number), trace(writer), model(plan.kv) {}

  SimTime now() const { return scheduler.now(); }
  template <class Text>  // a function that gives a string: called only if somebody reads it
  void say(std::string_view who, Text&& text) {
    if (trace.on()) trace.line(scheduler.now(), who, text());
  }

  const uint64_t seed;
  Plan plan;
  Scheduler scheduler;
  Random random;
  Trace trace;
  Model model;
  Statistics statistics;
  // Sessions whose ending a super user has asked for: such a one is over before its client can know. And of
  // these, those that he was told are over.
  std::set<SessionId> endings_asked, endings_answered;
  Zxid acknowledged;    // of the writes that any client of the native protocol was told are done, the last
  bool healed = false;  // nothing is broken any more, and everybody must be served
  SimTime healed_at{0};
};

}  // namespace quorate::sim
