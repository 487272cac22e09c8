#include "tests/bench/restart.h"

#include <leveldb/db.h>
#include <leveldb/iterator.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <memory>

#include "client/bench/keys.h"
#include "client/bench/load.h"
#include "client/bench/native_conversation.h"

namespace quorate::bench {
namespace {

constexpr int kRounds = 3;
constexpr int kFollowerStopMs = 60'000;
constexpr uint64_t kRestartMaxNs = 120'000'000'000U;
constexpr useconds_t kLookEveryUs = 1'000;
constexpr Shape kManyOutstanding{64, 16};

double seconds_since(uint64_t from_ns) { return static_cast<double>(now_ns() - from_ns) * 1e-9; }

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values.empty() ? 0 : values[values.size() / 2];
}

// The store of a stopped server: server/storage/state_folder.h says where it is.
Result<std::string> store_of(const std::string& data) {
  std::error_code failed;
  for (const auto& entry : std::filesystem::directory_iterator(data + "/state", failed)) {
    if (entry.is_directory()) return entry.path().string();
  }
  return Error{ErrorCode::kIo, "there is no store in " + data + "/state"};
}

Result<double> scan(const std::string& data) {
  auto store = store_of(data);
  if (!store.ok()) return store.error();
  const uint64_t from = now_ns();
  leveldb::DB* opened = nullptr;
  const leveldb::Status status = leveldb::DB::Open(leveldb::Options(), *store, &opened);
  if (!status.ok()) return Error{ErrorCode::kIo, *store + ": " + status.ToString()};
  const std::unique_ptr<leveldb::DB> db(opened);
  leveldb::ReadOptions options;
  options.fill_cache = false;
  const std::unique_ptr<leveldb::Iterator> at(db->NewIterator(options));
  uint64_t bytes = 0;
  for (at->SeekToFirst(); at->Valid(); at->Next()) bytes += at->key().size() + at->value().size();
  if (!at->status().ok() || bytes == 0) return Error{ErrorCode::kIo, *store + ": " + at->status().ToString()};
  return seconds_since(from);
}

bool reads(Port port, uint32_t key) {
  api::ClientFrame request;
  request.mutable_get()->set_path(bench_node_path(key));
  request.mutable_get()->set_with_data(true);
  const auto answer = ask(port, std::move(request));
  return answer.ok() && answer->reply().node().data().size() == kValueBytes;
}

// No server writes a checkpoint.
Status wait_for_rest(const QuorateCluster& cluster) {
  const uint64_t until = now_ns() + kRestartMaxNs;
  while (now_ns() < until) {
    bool rests = true;
    for (size_t i = 0; i < QuorateCluster::kServers; ++i) {
      const auto view = ask_status(cluster.port(i));
      rests = rests && view.ok() && !view->checkpointing;
    }
    if (rests) return {};
    ::usleep(100'000);
  }
  return Error{ErrorCode::kTimeout, "a checkpoint did not end within two minutes"};
}

Status round(QuorateCluster& cluster, Restarts& found) {
  if (Status status = wait_for_rest(cluster); !status.ok()) return status;
  auto leader = cluster.wait_until_level();
  if (!leader.ok()) return leader.error();
  const size_t follower = (*leader + 1) % QuorateCluster::kServers;
  if (!cluster.process(follower).stop(kFollowerStopMs)) return Error{ErrorCode::kIo, "a server did not end cleanly"};
  auto scanned = scan(cluster.folder() + "/" + std::to_string(follower + 1));
  if (!scanned.ok()) return scanned.error();
  const uint64_t from = now_ns();
  if (Status status = cluster.restart(follower); !status.ok()) return status;
  while (!reads(cluster.port(follower), found.nodes - 1)) {
    if (now_ns() - from > kRestartMaxNs)
      return Error{ErrorCode::kTimeout, "a server did not come back within two minutes"};
    ::usleep(kLookEveryUs);
  }
  found.restarts.push_back(seconds_since(from));
  found.scans.push_back(*scanned);
  return {};
}

}  // namespace

double Restarts::ratio() const {
  return scans.empty() ? 0 : median(restarts) / std::max(1e-9, median(scans));
}

Result<Restarts> measure_restarts(QuorateCluster& cluster, uint32_t nodes,
                                  const std::function<void(const std::string&)>& progress) {
  Restarts found;
  found.nodes = nodes;
  progress("making " + std::to_string(nodes) + " nodes");
  auto leader = cluster.wait_until_level();
  if (!leader.ok()) return leader.error();
  LoadOptions load;
  load.connect = to_loopback({cluster.port(*leader)});
  load.conversation = [](uint32_t number) { return std::make_unique<NativeConversation>(number); };
  load.shape = kManyOutstanding;
  load.work = Work::kPrepare;
  load.keys = nodes;
  if (auto made = run_load(load); !made.ok()) return made.error();
  for (int i = 1; i <= kRounds; ++i) {
    progress("restarting a server, " + std::to_string(i) + " of " + std::to_string(kRounds));
    if (Status status = round(cluster, found); !status.ok()) return status.error();
  }
  return found;
}

}  // namespace quorate::bench
