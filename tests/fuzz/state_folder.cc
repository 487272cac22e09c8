// StateFolder::open: the files CURRENT and MEMBERS of a state's folder.
#include "server/storage/state_folder.h"
#include "base/check.h"
#include "base/checksum.h"
#include "server/storage/memory_store.h"
#include "tests/fuzz/state_seeds.h"
#include "tests/fuzz/target.h"
#include "tests/sim/sim_file_system.h"

namespace quorate::fuzz {
namespace {

constexpr char kFolder[] = "state";
constexpr char kCurrent[] = "state/CURRENT";
constexpr char kMembers[] = "state/MEMBERS";

// In front of the bytes of the file.
constexpr uint8_t kIsMembers = 1;  // they are MEMBERS, not CURRENT
constexpr uint8_t kMended = 2;     // they get a right checksum
constexpr uint8_t kHasStore = 4;   // there is a store with a state

void put(sim::SimFileSystem& disk, const std::string& path, std::string_view bytes) {
  auto file = disk.create(path);
  CHECK(file.ok() && (*file)->write_at(0, bytes).ok() && (*file)->sync().ok());
}

std::string mended_current(std::string line) {
  line = line.substr(0, line.rfind(' '));
  return line + " " + std::to_string(checksum64(line)) + "\n";
}

std::string mended_members(std::string bytes) {
  bytes.resize(bytes.size() < 8 ? 0 : bytes.size() - 8);
  const uint64_t checksum = checksum64(bytes);
  ByteWriter(bytes).u64(checksum);
  return bytes;
}

// A folder with a checkpoint in it.
void make_state(sim::SimFileSystem& disk, server::MemoryStores& stores) {
  auto opened = server::StateFolder::open(disk, stores, kFolder, {});
  CHECK(opened.ok());
  static const NamedState seed = named_state_seeds().back();
  server::WriteCheckpoint checkpoint{seed.name, {}};
  ByteReader in(seed.records);
  while (in.remaining() > 0) {
    const std::string key(in.string()), value(in.string());
    if (key != server::kStateNameKey) checkpoint.records.push_back({key, value});
  }
  server::StoreJob job{1, std::move(checkpoint)};
  CHECK(opened->folder->run(job).ok());
}

void run(std::string_view bytes) {
  Choices choices(bytes);
  const uint8_t how = choices.byte();
  std::string given(choices.rest());
  sim::SimFileSystem disk;
  server::MemoryStores stores;
  CHECK(disk.make_directory(kFolder).ok());
  if (how & kHasStore) make_state(disk, stores);
  const bool members = (how & kIsMembers) != 0;
  if (how & kMended) given = members ? mended_members(given) : mended_current(given);
  put(disk, members ? kMembers : kCurrent, given);
  if (const auto name = server::StateFolder::members(disk, kFolder); members && name) {
    const std::string encoded = server::encode_state_name(*name);
    CHECK(given.substr(0, given.size() - 8) == encoded);
  }
  const auto opened = server::StateFolder::open(disk, stores, kFolder, {});
  if (!opened.ok()) {
    CHECK(opened.code() == ErrorCode::kCorruption || opened.code() == ErrorCode::kUnsupported);
    CHECK(opened.error().message.find(kFolder) != std::string::npos);
    CHECK(disk.content(members ? kMembers : kCurrent) == given);
    return;
  }
  // MEMBERS alone never stands in the way of a state that is there.
  CHECK(!members || opened->state.has_value() == ((how & kHasStore) != 0));
}

std::vector<std::string> seeds() {
  sim::SimFileSystem disk;
  server::MemoryStores stores;
  CHECK(disk.make_directory(kFolder).ok());
  make_state(disk, stores);
  std::vector<std::string> seeds;
  for (uint8_t how = 0; how < 8; ++how) {
    seeds.push_back(static_cast<char>(how) + disk.content(how & kIsMembers ? kMembers : kCurrent));
  }
  return seeds;
}

const Target kTarget("state_folder", run, seeds);

}  // namespace
}  // namespace quorate::fuzz
