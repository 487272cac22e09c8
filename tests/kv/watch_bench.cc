// What a watch takes in memory, and how long it takes to fire one path with many watchers.
//
//   watch-bench [WATCHES]    default 1,000,000
#include <malloc.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "kv/watch_table.h"
#include "tests/kv/bench.h"

namespace quorate::kv {
namespace {

constexpr uint64_t kWatchesOfAConnection = 10'000;
constexpr uint64_t kWatchers = 10'000;

Applied set_of(std::string path) {
  Applied applied;
  applied.zxid = Zxid(1);
  applied.changes.push_back({});
  applied.changes[0].kind = Change::Kind::kDataSet;
  applied.changes[0].path = std::move(path);
  return applied;
}

double ms_since(std::chrono::steady_clock::time_point begin) {
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin).count();
}

void memory(uint64_t watches, uint64_t paths) {
  malloc_trim(0);
  const size_t before = resident_bytes();
  WatchTable table;
  const auto begin = std::chrono::steady_clock::now();
  for (uint64_t i = 0; i < watches; ++i) {
    const Status added =
        table.add(ConnectionId(1 + i / kWatchesOfAConnection), i, WatchKind::kData, path_of(i % paths));
    if (!added.ok()) {
      std::fprintf(stderr, "%s\n", added.error().message.c_str());
      std::exit(1);
    }
  }
  const double took = ms_since(begin);
  const auto count = static_cast<double>(watches);
  std::printf("%8llu watches on %8llu paths: %6.1f bytes each resident, %6.1f counted, %6.0f ns to add\n",
              static_cast<unsigned long long>(watches), static_cast<unsigned long long>(paths),
              static_cast<double>(resident_bytes() - before) / count,
              static_cast<double>(table.bytes()) / count, took * 1e6 / count);
}

void fire(WatchKind kind, const char* what) {
  std::vector<double> times;
  for (int round = 0; round < 9; ++round) {
    WatchTable table;
    for (uint64_t i = 0; i < kWatchers; ++i) {
      if (!table.add(ConnectionId(1 + i), 1, kind, path_of(7)).ok()) std::exit(1);
    }
    const Applied applied = set_of(path_of(7));
    const auto begin = std::chrono::steady_clock::now();
    const Fired fired = table.fire(applied);
    times.push_back(ms_since(begin));
    if (fired.events.size() + fired.batches.size() != kWatchers) std::exit(1);
  }
  std::sort(times.begin(), times.end());
  std::printf("one path with %llu watchers (%s): %.2f ms, the median of %zu\n",
              static_cast<unsigned long long>(kWatchers), what, times[times.size() / 2], times.size());
}

void misses(uint64_t watches) {
  WatchTable table;
  for (uint64_t i = 0; i < watches; ++i) {
    if (!table.add(ConnectionId(1 + i / kWatchesOfAConnection), i, WatchKind::kData, path_of(i)).ok())
      std::exit(1);
  }
  if (!table.add(ConnectionId(1), watches, WatchKind::kRecursive, "/elsewhere").ok()) std::exit(1);
  std::vector<Applied> entries;
  for (uint64_t i = 0; i < 100'000; ++i) entries.push_back(set_of(path_of(watches + i)));
  const auto begin = std::chrono::steady_clock::now();
  size_t events = 0;
  for (const Applied& applied : entries) events += table.fire(applied).events.size();
  std::printf("a change that nobody watches, 3 levels deep: %.0f ns (%zu events)\n",
              ms_since(begin) * 1e6 / static_cast<double>(entries.size()), events);
}

}  // namespace
}  // namespace quorate::kv

int main(int argc, char** argv) {
  const uint64_t watches = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 1'000'000;
  if (watches < 10'000) {
    std::fprintf(stderr, "usage: watch-bench [WATCHES], at least 10000\n");
    return 2;
  }
  quorate::kv::memory(watches, watches);
  quorate::kv::memory(watches, 10'000);
  quorate::kv::fire(quorate::kv::WatchKind::kData, "one-shot");
  quorate::kv::fire(quorate::kv::WatchKind::kTreeFeed, "feeds");
  quorate::kv::misses(watches);
}
