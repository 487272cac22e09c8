// The same random session histories against two servers of ZooKeeper's protocol: replies, Stats, errors and
// events must be the same. differential.py starts the two, ZooKeeper itself on the left.
//
//   zookeeper_differential LEFT_PORT RIGHT_PORT SEED OPERATIONS
//
// Says what differed, with the requests before it, and a table of how often each operation was answered how.
// The exit code is 1 if anything differed.
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <map>
#include <memory>

#include "tests/zookeeper/differential/compare.h"
#include "tests/zookeeper/differential/history.h"
#include "tests/zookeeper/differential/peer.h"

namespace quorate::differential {
namespace {

using namespace zookeeper;

const Auth kProof{0, "digest", "anna:secret"};
constexpr uint32_t kTimeoutMs = 30'000;
constexpr size_t kSessions = 3;
// Requests between two looks at the events of all sessions.
constexpr uint64_t kEventsEvery = 5;
constexpr size_t kDifferencesToldMax = 40;
constexpr size_t kRequestsTold = 12;
constexpr size_t kSeenKept = 20;

bool is_bad(const std::string& path) {
  if (path.empty() || path[0] != '/' || path.find("//") != std::string::npos) return true;
  if (path.size() > 1 && path.back() == '/') return true;
  if (path.find("/./") != std::string::npos || path.find("/../") != std::string::npos) return true;
  return path.find_first_of("\x01\x7f") != std::string::npos;
}

// docs/zookeeper.md has the differences that are meant: where more than one thing is wrong with a create, a
// path that cannot be is what it is refused for, and ZooKeeper looks at permissions first.
// To checkWatches ZooKeeper 3.8 says yes where anybody watches the path.
bool is_explained(const RequestBody& body, const Reply& left, const Reply& right) {
  if (std::holds_alternative<CheckWatches>(body) && right.error == zookeeper::ErrorCode::kNoWatcher)
    return left.error == zookeeper::ErrorCode::kOk;
  const auto* create = std::get_if<Create>(&body);
  if (create != nullptr && is_bad(create->path))
    return left.error != zookeeper::ErrorCode::kOk && right.error != zookeeper::ErrorCode::kOk;
  const auto* multi = std::get_if<Multi>(&body);
  if (multi == nullptr) return false;
  bool bad = false;
  for (const Multi::Part& part : multi->parts) {
    const auto* one = std::get_if<Create>(&part);
    bad = bad || (one != nullptr && is_bad(one->path));
  }
  const auto refused = [](const Reply& reply) {
    const auto* results = std::get_if<MultiReply>(&reply.body);
    return results == nullptr || (!results->results.empty() && results->results.front().op == OpCode::kError);
  };
  return bad && refused(left) && refused(right);
}

struct Pair {
  Pair(uint16_t left_port, uint16_t right_port, Comparison& comparison)
      : left("127.0.0.1", left_port, kTimeoutMs), right("127.0.0.1", right_port, kTimeoutMs) {
    comparison.same_session(left.session(), right.session());
  }
  Peer left, right;
  bool authenticated = false;
};

class Run {
 public:
  Run(uint16_t left, uint16_t right, uint64_t seed) : left_(left), right_(right), history_(seed) {
    for (size_t i = 0; i < kSessions; ++i) sessions_.push_back(fresh());
  }

  size_t operator()(uint64_t operations) {
    for (uint64_t i = 0; i < operations; ++i) {
      step();
      if (i % kEventsEvery == 0) look_at_events();
    }
    look_at_events();
    return differences_;
  }

  void print_table() const {
    std::printf("%-22s %6s %9s\n", "operation", "code", "answers");
    std::printf("%zu differences that are meant\n", explained_);
    for (const auto& [what, count] : answers_)
      std::printf("%-22s %6d %9zu\n", what.first, what.second, count);
  }

 private:
  std::unique_ptr<Pair> fresh() { return std::make_unique<Pair>(left_, right_, comparison_); }

  void note(size_t session, const std::string& what) {
    recent_.push_back(std::to_string(session) + ": " + what);
    if (recent_.size() > kRequestsTold) recent_.pop_front();
  }

  void tell(const std::string& difference) {
    if (++differences_ > kDifferencesToldMax) return;
    std::printf("DIFFERENT: %s\n", difference.c_str());
    for (const std::string& request : recent_) std::printf("    %s\n", request.c_str());
  }

