// Whether the barriers of the client library (client/quorate/barrier.h) held back whom they must, and nobody
// else.
//
// Thread safety: none.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>

#include "base/ids.h"
#include "tests/sim/context.h"
#include "tests/sim/tree_past.h"

namespace quorate::sim {

// `from`, here and below: the last entry that was committed when it was asked.
class BarrierHistory {
 public:
  BarrierHistory(const TreePast& past, std::string path) : past_(past), path_(std::move(path)) {}

  // `open` or close() was told to have changed it, or that it was so before.
  Verdict told(Zxid from, bool open, bool changed);
  // Somebody passes.
  Verdict passes(Zxid from) const;
  // Somebody gives up, who could have passed ever since `able`.
  Verdict gives_up(Zxid able) const;

 private:
  bool is_open(Zxid at) const { return !past_.at(path_, at).exists; }

  const TreePast& past_;
  const std::string path_;
  std::set<Zxid> told_;  // entries that changed it, and whose askers were told so
};

class DoubleBarrierHistory {
 public:
  DoubleBarrierHistory(const TreePast& past, std::string path, size_t count)
      : past_(past), path_(std::move(path)), count_(count) {}

  // A session that came at `from` was told that it has entered. That it has left, or goes on.
  Verdict enters(SessionId session, Zxid from);
  Verdict goes_on(SessionId session);
  // It was told that it was too late to enter, or to wait for the others' leaving: it is not there.
  Verdict too_late(SessionId session);

 private:
  std::string members() const { return path_ + "/members"; }

  const TreePast& past_;
  const std::string path_;
  const size_t count_;
  // By session: the nodes of the round that it has entered, and of which entries they are.
  std::map<SessionId, std::map<std::string, Zxid>> rounds_;
};

}  // namespace quorate::sim
