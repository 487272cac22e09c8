#include "tests/sim/sim_file_system.h"

#include <algorithm>
#include <unordered_map>
#include <utility>

#include "base/check.h"

namespace quorate::sim {

struct SimFileSystem::Inode {
  struct Write {
    uint64_t offset;
    std::string bytes;
  };
  std::string content;          // as a reader sees it
  std::string synced;           // as it surely is after a power loss
  std::vector<Write> unsynced;  // in order

  // To any size that it had or could have had: somebody is taking it away.
  void cut(Random& random) {
    content.resize(random.below(content.size() + 1));
    synced.resize(std::min(synced.size(), content.size()));
    unsynced.clear();
  }
};

namespace {

void put(std::string& content, uint64_t offset, std::string_view bytes) {
  if (content.size() < offset + bytes.size()) content.resize(offset + bytes.size());
  std::copy(bytes.begin(), bytes.end(), content.begin() + static_cast<ptrdiff_t>(offset));
}

// A sync of a directory is a sync, too.
bool is_of(SimStep step, SimStep kind) {
  return kind == SimStep::kAny || kind == step || (kind == SimStep::kSync && step == SimStep::kSyncDirectory);
}

class SimLock final : public server::FileLock {};

}  // namespace

class SimFile final : public server::File {
 public:
  SimFile(SimFileSystem& disk, std::string path, std::shared_ptr<SimFileSystem::Inode> inode)
      : disk_(disk), path_(std::move(path)), inode_(std::move(inode)), boot_(disk.boot_) {}

  Status write_at(uint64_t offset, std::string_view bytes) override {
    if (Status alive = check_alive(); !alive.ok()) return alive;
    return disk_.write(*inode_, path_, offset, bytes);
  }

  Status write_pieces_at(uint64_t offset, const std::vector<std::string_view>& pieces) override {
    std::string all;
    for (std::string_view piece : pieces) all.append(piece);
    return write_at(offset, all);
  }

  Result<std::string> read_at(uint64_t offset, size_t size) override {
    if (Status alive = check_alive(); !alive.ok()) return alive.error();
    if (offset >= inode_->content.size()) return std::string();
    return inode_->content.substr(offset, size);
  }

  Result<size_t> read_into(uint64_t offset, size_t size, char* buffer) override {
    if (Status alive = check_alive(); !alive.ok()) return alive.error();
    if (offset >= inode_->content.size()) return size_t{0};
    return inode_->content.copy(buffer, size, offset);
  }

  Status sync() override {
    if (Status alive = check_alive(); !alive.ok()) return alive;
    return disk_.sync(*inode_, path_);
  }

  // What was not synced may be there after a power loss, or not, whatever was asked.
  Status settle(uint64_t, uint64_t) override { return {}; }

  Result<uint64_t> size() override {
    if (Status alive = check_alive(); !alive.ok()) return alive.error();
    return static_cast<uint64_t>(inode_->content.size());
  }

 private:
  Status check_alive() const {
    if (boot_ == disk_.boot_ && !disk_.crashed_) return {};
    return Error{ErrorCode::kIo, path_ + ": the machine that had this file open is gone"};
  }

