// snapshot save, verify, restore: backups.
#include <charconv>
#include <random>

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

// Whether ID=HOST:PORT,... names the server.
bool lists(const std::string& cluster, uint32_t id) {
  const std::string wanted = std::to_string(id) + "=";
  for (size_t at = 0; at != std::string::npos; at = cluster.find(',', at)) {
    if (cluster[at] == ',') ++at;
    if (std::string_view(cluster).substr(at).starts_with(wanted)) return true;
  }
  return false;
}

int restore(const Globals& globals, const SnapshotArguments& args) {
  if (!lists(args.cluster, args.id))
    return fail(kWrongUsage, "server " + std::to_string(args.id) +
                                 " is not in --cluster: name all servers of the new "
                                 "cluster there, as quorated is started with");
  ClusterId cluster(random_id());
  if (!args.cluster_id.empty()) {
    uint64_t given = 0;
    const char* const begin = args.cluster_id.data() + (args.cluster_id.starts_with("0x") ? 2 : 0);
    const char* const end = args.cluster_id.data() + args.cluster_id.size();
    const auto parsed = std::from_chars(begin, end, given, 16);
    if (parsed.ec != std::errc() || parsed.ptr != end || given == 0)
      return fail(kWrongUsage, "'" + args.cluster_id +
                                   "' is no cluster id: use the one that the first restore has printed");
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
