// How fast entries are applied, alone on one core, and what a node takes in memory.
//
//   apply-bench [NODES]    default 1,000,000: paths of 40 bytes, 100 bytes of data
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/random.h"
#include "kv/state_machine.h"
#include "tests/kv/bench.h"
#include "tests/kv/machine.h"

namespace quorate::kv {
namespace {

constexpr size_t kDataBytes = 100;
constexpr size_t kEntriesAtOnce = 100'000;
// As a server takes them: what is committed, or was read by one read index, is known before the first of it.
constexpr size_t kTogether = StateMachine::kPrefetchMax;

std::span<const std::string_view> next(const std::vector<std::string_view>& all, size_t from) {
  return std::span(all).subspan(from, std::min(kTogether, all.size() - from));
}

class Bench {
 public:
  Bench() : session_(machine_.open()) {}

  // Applies `count` operations and prints how many a second of processor time, so that others on the machine
  // do not count. Entries are encoded outside of it.
  template <class Make>
  void run(const char* what, uint64_t count, Make make) {
    std::clock_t taken = 0;
    for (uint64_t done = 0; done < count;) {
      std::vector<std::string> payloads;
      for (; payloads.size() < kEntriesAtOnce && done < count; ++done, ++number_) {
        payloads.push_back(
            payload_of(SessionRequest{session_, 1, number_, number_, make(done)}, machine_.stamp));
      }
      const std::vector<std::string_view> views(payloads.begin(), payloads.end());
      const std::clock_t begin = std::clock();
      for (size_t i = 0; i < views.size(); ++i) {
        if (i % kTogether == 0) machine_.state.prefetch_entries(next(views, i));
        const std::string_view payload = views[i];
        const Applied applied = machine_.state.apply(machine_.state.applied().next(), payload);
        if (applied.outcomes[0].outcome.code != ErrorCode::kOk) {
          std::fprintf(stderr, "%s\n", applied.outcomes[0].outcome.message.c_str());
          std::exit(1);
        }
      }
      taken += std::clock() - begin;
    }
    std::printf("%-28s %9.0f/s\n", what,
                static_cast<double>(count) * CLOCKS_PER_SEC / static_cast<double>(taken));
  }

  // Reads of nodes in no order: path, data and stat, each looked at. `together`: how many are known to come.
  template <class Path>
  void read(const char* what, uint64_t count, size_t together, Path path) {
    std::clock_t taken = 0;
    uint64_t seen = 0;
    for (uint64_t done = 0; done < count;) {
      std::vector<std::string> paths;
      for (; paths.size() < kEntriesAtOnce && done < count; ++done) paths.push_back(path());
      const std::vector<std::string_view> views(paths.begin(), paths.end());
      const std::clock_t begin = std::clock();
      for (size_t i = 0; i < views.size(); ++i) {
        if (together > 1 && i % together == 0) machine_.state.prefetch_paths(next(views, i));
        const Result<NodeView> node = machine_.state.get(views[i]);
        seen += node->data.size() + static_cast<uint64_t>(node->stat.version) + 1;
      }
      taken += std::clock() - begin;
    }
    if (seen < count) std::exit(1);
    std::printf("%-28s %9.0f/s\n", what,
                static_cast<double>(count) * CLOCKS_PER_SEC / static_cast<double>(taken));
  }

  const StateMachine& state() const { return machine_.state; }

 private:
  Machine machine_;
  SessionId session_;
  uint64_t number_ = 1;
};

void bench(uint64_t nodes) {
  Bench bench;
  Random random(1);
  bench.run("create parents", 1, [](uint64_t) { return create("/bench"); });
  bench.run("create parents", 1'000, [](uint64_t i) { return create("/bench/" + std::to_string(i)); });
  const size_t before = bench.state().tree_bytes();
  bench.run("create", nodes, [](uint64_t i) { return create(path_of(i), std::string(kDataBytes, 'x')); });
  const auto nodes_made = static_cast<double>(nodes);
  const double raw = kPathBytes + kDataBytes;
  std::printf("%-28s %9.1f over the %.0f of path and data\n", "bytes a node, counted",
              static_cast<double>(bench.state().tree_bytes() - before) / nodes_made - raw, raw);
  std::printf("%-28s %9.1f of resident memory in all\n", "bytes a node, process",
              static_cast<double>(resident_bytes()) / nodes_made);
  const auto any = [&] { return path_of(random.below(nodes)); };
  bench.read("get, any of all nodes", nodes, kTogether, any);
  bench.read("get, any, one at a time", nodes, 1, any);
  const uint64_t few = std::min<uint64_t>(nodes, 1'000);
  bench.read("get, 1,000 nodes", nodes, kTogether, [&] { return path_of(random.below(few)); });
  bench.run("set, any of all nodes", nodes, [&](uint64_t) {
    return SetOp{path_of(random.below(nodes)), std::string(kDataBytes, 'y'), -1};
  });
  bench.run("set, 1,000 nodes", nodes, [&](uint64_t) {
    return SetOp{path_of(random.below(few)), std::string(kDataBytes, 'z'), -1};
  });
  bench.run("acquire and release", nodes / 10 * 2, [&](uint64_t i) -> Operation {
    std::string suffix = std::to_string(i / 2);
    suffix.insert(0, 10 - suffix.size(), '0');
    if (i % 2 == 0) return AcquireOp{"/lock", {}};
    return ReleaseOp{"/lock/lock-" + suffix};
  });
  bench.run("delete", nodes, [](uint64_t i) { return DeleteOp{path_of(i), -1}; });
}

}  // namespace
}  // namespace quorate::kv

int main(int argc, char** argv) {
  const uint64_t nodes = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 1'000'000;
  if (nodes < 10) {
    std::fprintf(stderr, "usage: apply-bench [NODES], at least 10\n");
    return 2;
  }
  quorate::kv::bench(nodes);
}
