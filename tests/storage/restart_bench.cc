// What a restart and a checkpoint of a large state cost, beside a bare scan of the same data in LevelDB.
//
//   restart-bench [NODES] [FOLDER]    default 1,000,000 nodes: paths of 40 bytes, 100 bytes of random data
#include <leveldb/db.h>
#include <leveldb/iterator.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "base/check.h"
#include "base/random.h"
#include "server/storage/leveldb_store.h"
#include "server/storage/posix_file_system.h"
#include "server/storage/state_folder.h"
#include "tests/kv/machine.h"

namespace quorate::storage_test {
namespace {

using namespace server;

constexpr size_t kPathBytes = 40;
constexpr size_t kDataBytes = 100;
constexpr size_t kNodesACheckpoint = 100'000;
constexpr size_t kChanges = 1'000;
constexpr int kCheckpoints = 40;

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

size_t resident_mb() {
  std::ifstream status("/proc/self/statm");
  size_t total = 0, resident = 0;
  status >> total >> resident;
  return resident * 4096 >> 20;
}

std::string path_of(uint64_t i) {
  const std::string digits = std::to_string(i);
  std::string path = "/bench/" + std::to_string(i % 1'000) + "/";
  path.append(kPathBytes - path.size() - digits.size(), 'n');
  return path + digits;
}

class Bench {
 public:
  Bench(size_t nodes, std::string folder) : nodes_(nodes), directory_(std::move(folder) + "/state") {
    session_ = machine_.open();
    open();
  }

  void run() {
    fill();
    std::printf("%zu nodes in %.1f MB of records; %.1f MB written by %zu checkpoints; %zu MB resident\n",
                nodes_, static_cast<double>(record_bytes_) / 1e6,
                static_cast<double>(folder_->bytes_written()) / 1e6,
                (nodes_ + kNodesACheckpoint - 1) / kNodesACheckpoint, resident_mb());
    change();
    restart();
  }

 private:
  void open() {
    auto opened = StateFolder::open(fs_, stores_, directory_, {});
    CHECK_MSG(opened.ok(), opened.ok() ? "" : opened.error().message);
    folder_ = std::move(opened->folder);
  }
  std::string data() {
    std::string bytes(kDataBytes, '\0');
    for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<char>(random_.below(256));
    return bytes;
  }
  // Bytes of the records that changed.
  size_t checkpoint() {
    WriteCheckpoint job;
    job.name = {ClusterId(1), machine_.state.applied(), Term(1), Bytes(std::string("members")),
                machine_.state.state_hash()};
    machine_.state.begin_capture();
    while (!machine_.state.capture(64 << 10, job.records)) {
    }
    const size_t bytes = job.records.bytes();
    StoreJob store_job{1, std::move(job)};
    const auto done = folder_->run(store_job);
    CHECK_MSG(done.ok(), done.ok() ? "" : done.error().message);
    return bytes;
  }
  void fill() {
    machine_.run(session_, kv::create("/bench"));
    for (int i = 0; i < 1'000; ++i) machine_.run(session_, kv::create("/bench/" + std::to_string(i)));
    for (uint64_t i = 0; i < nodes_; ++i) {
      CHECK(machine_.run(session_, kv::create(path_of(i), data())).code == ErrorCode::kOk);
      if ((i + 1) % kNodesACheckpoint == 0 || i + 1 == nodes_) record_bytes_ += checkpoint();
    }
  }
  void change() {
    std::vector<double> ratios, changed_kb, written_kb, times;
    for (int round = 0; round < kCheckpoints; ++round) {
      for (size_t i = 0; i < kChanges; ++i) {
        CHECK(machine_.run(session_, kv::SetOp{path_of(random_.below(nodes_)), data()}).code ==
              ErrorCode::kOk);
      }
      const uint64_t before = folder_->bytes_written();
      const auto start = std::chrono::steady_clock::now();
      const size_t changed = checkpoint();
      times.push_back(seconds_since(start) * 1e3);
      const uint64_t written = folder_->bytes_written() - before;
      changed_kb.push_back(static_cast<double>(changed) / 1e3);
      written_kb.push_back(static_cast<double>(written) / 1e3);
      ratios.push_back(static_cast<double>(written) / (2 * static_cast<double>(changed) + (1 << 20)));
    }
    double all = 0;
    for (const double kb : written_kb) all += kb;
    std::printf(
        "a checkpoint of %zu changes: %.0f kB of records, %.0f kB written (median of %d; mean %.0f, most "
        "%.0f), "
        "%.1f ms\n",
        kChanges, median(changed_kb), median(written_kb), kCheckpoints, all / kCheckpoints,
        *std::max_element(written_kb.begin(), written_kb.end()), median(times));
    std::printf(
        "  of twice the changed bytes + 1 MiB: %.2f (median; aim: at most 1), %zu of %d were above\n",
        median(ratios),
        static_cast<size_t>(std::count_if(ratios.begin(), ratios.end(), [](double r) { return r > 1; })),
        kCheckpoints);
  }
  double scan() {
    const auto start = std::chrono::steady_clock::now();
    leveldb::DB* opened = nullptr;
    CHECK(leveldb::DB::Open(leveldb::Options(), store_path(), &opened).ok());
    const std::unique_ptr<leveldb::DB> db(opened);
    leveldb::ReadOptions options;
    options.fill_cache = false;
    const std::unique_ptr<leveldb::Iterator> at(db->NewIterator(options));
    size_t bytes = 0;
    for (at->SeekToFirst(); at->Valid(); at->Next()) bytes += at->key().size() + at->value().size();
    CHECK(at->status().ok() && bytes > nodes_ * kDataBytes);
    return seconds_since(start);
  }
  std::string store_path() const {
    for (const auto& entry : std::filesystem::directory_iterator(directory_)) {
      if (entry.is_directory()) return entry.path();
    }
    return {};
  }
  void restart() {
    std::vector<double> scans, opens;
    const Index applied = machine_.state.applied();
    for (int round = 0; round < 3; ++round) {
      folder_.reset();
      scans.push_back(scan());
      const auto start = std::chrono::steady_clock::now();
      auto opened = StateFolder::open(fs_, stores_, directory_, {});
      CHECK(opened.ok() && opened->state && opened->state->name.index == applied);
      opens.push_back(seconds_since(start));
      folder_ = std::move(opened->folder);
    }
    std::printf(
        "load, hash and compare: %.2f s; bare scan: %.2f s; %.1f times (medians of 3; aim: at most 7)\n",
        median(opens), median(scans), median(opens) / median(scans));
  }

  const size_t nodes_;
  const std::string directory_;
  PosixFileSystem fs_;
  LevelDbStores stores_{fs_};
  std::unique_ptr<StateFolder> folder_;
  Random random_{1};
  kv::Machine machine_;
  SessionId session_;
  size_t record_bytes_ = 0;
};

}  // namespace
}  // namespace quorate::storage_test

int main(int argc, char** argv) {
  const size_t nodes = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 1'000'000;
  const bool own = argc <= 2;
  const std::string folder = own ? "restart-bench-data" : argv[2];
  std::filesystem::remove_all(folder + "/state");
  quorate::storage_test::Bench(nodes, folder).run();
  if (own) std::filesystem::remove_all(folder);
  return 0;
}
