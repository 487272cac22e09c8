// A store of checkpoints in a map, which does at once what it is told: what StateFolder does, without a disk.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/codec.h"
#include "server/store_job.h"

namespace quorate::server::test {

class FakeStore {
 public:
  explicit FakeStore(kv::Limits limits = {}) : limits_(limits) {}

  StoreDone run(const StoreJob& job);
  // What a restart finds.
  std::optional<ReceivedState> load() const { return in_use_ ? load(*in_use_) : std::nullopt; }
  // The process ended: what was being read or received is gone.
  void restart();
  void discard() { in_use_.reset(); }
  void put(StateName name, std::map<std::string, std::string> records);

  std::optional<StateName> name() const { return in_use_ ? std::optional(in_use_->name) : std::nullopt; }
  size_t bytes() const;
  const std::map<std::string, std::string>& records() const { return in_use_->records; }
  size_t checkpoints() const { return checkpoints_; }
  size_t snapshots_open() const { return snapshots_.size(); }
  size_t abandoned() const { return abandoned_; }
  // The next state that was received proves damaged.
  void damage_next() { damage_next_ = true; }
  // What is in use cannot be read behind its first part.
  void rot() { rotten_ = true; }

 private:
  struct Version {
    StateName name;
    std::map<std::string, std::string> records;
  };

  std::optional<ReceivedState> load(const Version& version) const;

  void run(const WriteCheckpoint& job, StoreDone&);
  void run(const ReadSnapshot& job, StoreDone& done);
  void run(const CloseSnapshot& job, StoreDone&) { snapshots_.erase(job.snapshot); }
  void run(const BeginReceive& job, StoreDone&) { receiving_ = Version{job.name, {}}; }
  void run(const ReceiveRecords& job, StoreDone& done);
  void run(const FinishReceive&, StoreDone& done);
  void run(const AbandonReceive&, StoreDone&);

  kv::Limits limits_;
  std::optional<Version> in_use_, receiving_;
  std::map<uint64_t, Version> snapshots_;
  size_t checkpoints_ = 0, abandoned_ = 0;
  bool damage_next_ = false, rotten_ = false;
};

}  // namespace quorate::server::test
