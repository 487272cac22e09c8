// Whether what is shown of those who are there (the members of a group, the instances of a service, a copy of
// a subtree in memory) is true: client/quorate/group.h, service.h and cache.h.
//
// Thread safety: none.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "base/ids.h"
#include "tests/sim/context.h"
#include "tests/sim/tree_past.h"

namespace quorate::sim {

class ViewHistory {
 public:
  // One of those that are shown.
  struct Shown {
    std::string text;   // is part of its data
    SessionId session;  // 0: not said

    friend bool operator==(const Shown&, const Shown&) = default;
  };
  using View = std::map<std::string, Shown>;  // by name

  ViewHistory(const TreePast& past, std::string parent) : past_(past), parent_(std::move(parent)) {}

  // What was looked at from there on. Each was there so, meanwhile; and who was there all the time is shown.
  Verdict shows(Zxid from, const View& view) const;
  // It was told that there were no others than these in time, though there may have been since `able`.
  Verdict gives_up(Zxid able, const View& known) const;

 private:
  bool is_so(const std::string& path, const Shown& shown, Zxid at) const;

  const TreePast& past_;
  const std::string parent_;
};

// A copy that is whole up to some zxid, and may have more.
class CopyHistory {
 public:
  CopyHistory(const TreePast& past, std::string root) : past_(past), root_(std::move(root)) {}

  struct Shown {
    std::string data;
    Zxid czxid;
    int32_t version = 0;
  };
  // `seen`: what the same copy showed before, by path: it never goes back.
  using Seen = std::map<std::string, Zxid>;
  Verdict shows(Zxid complete, const std::map<std::string, Shown>& nodes, Seen& seen) const;

 private:
  const TreePast& past_;
  const std::string root_;
};

}  // namespace quorate::sim
