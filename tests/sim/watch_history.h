// One-shot watches: each fires once, after what it saw and not before, in order, ahead of any answer that
// shows the change, and none is lost, also when its client moves to another server.
//
// Thread safety: none.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>

#include "base/ids.h"
#include "tests/sim/context.h"

namespace quorate::sim {

class WatchHistory {
 public:
  // A state of the watched node, as a read showed it.
  struct Seen {
    Zxid state;  // the zxid of the state that was read
    bool exists = false;
    Zxid czxid, mzxid;
  };

  // The answer of the read that registered it has arrived.
  void registered(uint32_t client, uint64_t watch, const std::string& key, ConnectionId connection,
                  const Seen& seen);
  // It was registered again after a reconnect: the answer has arrived.
  void resumed(uint32_t client, uint64_t watch, ConnectionId connection);
  // The session ended: nobody owes this watch an event any more.
  void dropped(uint32_t client, uint64_t watch);
  Verdict fired(uint32_t client, uint64_t watch, ConnectionId connection, const std::string& key, Zxid zxid);
  // Any read of the same client over the same connection.
  Verdict read_shows(uint32_t client, ConnectionId connection, const std::string& key,
                     const Seen& seen) const;
  // When all is over and quiet: what each key is in the end.
  Verdict finish(const std::map<std::string, Seen>& in_the_end) const;

 private:
  struct Watch {
    std::string key;
    ConnectionId connection;
    Seen seen;
    bool resumed = false;
    bool done = false;
  };
  static bool changed(const Seen& before, const Seen& after);

  std::map<std::pair<uint32_t, uint64_t>, Watch> watches_;
  std::map<std::pair<uint32_t, ConnectionId>, Zxid> newest_event_;
};

}  // namespace quorate::sim
