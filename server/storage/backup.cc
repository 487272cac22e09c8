#include "server/storage/backup.h"

#include <algorithm>
#include <limits>

#include "raft/configuration.h"
#include "server/storage/data_folder.h"
#include "server/storage/state_folder.h"
#include "server/storage/wal.h"

namespace quorate::server {
namespace {

constexpr size_t kFrameBytes = 1 << 20;

// Everything there is in the state, by key.
std::vector<kv::Record> all_records(kv::StateMachine& state) {
  kv::RecordList captured;
  state.mark_all_changed();
  state.begin_capture();
  while (!state.capture(std::numeric_limits<size_t>::max(), captured)) {
  }
  std::vector<kv::Record> records;
  for (const kv::RecordView& record : captured) {
    if (record.value) records.push_back({std::string(record.key), std::string(*record.value)});
  }
  std::stable_sort(records.begin(), records.end(),
                   [](const kv::Record& a, const kv::Record& b) { return a.key < b.key; });
  return records;
}

// As at a start: the state was received and the server ended before it cut its log, which holds other entries
// there, or none.
bool is_of_another_past(const WalRecovered& log, const StateName& name) {
  if (name.index <= log.snapshot_index) return false;
  const uint64_t place = name.index - log.snapshot_index;
  return place > log.entries.size() || log.entries[place - 1].term != name.term;
}

// Applies what the log holds behind the state, and keeps the name up with it.
Status replay(const WalRecovered& log, LoadedBackup& loaded) {
  if (is_of_another_past(log, loaded.name)) return {};
  for (const raft::Entry& entry : log.entries) {
    if (entry.index <= loaded.state->applied()) continue;
    if (entry.index != loaded.state->applied().next()) {
      return Error{ErrorCode::kCorruption, "the log does not go on where the state ends"};
    }
    if (entry.kind == raft::EntryKind::kCommand) {
      (void)loaded.state->apply(entry.index, entry.payload());
    } else {
      loaded.state->skip(entry.index);
      if (entry.kind == raft::EntryKind::kConfiguration)
        loaded.name.configuration = Bytes(std::string(entry.payload()));
    }
    loaded.name.index = entry.index;
    loaded.name.term = entry.term;
  }
  loaded.name.state_hash = loaded.state->state_hash();
  return {};
}

// Then the log's first entry stands upon a state that is in no log.
bool began_with_a_backup(const WalRecovered& log) {
  return std::any_of(log.entries.begin(), log.entries.end(), [](const raft::Entry& entry) {
    if (entry.kind != raft::EntryKind::kConfiguration) return false;
    const auto configuration = raft::decode_configuration(entry.payload());
    return configuration.ok() && configuration->base_state != 0;
  });
}

}  // namespace

Status save_backup(FileSystem& fs, const std::string& path, const StateName& name, kv::StateMachine& state) {
  auto writer = BackupWriter::create(fs, path);
  if (!writer.ok()) return writer.error();
  std::string part;
  kv::append_record(part, kStateNameKey, encode_state_name(name));
  for (const kv::Record& record : all_records(state)) {
    if (record.key == kStateNameKey) continue;
    kv::append_record(part, record.key, *record.value);
    if (part.size() < kFrameBytes) continue;
    if (Status added = writer->add(part); !added.ok()) return added;
    part.clear();
  }
  if (Status added = writer->add(part); !added.ok()) return added;
  return writer->finish();
}

Result<LoadedBackup> load_stopped_server(FileSystem& fs, StateStores& stores, const std::string& directory,
                                         const kv::Limits& limits) {
  auto folder = DataFolder::open_existing(fs, directory);
  if (!folder.ok()) return folder.error();
  auto opened = StateFolder::open(fs, stores, folder->state_directory(), limits);
  if (!opened.ok()) return opened.error();
  auto wal = Wal::open(fs, folder->wal_directory(),
                       {folder->server(), folder->incarnation(), folder->cluster()}, WalOptions{});
  if (!wal.ok()) return wal.error();
  if (!opened->state && began_with_a_backup(wal->recovered)) {
    return Error{
        ErrorCode::kUnavailable,
        directory +
            ": its cluster began with a backup that was restored, and the state that holds it is not "
            "here; save another server's folder, or start this server first: it gets the state"};
  }
  LoadedBackup loaded;
  if (opened->state) {
    loaded.name = std::move(opened->state->name);
    loaded.state = std::move(opened->state->state);
  } else {
    loaded.state = std::make_shared<kv::StateMachine>(limits);
  }
  loaded.name.cluster = folder->cluster();
  if (Status replayed = replay(wal->recovered, loaded); !replayed.ok()) {
    return Error{replayed.code(), directory + ": " + replayed.error().message};
  }
  return loaded;
}

Result<StateName> restore_backup(FileSystem& fs, StateStores& stores, const RestoreTarget& target,
                                 kv::StateMachine& state) {
  if (Status made = fs.make_directory(target.directory); !made.ok()) return made.error();
  const auto there = fs.list(target.directory);
  if (!there.ok()) return there.error();
  if (!there->empty()) {
    return {ErrorCode::kInUse,
            target.directory + " is not empty; restore into a folder that is, or move that one away"};
  }
  state.begin_anew(state.zxid().value() + kRestoredZxidGap);
  StateName name;
  name.cluster = target.cluster;
  name.state_hash = state.state_hash();
  // The identity comes last: a folder without one is not taken for a restored one.
  auto opened = StateFolder::open(fs, stores, target.directory + "/state", kv::Limits{});
  if (!opened.ok()) return opened.error();
  WriteCheckpoint checkpoint{name, {}};
  for (const kv::Record& record : all_records(state)) checkpoint.records.push_back(record);
  StoreJob job{1, std::move(checkpoint)};
  const auto written = opened->folder->run(job);
  if (!written.ok()) return written.error();
  if (!written->error.ok()) return written->error;
  auto folder = DataFolder::open(fs, target.directory, target.server, target.incarnation);
  if (!folder.ok()) return folder.error();
  return name;
}

}  // namespace quorate::server
