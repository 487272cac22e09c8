#include "server/storage/leveldb_store.h"

#include <leveldb/cache.h>
#include <leveldb/db.h>
#include <leveldb/iterator.h>
#include <leveldb/write_batch.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "base/check.h"
#include "server/storage/files.h"
#include "server/storage/leveldb_env.h"

namespace quorate::server {

namespace {

leveldb::Slice slice(std::string_view bytes) { return {bytes.data(), bytes.size()}; }
std::string_view view(const leveldb::Slice& bytes) { return {bytes.data(), bytes.size()}; }

class NoLog final : public leveldb::Logger {
 public:
  void Logv(const char*, std::va_list) override {}
};

// As the store has its keys: one that comes behind the one before finds its place in LevelDB's memory at
// once. A checkpoint of 110,000 changed nodes takes half of the processor's time, 168 ms for 355, that it
// took in the order of their changes. Of one key the later record stays the later.
std::vector<kv::RecordView> in_order(const kv::RecordList& records) {
  std::vector<kv::RecordView> views(records.begin(), records.end());
  std::stable_sort(views.begin(), views.end(),
                   [](const kv::RecordView& a, const kv::RecordView& b) { return a.key < b.key; });
  return views;
}

// The database with what it stands on, in the order in which they are taken down.
class Database {
 public:
  Database(FileSystem& fs, std::string directory, const LevelDbOptions& options)
      : directory_(std::move(directory)),
        env_(fs, directory_),
        cache_(leveldb::NewLRUCache(options.block_cache_bytes)),
        write_buffer_bytes_(options.write_buffer_bytes) {
    options_.env = &env_;
    options_.info_log = &no_log_;
    options_.create_if_missing = true;
    options_.paranoid_checks = true;
    options_.write_buffer_size = options.write_buffer_bytes;
    options_.block_cache = cache_.get();
    options_.max_open_files = options.files_open_max;
    options_.compression = options.compress ? leveldb::kSnappyCompression : leveldb::kNoCompression;
  }
  ~Database() {
    // LevelDB's destructor waits for what it has scheduled.
    env_.run_scheduled();
    db_.reset();
  }

  Status open() {
    leveldb::DB* db = nullptr;
    const leveldb::Status opened = leveldb::DB::Open(options_, directory_, &db);
    db_.reset(db);
    return settle(opened);
  }

  Status write(const kv::RecordList& records) {
    leveldb::WriteBatch batch;
    for (const kv::RecordView& record : in_order(records)) {
      if (record.value) {
        batch.Put(slice(record.key), slice(*record.value));
      } else {
        batch.Delete(slice(record.key));
      }
    }
    const size_t bytes = batch.ApproximateSize();
    leveldb::WriteOptions synced;
    synced.sync = true;
    if (Status written = settle(db_->Write(synced, &batch)); !written.ok()) return written;
    // A batch stays in memory until the next one, however large it is. A write of nothing flushes it.
    if (bytes < write_buffer_bytes_) return {};
    return settle(db_->Write(leveldb::WriteOptions(), nullptr));
  }

  // In the words of whoever runs the server.
  Error explain(const leveldb::Status& status) const {
    if (env_.failure()) return *env_.failure();
    const bool damaged = status.IsCorruption() || status.IsNotFound() || status.IsInvalidArgument();
    if (env_.read_failure() && !damaged) return *env_.read_failure();
    if (!damaged) return {ErrorCode::kIo, directory_ + ": " + status.ToString()};
    return {ErrorCode::kCorruption, directory_ + " is damaged: " + status.ToString()};
  }

  leveldb::DB& db() { return *db_; }
  const LevelDbEnv& env() const { return env_; }

 private:
  // Runs what was scheduled; a failure there is this call's as well.
  Status settle(const leveldb::Status& status) {
    env_.run_scheduled();
    if (status.ok() && !env_.failure()) return {};
    return explain(status);
  }

  const std::string directory_;
  LevelDbEnv env_;
  NoLog no_log_;
  const std::unique_ptr<leveldb::Cache> cache_;
  const size_t write_buffer_bytes_;
  leveldb::Options options_;
  std::unique_ptr<leveldb::DB> db_;
};

class Snapshot final : public StateSnapshot {
 public:
  explicit Snapshot(std::shared_ptr<Database> database)
      : database_(std::move(database)), snapshot_(database_->db().GetSnapshot()) {}
  ~Snapshot() override { database_->db().ReleaseSnapshot(snapshot_); }

  Result<bool> read(std::string_view after, size_t bytes_max, std::string& out,
                    std::string& last_key) override {
    leveldb::ReadOptions options;
    options.verify_checksums = true;
    options.fill_cache = false;
    options.snapshot = snapshot_;
    const std::unique_ptr<leveldb::Iterator> at(database_->db().NewIterator(options));
    if (after.empty()) {
      at->SeekToFirst();
    } else {
      at->Seek(slice(after));
      if (at->Valid() && view(at->key()) == after) at->Next();
    }
    const size_t before = out.size();
    bool full = false;
    for (; at->Valid() && !full; at->Next()) {
      kv::append_record(out, view(at->key()), view(at->value()));
      last_key.assign(at->key().data(), at->key().size());
      full = out.size() - before >= bytes_max;
    }
    // An iterator steps over what it cannot read and remembers that: so it is asked after every part.
    if (!at->status().ok()) return database_->explain(at->status());
    return at->Valid();
  }

 private:
  const std::shared_ptr<Database> database_;
  const leveldb::Snapshot* const snapshot_;
};

class LevelDbStore final : public StateStore {
 public:
  explicit LevelDbStore(std::shared_ptr<Database> database) : database_(std::move(database)) {}

  Status write(const kv::RecordList& records) override { return database_->write(records); }
  Result<std::unique_ptr<StateSnapshot>> snapshot() override {
    return std::unique_ptr<StateSnapshot>(std::make_unique<Snapshot>(database_));
  }
  uint64_t bytes_written() const override { return database_->env().bytes_written(); }

 private:
  // Shared with its snapshots, which need it to let go.
  const std::shared_ptr<Database> database_;
};

}  // namespace

Result<std::unique_ptr<StateStore>> LevelDbStores::open(const std::string& directory, IfMissing if_missing) {
  if (if_missing == IfMissing::kRefuse && !fs_.exists(directory + "/CURRENT")) {
    return Error{ErrorCode::kCorruption,
                 directory + " is damaged: it is not there, or its file CURRENT is missing"};
  }
  if (Status made = fs_.make_directory(directory); !made.ok()) return made.error();
  auto database = std::make_shared<Database>(fs_, directory, options_);
  if (Status opened = database->open(); !opened.ok()) return opened.error();
  return std::unique_ptr<StateStore>(std::make_unique<LevelDbStore>(std::move(database)));
}

Status LevelDbStores::remove(const std::string& directory) { return remove_folder(fs_, directory); }

}  // namespace quorate::server