  void step() {
    const size_t which = history_.below(kSessions);
    std::unique_ptr<Pair>& pair = sessions_[which];
    if (history_.below(500) == 0) {
      note(which, "a new session");
      pair->left.ask(CloseSession{});
      pair->right.ask(CloseSession{});
      pair = fresh();
      return;
    }
    if (history_.below(200) == 0 && !history_.persistent()) return come_back(which);
    const RequestBody body = history_.next();
    note(which, describe(body));
    if (std::holds_alternative<Auth>(body)) pair->authenticated = true;
    const Reply left = pair->left.ask(body);
    const Reply right = pair->right.ask(body);
    ++answers_[{name_of(op_of(body)), static_cast<int>(left.error)}];
    if (const auto* multi = std::get_if<MultiReply>(&left.body)) {
      for (const MultiResult& result : multi->results)
        ++answers_[{result.op == OpCode::kError ? "in a multi" : name_of(result.op),
                    static_cast<int>(result.error)}];
    }
    if (const std::string difference = comparison_.replies(left, right); !difference.empty()) {
      if (is_explained(body, left, right)) {
        ++explained_;
      } else {
        tell(difference);
      }
    }
    if (pair->left.closed() || pair->right.closed()) pair = fresh();
    seen_.emplace_back(pair->left.last_zxid(), pair->right.last_zxid());
    if (seen_.size() > kSeenKept) seen_.pop_front();
  }

  // The connection breaks; the session goes on over another, and asks for watches as of some time ago.
  void come_back(size_t which) {
    look_at_events();
    Pair& pair = *sessions_[which];
    SetWatches again = history_.watches_again();
    note(which, "a new connection, with watches again");
    pair.left.reconnect();
    pair.right.reconnect();
    // As clients do: who they are comes first.
    if (pair.authenticated) {
      pair.left.ask(kProof);
      pair.right.ask(kProof);
    }
    const auto seen = seen_.empty() ? std::pair<int64_t, int64_t>() : seen_.front();
    again.relative_zxid = seen.first;
    const Reply left = pair.left.ask(again);
    again.relative_zxid = seen.second;
    const Reply right = pair.right.ask(again);
    ++answers_[{name_of(OpCode::kSetWatches), static_cast<int>(left.error)}];
    if (const std::string wrong = comparison_.replies(left, right); !wrong.empty()) tell(wrong);
    // ZooKeeper tells of nodes that the session may not read; those are what may be missing on the right.
    const std::vector<Event> told = pair.left.take_events();
    const std::vector<Event> others = pair.right.take_events();
    const std::string difference = Comparison::events(told, others);
    if (difference.empty()) return;
    if (Comparison::no_more_than(told, others)) {
      ++explained_;
    } else {
      tell("session " + std::to_string(which) + ": " + difference);
    }
  }

  // A read behind everything: what an earlier change fired has arrived before its answer.
  void look_at_events() {
    for (size_t i = 0; i < kSessions; ++i) {
      Pair& pair = *sessions_[i];
      pair.left.ask(Sync{"/"});
      pair.right.ask(Sync{"/"});
      const std::vector<Event> left = pair.left.take_events();
      const std::vector<Event> right = pair.right.take_events();
      const std::string difference = Comparison::events(left, right);
      if (difference.empty()) continue;
      if (history_.persistent() && Comparison::what_it_came_to(left, right)) {
        ++explained_;
      } else {
        tell("session " + std::to_string(i) + ": " + difference);
      }
    }
  }

  const uint16_t left_, right_;
  History history_;
  Comparison comparison_;
  std::vector<std::unique_ptr<Pair>> sessions_;
  std::map<std::pair<const char*, int>, size_t> answers_;
  std::deque<std::string> recent_;
  std::deque<std::pair<int64_t, int64_t>> seen_;  // zxids of answers, both sides'
  size_t differences_ = 0;
  size_t explained_ = 0;
};

}  // namespace
}  // namespace quorate::differential

int main(int argc, char** argv) {
  if (argc != 5) {
    std::fprintf(stderr, "usage: zookeeper_differential LEFT_PORT RIGHT_PORT SEED OPERATIONS\n");
    return 2;
  }
  quorate::differential::Run run(static_cast<uint16_t>(std::atoi(argv[1])),
                                 static_cast<uint16_t>(std::atoi(argv[2])),
                                 std::strtoull(argv[3], nullptr, 10));
  const size_t differences = run(std::strtoull(argv[4], nullptr, 10));
  run.print_table();
  std::printf("%zu differences\n", differences);
  return differences == 0 ? 0 : 1;
}
