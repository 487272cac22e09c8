// Whether one-shot watches of the client library (client/quorate/watch.h) told the truth: what they fired
// for has happened, and what has happened they fired for.
//
// Thread safety: none.
#pragma once

#include <string>
#include <vector>

#include "base/ids.h"
#include "client/quorate/types.h"
#include "tests/sim/context.h"
#include "tests/sim/tree_past.h"

namespace quorate::sim {

class WatchedHistory {
 public:
  explicit WatchedHistory(const TreePast& past) : past_(past) {}

  // What a read showed of a node. Default: that it does not exist.
  struct Seen {
    bool exists = false;
    Zxid czxid{};
    int32_t version = 0;
  };
  // A read that was asked behind `from` showed this.
  Verdict shows(const std::string& path, Zxid from, const Seen& seen) const;
  // The watch that it set told such a change.
  Verdict fires(const std::string& path, Zxid from, const Seen& seen, client::EventKind kind) const;
  // It told nothing, and of what was so by `able` it could have. Nobody is told of a node that came and went
  // while the connection was down.
  Verdict is_silent(const std::string& path, Zxid able, const Seen& seen) const;

  // The same of a node's children: their names, in byte order.
  using Names = std::vector<std::string>;
  Verdict lists(const std::string& path, Zxid from, const Names& names) const;
  Verdict list_fires(const std::string& path, Zxid from, const Names& names, client::EventKind kind) const;
  Verdict list_is_silent(const std::string& path, Zxid able, const Names& names) const;

 private:
  bool is_so(const std::string& path, const Seen& seen, Zxid at) const;
  bool has(const std::string& path, const Names& names, Zxid at) const;

  const TreePast& past_;
};

}  // namespace quorate::sim
