#include "server/storage/leveldb_env.h"

#include <algorithm>
#include <cstring>
#include <memory>
#include <string_view>

#include "base/check.h"
#include "server/storage/files.h"
#include "server/storage/leveldb_log_tail.h"

namespace quorate::server {

namespace {

constexpr size_t kWriteBufferBytes = 256 << 10;

leveldb::Status to_leveldb(const Error& error) {
  switch (error.code) {
    case ErrorCode::kNoNode:
      return leveldb::Status::NotFound(error.message);
    case ErrorCode::kCorruption:
      return leveldb::Status::Corruption(error.message);
    default:
      return leveldb::Status::IOError(error.message);
  }
}

std::string_view name_of(std::string_view path) {
  const size_t slash = path.rfind('/');
  return slash == path.npos ? path : path.substr(slash + 1);
}

bool is_log_or_manifest(std::string_view path) {
  const std::string_view name = name_of(path);
  return name.ends_with(".log") || name.starts_with("MANIFEST-");
}

// LevelDB reads from the beginning to the end only at its start: whole files fit into memory then.
class SequentialFile final : public leveldb::SequentialFile {
 public:
  SequentialFile(std::string content, size_t size) : content_(std::move(content)), size_(size) {}

  leveldb::Status Read(size_t n, leveldb::Slice* result, char*) override {
    const size_t size = std::min(n, size_ - at_);
    *result = leveldb::Slice(content_.data() + at_, size);
    at_ += size;
    return leveldb::Status::OK();
  }
  leveldb::Status Skip(uint64_t n) override {
    at_ += std::min<uint64_t>(n, size_ - at_);
    return leveldb::Status::OK();
  }

 private:
  const std::string content_;
  const size_t size_;
  size_t at_ = 0;
};

struct Lock final : leveldb::FileLock {
  std::unique_ptr<server::FileLock> held;
};

}  // namespace

class LevelDbRandomAccessFile final : public leveldb::RandomAccessFile {
 public:
  LevelDbRandomAccessFile(LevelDbEnv& env, std::unique_ptr<File> file) : env_(env), file_(std::move(file)) {}

  leveldb::Status Read(uint64_t offset, size_t n, leveldb::Slice* result, char* scratch) const override {
    const Result<size_t> size = file_->read_into(offset, n, scratch);
    if (!size.ok()) return env_.not_read(size.error());
    *result = leveldb::Slice(scratch, *size);
    return leveldb::Status::OK();
  }

 private:
  LevelDbEnv& env_;
  const std::unique_ptr<File> file_;
};

class LevelDbWritableFile final : public leveldb::WritableFile {
 public:
  LevelDbWritableFile(LevelDbEnv& env, std::unique_ptr<File> file) : env_(env), file_(std::move(file)) {}
  // What was not synced and is thrown away need not be written.
  ~LevelDbWritableFile() override = default;

  leveldb::Status Append(const leveldb::Slice& bytes) override {
    buffer_.append(bytes.data(), bytes.size());
    return buffer_.size() < kWriteBufferBytes ? leveldb::Status::OK() : write();
  }
  leveldb::Status Close() override { return write(); }
  // No process but ours reads the file, and a table only after Close().
  leveldb::Status Flush() override { return leveldb::Status::OK(); }
  leveldb::Status Sync() override {
    if (leveldb::Status written = write(); !written.ok()) return written;
    if (leveldb::Status named = env_.sync_names(); !named.ok()) return named;
    if (leveldb::Status allowed = env_.may_change(); !allowed.ok()) return allowed;
    return env_.changed(final_error(file_->sync()));
  }

 private:
  leveldb::Status write() {
    if (buffer_.empty()) return leveldb::Status::OK();
    if (leveldb::Status allowed = env_.may_change(); !allowed.ok()) return allowed;
    Status written = file_->write_at(size_, buffer_);
    if (written.ok()) written = final_error(file_->settle(size_, buffer_.size()));
    env_.bytes_written_ += buffer_.size();
    size_ += buffer_.size();
    buffer_.clear();
    return env_.changed(written);
  }

