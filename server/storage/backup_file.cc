#include "server/storage/backup_file.h"

#include "base/checksum.h"
#include "base/codec.h"
#include "server/storage/files.h"

namespace quorate::server {
namespace {

constexpr std::string_view kMagic = "QUORBKUP";
constexpr uint32_t kVersion = 1;
constexpr size_t kHeaderBytes = 12;
constexpr size_t kFrameHeaderBytes = 12;
constexpr size_t kEndBytes = 4 + 8 + 8;

std::string part_of(const std::string& path) { return path + ".part"; }

Error exists_already(const std::string& path) {
  return {ErrorCode::kInUse, path + " exists already; give the backup another name, or move that file away"};
}

Result<uint64_t> count_records(std::string_view records) {
  uint64_t count = 0;
  const Status each = for_each_record(records, [&](std::string_view, std::string_view) {
    ++count;
    return Status();
  });
  if (!each.ok()) return each.error();
  return count;
}

}  // namespace

Status for_each_record(std::string_view records,
                       const std::function<Status(std::string_view key, std::string_view value)>& take) {
  ByteReader in(records);
  while (in.remaining() > 0) {
    const std::string_view key = in.string();
    const std::string_view value = in.string();
    if (in.failed()) return Error{ErrorCode::kMalformed, "the bytes are not records"};
    if (Status taken = take(key, value); !taken.ok()) return taken;
  }
  if (in.failed()) return Error{ErrorCode::kMalformed, "the bytes are not records"};
  return {};
}

// ---- writing

Result<BackupWriter> BackupWriter::create(FileSystem& fs, const std::string& path) {
  if (fs.exists(path)) return exists_already(path);
  // Two writers of one file would each believe to have it.
  auto lock = fs.lock(part_of(path));
  if (lock.code() == ErrorCode::kInUse) {
    return {ErrorCode::kInUse,
            path + " is being written by another process; wait for that, or give the backup another name"};
  }
  // Not every file system that backups are kept on has locks.
  auto held = lock.ok() ? std::move(*lock) : nullptr;
  auto file = fs.create(part_of(path));
  if (!file.ok()) return file.error();
  BackupWriter writer(fs, path, std::move(*file), std::move(held));
  std::string header(kMagic);
  ByteWriter(header).u32(kVersion);
  if (Status written = writer.append(header); !written.ok()) return written.error();
  return writer;
}

BackupWriter::~BackupWriter() {
  if (file_ == nullptr) return;
  file_.reset();
  (void)fs_->remove(part_of(path_));
}

Status BackupWriter::append(std::string_view bytes) {
  if (Status written = file_->write_at(offset_, bytes); !written.ok()) return written;
  offset_ += bytes.size();
  return {};
}

Status BackupWriter::add(std::string_view records) {
  if (records.empty()) return {};
  if (records.size() > kBackupFrameBytesMax) {
    return Error{ErrorCode::kTooLarge,
                 "a part of " + std::to_string(records.size()) + " bytes is too much for a frame"};
  }
  const auto count = count_records(records);
  if (!count.ok()) return count.error();
  const uint64_t checksum = checksum64(records, ++frames_);
  records_ += *count;
  ByteWriter(checksums_).u64(checksum);
  std::string frame;
  frame.reserve(kFrameHeaderBytes + records.size());
  ByteWriter out(frame);
  out.u32(static_cast<uint32_t>(records.size()));
  out.u64(checksum);
  out.raw(records);
  return append(frame);
}

Status BackupWriter::finish() {
  std::string end;
  ByteWriter out(end);
  out.u32(0);
  out.u64(records_);
  out.u64(checksum64(checksums_, records_));
  if (Status written = append(end); !written.ok()) return written;
  if (Status synced = file_->sync(); !synced.ok()) return synced;
  if (fs_->exists(path_)) return exists_already(path_);
  if (Status named = rename_durably(*fs_, part_of(path_), path_); !named.ok()) return named;
  file_.reset();
  return {};
}

// ---- reading

Error BackupReader::damaged(const std::string& what) const {
  return {ErrorCode::kCorruption,
          path_ + " is damaged at offset " + std::to_string(offset_) + ": " + what + "; use another backup"};
}

Result<BackupReader> BackupReader::open(FileSystem& fs, const std::string& path) {
  auto file = fs.open(path);
  if (!file.ok()) return file.error();
  const auto size = (*file)->size();
  if (!size.ok()) return size.error();
  const auto header = (*file)->read_at(0, kHeaderBytes);
  if (!header.ok()) return header.error();
  if (header->size() < kHeaderBytes || !header->starts_with(kMagic)) {
    return {ErrorCode::kCorruption, path + " is no backup of Quorate"};
  }
  const uint32_t version = ByteReader(std::string_view(*header).substr(kMagic.size())).u32();
  if (version > kVersion) {
    return {ErrorCode::kUnsupported, path + " was written by a newer version of Quorate; use that version"};
  }
  BackupReader reader(path, std::move(*file), *size);
  if (version == 0) return reader.damaged("its version is 0");
  reader.offset_ = kHeaderBytes;
  return reader;
}

Result<std::optional<std::string>> BackupReader::next() {
  if (ended_) return std::optional<std::string>();
  const auto header = file_->read_at(offset_, kEndBytes);
  if (!header.ok()) return header.error();
  ByteReader in(*header);
  const uint32_t size = in.u32();
  if (in.failed()) return damaged("it ends too early");
  if (size == 0) {
    const uint64_t records = in.u64();
    const uint64_t checksum = in.u64();
    if (in.failed()) return damaged("it ends too early");
    if (records != records_ || checksum != checksum64(checksums_, records_))
      return damaged("a part is missing");
    if (offset_ + kEndBytes != size_) return damaged("there are bytes behind its end");
    offset_ = size_;
    ended_ = true;
    return std::optional<std::string>();
  }
  const uint64_t checksum = in.u64();
  if (in.failed() || size > kBackupFrameBytesMax || size > size_ - offset_ - kFrameHeaderBytes)
    return damaged("a part is longer than the file");
  auto records = file_->read_at(offset_ + kFrameHeaderBytes, size);
  if (!records.ok()) return records.error();
  if (records->size() != size || checksum64(*records, frames_ + 1) != checksum)
    return damaged("a checksum does not match");
  const auto count = count_records(*records);
  if (!count.ok()) return damaged(count.error().message);
  ++frames_;
  records_ += *count;
  ByteWriter(checksums_).u64(checksum);
  offset_ += kFrameHeaderBytes + size;
  return std::optional(std::move(*records));
}

Result<LoadedBackup> load_backup(FileSystem& fs, const std::string& path, const kv::Limits& limits) {
  auto reader = BackupReader::open(fs, path);
  if (!reader.ok()) return reader.error();
  kv::StateLoader loader(limits);
  std::optional<StateName> name;
  const auto take = [&](std::string_view key, std::string_view value) -> Status {
    if (key == kStateNameKey) {
      auto decoded = decode_state_name(value);
      if (!decoded.ok()) return decoded.error();
      name = std::move(*decoded);
      return {};
    }
    return loader.add(key, value);
  };
  const auto wrong = [&](const Error& error) {
    // The checksums were right: somebody wrote it so.
    const bool malformed = error.code == ErrorCode::kMalformed;
    return Error{malformed ? ErrorCode::kCorruption : error.code, path + ": " + error.message};
  };
  for (;;) {
    auto records = reader->next();
    if (!records.ok()) return records.error();
    if (!records->has_value()) break;
    if (const Status taken = for_each_record(**records, take); !taken.ok()) return wrong(taken.error());
  }
  auto state = loader.finish();
  if (!state.ok()) return wrong(state.error());
  if (!name || state->state_hash() != name->state_hash || state->applied() != name->index) {
    return Error{ErrorCode::kCorruption, path + " does not hold the state that it names; use another backup"};
  }
  return LoadedBackup{std::move(*name), std::make_shared<kv::StateMachine>(std::move(*state)),
                      reader->bytes()};
}

}  // namespace quorate::server
