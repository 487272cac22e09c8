// load_backup: a state in one file. A search would not find three checksums by itself, so some inputs are
// records or frames that are given right ones.
#include <algorithm>

#include "base/check.h"
#include "server/storage/backup_file.h"
#include "tests/fuzz/state_seeds.h"
#include "tests/fuzz/target.h"
#include "tests/sim/sim_file_system.h"

namespace quorate::fuzz {
namespace {

constexpr char kFolder[] = "backups";
constexpr char kFile[] = "backups/b";

enum class Made : uint8_t { kAsItIs, kFromRecords, kFromRecordsThenDamaged, kCount };

// False: no writer takes them.
bool write_records(sim::SimFileSystem& disk, std::string_view records) {
  auto writer = server::BackupWriter::create(disk, kFile);
  CHECK(writer.ok());
  return writer->add(records).ok() && writer->finish().ok();
}

void run(std::string_view bytes) {
  Choices choices(bytes);
  const auto made = static_cast<Made>(choices.below(static_cast<uint64_t>(Made::kCount)));
  const uint64_t place = choices.number(2);
  sim::SimFileSystem disk;
  CHECK(disk.make_directory(kFolder).ok());
  if (made == Made::kAsItIs) {
    auto file = disk.create(kFile);
    CHECK(file.ok() && (*file)->write_at(0, choices.rest()).ok() && (*file)->sync().ok());
  } else if (!write_records(disk, choices.rest())) {
    return;
  }
  const std::string content = disk.content(kFile);
  const bool damaged = made == Made::kFromRecordsThenDamaged && !content.empty();
  if (damaged) disk.flip_bit(kFile, place % content.size(), static_cast<unsigned>(place % 8));
  const auto loaded = server::load_backup(disk, kFile, {});
  CHECK_MSG(!damaged || !loaded.ok(), "a bit flipped in a backup, and nobody saw it");
  if (!loaded.ok()) {
    CHECK(loaded.code() == ErrorCode::kCorruption || loaded.code() == ErrorCode::kUnsupported);
    return;
  }
  CHECK(loaded->state->state_hash() == loaded->name.state_hash);
  const auto wrong = loaded->state->check_consistency();
  CHECK_MSG(!wrong.has_value(), wrong.value_or(""));
}

std::vector<std::string> seeds() {
  std::vector<std::string> seeds;
  const std::string place("\0\x40", 2);
  for (const NamedState& state : named_state_seeds()) {
    sim::SimFileSystem disk;
    CHECK(disk.make_directory(kFolder).ok());
    CHECK(write_records(disk, state.records));
    seeds.push_back('\0' + place + disk.content(kFile));
    seeds.push_back('\1' + place + state.records);
    seeds.push_back('\2' + place + state.records);
  }
  return seeds;
}

const Target kTarget("backup_file", run, seeds);

}  // namespace
}  // namespace quorate::fuzz
