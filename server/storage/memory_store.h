// Stores in memory, for most seeds of the simulator and for tests. What they hold belongs to the MemoryStores
// object, which stands for the machine's disk: a store that is opened again has what it had, and a write is
// durable when it returns.
//
// Thread safety: none.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "server/storage/state_store.h"

namespace quorate::server {

class MemoryStores final : public StateStores {
 public:
  MemoryStores();
  ~MemoryStores() override;

  // No error but kCorruption.
  Result<std::unique_ptr<StateStore>> open(const std::string& directory, IfMissing if_missing) override;
  Status remove(const std::string& directory) override;

  // The n-th write from now on (1: the next) says this; `happens` tells whether it was done all the same.
  void fail_write(uint64_t n, Error error, bool happens);
  // For tests: changes what is stored, as no write would. REQUIRES: the store is there.
  void put(const std::string& directory, const std::string& key, const std::string& value);

 private:
  struct Content;
  struct Fault;
  class Store;
  class Snapshot;

  std::map<std::string, std::shared_ptr<Content>> stores_;
  std::shared_ptr<Fault> fault_;
};

}  // namespace quorate::server
