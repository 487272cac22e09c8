#include "server/storage/state_folder.h"

#include <charconv>
#include <map>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/checksum.h"
#include "base/codec.h"
#include "server/storage/files.h"
#include "server/storage/state_load.h"

namespace quorate::server {

namespace {

constexpr char kPointer[] = "CURRENT";
constexpr char kMembers[] = "MEMBERS";
constexpr std::string_view kPointerMagic = "quorate-state 1 ";

std::string encode_pointer(uint64_t number) {
  std::string line(kPointerMagic);
  line += std::to_string(number);
  const std::string checksum = std::to_string(checksum64(line));
  return line + " " + checksum + "\n";
}

std::optional<uint64_t> parse_number(std::string_view text) {
  uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

std::optional<uint64_t> decode_pointer(std::string_view line) {
  if (!line.starts_with(kPointerMagic)) return std::nullopt;
  const std::string_view rest = line.substr(kPointerMagic.size());
  const auto number = parse_number(rest.substr(0, rest.find(' ')));
  if (!number || line != encode_pointer(*number)) return std::nullopt;
  return number;
}

// The name, and a checksum of it.
std::string encode_members(const StateName& name) {
  std::string bytes = encode_state_name(name);
  const uint64_t checksum = checksum64(bytes);
  ByteWriter(bytes).u64(checksum);
  return bytes;
}

std::optional<StateName> decode_members(std::string_view bytes) {
  if (bytes.size() < sizeof(uint64_t)) return std::nullopt;
  const std::string_view name = bytes.substr(0, bytes.size() - sizeof(uint64_t));
  if (ByteReader(bytes.substr(name.size())).u64() != checksum64(name)) return std::nullopt;
  auto decoded = decode_state_name(name);
  if (!decoded.ok()) return std::nullopt;
  return std::move(*decoded);
}

std::string path_of(const std::string& directory, uint64_t number) {
  return directory + "/" + std::to_string(number);
}

// What whoever runs the server can do about a state that is damaged.
Error damaged(const std::string& directory, const std::string& what) {
  const size_t slash = directory.rfind('/');
  const std::string data = slash == std::string::npos ? "." : directory.substr(0, slash);
  return {ErrorCode::kCorruption, "the state in " + directory + " is damaged: " + what +
                                      ". In a cluster, run quorated --rebuild-state --data " + data +
                                      " and start the server again: it keeps its log and gets the state from "
                                      "the others. A server alone needs its backup"};
}

Error explain(const std::string& directory, const Error& error) {
  if (error.code == ErrorCode::kCorruption) return damaged(directory, error.message);
  return error;
}

// Numbers of the stores that are there, by name alone.
Result<std::vector<uint64_t>> stores_in(FileSystem& fs, const std::string& directory) {
  auto names = fs.list(directory);
  if (!names.ok()) return names.error();
  std::vector<uint64_t> numbers;
  for (const std::string& name : *names) {
    if (const auto number = parse_number(name)) numbers.push_back(*number);
  }
  return numbers;
}

Status write_pointer(FileSystem& fs, const std::string& directory, uint64_t number) {
  return replace_file(fs, directory, kPointer, encode_pointer(number));
}

StoreDone answer(uint64_t id) { return {id, {}, {}}; }
StoreDone answer(uint64_t id, ErrorCode code, std::string message) {
  return {id, {code, std::move(message)}, {}};
}

class Folder final : public StateFolder {
 public:
  Folder(FileSystem& fs, StateStores& stores, std::string directory, const kv::Limits& limits)
      : fs_(fs), stores_(stores), directory_(std::move(directory)), limits_(limits) {}

  Result<std::optional<ReceivedState>> open();
  const std::optional<StateName>& known_members() const { return members_; }

  Result<StoreDone> run(StoreJob& job) override {
    if (Status opened = reopen(); !opened.ok()) return opened.error();
    return std::visit([&](auto& body) { return run(job.id, body); }, job.body);
  }
  uint64_t bytes_written() const override {
    uint64_t bytes = bytes_of_closed_;
    if (store_) bytes += store_->bytes_written();
    if (receiving_ && receiving_->store) bytes += receiving_->store->bytes_written();
    return bytes;
  }

 private:
  struct OpenSnapshot {
    StateName name;
    std::unique_ptr<StateSnapshot> snapshot;
  };
  struct Receiving {
    StateName name;
    uint64_t number = 0;
    std::unique_ptr<StateStore> store;  // null after an error: opened again by what comes next
    std::string last_key;
  };

  Result<StoreDone> run(uint64_t id, WriteCheckpoint& job);
  Result<StoreDone> run(uint64_t id, const ReadSnapshot& job);
  Result<StoreDone> run(uint64_t id, const CloseSnapshot& job);
  Result<StoreDone> run(uint64_t id, const BeginReceive& job);
  Result<StoreDone> run(uint64_t id, const ReceiveRecords& job);
  Result<StoreDone> run(uint64_t id, const FinishReceive& job);
  Result<StoreDone> run(uint64_t id, const AbandonReceive& job);

  Status reopen();
  Status remember_members(const StateName& name);
  Status write(std::unique_ptr<StateStore>& store, const kv::RecordList& records);
  Result<std::unique_ptr<StateStore>> make_store(uint64_t number);
  Result<OpenSnapshot*> find_snapshot(const ReadSnapshot& job);
  Status drop_received();
  Status switch_to_received();
  void close(std::unique_ptr<StateStore>& store);
  Status remove_store(uint64_t number);

  FileSystem& fs_;
  StateStores& stores_;
  const std::string directory_;
  const kv::Limits limits_;
  uint64_t current_ = 0;
  uint64_t highest_ = 0;               // of all numbers that were seen
  std::unique_ptr<StateStore> store_;  // null after an error
  std::map<uint64_t, OpenSnapshot> snapshots_;
  std::optional<Receiving> receiving_;
  std::optional<StateName> members_;
  uint64_t bytes_of_closed_ = 0;
};

Result<std::optional<ReceivedState>> Folder::open() {
  if (Status made = fs_.make_directory(directory_); !made.ok()) return made.error();
  // A name that a killed process gave may be in memory alone; below, the store that it left behind goes.
  if (Status synced = fs_.sync_directory(directory_); !synced.ok()) return synced.error();
  const auto present = stores_in(fs_, directory_);
  if (!present.ok()) return present.error();
  const auto pointer = read_file(fs_, directory_ + "/" + kPointer);
  if (pointer.ok()) {
    const auto number = decode_pointer(*pointer);
    if (!number) return damaged(directory_, std::string("its file ") + kPointer + " does not read back");
    current_ = *number;
  } else if (pointer.code() != ErrorCode::kNoNode) {
    return pointer.error();
  } else if (!present->empty()) {
    return damaged(directory_, std::string("its file ") + kPointer + " is missing");
  } else if (Status written = write_pointer(fs_, directory_, 0); !written.ok()) {
    return written.error();
  }
  members_ = members(fs_, directory_);
  highest_ = current_;
  for (const uint64_t number : *present) highest_ = std::max(highest_, number);

  std::optional<ReceivedState> state;
  if (current_ != 0) {
    if (Status opened = reopen(); !opened.ok()) return explain(directory_, opened.error());
    auto loaded = load_state(*store_, limits_);
    if (!loaded.ok()) return explain(directory_, loaded.error());
    state = std::move(*loaded);
  }
  for (const uint64_t number : *present) {
    if (number == current_) continue;
    if (Status removed = remove_store(number); !removed.ok()) return removed.error();
  }
  if (current_ == 0) {
    auto made = make_store(highest_ + 1);
    if (!made.ok()) return made.error();
    if (Status switched = write_pointer(fs_, directory_, highest_); !switched.ok()) return switched.error();
    current_ = highest_;
    store_ = std::move(*made);
  }
  return state;
}

// A number is not used again while what it once stood for may still be there.
Result<std::unique_ptr<StateStore>> Folder::make_store(uint64_t number) {
  highest_ = std::max(highest_, number);
  if (Status removed = remove_store(number); !removed.ok()) return removed.error();
  return stores_.open(path_of(directory_, number), IfMissing::kMake);
}

Status Folder::remove_store(uint64_t number) { return stores_.remove(path_of(directory_, number)); }

void Folder::close(std::unique_ptr<StateStore>& store) {
  if (store) bytes_of_closed_ += store->bytes_written();
  store.reset();
}

Status Folder::reopen() {
  if (store_) return {};
  auto opened = stores_.open(path_of(directory_, current_), IfMissing::kRefuse);
  if (!opened.ok()) return opened.error();
  store_ = std::move(*opened);
  return {};
}

// A store is not used again after an error.
Status Folder::write(std::unique_ptr<StateStore>& store, const kv::RecordList& records) {
  const Status written = store->write(records);
  if (written.ok()) return {};
  if (&store == &store_) snapshots_.clear();
  close(store);
  return explain(directory_, written.error());
}

// Before the state with that name is in use, and the log can be cut behind it.
Status Folder::remember_members(const StateName& name) {
  if (members_ && members_->cluster == name.cluster && members_->configuration == name.configuration)
    return {};
  if (Status written = replace_file(fs_, directory_, kMembers, encode_members(name)); !written.ok())
    return written;
  members_ = name;
  return {};
}

Result<StoreDone> Folder::run(uint64_t id, WriteCheckpoint& job) {
  // The same job may come a second time.
  if (job.records.empty() || job.records.back().key != kStateNameKey) {
    job.records.push_back({kStateNameKey, encode_state_name(job.name)});
  }
  if (Status remembered = remember_members(job.name); !remembered.ok()) return remembered.error();
  if (Status written = write(store_, job.records); !written.ok()) return written.error();
  return answer(id);
}

Result<Folder::OpenSnapshot*> Folder::find_snapshot(const ReadSnapshot& job) {
  const auto found = snapshots_.find(job.snapshot);
  if (found != snapshots_.end()) return &found->second;
  if (!job.after.empty()) {
    return {ErrorCode::kUnavailable, "the snapshot is open no more: begin again with another"};
  }
  if (snapshots_.size() >= kOpenSnapshotsMax) {
    return {ErrorCode::kOverloaded,
            std::to_string(kOpenSnapshotsMax) + " snapshots are open: wait until one is closed"};
  }
  auto snapshot = store_->snapshot();
  if (!snapshot.ok()) return snapshot.error();
  auto name = read_state_name(**snapshot);
  if (!name.ok()) return name.error();
  if (!*name) return {ErrorCode::kUnavailable, "there is no checkpoint yet: try again later"};
  OpenSnapshot& opened = snapshots_[job.snapshot];
  opened = {std::move(**name), std::move(*snapshot)};
  return &opened;
}

Result<StoreDone> Folder::run(uint64_t id, const ReadSnapshot& job) {
  const auto found = find_snapshot(job);
  if (!found.ok()) return StoreDone{id, explain(directory_, found.error()), {}};
  SnapshotPart part;
  std::string records;
  const auto more = (*found)->snapshot->read(job.after, job.bytes_max, records, part.last_key);
  if (!more.ok()) return StoreDone{id, explain(directory_, more.error()), {}};
  part.name = (*found)->name;
  part.records = Bytes(std::move(records));
  part.complete = !*more;
  return StoreDone{id, {}, std::move(part)};
}

Result<StoreDone> Folder::run(uint64_t id, const CloseSnapshot& job) {
  snapshots_.erase(job.snapshot);
  return answer(id);
}

Status Folder::drop_received() {
  if (!receiving_) return {};
  const uint64_t number = receiving_->number;
  close(receiving_->store);
  receiving_.reset();
  return remove_store(number);
}

Result<StoreDone> Folder::run(uint64_t id, const BeginReceive& job) {
  if (Status dropped = drop_received(); !dropped.ok()) return dropped.error();
  auto made = make_store(highest_ + 1);
  if (!made.ok()) return made.error();
  receiving_ = Receiving{job.name, highest_, std::move(*made), {}};
  return answer(id);
}

Result<StoreDone> Folder::run(uint64_t id, const ReceiveRecords& job) {
  if (!receiving_) return answer(id, ErrorCode::kUnavailable, "no state is being received");
  kv::RecordList records;
  std::string last_key = receiving_->last_key;
  const Status split =
      split_records(job.records.view(), [&](std::string_view key, std::string_view value) -> Status {
        if (key <= last_key) return Error{ErrorCode::kCorruption, "records came out of order"};
        last_key.assign(key);
        // Its name is known, and is written when everything else is there.
        if (key != kStateNameKey) records.push_back({std::string(key), std::string(value)});
        return {};
      });
  if (!split.ok()) {
    if (Status dropped = drop_received(); !dropped.ok()) return dropped.error();
    return answer(id, ErrorCode::kCorruption,
                  "a state that was received is damaged: " + split.error().message);
  }
  if (!receiving_->store) {
    auto opened = stores_.open(path_of(directory_, receiving_->number), IfMissing::kRefuse);
    if (!opened.ok()) return opened.error();
    receiving_->store = std::move(*opened);
  }
  if (Status written = write(receiving_->store, records); !written.ok()) return written.error();
  receiving_->last_key = std::move(last_key);
  return answer(id);
}

// The pointer is written over durably, then the store that was in use is removed: with a crash before that
// the next open does it.
Status Folder::switch_to_received() {
  if (Status remembered = remember_members(receiving_->name); !remembered.ok()) return remembered;
  if (Status switched = write_pointer(fs_, directory_, receiving_->number); !switched.ok()) return switched;
  snapshots_.clear();
  close(store_);
  const uint64_t old = std::exchange(current_, receiving_->number);
  store_ = std::move(receiving_->store);
  receiving_.reset();
  const Status removed = remove_store(old);
  return removed.code() == ErrorCode::kNoSpace ? Status() : removed;
}

Result<StoreDone> Folder::run(uint64_t id, const FinishReceive&) {
  if (!receiving_) return answer(id, ErrorCode::kUnavailable, "no state is being received");
  StoreJob last{id, ReceiveRecords{}};
  if (!receiving_->store) {
    if (auto reopened = run(id, std::get<ReceiveRecords>(last.body)); !reopened.ok()) return reopened;
  }
  const kv::Record name{kStateNameKey, encode_state_name(receiving_->name)};
  if (Status written = write(receiving_->store, {name}); !written.ok()) return written.error();
  auto loaded = load_state(*receiving_->store, limits_);
  if (!loaded.ok()) {
    if (loaded.code() != ErrorCode::kCorruption && loaded.code() != ErrorCode::kUnsupported)
      return loaded.error();
    if (Status dropped = drop_received(); !dropped.ok()) return dropped.error();
    return answer(id, loaded.code(), "a state that was received cannot be used: " + loaded.error().message);
  }
  CHECK(loaded->has_value());
  if (Status switched = switch_to_received(); !switched.ok()) return switched.error();
  return StoreDone{id, {}, std::move(**loaded)};
}

Result<StoreDone> Folder::run(uint64_t id, const AbandonReceive&) {
  if (Status dropped = drop_received(); !dropped.ok()) return dropped.error();
  return answer(id);
}

}  // namespace

Result<StateFolder::Opened> StateFolder::open(FileSystem& fs, StateStores& stores,
                                              const std::string& directory, const kv::Limits& limits) {
  auto folder = std::make_unique<Folder>(fs, stores, directory, limits);
  auto state = folder->open();
  if (!state.ok()) return state.error();
  Opened opened{nullptr, std::move(*state), folder->known_members()};
  opened.folder = std::move(folder);
  return opened;
}

// Damage there matters only where there is no state, and is told then by whoever misses it.
std::optional<StateName> StateFolder::members(FileSystem& fs, const std::string& directory) {
  const auto bytes = read_file(fs, directory + "/" + kMembers);
  return bytes.ok() ? decode_members(*bytes) : std::nullopt;
}

Status StateFolder::discard(FileSystem& fs, StateStores& stores, const std::string& directory) {
  const auto present = stores_in(fs, directory);
  if (present.code() == ErrorCode::kNoNode) return {};
  if (!present.ok()) return present.error();
  std::vector<uint64_t> numbers = *present;
  const auto pointer = read_file(fs, directory + "/" + kPointer);
  const auto current = pointer.ok() ? decode_pointer(*pointer) : std::nullopt;
  if (current && *current != 0) numbers.push_back(*current);
  if (Status written = write_pointer(fs, directory, 0); !written.ok()) return written;
  for (const uint64_t number : numbers) {
    if (Status removed = stores.remove(path_of(directory, number)); !removed.ok()) return removed;
  }
  return {};
}

}  // namespace quorate::server
