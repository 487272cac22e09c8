// SnapshotReceiver with a StateFolder behind it: whatever parts arrive from a server that may be anybody, in
// whatever order, what is put in place in the end is a state that is what it says.
#include <deque>

#include "base/check.h"
#include "base/checksum.h"
#include "server/replica_snapshots.h"
#include "server/storage/memory_store.h"
#include "server/storage/state_folder.h"
#include "tests/fuzz/state_seeds.h"
#include "tests/fuzz/target.h"
#include "tests/sim/sim_file_system.h"

namespace quorate::fuzz {
namespace {

using namespace server;

constexpr char kFolder[] = "state";
constexpr BootNonce kBoot(3);
constexpr size_t kBytesMax = 600;  // of a story: what is behind them says nothing new

enum class What : uint8_t { kAdvance, kPart, kOddPart, kStore, kTime, kSituation, kCount };

const NamedState& rich_seed() {
  static const NamedState seed = named_state_seeds().back();
  return seed;
}

class Story {
 public:
  explicit Story(Choices& choices)
      : choices_(choices),
        seed_(rich_seed()),
        receiver_({ServerId(2), kBoot, std::chrono::milliseconds(50)}, jobs_) {
    auto opened = StateFolder::open(disk_, stores_, kFolder, {});
    CHECK(opened.ok());
    folder_ = std::move(opened->folder);
    at_.needed = true;
    at_.at_least = Index(1);
    at_.leader = ServerId(2);
    at_.cluster = seed_.name.cluster;
    at_.durable_term = Term(5);
  }

  void run() {
    while (choices_.more()) {
      step(static_cast<What>(choices_.below(static_cast<uint64_t>(What::kCount))));
      for (StoreJob& job : jobs_.take()) waiting_.push_back(std::move(job));
      for (auto& [to, fetch] : receiver_.take_messages()) asked_ = fetch;
      (void)receiver_.take_note();
      if (auto received = receiver_.take_received()) look(*received);
    }
  }

 private:
  void step(What what) {
    switch (what) {
      case What::kAdvance:
        return receiver_.advance(at_);
      case What::kPart:
        (void)receiver_.take(ServerId(2), honest_part(), at_);
        return;
      case What::kOddPart:
        (void)receiver_.take(ServerId(1 + static_cast<uint32_t>(choices_.below(3))), odd_part(), at_);
        return;
      case What::kStore:
        return run_job();
      case What::kTime:
        at_.now = at_.now + std::chrono::milliseconds(choices_.number(2));
        return;
      default:
        at_.needed = !receiver_.finishing() && choices_.below(8) > 0;
        at_.leader = ServerId(static_cast<uint32_t>(choices_.below(4)));
        at_.durable_term = Term(choices_.below(8));
    }
  }

  // The records behind those that it has, as a sound sender gives them.
  SnapshotChunk honest_part() {
    SnapshotChunk chunk;
    chunk.asker = kBoot;
    chunk.term = Term(4);
    chunk.snapshot = 9;
    chunk.after = asked_.after;
    chunk.name = Bytes(encode_state_name(seed_.name));
    const uint64_t most = 1 + choices_.below(4);
    std::string records;
    uint64_t taken = 0;
    chunk.complete = true;
    ByteReader in(seed_.records);
    while (in.remaining() > 0) {
      const std::string_view key = in.string(), value = in.string();
      if (key <= asked_.after) continue;
      if (taken++ == most) {
        chunk.complete = false;
        break;
      }
      kv::append_record(records, key, value);
      chunk.last_key = key;
    }
    chunk.checksum = checksum64(records);
    chunk.records = Bytes(std::move(records));
    return chunk;
  }

  // With a mistake in one of its fields; its checksum is right all the same.
  SnapshotChunk odd_part() {
    SnapshotChunk chunk = honest_part();
    switch (choices_.below(9)) {
      case 0:
        chunk.asker = BootNonce(choices_.below(5));
        break;
      case 1:
        chunk.snapshot = choices_.below(12);
        break;
      case 2:
        chunk.after = std::string(choices_.take(2));
        break;
      case 3:
        chunk.error = {ErrorCode::kUnavailable, "gone"};
        break;
      case 4:
        chunk.name = Bytes(std::string(choices_.take(choices_.below(60))));
        break;
      case 5: {
        std::string records(chunk.records.view());
        if (!records.empty())
          records[choices_.number(2) % records.size()] ^= static_cast<char>(choices_.byte());
        chunk.records = Bytes(std::move(records));
        break;
      }
      case 6:
        chunk.last_key = std::string(choices_.take(choices_.below(6)));
        break;
      case 7:
        chunk.complete = !chunk.complete;
        break;
      default:
        chunk.term = Term(choices_.below(10));
    }
    chunk.checksum = checksum64(chunk.records.view());
    return chunk;
  }

  void run_job() {
    if (waiting_.empty()) return;
    StoreJob job = std::move(waiting_.front());
    waiting_.pop_front();
    auto done = folder_->run(job);
    CHECK(done.ok());  // what arrives over the network is never an error of the disk
    (void)receiver_.done(*done, at_.now);
  }

  // A new state is of use only when it is newer.
  void look(const ReceivedState& received) {
    CHECK(received.state->state_hash() == received.name.state_hash);
    CHECK(received.state->applied() == received.name.index);
    CHECK(received.name.cluster == seed_.name.cluster);
    const auto wrong = received.state->check_consistency();
    CHECK_MSG(!wrong.has_value(), wrong.value_or(""));
  }

  Choices& choices_;
  const NamedState& seed_;
  sim::SimFileSystem disk_;
  MemoryStores stores_;
  std::unique_ptr<StateFolder> folder_;
  StoreJobs jobs_;
  SnapshotReceiver receiver_;
  SnapshotReceiver::Situation at_;
  SnapshotFetch asked_;
  std::deque<StoreJob> waiting_;
};

void run(std::string_view bytes) {
  Choices choices(bytes.substr(0, kBytesMax));
  Story(choices).run();
}

std::vector<std::string> seeds() {
  // Asks, is told, stores, until all is there; and then finishes.
  std::string sound;
  for (int i = 0; i < 16; ++i) sound += std::string("\0\1\3\3\3", 5);
  std::string odd;
  for (int i = 0; i < 16; ++i) odd += std::string("\0\2\3\3\0\1\1\3\4\0\1", 11);
  return {sound + std::string("\0\3\3", 3), odd};
}

const Target kTarget("snapshot_receiver", run, seeds);

}  // namespace
}  // namespace quorate::fuzz