  SimFileSystem& disk_;
  const std::string path_;
  const std::shared_ptr<SimFileSystem::Inode> inode_;
  const uint64_t boot_;
};

SimFileSystem::SimFileSystem() = default;
SimFileSystem::~SimFileSystem() = default;

std::unique_ptr<SimFileSystem> SimFileSystem::clone() const {
  auto copy = std::make_unique<SimFileSystem>();
  std::unordered_map<const Inode*, std::shared_ptr<Inode>> copies;
  auto copied = [&copies](const std::shared_ptr<Inode>& inode) -> std::shared_ptr<Inode> {
    if (inode == nullptr) return nullptr;
    std::shared_ptr<Inode>& twin = copies[inode.get()];
    if (twin == nullptr) twin = std::make_shared<Inode>(*inode);
    return twin;
  };
  for (const auto& [path, inode] : names_) copy->names_[path] = copied(inode);
  for (const auto& [path, inode] : synced_names_) copy->synced_names_[path] = copied(inode);
  for (const auto& [directory, changes] : changes_) {
    for (const NameChange& change : changes) {
      copy->changes_[directory].push_back({change.erased, change.set, copied(change.inode)});
    }
  }
  copy->directories_ = directories_;
  copy->fault_random_ = fault_random_;
  copy->capacity_bytes_ = capacity_bytes_;
  return copy;
}

std::string SimFileSystem::parent(const std::string& path) {
  const size_t slash = path.rfind('/');
  return slash == std::string::npos ? "." : path.substr(0, slash);
}

const std::shared_ptr<SimFileSystem::Inode>& SimFileSystem::find(const std::string& path) const {
  const auto found = names_.find(path);
  CHECK_MSG(found != names_.end(), "no simulated file of this name: " + path);
  return found->second;
}

std::optional<Error> SimFileSystem::begin_step(SimStep kind, const char* operation, const std::string& path) {
  auto failed = [&](ErrorCode code, const char* reason) {
    return Error{code, path + ": cannot " + operation + ": " + reason};
  };
  if (crashed_) return failed(ErrorCode::kIo, "the machine is down");
  const auto counts = [kind](SimStepCounts& of) {
    ++of[static_cast<size_t>(SimStep::kAny)];
    ++of[static_cast<size_t>(kind)];
  };
  ++stats_.steps;
  counts(stats_.by_kind);
  bool crashes = false;
  for (Crash& plan : crash_plans_) crashes = (is_of(kind, plan.kind) && --plan.remaining == 0) || crashes;
  if (crashes) {
    crashed_ = true;
    counts(stats_.crashes);
    return failed(ErrorCode::kIo, "the machine went down");
  }
  std::optional<Error> error;
  for (Fault& fault : faults_) {
    if (!is_of(kind, fault.kind)) continue;
    if (--fault.remaining == 0) error = failed(fault.code, "planned to fail");
  }
  std::erase_if(faults_, [](const Fault& fault) { return fault.remaining == 0; });
  if (error) counts(stats_.failures);
  return error;
}

Status SimFileSystem::write(Inode& inode, const std::string& path, uint64_t offset, std::string_view bytes) {
  const std::optional<Error> planned = begin_step(SimStep::kWrite, "write", path);
  std::optional<Error> error = planned;
  const uint64_t end = offset + bytes.size();
  if (!error && capacity_bytes_ != 0 && end > inode.content.size() &&
      used_bytes() + (end - inode.content.size()) > capacity_bytes_) {
    error = Error{ErrorCode::kNoSpace, path + ": cannot write: the simulated disk is full"};
  }
  if (error) {
    // Part of a failed write may be there, as far as it needs no room.
    const uint64_t fits =
        planned ? bytes.size()
                : std::min<uint64_t>(bytes.size(),
                                     inode.content.size() > offset ? inode.content.size() - offset : 0);
    bytes = bytes.substr(0, fault_random_.below(fits + 1));
  }
  ++stats_.writes;
  stats_.bytes_written += bytes.size();
  if (!bytes.empty()) {
    put(inode.content, offset, bytes);
    inode.unsynced.push_back({offset, std::string(bytes)});
  }
  return error ? Status(*error) : Status();
}

Status SimFileSystem::sync(Inode& inode, const std::string& path) {
  if (std::optional<Error> error = begin_step(SimStep::kSync, "sync", path)) {
    if (!crashed_) inode.unsynced.clear();
    return *error;
  }
  ++stats_.syncs;
  for (const Inode::Write& write : inode.unsynced) put(inode.synced, write.offset, write.bytes);
  inode.unsynced.clear();
  return {};
}

Result<std::unique_ptr<server::File>> SimFileSystem::open(const std::string& path) {
  if (crashed_) return Error{ErrorCode::kIo, path + ": cannot open: the machine is down"};
  const auto found = names_.find(path);
  if (found == names_.end()) return Error{ErrorCode::kNoNode, path + ": no such file"};
  return std::unique_ptr<server::File>(std::make_unique<SimFile>(*this, path, found->second));
}

void SimFileSystem::apply(const NameChange& change, std::map<std::string, std::shared_ptr<Inode>>& names) {
  if (!change.erased.empty()) names.erase(change.erased);
  if (!change.set.empty()) names[change.set] = change.inode;
}

void SimFileSystem::change_name(NameChange change) {
  apply(change, names_);
  const std::string directory = parent(change.set.empty() ? change.erased : change.set);
  changes_[directory].push_back(std::move(change));
}

Result<std::unique_ptr<server::File>> SimFileSystem::create(const std::string& path) {
  if (!directories_.contains(parent(path))) {
    return Error{ErrorCode::kNoNode, path + ": cannot create: there is no directory " + parent(path)};
  }
  const std::optional<Error> error = begin_step(SimStep::kCreate, "create", path);
  const bool happens = !error || fault_random_.chance(0.5);
  auto inode = std::make_shared<Inode>();
  if (happens) change_name({"", path, inode});
  if (error) return *error;
  return std::unique_ptr<server::File>(std::make_unique<SimFile>(*this, path, std::move(inode)));
}

Status SimFileSystem::rename(const std::string& from, const std::string& to) {
  CHECK_MSG(parent(from) == parent(to), "a rename stays in its directory");
  if (!names_.contains(from)) return Error{ErrorCode::kNoNode, from + ": cannot rename: no such file"};
  const std::optional<Error> error = begin_step(SimStep::kRename, "rename", from);
  if (!error || (crashed_ && fault_random_.chance(0.5))) change_name({from, to, names_.at(from)});
  return error ? Status(*error) : Status();
}

Status SimFileSystem::remove(const std::string& path) {
  if (!names_.contains(path)) return Error{ErrorCode::kNoNode, path + ": cannot remove: no such file"};
  const std::optional<Error> error = begin_step(SimStep::kRemove, "remove", path);
  if (!error || (crashed_ && fault_random_.chance(0.5))) change_name({path, "", nullptr});
  return error ? Status(*error) : Status();
}

Status SimFileSystem::remove_in_parts(const std::string& path) {
  const auto found = names_.find(path);
  if (!crashed_ && found != names_.end()) found->second->cut(fault_random_);
  return remove(path);
}

Status SimFileSystem::make_directory(const std::string& path) {
  if (std::optional<Error> error = begin_step(SimStep::kMakeDirectory, "make directory", path)) return *error;
  for (std::string at = path; !at.empty() && at != "."; at = parent(at)) directories_.insert(at);
  return {};
}

Status SimFileSystem::remove_directory(const std::string& path) {
  if (!directories_.contains(path)) return Error{ErrorCode::kNoNode, path + ": no such directory"};
  const std::string below = path + "/";
  const auto first = names_.lower_bound(below);
  CHECK_MSG(first == names_.end() || !first->first.starts_with(below), path + " is not empty");
  if (std::optional<Error> error = begin_step(SimStep::kRemoveDirectory, "remove directory", path))
    return *error;
  directories_.erase(path);
  // A directory that is gone for good takes with it what was not synced in it.
  changes_.erase(path);
  std::erase_if(synced_names_, [&](const auto& name) { return name.first.starts_with(below); });
  return {};
}

Status SimFileSystem::sync_directory(const std::string& path) {
  if (std::optional<Error> error = begin_step(SimStep::kSyncDirectory, "sync directory", path)) return *error;
  ++stats_.syncs;
  for (const NameChange& change : changes_[path]) apply(change, synced_names_);
  changes_.erase(path);
  return {};
}

Result<std::vector<std::string>> SimFileSystem::list(const std::string& path) {
  if (crashed_) return Error{ErrorCode::kIo, path + ": cannot list: the machine is down"};
  if (!directories_.contains(path)) return Error{ErrorCode::kNoNode, path + ": no such directory"};
  const std::string prefix = path + "/";
  std::set<std::string> found;
  auto add = [&](const std::string& name) {
    if (!name.starts_with(prefix)) return;
    const std::string rest = name.substr(prefix.size());
    found.insert(rest.substr(0, rest.find('/')));
  };
  for (const auto& [name, inode] : names_) add(name);
  for (const std::string& name : directories_) add(name);
  return std::vector<std::string>(found.begin(), found.end());
}

bool SimFileSystem::exists(const std::string& path) {
  return !crashed_ && (names_.contains(path) || directories_.contains(path));
}

Result<std::unique_ptr<server::FileLock>> SimFileSystem::lock(const std::string& path) {
  if (!locks_[path].expired()) return Error{ErrorCode::kInUse, path + ": somebody else has it locked"};
  if (!names_.contains(path)) {
    Result<std::unique_ptr<server::File>> made = create(path);
    if (!made.ok()) return made.error();
  }
  // The lock's owner holds a share of it, so that the disk can take it away at a restart.
  class Holder final : public server::FileLock {
   public:
    explicit Holder(std::shared_ptr<server::FileLock> lock) : lock_(std::move(lock)) {}

   private:
    std::shared_ptr<server::FileLock> lock_;
  };
  auto lock = std::make_shared<SimLock>();
  locks_[path] = lock;
  return std::unique_ptr<server::FileLock>(std::make_unique<Holder>(std::move(lock)));
}

void SimFileSystem::forget_everything_open() {
  ++boot_;
  crashed_ = false;
  crash_plans_.clear();
  faults_.clear();
  locks_.clear();
}

void SimFileSystem::process_restart() { forget_everything_open(); }

namespace {

// What a power loss leaves of one file: each write kept, lost or torn. A sector holds what it held when one
// of the writes to it reached the disk, so it has all that was written to it until then.
template <class Writes>
std::string survive(std::string synced, const Writes& writes, Random& random) {
  constexpr uint64_t kSector = SimFileSystem::kSectorBytes;
  std::map<uint64_t, size_t> newest;  // sector -> how many of the writes it has seen
  for (size_t i = 0; i < writes.size(); ++i) {
    const uint64_t fate = random.below(3);  // kept, lost, torn
    const uint64_t first = writes[i].offset / kSector;
    const uint64_t last = (writes[i].offset + writes[i].bytes.size() - 1) / kSector;
    for (uint64_t sector = first; sector <= last; ++sector) {
      if (fate == 0 || (fate == 2 && random.chance(0.5))) newest[sector] = i + 1;
    }
  }
  for (size_t i = 0; i < writes.size(); ++i) {
    const std::string_view bytes = writes[i].bytes;
    const uint64_t end = writes[i].offset + bytes.size();
    for (uint64_t at = writes[i].offset; at < end;) {
      const uint64_t next = std::min(end, (at / kSector + 1) * kSector);
      const auto seen = newest.find(at / kSector);
      if (seen != newest.end() && i < seen->second)
        put(synced, at, bytes.substr(at - writes[i].offset, next - at));
      at = next;
    }
  }
  return synced;
}

}  // namespace

void SimFileSystem::power_loss(Random& random) {
  for (auto& [directory, changes] : changes_) {
    // Names reach the disk in order up to some point, or each for itself; what builds on a lost name is lost.
    const bool in_order = random.chance(0.5);
    size_t prefix = random.below(changes.size() + 1);
    std::set<std::string> lost;
    for (const NameChange& change : changes) {
      bool kept = in_order ? prefix > 0 : random.chance(0.5);
      if (prefix > 0) --prefix;
      kept = kept && !lost.contains(change.erased) && !lost.contains(change.set);
      if (kept) {
        apply(change, synced_names_);
        continue;
      }
      if (!change.erased.empty()) lost.insert(change.erased);
      if (!change.set.empty()) lost.insert(change.set);
    }
  }
  changes_.clear();
  names_ = synced_names_;
  for (auto& [path, inode] : names_) {
    inode->synced = survive(std::move(inode->synced), inode->unsynced, random);
    inode->content = inode->synced;
    inode->unsynced.clear();
  }
  forget_everything_open();
}

void SimFileSystem::fail_step(uint64_t n, SimStep kind, ErrorCode code) {
  CHECK(n > 0);
  faults_.push_back({n, kind, code});
}

void SimFileSystem::crash_at_step(uint64_t n, SimStep kind) {
  CHECK(n > 0);
  crash_plans_.push_back({n, kind});
}

uint64_t SimFileSystem::used_bytes() const {
  uint64_t used = 0;
  for (const auto& [path, inode] : names_) used += inode->content.size();
  return used;
}

void SimFileSystem::flip_bit(const std::string& path, uint64_t offset, unsigned bit) {
  Inode& inode = *find(path);
  CHECK(offset < inode.content.size() && bit < 8);
  const char flip = static_cast<char>(1U << bit);
  inode.content[offset] = static_cast<char>(inode.content[offset] ^ flip);
  if (offset < inode.synced.size()) inode.synced[offset] = static_cast<char>(inode.synced[offset] ^ flip);
}

void SimFileSystem::overwrite(const std::string& path, uint64_t offset, std::string_view bytes) {
  Inode& inode = *find(path);
  CHECK(offset + bytes.size() <= inode.content.size());
  put(inode.content, offset, bytes);
  put(inode.synced, offset, bytes);
}

void SimFileSystem::lose_file(const std::string& path) {
  find(path);
  names_.erase(path);
  synced_names_.erase(path);
  for (auto& [directory, changes] : changes_) {
    std::erase_if(changes, [&](const NameChange& change) { return change.set == path; });
  }
}

std::string SimFileSystem::content(const std::string& path) const { return find(path)->content; }

std::map<std::string, std::string> SimFileSystem::image() const {
  std::map<std::string, std::string> all;
  for (const auto& [path, inode] : names_) all[path] = inode->content;
  return all;
}

}  // namespace quorate::sim
