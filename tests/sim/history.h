// What clients saw, and whether it can be true.
//
// Every operation on the tree comes back with a zxid: of the entry that applied a write, of the state that a
// read saw. That makes linearizability checkable in linear time, because the servers themselves name an order
// and only two things are left to ask:
//   1. Is the order one of real time? An operation that begins after another one has ended must not have a
//   lower zxid, and a
//      write a strictly higher one (RealTimeOrder).
//   2. Does every answer follow from the writes before it in that order? A read at state s of a key must show
//   the last write of
//      the key whose zxid is at most s (RegisterHistory).
// If both hold, then the operations sorted by zxid, a write before the reads of its own zxid, are a
// sequential history that agrees with real time and in which every answer is right: that is the definition of
// linearizability, for all keys together. A server cannot pass by lying about zxids: values are unique, so a
// value stands for its write.
//
// A write without an outcome may have been applied or not. It counts from the moment that a read shows its
// value.
//
// Thread safety: none.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "kv/command.h"
#include "tests/sim/context.h"

namespace quorate::sim {

class RealTimeOrder {
 public:
  // When an operation is sent for the first time: what its zxid must reach.
  Zxid begin() const { return highest_; }
  // When its answer has arrived.
  Verdict end_read(Zxid floor, Zxid seen);
  Verdict end_write(Zxid floor, Zxid applied);

 private:
  Zxid highest_;  // of all operations that have ended
};

enum class WriteKind : uint8_t { kCreate, kSet, kDelete };

// What a read shows of a key that exists.
struct ReadValue {
  std::string value;
  kv::Stat stat;
};

class RegisterHistory {
 public:
  explicit RegisterHistory(RealTimeOrder& order) : order_(order) {}

  // REQUIRES: `value` was never used before (a delete has none).
  size_t begin_write(const std::string& key, WriteKind kind, const std::string& value);
  // The outcome that came back, refusals included. Without a call the write stays unknown.
  Verdict end_write(size_t write, const kv::Outcome& outcome);

  size_t begin_read(const std::string& key);
  Verdict end_read(size_t read, Zxid seen, const std::optional<ReadValue>& shown);

  // When all is over: every answer against every write.
  Verdict finish() const;

 private:
  struct Write {
    std::string key;
    WriteKind kind = WriteKind::kSet;
    std::string value;
    Zxid floor;
    bool known = false;    // an outcome came back
    bool applied = false;  // and it changed something
    Zxid zxid;
    int32_t version = 0;
    Zxid czxid;
  };
  struct Read {
    std::string key;
    Zxid floor;
    bool ended = false;
    Zxid seen;
    std::optional<ReadValue> shown;
    size_t writes_begun = 0;  // when it ended: later writes cannot explain it
    // A refusal tells only this much.
    std::optional<bool> only_exists;
  };
  struct Effect {
    WriteKind kind = WriteKind::kSet;
    std::string value;
    std::optional<int32_t> version;
    Zxid czxid;
  };
  using Effects = std::map<Zxid, Effect>;

  Verdict add_effects(const std::string& key, Effects& effects) const;
  Verdict check_read(const Read& read, const Effects& effects) const;
  Verdict check_versions(const std::string& key, const Effects& effects) const;
  // Writes of this kind on this key that have no outcome, begun before `before`.
  size_t unknown(const std::string& key, WriteKind kind, size_t before) const;

  RealTimeOrder& order_;
  std::vector<Write> writes_;
  std::vector<Read> reads_;
  std::map<std::string, size_t> by_value_;
};

}  // namespace quorate::sim
