#include "tests/replica/fake_store.h"

namespace quorate::server::test {

StoreDone FakeStore::run(const StoreJob& job) {
  StoreDone done;
  done.id = job.id;
  std::visit([this, &done](const auto& body) { run(body, done); }, job.body);
  return done;
}

void FakeStore::restart() {
  snapshots_.clear();
  receiving_.reset();
}

void FakeStore::put(StateName name, std::map<std::string, std::string> records) {
  in_use_ = Version{std::move(name), std::move(records)};
}

size_t FakeStore::bytes() const {
  size_t sum = 0;
  for (const auto& [key, value] : in_use_->records) sum += key.size() + value.size();
  return sum;
}

std::optional<ReceivedState> FakeStore::load(const Version& version) const {
  kv::StateLoader loader(limits_);
  for (const auto& [key, value] : version.records) {
    if (!loader.add(key, value).ok()) return std::nullopt;
  }
  auto state = loader.finish();
  if (!state.ok() || state->state_hash() != version.name.state_hash) return std::nullopt;
  return ReceivedState{version.name, std::make_shared<kv::StateMachine>(std::move(state).value())};
}

void FakeStore::run(const WriteCheckpoint& job, StoreDone&) {
  if (!in_use_) in_use_.emplace();
  in_use_->name = job.name;
  for (const kv::RecordView& record : job.records) {
    if (record.value) {
      in_use_->records[std::string(record.key)] = *record.value;
    } else {
      in_use_->records.erase(std::string(record.key));
    }
  }
  ++checkpoints_;
}

void FakeStore::run(const ReadSnapshot& job, StoreDone& done) {
  auto found = snapshots_.find(job.snapshot);
  if (found == snapshots_.end()) {
    if (!in_use_) {
      done.error = {ErrorCode::kUnavailable, "there is no checkpoint"};
      return;
    }
    found = snapshots_.emplace(job.snapshot, *in_use_).first;
  }
  if (rotten_ && !job.after.empty()) {
    done.error = {ErrorCode::kCorruption, "a block of the store is damaged"};
    return;
  }
  const Version& version = found->second;
  SnapshotPart part;
  part.name = version.name;
  std::string records;
  auto at = version.records.upper_bound(job.after);
  for (; at != version.records.end() && records.size() < job.bytes_max; ++at) {
    kv::append_record(records, at->first, at->second);
    part.last_key = at->first;
  }
  part.complete = at == version.records.end();
  part.records = Bytes(std::move(records));
  done.result = std::move(part);
}

void FakeStore::run(const ReceiveRecords& job, StoreDone& done) {
  ByteReader in(job.records.view());
  while (!in.failed() && !in.done()) {
    std::string key(in.string());
    const std::string value(in.string());
    const bool ascends = receiving_->records.empty() || receiving_->records.rbegin()->first < key;
    if (!ascends) done.error = {ErrorCode::kCorruption, "out of order"};
    receiving_->records.emplace(std::move(key), value);
  }
}

void FakeStore::run(const FinishReceive&, StoreDone& done) {
  auto loaded = load(*receiving_);
  if (!loaded || std::exchange(damage_next_, false)) {
    done.error = {ErrorCode::kCorruption, "the state that was received is not the one it says"};
    receiving_.reset();
    return;
  }
  in_use_ = std::move(receiving_);
  receiving_.reset();
  done.result = std::move(*loaded);
}

void FakeStore::run(const AbandonReceive&, StoreDone&) {
  receiving_.reset();
  ++abandoned_;
}

}  // namespace quorate::server::test
