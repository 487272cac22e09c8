// The log in memory against a plain map.
#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <map>

#include "raft/log.h"
#include "tests/raft/cluster.h"

namespace quorate::raft {
namespace {

// The slow twin: terms and payload sizes by index, every question answered by looking at all of them.
struct Twin {
  uint64_t snapshot_index = 0;
  uint64_t snapshot_term = 0;
  std::map<uint64_t, Entry> entries;

  uint64_t last() const { return entries.empty() ? snapshot_index : entries.rbegin()->first; }
  uint64_t last_term() const {
    return entries.empty() ? snapshot_term : entries.rbegin()->second.term.value();
  }
  std::optional<Term> term_at(uint64_t index) const {
    if (index == snapshot_index) return Term(snapshot_term);
    const auto found = entries.find(index);
    return found == entries.end() ? std::nullopt : std::optional(found->second.term);
  }
};

void mutate(Log& log, Twin& twin) {
  const int action = *rc::gen::weightedElement<int>({{8, 0}, {2, 1}, {2, 2}, {2, 4}, {1, 3}});
  if (action == 0) {
    const uint64_t term = twin.last_term() + *rc::gen::inRange<uint64_t>(0, 3);
    const Entry entry =
        testing::make_entry(term, twin.last() + 1, std::string(*rc::gen::inRange(0, 40), 'x'));
    log.append(entry);
    twin.entries.emplace(twin.last() + 1, entry);
  } else if (action == 1) {
    const uint64_t index = *rc::gen::inRange<uint64_t>(twin.snapshot_index + 1, twin.last() + 3);
    log.truncate_from(Index(index));
    twin.entries.erase(twin.entries.lower_bound(index), twin.entries.end());
  } else if (action == 2) {
    const uint64_t index = *rc::gen::inRange<uint64_t>(twin.snapshot_index, twin.last() + 1);
    twin.snapshot_term = twin.term_at(index)->value();
    twin.snapshot_index = index;
    twin.entries.erase(twin.entries.begin(), twin.entries.upper_bound(index));
    const size_t unreleased = log.unreleased() + (index - log.snapshot_index().value());
    log.compact(Index(index));
    RC_ASSERT(log.unreleased() == unreleased);
  } else if (action == 4) {
    const size_t before = log.unreleased(), wanted = *rc::gen::inRange<size_t>(0, 8);
    log.release(wanted);
    RC_ASSERT(log.unreleased() == before - std::min(before, wanted));
  } else {
    twin.snapshot_index = twin.last() + *rc::gen::inRange<uint64_t>(0, 4);
    twin.snapshot_term = twin.last_term();
    twin.entries.clear();
    log.reset(Index(twin.snapshot_index), Term(twin.snapshot_term));
  }
}

void compare(const Log& log, const Twin& twin) {
  RC_ASSERT(log.snapshot_index().value() == twin.snapshot_index);
  RC_ASSERT(log.snapshot_term().value() == twin.snapshot_term);
  RC_ASSERT(log.first_index().value() == twin.snapshot_index + 1);
  RC_ASSERT(log.last_index().value() == twin.last());
  RC_ASSERT(log.last_term().value() == twin.last_term());

  const uint64_t index = *rc::gen::inRange<uint64_t>(0, twin.last() + 4);
  const Term term(*rc::gen::inRange<uint64_t>(0, twin.last_term() + 3));
  RC_ASSERT(log.term_at(Index(index)) == twin.term_at(index));
  RC_ASSERT(log.matches(Index(index), term) == (twin.term_at(index) == term));

  uint64_t highest = twin.snapshot_index;
  for (const auto& [at, entry] : twin.entries) {
    if (at <= index && entry.term <= term) highest = at;
  }
  RC_ASSERT(log.last_with_term_at_most(Index(index), term).value() == highest);

  const Index last = std::clamp(Index(index), log.snapshot_index(), log.last_index());
  const size_t kept_max = *rc::gen::inRange<size_t>(0, 400);
  size_t kept = 0;
  uint64_t keeping = last.value();
  for (; twin.entries.contains(keeping); --keeping) {
    kept += twin.entries.at(keeping).encoded.size();
    if (kept > kept_max) break;
  }
  RC_ASSERT(log.keeping(kept_max, last).value() == keeping);

  if (twin.entries.contains(index)) {
    RC_ASSERT(log.at(Index(index)).encoded == twin.entries.at(index).encoded);
    uint64_t lowest = index;
    while (twin.entries.contains(lowest - 1) &&
           twin.entries.at(lowest - 1).term == twin.entries.at(index).term)
      --lowest;
    RC_ASSERT(log.first_of_term_at(Index(index)).value() == lowest);
  }
  if (index > twin.snapshot_index) {
    const auto limit = *rc::gen::inRange<size_t>(0, 300);
    std::vector<Bytes> expected;
    size_t bytes = 0;
    for (auto at = twin.entries.find(index); at != twin.entries.end(); ++at) {
      bytes += at->second.encoded.size();
      if (!expected.empty() && bytes > limit) break;
      expected.push_back(at->second.encoded);
    }
    std::vector<Bytes> found;
    for (const Entry& entry : log.read(Index(index), limit)) found.push_back(entry.encoded);
    RC_ASSERT(found == expected);
  }
}

RC_GTEST_PROP(Log, AnswersLikeAPlainMap, ()) {
  Log log;
  Twin twin;
  const int steps = *rc::gen::inRange(1, 60);
  for (int i = 0; i < steps; ++i) {
    mutate(log, twin);
    compare(log, twin);
  }
}

}  // namespace
}  // namespace quorate::raft
