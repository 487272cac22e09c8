// ImportJournal: what an import that was interrupted has left in a file. A search would not find a checksum
// by itself, so some inputs are frames that are given right ones.
#include "client/cli/import_journal.h"

#include <algorithm>
#include <optional>

#include "base/check.h"
#include "base/checksum.h"
#include "base/codec.h"
#include "tests/fuzz/target.h"
#include "tests/sim/sim_file_system.h"

namespace quorate::fuzz {
namespace {

using cli::ImportJournal;

constexpr char kFolder[] = "imports";
constexpr char kFile[] = "imports/j";

enum class Made : uint8_t { kAsItIs, kFromFrames, kCount };

struct Read {
  std::string root;
  std::vector<std::string> nodes;
};

// Nothing of a file that is no journal.
std::optional<Read> read(sim::SimFileSystem& disk) {
  ImportJournal journal(disk, kFile);
  Read read;
  const auto begun = journal.resume(
      [&read](std::string_view path, std::string_view record, const std::vector<std::string>& children) {
        read.nodes.push_back(std::string(path) + "=" + std::string(record));
        for (const std::string& child : children) read.nodes.back() += "/" + child;
      });
  if (!begun.ok()) {
    CHECK(begun.code() == ErrorCode::kCorruption || begun.code() == ErrorCode::kUnsupported);
    return std::nullopt;
  }
  read.root = begun->root;
  return read;
}

std::string with_checksums(Choices choices) {
  std::string file;
  for (uint64_t checksum = 0; choices.more();) {
    const std::string_view bytes = choices.take(choices.number(2));
    checksum = checksum64(bytes, checksum);
    ByteWriter out(file);
    out.u32(static_cast<uint32_t>(bytes.size()));
    out.u64(checksum);
    file += bytes;
  }
  return file;
}

void run(std::string_view bytes) {
  Choices choices(bytes);
  const auto made = static_cast<Made>(choices.below(static_cast<uint64_t>(Made::kCount)));
  sim::SimFileSystem disk;
  CHECK(disk.make_directory(kFolder).ok());
  {
    auto file = disk.create(kFile);
    const std::string content = made == Made::kAsItIs ? std::string(choices.rest()) : with_checksums(choices);
    CHECK(file.ok() && (*file)->write_at(0, content).ok() && (*file)->sync().ok());
  }
  const auto before = read(disk);
  if (!before) return;
  // It goes on behind the last whole frame, and what was there is there again.
  ImportJournal journal(disk, kFile);
  CHECK(journal.resume([](std::string_view, std::string_view, const std::vector<std::string>&) {}).ok());
  CHECK(journal.add("/added", "record", {"child"}).ok());
  CHECK(journal.flush().ok());
  const auto after = read(disk);
  CHECK(after && after->root == before->root);
  CHECK(after->nodes.size() == before->nodes.size() + 1);
  CHECK(std::equal(before->nodes.begin(), before->nodes.end(), after->nodes.begin()));
  CHECK(after->nodes.back() == "/added=record/child");
}

std::vector<std::string> seeds() {
  sim::SimFileSystem disk;
  CHECK(disk.make_directory(kFolder).ok());
  ImportJournal journal(disk, kFile);
  CHECK(journal.begin({42, "/root"}).ok());
  std::vector<std::string> seeds = {'\0' + disk.content(kFile)};
  CHECK(journal.add("/root", "record of it", {"a", "b"}).ok());
  CHECK(journal.flush().ok());
  CHECK(journal.add("/root/a", "", {}).ok());
  CHECK(journal.add("/root/b", std::string(300, 'r'), {""}).ok());
  CHECK(journal.flush().ok());
  const std::string file = disk.content(kFile);
  seeds.push_back('\0' + file);
  seeds.push_back('\0' + file.substr(0, file.size() - 3));
  // The same, with the checksums left to be made.
  std::string frames(1, '\1');
  for (ByteReader in(file); in.remaining() > 0;) {
    const uint32_t size = in.u32();
    (void)in.u64();
    frames.push_back(static_cast<char>(size >> 8));
    frames.push_back(static_cast<char>(size & 0xff));
    for (uint32_t i = 0; i < size; ++i) frames.push_back(static_cast<char>(in.u8()));
  }
  seeds.push_back(frames);
  return seeds;
}

const Target kTarget("import_journal", run, seeds);

}  // namespace
}  // namespace quorate::fuzz
