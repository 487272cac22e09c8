// What lock clients believed, what their tokens were, and what a resource outside accepted.
//
// Thread safety: none.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>

#include "base/ids.h"
#include "kv/place_mode.h"
#include "tests/sim/context.h"

namespace quorate::sim {

// Something outside that a lock protects. It remembers the highest token and refuses lower ones: all that a
// resource has to do.
class FencedResource {
 public:
  // Whether the write was accepted.
  bool write(Token token) {
    if (token < highest_) return false;
    highest_ = token;
    return true;
  }
  Token highest() const { return highest_; }

 private:
  Token highest_;
};

class LockHistory {
 public:
  // `lease_valid` says whether a client's lease holds by its own clock at this moment, and counts: what it
  // believes once the ending of its session was asked for is not compared with the others. `leases_count`:
  // clocks drift little enough for leases to keep holders apart; otherwise only tokens are checked.
  LockHistory(std::function<bool(uint32_t)> lease_valid, bool leases_count)
      : lease_valid_(std::move(lease_valid)), leases_count_(leases_count) {}

  // The client was told that it holds, and its lease is valid.
  Verdict hold_begins(const std::string& lock, uint32_t client, const std::string& node, Token token,
                      const kv::PlaceMode& mode = {});
  // It has let go, or its lease has ended.
  void hold_ends(const std::string& lock, uint32_t client);
  // It asks to share the lock from here on.
  void hold_is_shared(const std::string& lock, uint32_t client);
  // Somebody asks to have the lock taken from whoever holds it with this token. He learns of it later than
  // others may.
  void taking_away(const std::string& lock, Token token) { locks_[lock].taken.insert(token); }
  // A write to the resource with this token was accepted, or not.
  Verdict resource_written(const std::string& lock, uint32_t client, Token token, bool accepted);

 private:
  struct Lock {
    struct Believer {
      Token token;
      kv::PlaceMode mode;
    };
    std::map<uint32_t, Believer> believers;
    std::map<Token, std::pair<uint32_t, std::string>> granted;  // who, with which node
    std::map<kv::Mode, Token> newest_believed;
    std::set<Token> taken;
    Token highest_written;
  };

  Verdict check_beside(const std::string& path, const Lock& lock, uint32_t client, Token token,
                       const kv::PlaceMode& mode) const;

  std::function<bool(uint32_t)> lease_valid_;
  const bool leases_count_;
  std::map<std::string, Lock> locks_;
};

// Sequential creates: every answered one is there once, under a number that grows with time.
class SequenceHistory {
 public:
  explicit SequenceHistory(class RealTimeOrder& order) : order_(order) {}

  // REQUIRES: `tag`, the node's data, was never used before.
  void begin(const std::string& tag);
  Verdict end(const std::string& tag, const std::string& path, Zxid zxid);
  // All that is there in the end: name and data, in the order of creation.
  Verdict finish(const std::vector<std::pair<std::string, std::string>>& nodes) const;

 private:
  struct Item {
    Zxid floor;
    std::string path;  // "" while unknown
  };
  class RealTimeOrder& order_;
  std::map<std::string, Item> items_;
  std::map<Zxid, std::string> by_zxid_;
};

}  // namespace quorate::sim
