// DataFolder::open: the file that says whose folder it is.
#include <cstring>

#include "base/check.h"
#include "base/checksum.h"
#include "server/storage/data_folder.h"
#include "tests/fuzz/target.h"
#include "tests/sim/sim_file_system.h"

namespace quorate::fuzz {
namespace {

constexpr char kFolder[] = "data";

void put(sim::SimFileSystem& disk, const std::string& path, std::string_view bytes) {
  auto file = disk.create(path);
  CHECK(file.ok() && (*file)->write_at(0, bytes).ok() && (*file)->sync().ok());
}

// The first byte: is the checksum, the last eight bytes, to be made right?
void run(std::string_view bytes) {
  Choices choices(bytes);
  const bool mended = choices.byte() % 2 == 1;
  std::string given(choices.rest());
  if (mended && given.size() >= 8) {
    const uint64_t checksum = checksum64(std::string_view(given).substr(0, given.size() - 8));
    std::memcpy(given.data() + given.size() - 8, &checksum, 8);
  }
  sim::SimFileSystem disk;
  CHECK(disk.make_directory(kFolder).ok());
  put(disk, std::string(kFolder) + "/identity", given);
  const auto folder = server::DataFolder::open(disk, kFolder, ServerId(1), Incarnation(5));
  CHECK(disk.content(std::string(kFolder) + "/identity") == given);
  if (!folder.ok()) {
    CHECK(folder.error().message.find(kFolder) != std::string::npos);
    return;
  }
  CHECK(folder->server() == ServerId(1) && !folder->is_new());
}

std::vector<std::string> seeds() {
  sim::SimFileSystem disk;
  CHECK(server::DataFolder::open(disk, kFolder, ServerId(1), Incarnation(5)).ok());
  const std::string identity = disk.content(std::string(kFolder) + "/identity");
  return {'\0' + identity, '\1' + identity};
}

const Target kTarget("identity", run, seeds);

}  // namespace
}  // namespace quorate::fuzz
