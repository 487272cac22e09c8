#include "client/cli/snapshot_save.h"

#include <nlohmann/json.hpp>

#include "client/cli/signals.h"
#include "server/storage/backup_file.h"
#include "server/storage/posix_file_system.h"

namespace quorate::cli {

namespace {

using client::SnapshotPart;

class Saver {
 public:
  explicit Saver(std::string file) : file_(std::move(file)) {}

  // Of the client that asks, for a terminal.
  void show_on(const CommandClient& client) { client_ = &client; }

  Status take(const SnapshotPart& part) {
    if (const int signal = signals_.next(0); ends_a_command(signal)) {
      interrupted_ = signal;
      return Error{ErrorCode::kShuttingDown, "interrupted"};
    }
    Status written = write(part);
    failed_ = !written.ok();
    return written;
  }

  int interrupted() const { return interrupted_; }
  // The file, and not the cluster.
  bool failed() const { return failed_; }
  const server::StateName& name() const { return name_; }
  uint64_t records() const { return records_; }
  uint64_t bytes() const { return writer_ ? writer_->bytes() : 0; }

 private:
  Status write(const SnapshotPart& part) {
    if (part.first) {
      if (Status begun = begin(part); !begun.ok()) return begun;
    }
    if (!part.records.empty()) {
      if (Status added = add(part.records); !added.ok()) return added;
    }
    client_->show([this] {
      return writer_ ? std::to_string(bytes() >> 10) + " KiB" : "waiting for the server's checkpoint";
    });
    return part.complete ? writer_->finish() : Status();
  }
  // Whatever was written of another server's snapshot goes with its writer.
  Status begin(const SnapshotPart& part) {
    auto name = server::decode_state_name(part.name);
    if (!name.ok()) return name.error();
    name_ = std::move(*name);
    writer_.reset();
    records_ = 0;
    auto writer = server::BackupWriter::create(fs_, file_);
    if (!writer.ok()) return writer.error();
    writer_.emplace(std::move(*writer));
    std::string first;
    kv::append_record(first, server::kStateNameKey, part.name);
    return writer_->add(first);
  }

  // The name stands first in the file, wherever the server keeps it.
  Status add(const std::string& records) {
    std::string kept;
    kept.reserve(records.size());
    const Status each = server::for_each_record(records, [&](std::string_view key, std::string_view value) {
      if (key == server::kStateNameKey) return Status();
      kv::append_record(kept, key, value);
      ++records_;
      return Status();
    });
    if (!each.ok()) return each;
    return kept.empty() ? Status() : writer_->add(kept);
  }

  const std::string file_;
  Signals signals_;
  server::PosixFileSystem fs_;
  std::optional<server::BackupWriter> writer_;
  server::StateName name_;
  uint64_t records_ = 0;
  int interrupted_ = 0;
  bool failed_ = false;
  const CommandClient* client_ = nullptr;
};

}  // namespace

int save_running(const Globals& globals, const std::string& file) {
  // Before a server makes a checkpoint for it.
  if (server::PosixFileSystem().exists(file))
    return fail(kAnswerIsNo, file + " exists already; give the backup another name, or move that file away");
  Saver saver(file);  // its signals before the client's thread
  const CommandClient client(globals);
  saver.show_on(client);
  client.show([] { return std::string("waiting for the server's checkpoint"); });
  const Status done = client->read_snapshot([&saver](const SnapshotPart& part) { return saver.take(part); });
  if (saver.interrupted() != 0)
    return fail(kExitSignal + saver.interrupted(), "interrupted: no backup was written");
  if (!done.ok()) return saver.failed() ? report_file(file, done.error()) : report("", done.error());
  const server::StateName& name = saver.name();
  if (globals.json) {
    print_json({{"file", file},
                {"cluster", hex_id(name.cluster.value())},
                {"index", name.index.value()},
                {"term", name.term.value()},
                {"records", saver.records()},
                {"bytes", saver.bytes()},
                {"state_hash", hex_id(name.state_hash)}});
  } else {
    print_line(file + " holds cluster " + hex_id(name.cluster.value()) + " up to log index " +
               std::to_string(name.index.value()) + ": " + std::to_string(saver.records()) + " records, " +
               std::to_string(saver.bytes()) + " bytes (read it through with: quorate snapshot verify " +
               file + ")");
  }
  return kDone;
}

}  // namespace quorate::cli