  LevelDbEnv& env_;
  const std::unique_ptr<File> file_;
  std::string buffer_;
  uint64_t size_ = 0;
};

LevelDbEnv::LevelDbEnv(FileSystem& fs, std::string directory) : fs_(fs), directory_(std::move(directory)) {}
LevelDbEnv::~LevelDbEnv() { CHECK(scheduled_.empty()); }

void LevelDbEnv::run_scheduled() {
  while (!scheduled_.empty()) {
    const auto [work, argument] = scheduled_.front();
    scheduled_.pop_front();
    work(argument);
  }
}

leveldb::Status LevelDbEnv::may_change() const {
  return failure_ ? to_leveldb(*failure_) : leveldb::Status::OK();
}

leveldb::Status LevelDbEnv::changed(const Status& status) {
  if (status.ok()) return leveldb::Status::OK();
  if (!failure_) failure_ = status.error();
  return to_leveldb(status.error());
}

leveldb::Status LevelDbEnv::not_read(const Error& error) {
  if (!read_failure_ && error.code != ErrorCode::kNoNode) read_failure_ = error;
  return to_leveldb(error);
}

leveldb::Status LevelDbEnv::sync_names() {
  if (!names_unsynced_) return leveldb::Status::OK();
  if (leveldb::Status allowed = may_change(); !allowed.ok()) return allowed;
  const Status synced = fs_.sync_directory(directory_);
  if (synced.ok()) names_unsynced_ = false;
  return changed(final_error(synced));
}

leveldb::Status LevelDbEnv::NewSequentialFile(const std::string& path, leveldb::SequentialFile** file) {
  *file = nullptr;
  Result<std::string> content = read_file(fs_, path);
  if (!content.ok()) return not_read(content.error());
  size_t size = content->size();
  if (is_log_or_manifest(path)) {
    const LevelDbLogTail tail = judge_leveldb_log(*content);
    if (tail.damaged) {
      return not_read({ErrorCode::kCorruption, path + " is damaged at offset " +
                                                   std::to_string(tail.intact_bytes) +
                                                   ": a record that had been synced does not read back"});
    }
    size = tail.intact_bytes;
  }
  *file = new SequentialFile(std::move(*content), size);
  return leveldb::Status::OK();
}

leveldb::Status LevelDbEnv::NewRandomAccessFile(const std::string& path, leveldb::RandomAccessFile** file) {
  *file = nullptr;
  Result<std::unique_ptr<File>> opened = fs_.open(path);
  if (!opened.ok()) return not_read(opened.error());
  *file = new LevelDbRandomAccessFile(*this, std::move(*opened));
  return leveldb::Status::OK();
}

leveldb::Status LevelDbEnv::NewWritableFile(const std::string& path, leveldb::WritableFile** file) {
  *file = nullptr;
  if (leveldb::Status allowed = may_change(); !allowed.ok()) return allowed;
  Result<std::unique_ptr<File>> created = fs_.create(path);
  names_unsynced_ = true;
  if (!created.ok()) return changed(created.error());
  *file = new LevelDbWritableFile(*this, std::move(*created));
  return leveldb::Status::OK();
}

bool LevelDbEnv::FileExists(const std::string& path) { return fs_.exists(path); }

leveldb::Status LevelDbEnv::GetChildren(const std::string& path, std::vector<std::string>* names) {
  Result<std::vector<std::string>> found = fs_.list(path);
  if (!found.ok()) return not_read(found.error());
  *names = std::move(*found);
  return leveldb::Status::OK();
}

leveldb::Status LevelDbEnv::RemoveFile(const std::string& path) {
  if (failure_ && failure_->code != ErrorCode::kNoSpace) return may_change();
  names_unsynced_ = true;
  return changed(fs_.remove_in_parts(path));
}

leveldb::Status LevelDbEnv::CreateDir(const std::string& path) {
  // It is there; LevelDB asks in any case.
  CHECK(path == directory_);
  return leveldb::Status::OK();
}

leveldb::Status LevelDbEnv::RemoveDir(const std::string& path) {
  return leveldb::Status::IOError(path, "folders are not LevelDB's to remove");
}

leveldb::Status LevelDbEnv::GetFileSize(const std::string& path, uint64_t* size) {
  Result<std::unique_ptr<File>> file = fs_.open(path);
  if (!file.ok()) return not_read(file.error());
  const Result<uint64_t> found = (*file)->size();
  if (!found.ok()) return not_read(found.error());
  *size = *found;
  return leveldb::Status::OK();
}

leveldb::Status LevelDbEnv::RenameFile(const std::string& from, const std::string& to) {
  if (leveldb::Status allowed = may_change(); !allowed.ok()) return allowed;
  names_unsynced_ = true;
  if (leveldb::Status renamed = changed(fs_.rename(from, to)); !renamed.ok()) return renamed;
  return sync_names();
}

leveldb::Status LevelDbEnv::LockFile(const std::string& path, leveldb::FileLock** lock) {
  *lock = nullptr;
  if (leveldb::Status allowed = may_change(); !allowed.ok()) return allowed;
  Result<std::unique_ptr<server::FileLock>> held = fs_.lock(path);
  if (!held.ok()) return changed(held.error());
  auto made = std::make_unique<Lock>();
  made->held = std::move(*held);
  *lock = made.release();
  return leveldb::Status::OK();
}

leveldb::Status LevelDbEnv::UnlockFile(leveldb::FileLock* lock) {
  delete lock;
  return leveldb::Status::OK();
}

void LevelDbEnv::Schedule(void (*work)(void*), void* argument) { scheduled_.emplace_back(work, argument); }

void LevelDbEnv::StartThread(void (*)(void*), void*) {
  CHECK_MSG(false, "LevelDB asks for a thread, which no known version of it does");
}

leveldb::Status LevelDbEnv::GetTestDirectory(std::string*) {
  return leveldb::Status::NotSupported("there is no directory for tests");
}

leveldb::Status LevelDbEnv::NewLogger(const std::string&, leveldb::Logger** logger) {
  *logger = nullptr;
  return leveldb::Status::NotSupported("LevelDB's own log is not kept");
}

}  // namespace quorate::server
