// What stood in a part of the tree at each zxid, as the committed entries say: what the recipes of the client
// library are held to.
//
// Thread safety: none.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/ids.h"
#include "base/time.h"

namespace quorate::sim {

class TreePast {
 public:
  struct Node {
    Zxid from;
    bool exists = false;
    std::string data{};
    Zxid czxid{};
    int32_t version = 0;
    SessionId owner{};  // 0: it is not ephemeral
  };

  // An entry was committed, and made of the node what is given. In the order of the log.
  void note(const std::string& path, Node node);
  // An entry was committed, at that time.
  void reached(Zxid zxid, Duration time);
  Zxid now() const { return now_; }
  // The last entry that was committed by then.
  Zxid by(Duration time) const;

  // As it was behind that entry.
  const Node& at(const std::string& path, Zxid zxid) const;
  // Every state that it had, in order.
  const std::vector<Node>& states(const std::string& path) const;
  // Paths of those below `parent` that are there behind that entry, and of all that ever were.
  std::vector<std::string> children(const std::string& parent, Zxid zxid) const;
  std::vector<std::string> ever_children(const std::string& parent) const;

  // Whether `holds` of some state of what is at `root` and below it, from one entry to another.
  bool ever(const std::string& root, Zxid from, Zxid to, const std::function<bool(Zxid)>& holds) const;
  bool always(const std::string& root, Zxid from, Zxid to, const std::function<bool(Zxid)>& holds) const {
    return !ever(root, from, to, [&](Zxid at) { return !holds(at); });
  }

 private:
  Zxid now_;
  std::vector<std::pair<Duration, Zxid>> times_;  // in order
  std::map<std::string, std::vector<Node>> nodes_;
  std::vector<std::pair<Zxid, std::string>> changes_;  // in order
};

}  // namespace quorate::sim
