// What a synced group of 256 bytes costs in the log, beside the bare cost of it: pwrite and fdatasync on a
// file full of zeroes, in turns in the same run and the same folder.
//
//   wal-bench DIRECTORY [SECONDS]
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "server/storage/posix_file_system.h"
#include "server/storage/wal.h"

namespace quorate {
namespace {

using server::PosixFileSystem;
using server::Wal;
using Clock = std::chrono::steady_clock;

constexpr size_t kGroupBytes = 256;
constexpr uint64_t kFileBytes = 64 << 20;
constexpr int kTurns = 10;

struct Series {
  std::vector<double> micros;
  double total_seconds = 0;

  template <class Once>
  void run(double seconds, Once once) {
    const Clock::time_point end =
        Clock::now() + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
    for (Clock::time_point before = Clock::now(); before < end;) {
      once();
      const Clock::time_point after = Clock::now();
      micros.push_back(std::chrono::duration<double, std::micro>(after - before).count());
      total_seconds += std::chrono::duration<double>(after - before).count();
      before = after;
    }
  }
  void print(const char* name) {
    std::sort(micros.begin(), micros.end());
    std::printf("%-24s %9.0f groups/s   p50 %7.1f us   p99 %7.1f us\n", name,
                static_cast<double>(micros.size()) / total_seconds, micros[micros.size() / 2],
                micros[micros.size() * 99 / 100]);
  }
};

void must(const Status& status) {
  if (status.ok()) return;
  std::fprintf(stderr, "wal-bench: %s\n", status.error().message.c_str());
  std::exit(1);
}

int run(const std::string& directory, double seconds) {
  PosixFileSystem disk;
  must(disk.make_directory(directory));
  const std::string folder = directory + "/wal-bench";
  std::filesystem::remove_all(folder);
  must(disk.make_directory(folder));

  auto bare = disk.create(folder + "/bare").value();
  for (uint64_t at = 0; at < kFileBytes; at += 1 << 20) must(bare->write_at(at, std::string(1 << 20, '\0')));
  must(bare->sync());
  auto wal = Wal::create(disk, folder + "/wal", {ServerId(1), Incarnation(1), ClusterId(1)}, {}).value();
  while (wal->idle().value()) {
  }

  const std::string payload(kGroupBytes - raft::kEntryHeaderBytes, 'x');
  const raft::Proposal proposal{raft::EntryKind::kCommand, payload};
  const std::string group(kGroupBytes, 'y');
  Index next(1);
  uint64_t bare_at = 0;
  Series in_log;
  Series at_the_floor;
  for (int turn = 0; turn < kTurns; ++turn) {
    at_the_floor.run(seconds / kTurns / 2, [&] {
      must(bare->write_at(bare_at, group));
      must(bare->sync());
      bare_at = (bare_at + kGroupBytes) % kFileBytes;
    });
    in_log.run(seconds / kTurns / 2, [&] {
      const std::vector<raft::Entry> entries = raft::encode_entries(Term(1), next, {&proposal, 1});
      next = next.next();
      must(wal->append(std::nullopt, entries));
      must(wal->sync());
    });
  }
  at_the_floor.print("pwrite and fdatasync");
  in_log.print("log");
  std::filesystem::remove_all(folder);
  return 0;
}

}  // namespace
}  // namespace quorate

int main(int argc, char** argv) {
  const double seconds = argc > 2 ? std::atof(argv[2]) : 4;
  if (argc < 2 || argc > 3 || !(seconds > 0)) {
    std::fprintf(stderr, "usage: wal-bench DIRECTORY [SECONDS]\n");
    return 2;
  }
  return quorate::run(argv[1], seconds);
}
