// Are two servers' answers the same? Times are not compared; zxids by their order and their equality, not by
// value; sessions by which of the test's they are; names of children as a set.
//
// Thread safety: none.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "proto/zookeeper.h"

namespace quorate::differential {

class Comparison {
 public:
  // The two know the same session by these.
  void same_session(int64_t left, int64_t right) { sessions_[left] = right; }
  // What differs, in a sentence, or "".
  std::string replies(const zookeeper::Reply& left, const zookeeper::Reply& right);
  // Two answers to the same change: their headers name it.
  std::string changes(const zookeeper::Reply& left, const zookeeper::Reply& right) {
    return zxids("the answer's zxid", left.zxid, right.zxid);
  }
  // Of persistent watches ZooKeeper's tell each change that an entry makes, Quorate's what it came to.
  static bool what_it_came_to(const std::vector<zookeeper::Event>& left,
                              const std::vector<zookeeper::Event>& right);
  // Nothing on the right that is not on the left.
  static bool no_more_than(const std::vector<zookeeper::Event>& left,
                           const std::vector<zookeeper::Event>& right);
  static std::string events(const std::vector<zookeeper::Event>& left,
                            const std::vector<zookeeper::Event>& right);

 private:
  std::string stats(const zookeeper::Stat& left, const zookeeper::Stat& right);
  std::string zxids(const char* what, int64_t left, int64_t right);

  std::map<int64_t, int64_t> sessions_;
  // Zxids that were seen to be the same; both sides grow.
  std::map<int64_t, int64_t> zxids_;
};

std::string describe(const zookeeper::RequestBody& body);
std::string describe(const zookeeper::Event& event);
const char* name_of(zookeeper::OpCode op);

}  // namespace quorate::differential
