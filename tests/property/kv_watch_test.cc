// Watches over random histories: each fires once, with the first change that concerns it, and what a client
// is told that it missed is what its watch would have seen.
#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <map>

#include "kv/path.h"
#include "kv/watch_table.h"
#include "tests/property/kv_history.h"

namespace quorate::kv {
namespace {

struct Registered {
  WatchKind kind = WatchKind::kData;
  std::string path;
};
using Naive = std::map<std::pair<uint64_t, uint64_t>, Registered>;  // by connection and watch

std::optional<EventKind> event_for(const Registered& watch, const Change& change) {
  if (watch.path == change.path) {
    if (change.kind == Change::Kind::kDeleted) return EventKind::kDeleted;
    if (watch.kind == WatchKind::kChildren) return std::nullopt;
    return change.kind == Change::Kind::kCreated ? EventKind::kCreated : EventKind::kDataChanged;
  }
  const bool child = change.kind != Change::Kind::kDataSet && watch.path == parent_of(change.path);
  if (child && watch.kind == WatchKind::kChildren) return EventKind::kChildrenChanged;
  return std::nullopt;
}

// What each watch should see of an entry; those that see something are gone.
std::map<std::pair<uint64_t, uint64_t>, EventKind> fire(Naive& watches, const Applied& applied) {
  std::map<std::pair<uint64_t, uint64_t>, EventKind> events;
  for (const Change& change : applied.changes) {
    for (auto at = watches.begin(); at != watches.end();) {
      const auto event = event_for(at->second, change);
      if (event) events[at->first] = *event;
      at = event ? watches.erase(at) : std::next(at);
    }
  }
  return events;
}

std::string watched_path(uint8_t pick) {
  static const std::vector<std::string> kPaths = {"/a",  "/a/b", "/l", "/", "/b", "/l/lock-0000000001",
                                                  "/a/a"};
  return kPaths[pick % kPaths.size()];
}

RC_GTEST_PROP(KvWatches, FireOnceForTheFirstChangeThatConcernsThem, ()) {
  StateMachine state;
  History history(state);
  WatchTable table;
  Naive naive;
  const std::vector<Step> steps = *histories();
  for (const Step& step : steps) {
    const std::pair<uint64_t, uint64_t> key{step[1] % 5 + 1, step[2] % 7};
    const WatchKind kind = step[3] % 2 == 0 ? WatchKind::kData : WatchKind::kChildren;
    if (step[5] % 4 != 0) {
      table.add(ConnectionId(key.first), key.second, kind, watched_path(step[4]));
      naive[key] = {kind, watched_path(step[4])};
    } else if (step[5] % 32 == 0) {
      table.remove(ConnectionId(key.first), key.second);
      naive.erase(key);
    } else if (step[5] % 32 == 4) {
      table.drop_connection(ConnectionId(key.first));
      naive.erase(naive.lower_bound({key.first, 0}), naive.lower_bound({key.first + 1, 0}));
    }
    const Applied applied =
        state.apply(state.applied().next(), payload_of(history.command(step), history.stamp(step)));
    std::map<std::pair<uint64_t, uint64_t>, Registered> before = naive;
    const auto expected = fire(naive, applied);
    const std::vector<WatchEvent> events = table.fire(applied);
    RC_ASSERT(events.size() == expected.size());
    for (const WatchEvent& event : events) {
      const auto at = expected.find({event.connection.value(), event.watch});
      RC_ASSERT(at != expected.end());
      RC_ASSERT(event.kind == at->second);
      RC_ASSERT(event.zxid == applied.zxid);
      RC_ASSERT(event.path == before.at(at->first).path);
    }
    RC_ASSERT(table.size() == naive.size());
  }
  for (uint64_t connection = 1; connection <= 5; ++connection)
    table.drop_connection(ConnectionId(connection));
  RC_ASSERT(table.size() == 0U);
}

// A client looks, goes, comes back and asks what it missed, beside one whose watch stood all the time.
RC_GTEST_PROP(KvWatches, WhatWasMissedIsWhatAWatchWouldHaveSeen, ()) {
  StateMachine state;
  History history(state);
  const std::vector<Step> steps = *histories();
  const size_t looked = steps.empty() ? 0 : *rc::gen::inRange<size_t>(0, steps.size());
  const std::string path = watched_path(*rc::gen::inRange<uint8_t>(0, 7));
  const WatchKind kind = *rc::gen::element(WatchKind::kData, WatchKind::kChildren);
  Registered watch{kind, path};
  std::vector<EventKind> seen;  // what a watch that is set again and again would see
  Zxid since;
  bool existed = path == "/";
  for (size_t i = 0; i < steps.size(); ++i) {
    const Applied applied =
        state.apply(state.applied().next(), payload_of(history.command(steps[i]), history.stamp(steps[i])));
    for (const Change& change : applied.changes) {
      if (const auto event = event_for(watch, change)) seen.push_back(*event);
    }
    if (i == looked) {
      since = state.zxid();
      existed = state.get(path).ok();
      seen.clear();
    }
  }
  const std::optional<EventKind> missed = missed_since(state, path, kind, since, existed);
  // What it is told did happen.
  if (missed) RC_ASSERT(std::find(seen.begin(), seen.end(), *missed) != seen.end());
  // All that happened to a node that was there leaves a trace; one that was not may have come and gone.
  const bool exists = state.get(path).ok();
  if (!seen.empty() && (existed || exists)) {
    const bool only_its_own_creation =
        kind == WatchKind::kChildren && !existed && state.get(path)->stat.cversion == 0;
    RC_ASSERT(missed.has_value() || only_its_own_creation);
  }
  if (seen.empty()) RC_ASSERT(!missed.has_value());
}

}  // namespace
}  // namespace quorate::kv
