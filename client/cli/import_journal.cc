#include "client/cli/import_journal.h"

#include <utility>

#include "base/checksum.h"
#include "base/codec.h"

namespace quorate::cli {

namespace {

constexpr std::string_view kMagic = "QUORIMPT";
constexpr uint32_t kVersion = 2;
constexpr size_t kHeaderBytes = 12;

Error no_journal(const std::string& path) {
  return {ErrorCode::kCorruption, path + " is no unfinished import; move it away"};
}

}  // namespace

ImportJournal::~ImportJournal() {
  if (lock_ != nullptr && fs_.exists(path_) && !exists()) (void)fs_.remove(path_);
}

Status ImportJournal::hold() {
  auto lock = fs_.lock(path_);
  if (lock.code() == ErrorCode::kInUse)
    return Error{ErrorCode::kInUse, path_ + " is being written by another import; wait for that, or give "
                                            "this one another file"};
  // Not every file system that backups are kept on has locks.
  if (lock.ok()) lock_ = std::move(*lock);
  return {};
}

bool ImportJournal::exists() const {
  if (!fs_.exists(path_)) return false;
  const auto file = fs_.open(path_);
  if (!file.ok()) return true;  // whoever resumes it is told why not
  const auto size = (*file)->size();
  return !size.ok() || *size > 0;
}

Status ImportJournal::begin(const Begun& begun) {
  auto file = fs_.create(path_);
  if (!file.ok()) return file.error();
  file_ = std::move(*file);
  offset_ = checksum_ = 0;
  frame_ = kMagic;
  ByteWriter out(frame_);
  out.u32(kVersion);
  out.u64(begun.zxid);
  out.string(begun.root);
  return flush();
}

Status ImportJournal::add(std::string_view path, std::string_view record,
                          const std::vector<std::string>& children) {
  std::string node;
  ByteWriter inner(node);
  inner.string(record);
  inner.varint(children.size());
  for (const std::string& name : children) inner.string(name);
  ByteWriter out(frame_);
  out.string(path);
  out.string(node);
  return frame_.size() < kFrameBytes ? Status() : flush();
}

Status ImportJournal::flush() {
  if (frame_.empty()) return {};
  std::string header;
  ByteWriter out(header);
  out.u32(static_cast<uint32_t>(frame_.size()));
  checksum_ = checksum64(frame_, checksum_);
  out.u64(checksum_);
  const Status written = file_->write_pieces_at(offset_, {header, frame_});
  offset_ += header.size() + frame_.size();
  frame_.clear();
  return written;
}

// The next frame's bytes; false behind the last that is whole.
Result<bool> ImportJournal::read_frame(std::string& bytes) {
  const auto header = file_->read_at(offset_, kHeaderBytes);
  if (!header.ok()) return header.error();
  ByteReader in(*header);
  const uint32_t size = in.u32();
  const uint64_t checksum = in.u64();
  const auto file_size = file_->size();
  if (!file_size.ok()) return file_size.error();
  if (in.failed() || size > *file_size - offset_ - kHeaderBytes) return false;
  auto read = file_->read_at(offset_ + kHeaderBytes, size);
  if (!read.ok()) return read.error();
  if (read->size() != size || checksum64(*read, checksum_) != checksum) return false;
  checksum_ = checksum;
  offset_ += kHeaderBytes + size;
  bytes = std::move(*read);
  return true;
}

Result<ImportJournal::Begun> ImportJournal::resume(const Take& take) {
  auto file = fs_.open(path_);
  if (!file.ok()) return file.error();
  file_ = std::move(*file);
  offset_ = checksum_ = 0;
  std::string bytes;
  auto more = read_frame(bytes);
  if (!more.ok()) return more.error();
  if (!*more || !bytes.starts_with(kMagic)) return no_journal(path_);
  ByteReader first(std::string_view(bytes).substr(kMagic.size()));
  if (first.u32() != kVersion)
    return {ErrorCode::kUnsupported,
            path_ + " was written by another version of quorate; use that version, or move the file away"};
  Begun begun;
  begun.zxid = first.u64();
  begun.root = first.string();
  if (!first.done()) return no_journal(path_);
  while (true) {
    more = read_frame(bytes);
    if (!more.ok()) return more.error();
    if (!*more) return begun;
    for (ByteReader in(bytes); in.remaining() > 0;) {
      const std::string_view path = in.string();
      ByteReader node(in.string());
      const std::string_view record = node.string();
      std::vector<std::string> children;
      for (uint64_t left = node.varint(); left > 0 && !node.failed(); --left)
        children.emplace_back(node.string());
      if (in.failed() || !node.done()) return no_journal(path_);
      take(path, record, std::move(children));
    }
  }
}

}  // namespace quorate::cli
