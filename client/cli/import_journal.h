// What an import has read so far, in a file, so that one that was interrupted goes on where it was.
//
//   frames: u32 size | u64 checksum of the bytes, seeded with that of the frame before (0: the first) | bytes
//   first frame:  "QUORIMPT", u32 version (2), u64 zxid at the start, string root
//   other frames: records: path, then a codec string of: record of the node (kv/checkpoint.h), names of its
//   children
//
// A frame that is cut short, or whose checksum is wrong, ends the journal: what is behind is read again. It
// stays in the file, behind what is written in that frame's place; as each frame vouches for the one before,
// nothing of it counts again.
//
// Thread safety: none.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "server/storage/file_system.h"

namespace quorate::cli {

class ImportJournal {
 public:
  static constexpr size_t kFrameBytes = 256 << 10;

  struct Begun {
    uint64_t zxid = 0;  // of the source, before the first node was read
    std::string root;
  };

  explicit ImportJournal(server::FileSystem& fs, std::string path) : fs_(fs), path_(std::move(path)) {}
  ~ImportJournal();
  ImportJournal(const ImportJournal&) = delete;
  ImportJournal& operator=(const ImportJournal&) = delete;

  // No other process has it from here on; whoever asks while one has is refused. What was not begun is gone
  // at the end. Errors: kInUse.
  Status hold();
  // Whether one was begun.
  bool exists() const;
  // A new one. Errors: those of the file system.
  Status begin(const Begun& begun);
  // One that is there: each node that it holds. Errors: kCorruption for a file that is no journal,
  // kUnsupported for one of another version.
  using Take =
      std::function<void(std::string_view path, std::string_view record, std::vector<std::string> children)>;
  Result<Begun> resume(const Take& take);

  // Kept at flush(), or before.
  Status add(std::string_view path, std::string_view record, const std::vector<std::string>& children);
  Status flush();
  Status remove() { return fs_.remove(path_); }
  const std::string& path() const { return path_; }

 private:
  Result<bool> read_frame(std::string& bytes);

  server::FileSystem& fs_;
  const std::string path_;
  std::unique_ptr<server::FileLock> lock_;
  std::unique_ptr<server::File> file_;
  uint64_t offset_ = 0;
  uint64_t checksum_ = 0;  // of the frame before
  std::string frame_;
};

}  // namespace quorate::cli
