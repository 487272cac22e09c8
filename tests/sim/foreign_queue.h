// A queue as ZooKeeper's lock recipe sees it, from nothing but lists of children: who counts, who stands
// right before whom; and what such a client must not be shown.
//
// Thread safety: none.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "tests/sim/context.h"

namespace quorate::sim {

class ForeignQueue {
 public:
  // kazoo's recipe counts its own names alone, Curator's mutex every child.
  explicit ForeignQueue(bool kazoo) : kazoo_(kazoo) {}

  // What a place's name begins with; `unique` is nobody else's.
  std::string id(const std::string& unique) const;
  // A create with that id was looked for, behind all that its session asked before, and was not there: it was
  // never done, and never will be.
  void never_made(const std::string& id) { never_made_.insert(id); }
  // The end of this node will be told, before any answer that shows it.
  void watch_set(const std::string& name) { watched_ = name; }
  void watch_told() { watched_.clear(); }
  bool watches(const std::string& name) const { return !name.empty() && watched_ == name; }

  struct Look {
    bool there = false;
    std::string before;  // ""; it is the first
  };
  // Where the place stands among these children, in whatever order they come.
  Look look(const std::string& place, const std::vector<std::string>& names) const;
  // Whether a list may be shown now.
  Verdict shown(const std::vector<std::string>& names) const;

 private:
  bool counts(const std::string& name) const;

  const bool kazoo_;
  std::set<std::string> never_made_;
  std::string watched_;
};

}  // namespace quorate::sim
