// Whether a counter of the client library (client/quorate/counter.h) counted what it said.
//
// Thread safety: none.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "base/error.h"
#include "tests/sim/context.h"
#include "tests/sim/tree_past.h"

namespace quorate::sim {

class CounterHistory {
 public:
  CounterHistory(const TreePast& past, std::string path) : past_(past), path_(std::move(path)) {}

  // Its node was changed by the entry that was committed last: by one that asked for that, once.
  Verdict committed();

  // Somebody asks to add `difference`, or to set a value that is so much higher. REQUIRES: no other one does.
  void begin_change(int64_t difference);
  // It was told the sum. Or that it was not done: `may_be` says that nobody knows.
  Verdict changed(int64_t difference, int64_t sum);
  Verdict not_changed(int64_t difference, bool may_be);
  // What was asked at `from` is told: a value, or that it is another one.
  Verdict is(Zxid from, int64_t value) const;
  Verdict is_not(Zxid from, int64_t value) const;

 private:
  struct Change {
    Zxid asked, done;  // 0: not yet
    int64_t sum = 0;
    bool refused = false;
  };
  std::optional<int64_t> value(Zxid zxid) const;
  std::optional<int64_t> number(const std::string& data) const;

  const TreePast& past_;
  const std::string path_;
  std::map<int64_t, Change> changes_;  // by their difference
};

}  // namespace quorate::sim
