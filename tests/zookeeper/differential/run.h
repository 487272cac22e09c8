// A random history in chapters, asked of two servers, or clusters, of ZooKeeper's protocol at the same time:
// ZooKeeper itself on the left. Each chapter begins with an empty tree, new sessions and a theme of its own.
//
// Thread safety: none.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "tests/zookeeper/differential/answers.h"
#include "tests/zookeeper/differential/compare.h"
#include "tests/zookeeper/differential/history.h"
#include "tests/zookeeper/differential/missed.h"
#include "tests/zookeeper/differential/own_watches.h"
#include "tests/zookeeper/differential/peer.h"

namespace quorate::differential {

class Run {
 public:
  // `linearizable`: every read on the right sees what was done before it.
  Run(std::vector<uint16_t> left, std::vector<uint16_t> right, uint64_t seed, bool linearizable)
      : left_(std::move(left)),
        right_(std::move(right)),
        linearizable_(linearizable),
        chapter_(seed),
        history_(seed) {}

  // Asks for so many operations, and for more, up to twice as many, until each kind of answer that the
  // left ever gave has come `often` times. Gives the number of differences.
  size_t operator()(uint64_t operations, size_t often);

  const Answers& answers() const { return answers_; }
  size_t explained() const { return explained_; }

 private:
  static constexpr size_t kSessions = 3;

  struct Pair {
    Peer left, right;
    Watches watches{};
    OwnWatches own{};       // on the right
    size_t own_events = 0;  // how many of those that wait there `own` was told of
    bool authenticated = false;
    size_t number = 0;
  };
  using Replies = std::pair<zookeeper::Reply, zookeeper::Reply>;

  void begin_chapter();
  void end_chapter();
  void remove_below(const std::string& path);
  std::unique_ptr<Pair> fresh(size_t number);
  void end(Pair& pair);

  void step(size_t often);
  // Somebody tries to take the session without its password.
  void intrude(Pair& pair);
  // Asks both, and tells what differs.
  Replies ask(Pair& pair, const zookeeper::RequestBody& body);
  // The differences that are meant, as docs/zookeeper.md has them.
  bool is_meant(Pair& pair, const zookeeper::RequestBody& body, const Replies& replies);
  // Whether the session may not read what is there.
  static bool denied(Pair& pair, const std::string& path);
  void catch_up(Pair& pair);
  void tell_own(Pair& pair);
  void note(const Pair& pair, const std::string& what);
  void tell(const std::string& difference);

  // The connection breaks; the session goes on over another, and asks for watches as of some time ago.
  void come_back(Pair& pair);
  void hear_missed(Pair& pair, int64_t seen);
  void keep_watch(Pair& pair, const zookeeper::RequestBody& body, const zookeeper::Reply& reply);
  // A read behind everything: what an earlier change fired has arrived before its answer.
  void look_at_events();
  void look_at_events(Pair& pair);

  // A quota is set, changed or removed as zkCli.sh does it, and what it counts is looked at.
  void change_quota();
  void remove_quota(const std::string& path);
  // Asks both without looking at more than whether it is done.
  void ask_of_quota(const zookeeper::RequestBody& body);
  uint64_t bytes_used(const std::string& path);

  const std::vector<uint16_t> left_, right_;
  const bool linearizable_;
  uint64_t chapter_;
  History history_;
  Comparison comparison_;
  std::unique_ptr<Pair> keeper_;  // may do everything, and watches everything
  std::vector<std::unique_ptr<Pair>> sessions_;
  const Pair* last_asked_ = nullptr;
  Answers answers_;
  Missed missed_;
  std::set<std::string> quotas_;
  std::deque<std::string> recent_;
  std::deque<std::pair<int64_t, int64_t>> seen_;  // zxids of answers, both sides'
  size_t differences_ = 0;
  size_t explained_ = 0;
};

}  // namespace quorate::differential
