// A state that changes, and its checkpoints, for tests of the folder that keeps them.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/random.h"
#include "server/storage/state_folder.h"
#include "tests/kv/machine.h"
#include "tests/storage/store_fixture.h"

namespace quorate::storage_test {

inline constexpr char kStateDirectory[] = "d/state";

// Which state it is, to be compared.
struct StateMark {
  Index index;
  uint64_t hash = 0;
  friend bool operator==(const StateMark&, const StateMark&) = default;
};
inline StateMark mark_of(const std::optional<server::ReceivedState>& found) {
  if (!found) return {};
  EXPECT_EQ(found->name.index, found->state->applied());
  EXPECT_EQ(found->name.state_hash, found->state->state_hash());
  const auto wrong = found->state->check_consistency();
  EXPECT_FALSE(wrong.has_value()) << *wrong;
  return {found->state->applied(), found->state->state_hash()};
}

class TestState {
 public:
  explicit TestState(uint64_t seed) : random_(seed), session_(machine_.open()) {}

  StateMark mark() const { return {machine_.state.applied(), machine_.state.state_hash()}; }
  void change(int times) {
    for (int i = 0; i < times; ++i) {
      const std::string path = "/n" + std::to_string(random_.below(60));
      const std::string data(random_.below(900), static_cast<char>('a' + random_.below(26)));
      if (!machine_.exists(path)) {
        run(kv::create(path, data));
      } else if (random_.chance(0.3)) {
        run(kv::DeleteOp{path});
      } else {
        run(kv::SetOp{path, data});
      }
    }
  }
  // What changed since the last, as a job.
  server::WriteCheckpoint checkpoint() {
    server::WriteCheckpoint job;
    job.name = name();
    machine_.state.begin_capture();
    while (!machine_.state.capture(2'000, job.records)) {
    }
    return job;
  }
  server::StateName name() const {
    return {ClusterId(9), machine_.state.applied(), Term(1), Bytes(std::string("members")),
            machine_.state.state_hash()};
  }

 private:
  void run(kv::Operation operation) { machine_.run(session_, std::move(operation)); }

  Random random_;
  kv::Machine machine_;
  SessionId session_;
};

// A folder over a simulated disk, with LevelDB in it or the twin in memory.
struct TestFolder {
  explicit TestFolder(sim::SimFileSystem& simulated, bool in_memory = false) : disk(simulated) {
    if (in_memory) {
      stores = std::make_unique<server::MemoryStores>();
    } else {
      stores = std::make_unique<server::LevelDbStores>(disk, small_store());
    }
  }

  Status open() {
    folder.reset();
    auto opened = server::StateFolder::open(disk, *stores, kStateDirectory, {});
    if (!opened.ok()) return opened.error();
    folder = std::move(opened->folder);
    found = std::move(opened->state);
    members = std::move(opened->members);
    return {};
  }
  template <class Body>
  Result<server::StoreDone> run(Body body) {
    server::StoreJob job{++last_id, std::move(body)};
    auto done = folder->run(job);
    if (done.ok()) {
      EXPECT_EQ(done->id, job.id);
    }
    return done;
  }
  // Until there is no answer, or the answer is no.
  template <class Body>
  Status told(Body body) {
    auto done = run(std::move(body));
    if (!done.ok()) return done.error();
    return done->error.ok() ? Status() : Status(done->error);
  }
  // All of a snapshot, as parts.
  std::vector<server::SnapshotPart> read_snapshot(uint64_t id, size_t bytes_max) {
    std::vector<server::SnapshotPart> parts;
    std::string after;
    for (bool complete = false; !complete;) {
      auto done = run(server::ReadSnapshot{id, after, bytes_max});
      EXPECT_TRUE(done.ok() && done->error.ok());
      if (!done.ok() || !done->error.ok()) break;
      auto& part = std::get<server::SnapshotPart>(done->result);
      after = part.last_key;
      complete = part.complete;
      parts.push_back(std::move(part));
    }
    return parts;
  }

  sim::SimFileSystem& disk;
  std::unique_ptr<server::StateStores> stores;
  std::unique_ptr<server::StateFolder> folder;
  std::optional<server::ReceivedState> found;
  std::optional<server::StateName> members;
  uint64_t last_id = 0;
};

}  // namespace quorate::storage_test
