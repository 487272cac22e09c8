#include "server/storage/memory_store.h"

#include <optional>
#include <utility>

#include "base/check.h"

namespace quorate::server {

using Records = std::map<std::string, std::string, std::less<>>;

struct MemoryStores::Content {
  // Copied before a change when a snapshot has it.
  std::shared_ptr<Records> records = std::make_shared<Records>();
  uint64_t bytes_written = 0;
  bool open = false;
};

struct MemoryStores::Fault {
  uint64_t remaining = 0;  // 0: none
  Error error;
  bool happens = false;
};

class MemoryStores::Snapshot final : public StateSnapshot {
 public:
  explicit Snapshot(std::shared_ptr<const Records> records) : records_(std::move(records)) {}

  Result<bool> read(std::string_view after, size_t bytes_max, std::string& out,
                    std::string& last_key) override {
    const size_t before = out.size();
    for (auto at = records_->upper_bound(after); at != records_->end(); ++at) {
      if (out.size() > before && out.size() - before >= bytes_max) return true;
      kv::append_record(out, at->first, at->second);
      last_key = at->first;
    }
    return false;
  }

 private:
  const std::shared_ptr<const Records> records_;
};

class MemoryStores::Store final : public StateStore {
 public:
  Store(std::shared_ptr<Content> content, std::shared_ptr<Fault> fault)
      : content_(std::move(content)), fault_(std::move(fault)) {
    CHECK_MSG(!content_->open, "a store is opened once at a time");
    content_->open = true;
  }
  ~Store() override { content_->open = false; }

  Status write(const kv::RecordList& records) override {
    std::optional<Error> error;
    if (fault_->remaining > 0 && --fault_->remaining == 0) error = fault_->error;
    if (error && !fault_->happens) return *error;
    if (content_->records.use_count() > 1) content_->records = std::make_shared<Records>(*content_->records);
    for (const kv::RecordView& record : records) {
      if (record.value) {
        (*content_->records)[std::string(record.key)] = *record.value;
      } else {
        content_->records->erase(std::string(record.key));
      }
    }
    content_->bytes_written += records.bytes();
    return error ? Status(*error) : Status();
  }
  Result<std::unique_ptr<StateSnapshot>> snapshot() override {
    return std::unique_ptr<StateSnapshot>(std::make_unique<Snapshot>(content_->records));
  }
  uint64_t bytes_written() const override { return content_->bytes_written; }

 private:
  const std::shared_ptr<Content> content_;
  const std::shared_ptr<Fault> fault_;
};

MemoryStores::MemoryStores() : fault_(std::make_shared<Fault>()) {}
MemoryStores::~MemoryStores() = default;

Result<std::unique_ptr<StateStore>> MemoryStores::open(const std::string& directory, IfMissing if_missing) {
  std::shared_ptr<Content>& content = stores_[directory];
  if (content == nullptr) {
    if (if_missing == IfMissing::kRefuse) {
      stores_.erase(directory);
      return Error{ErrorCode::kCorruption, directory + " is damaged: it is not there"};
    }
    content = std::make_shared<Content>();
  }
  return std::unique_ptr<StateStore>(std::make_unique<Store>(content, fault_));
}

Status MemoryStores::remove(const std::string& directory) {
  const auto found = stores_.find(directory);
  if (found == stores_.end()) return {};
  CHECK_MSG(!found->second->open, "a store that is open is not removed");
  stores_.erase(found);
  return {};
}

void MemoryStores::fail_write(uint64_t n, Error error, bool happens) {
  CHECK(n > 0);
  *fault_ = {n, std::move(error), happens};
}

void MemoryStores::put(const std::string& directory, const std::string& key, const std::string& value) {
  (*stores_.at(directory)->records)[key] = value;
}

}  // namespace quorate::server
