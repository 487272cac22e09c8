// snapshot save, verify, restore: backups.
#include <algorithm>
#include <charconv>
#include <map>
#include <random>
#include <set>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "client/cli/command.h"
#include "client/cli/number.h"
#include "client/cli/progress.h"
#include "client/cli/snapshot_save.h"
#include "client/endpoint.h"
#include "server/storage/backup.h"
#include "server/storage/leveldb_store.h"
#include "server/storage/posix_file_system.h"

namespace quorate::cli {

namespace {

using server::LoadedBackup;

struct SnapshotArguments {
  std::string file, data, cluster, cluster_id;
  uint32_t id = 0;
};

uint64_t random_id() {
  std::random_device device;
  uint64_t id = 0;
  while (id == 0) id = uint64_t{device()} << 32 | device();
  return id;
}

nlohmann::json backup_json(const std::string& file, const LoadedBackup& backup) {
  return {{"file", file},
          {"cluster", hex_id(backup.name.cluster.value())},
          {"index", backup.name.index.value()},
          {"term", backup.name.term.value()},
          {"zxid", backup.state->zxid().value()},
          {"nodes", backup.state->node_count()},
          {"sessions", backup.state->session_count()},
          {"bytes", backup.bytes},
          {"state_hash", hex_id(backup.name.state_hash)}};
}

std::string backup_text(const LoadedBackup& backup) {
  return "cluster " + hex_id(backup.name.cluster.value()) + " up to log index " +
         std::to_string(backup.name.index.value()) + ", zxid " +
         std::to_string(backup.state->zxid().value()) + ": " + std::to_string(backup.state->node_count()) +
         " nodes, " + std::to_string(backup.state->session_count()) + " sessions";
}

int verify(const Globals& globals, const SnapshotArguments& args) {
  Progress progress;
  progress.say("reading " + args.file);
  server::PosixFileSystem fs;
  const auto backup = server::load_backup(fs, args.file, {});
  if (!backup.ok()) return report_file(args.file, backup.error());
  if (globals.json) {
    print_json(backup_json(args.file, *backup));
  } else {
    print_line(args.file + " is whole: " + backup_text(*backup));
  }
  return kDone;
}

int save_stopped(const Globals& globals, const SnapshotArguments& args) {
  Progress progress;
  progress.say("reading " + args.data);
  server::PosixFileSystem fs;
  server::LevelDbStores stores(fs);
  auto loaded = server::load_stopped_server(fs, stores, args.data, {});
  if (!loaded.ok()) return report_file(args.data, loaded.error());
  progress.say("writing " + args.file);
  const Status saved = server::save_backup(fs, args.file, loaded->name, *loaded->state);
  if (!saved.ok()) return report_file(args.file, saved.error());
  progress.say("reading " + args.file);
  const auto backup = server::load_backup(fs, args.file, {});
  if (!backup.ok()) return report_file(args.file, backup.error());
  if (globals.json) {
    print_json(backup_json(args.file, *backup));
  } else {
    print_line(args.file + " holds " + backup_text(*backup));
  }
  return kDone;
}

// ID=HOST:PORT,... by ID, if quorated would take it. Errors: kInvalidArgument.
Result<std::map<uint32_t, std::string>> parse_members(const std::string& cluster) {
  const auto wrong = [](const std::string& what) {
    return Error{ErrorCode::kInvalidArgument, "--cluster: " + what};
  };
  std::map<uint32_t, std::string> members;
  std::set<std::string> addresses;
  for (const std::string& item : split_list(cluster)) {
    const size_t equals = std::min(item.find('='), item.size());
    uint32_t id = 0;
    const auto parsed = std::from_chars(item.data(), item.data() + equals, id);
    const std::string address = item.substr(std::min(equals + 1, item.size()));
    if (parsed.ec != std::errc() || parsed.ptr != item.data() + equals || id < 1 || id > 255 ||
        !client::parse_endpoint(address).ok())
      return wrong("'" + item + "' is no member: write ID=HOST:PORT with an id from 1 to 255");
    if (!members.emplace(id, address).second)
      return wrong("id " + std::to_string(id) + " stands twice: give each server an id of its own");
    if (!addresses.insert(address).second) return wrong("two servers have the address " + address);
  }
  return members;
}

int restore(const Globals& globals, const SnapshotArguments& args) {
  const auto members = parse_members(args.cluster);
  if (!members.ok()) return fail(kWrongUsage, members.error().message);
  if (!members->contains(args.id))
    return fail(kWrongUsage, "server " + std::to_string(args.id) +
                                 " is not in --cluster: name all servers of the new "
                                 "cluster there, as quorated is started with");
  ClusterId cluster(random_id());
  if (!args.cluster_id.empty()) {
    uint64_t given = 0;
    // As for sessions: digits alone would be another cluster in another base.
    const bool hex = args.cluster_id.starts_with("0x");
    const char* const end = args.cluster_id.data() + args.cluster_id.size();
    const auto parsed = std::from_chars(args.cluster_id.data() + (hex ? 2 : 0), end, given, 16);
    if (!hex || parsed.ec != std::errc() || parsed.ptr != end || given == 0)
      return fail(kWrongUsage,
                  "'" + args.cluster_id +
                      "' is no cluster id: write it as the first restore has printed it, with its 0x");
    cluster = ClusterId(given);
  }
  Progress progress;
  progress.say("reading " + args.file);
  server::PosixFileSystem fs;
  server::LevelDbStores stores(fs);
  auto backup = server::load_backup(fs, args.file, {});
  if (!backup.ok()) return report_file(args.file, backup.error());
  progress.say("writing " + args.data);
  const auto restored = server::restore_backup(
      fs, stores, {args.data, ServerId(args.id), Incarnation(random_id()), cluster}, *backup->state);
  if (!restored.ok()) return report_file(args.data, restored.error());
  const std::string id = hex_id(cluster.value());
  if (globals.json) {
    print_json({{"cluster_id", id},
                {"data", args.data},
                {"nodes", backup->state->node_count()},
                {"zxid", backup->state->zxid().value()},
                {"state_hash", hex_id(restored->state_hash)}});
  } else {
    print_line("cluster id " + id);
    print_line(args.data + " holds " + std::to_string(backup->state->node_count()) + " nodes from zxid " +
               std::to_string(backup->state->zxid().value()) +
               " on; restore the other servers with --cluster-id " + id + ", then start all");
  }
  return kDone;
}

}  // namespace

int report_file(const std::string& name, const Error& error) {
  if (error.code == ErrorCode::kNoSpace) return fail(kWrongUsage, error.code, error.message);
  if (error.code != ErrorCode::kNoNode) return report("", error);
  return fail(kAnswerIsNo, error.code,
              error.message.empty() ? "cannot read " + name + ": there is no such file" : error.message);
}

void add_snapshot_commands(CLI::App& app, const Globals& globals, Action& action) {
  CLI::App* snapshot = app.add_subcommand("snapshot", "make, check and restore backups");
  snapshot->require_subcommand(1);
  const auto args = std::make_shared<SnapshotArguments>();

  CLI::App* save =
      snapshot->add_subcommand("save", "write everything that is acknowledged by now into a file");
  save->add_option("FILE", args->file, "a new file")->required()->type_name("");
  save->add_option("--data", args->data,
                   "the data folder of a stopped server, instead of asking a running one")
      ->type_name("DIR");
  save->callback([&, args] {
    action = [&globals, args] {
      return args->data.empty() ? save_running(globals, args->file) : save_stopped(globals, *args);
    };
  });

  CLI::App* check =
      snapshot->add_subcommand("verify", "read a backup and compare all its checksums and its hash");
  check->add_option("FILE", args->file, "the backup")->required()->type_name("");
  check->callback([&, args] { action = [&globals, args] { return verify(globals, *args); }; });

  CLI::App* back = snapshot->add_subcommand("restore", "make the data folder of one server of a new cluster");
  back->add_option("FILE", args->file, "the backup, the same for each server")->required()->type_name("");
  back->add_option("--id", args->id, "the server's number")
      ->transform(decimal<uint32_t>())
      ->required()
      ->type_name("N");
  back->add_option("--cluster", args->cluster, "all servers of the new cluster, as for quorated")
      ->required()
      ->type_name("ID=HOST:PORT,...");
  back->add_option("--data", args->data, "a new folder")->required()->type_name("DIR");
  back->add_option("--cluster-id", args->cluster_id, "what the first server's restore has printed")
      ->type_name("ID");
  back->callback([&, args] { action = [&globals, args] { return restore(globals, *args); }; });
}

}  // namespace quorate::cli
