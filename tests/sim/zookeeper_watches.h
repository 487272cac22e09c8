// What a simulated client of ZooKeeper's protocol watches, and whether it was told all that it should be.
//
// Thread safety: none.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "proto/zookeeper.h"
#include "tests/sim/context.h"

namespace quorate::sim {

class ZookeeperWatches {
 public:
  // A node as a read showed it.
  struct Seen {
    Zxid state;  // the zxid of the state that was read
    bool exists = false;
    Zxid czxid, mzxid;
  };

  // `root`: the path of a persistent recursive watch.
  ZookeeperWatches(Context& context, std::string root) : context_(context), root_(std::move(root)) {}

  // A read of a node was answered, which set a one-shot watch or not.
  Verdict read(const std::string& path, const Seen& seen, bool watched);
  Verdict event(const kv::WatchEvent& event);
  // The persistent watch is set; the answer showed this state.
  void watched(Zxid zxid);
  // Any other answer that shows a state: all that happened up to it has been told.
  Verdict shown(Zxid zxid);

  // The connection is lost: what was told and not followed by an answer may be told again.
  void disconnected();
  // What a client asks for over its next connection; the zxid is left to it.
  zookeeper::SetWatches again() const;
  // That was answered.
  Verdict resumed(Zxid zxid);
  // With the session everything is over.
  void clear();

  // When all is over, quiet and told.
  Verdict at_end(const std::string& who) const;

 private:
  using Change = std::pair<Zxid, std::string>;

  Verdict live(Zxid zxid) const;
  Verdict replayed(Zxid zxid) const;
  bool is_below_root(std::string_view path) const;

  Context& context_;
  const std::string root_;
  std::map<std::string, Seen> armed_;  // one-shot
  bool persistent_ = false;
  Zxid complete_;             // told of all that happened below the root until then
  std::vector<Change> told_;  // since then
};

}  // namespace quorate::sim
