#include "server/shell/start.h"

#include <fmt/format.h>

#include "base/checksum.h"
#include "server/storage/leveldb_store.h"

namespace quorate::server {

namespace {

std::string ids_of(const std::vector<PlannedMember>& members) {
  std::string ids;
  for (const PlannedMember& member : members)
    ids += fmt::format("{}{}", ids.empty() ? "" : ",", member.id.value());
  return ids;
}

std::vector<PlannedMember> planned(const raft::Configuration& configuration) {
  std::vector<PlannedMember> members;
  for (const raft::Member& member : configuration.members) members.push_back({member.id, member.address});
  return members;
}

// The newest configuration in the log.
Result<std::optional<raft::Configuration>> members_of(const std::vector<raft::Entry>& entries) {
  for (auto entry = entries.rbegin(); entry != entries.rend(); ++entry) {
    if (entry->kind != raft::EntryKind::kConfiguration) continue;
    auto configuration = raft::decode_configuration(entry->payload());
    if (!configuration.ok()) return configuration.error();
    return std::optional(std::move(*configuration));
  }
  return std::optional<raft::Configuration>();
}

Status check_members(const ServerConfig& config, const raft::Configuration& members,
                     const std::string& directory) {
  const std::string in_log = ids_of(planned(members));
  const std::string in_flags = ids_of(config.cluster);
  if (members.find(config.id) == nullptr) {
    return Error{ErrorCode::kWrongCluster,
                 fmt::format("the data folder {} belongs to a cluster of servers {}, and server {} is not "
                             "one of them: use the "
                             "folder of server {}",
                             directory, in_log, config.id.value(), config.id.value())};
  }
  if (in_log != in_flags) {
    return Error{ErrorCode::kWrongCluster, fmt::format("the data folder {} belongs to a cluster of servers "
                                                       "{}, but --cluster names {}: start it with the "
                                                       "members it has, or use another folder",
                                                       directory, in_log, in_flags)};
  }
  return {};
}

Status open_log(const ServerConfig& config, OpenFolder& opened) {
  const std::string directory = opened.folder->wal_directory();
  if (!Wal::exists(*opened.fs, directory)) return {};
  auto identity = Wal::identity(*opened.fs, directory);
  if (!identity.ok()) return identity.error();
  const WalIdentity expected{config.id, opened.folder->incarnation(), identity->cluster};
  // Asked before anything in the folder changes: one that is not ours is left as it was.
  const auto accept = [&](const WalRecovered& found) -> Status {
    auto members = members_of(found.entries);
    if (!members.ok()) return members.error();
    opened.members = *members;
    return opened.members ? check_members(config, *opened.members, config.data) : Status();
  };
  auto wal = Wal::open(*opened.fs, directory, expected, config.wal, accept);
  if (!wal.ok()) return wal.error();
  WalRecovered& recovered = wal->recovered;
  // The process ended between making the log and the first sync of the founding entry: there is no cluster
  // yet.
  if (recovered.entries.empty() && recovered.snapshot_index == Index()) {
    if (opened.folder->cluster() == ClusterId()) return {};
    return Error{
        ErrorCode::kCorruption,
        directory +
            " holds a log without an entry though this folder is a member's; restore the whole folder "
            "from a backup, or move it away and let this server come back as a new member"};
  }
  // The process may have ended between the sync of the founding entry and this.
  if (const Status remembered = opened.folder->remember_cluster(identity->cluster); !remembered.ok())
    return remembered;
  opened.cluster = identity->cluster;
  opened.torn_bytes = recovered.torn_bytes;
  opened.wal = std::move(wal->wal);
  opened.recovered.log = raft::Recovered{recovered.hard_state, recovered.snapshot_index,
                                         recovered.snapshot_term, std::nullopt, std::move(recovered.entries)};
  return {};
}

// What stands in every refusal of a state: it can be had from the others.
std::string rebuild_hint(const ServerConfig& config) {
  return fmt::format(
      "run quorated --rebuild-state --data {} and start the server again: it keeps its log and "
      "gets the state from the other servers",
      config.data);
}

// Brings log and state together; the header says how.
Status fit_log_to_state(const ServerConfig& config, OpenFolder& opened, const StateName& state) {
  raft::Recovered& log = *opened.recovered.log;
  const uint64_t begin = log.snapshot_index.value();
  const uint64_t end = begin + log.entries.size();
  const uint64_t at = state.index.value();
  if (at < begin) {
    return Error{
        ErrorCode::kCorruption,
        fmt::format("the state in {} ends with entry {}, and the log in {} begins behind entry {}: what "
                    "is between is lost; {}",
                    opened.folder->state_directory(), at, opened.folder->wal_directory(), begin,
                    rebuild_hint(config))};
  }
  if (at == begin) {
    if (at == 0 || log.snapshot_term == state.term) return {};
    return Error{
        ErrorCode::kCorruption,
        fmt::format("the state in {} and the log in {} disagree about entry {}: they are not of the same "
                    "server; {}",
                    opened.folder->state_directory(), opened.folder->wal_directory(), at,
                    rebuild_hint(config))};
  }
  if (at <= end && log.entries[at - begin - 1].term == state.term) return {};
  if (const Status cut = opened.wal->cut(state.index, state.term); !cut.ok()) return cut;
  log.snapshot_index = state.index;
  log.snapshot_term = state.term;
  log.entries.clear();
  return {};
}

// The newest configuration of both, and whether it is what --cluster says.
Status find_members(const ServerConfig& config, OpenFolder& opened, const std::optional<StateName>& name) {
  raft::Recovered& log = *opened.recovered.log;
  std::optional<raft::Configuration> of_state;
  // A restored state stands before the first entry, and has no members of its own.
  if (name && name->index > Index()) {
    auto decoded = raft::decode_configuration(name->configuration.view());
    if (!decoded.ok()) return decoded.error();
    of_state = std::move(*decoded);
  }
  auto in_log = members_of(log.entries);
  if (!in_log.ok()) return in_log.error();
  opened.members = *in_log ? *in_log : of_state;
  if (!opened.members) {
    return Error{
        ErrorCode::kCorruption,
        fmt::format("neither the log nor the state in {} says who the members are; restore the whole "
                    "folder from a backup, or move it away and let this server come back as a new member",
                    config.data)};
  }
  log.snapshot_configuration = std::move(of_state);
  return check_members(config, *opened.members, config.data);
}

Status open_state(const ServerConfig& config, OpenFolder& opened) {
  const std::string directory = opened.folder->state_directory();
  opened.stores = std::make_unique<LevelDbStores>(*opened.fs);
  auto state = StateFolder::open(*opened.fs, *opened.stores, directory, config.kv);
  if (!state.ok()) return state.error();
  opened.state = std::move(state->folder);
  opened.recovered.state = std::move(state->state);
  if (!opened.recovered.log) {
    if (!opened.recovered.state || opened.recovered.state->name.index == Index()) return {};
    return Error{ErrorCode::kCorruption,
                 fmt::format("{} holds the state of a member, and there is no log beside it; restore the "
                             "whole folder {} from a backup, or move it away and let this server come back "
                             "as a new member",
                             directory, config.data)};
  }
  std::optional<StateName> name = std::move(state->members);
  if (opened.recovered.state) name = opened.recovered.state->name;
  if (name && name->cluster != opened.cluster) {
    return Error{ErrorCode::kWrongCluster,
                 fmt::format("{} belongs to another cluster than the log beside it; {}", directory,
                             rebuild_hint(config))};
  }
  if (opened.recovered.state) {
    if (const Status fits = fit_log_to_state(config, opened, *name); !fits.ok()) return fits;
  }
  return find_members(config, opened, name);
}

}  // namespace

Result<OpenFolder> open_folder(const ServerConfig& config, Incarnation fresh) {
  OpenFolder opened;
  opened.fs = std::make_unique<PosixFileSystem>();
  auto folder = DataFolder::open(*opened.fs, config.data, config.id, fresh);
  if (!folder.ok()) return folder.error();
  opened.folder = std::make_unique<DataFolder>(std::move(*folder));
  if (const Status log = open_log(config, opened); !log.ok()) return log.error();
  if (const Status state = open_state(config, opened); !state.ok()) return state.error();
  FileSystem& fs = *opened.fs;
  const DataFolder& ours = *opened.folder;
  opened.create_log = [&fs, &ours, options = config.wal](ClusterId cluster) {
    return Wal::create(fs, ours.wal_directory(), {ours.server(), ours.incarnation(), cluster}, options);
  };
  opened.founded = [folder = opened.folder.get()](ClusterId cluster) {
    return folder->remember_cluster(cluster);
  };
  return opened;
}

namespace {

// Whether the state can be had again: from another member, or by applying a log that is whole.
bool can_be_rebuilt(FileSystem& fs, const DataFolder& folder, const ServerConfig& config) {
  const auto wal = Wal::open(fs, folder.wal_directory(),
                             {folder.server(), folder.incarnation(), folder.cluster()}, config.wal);
  std::optional<raft::Configuration> members;
  if (wal.ok()) {
    if (auto in_log = members_of(wal->recovered.entries); in_log.ok()) members = std::move(*in_log);
  }
  if (!members) {
    const auto name = StateFolder::members(fs, folder.state_directory());
    auto decoded = name ? raft::decode_configuration(name->configuration.view())
                        : Result<raft::Configuration>(Error{ErrorCode::kNoNode, ""});
    if (!decoded.ok()) return true;  // there is damage, so that there is no choice
    members = std::move(*decoded);
  }
  if (members->members.size() > 1) return true;
  // A restored cluster began with a state that is in no log.
  return wal.ok() && wal->recovered.snapshot_index == Index() && members->base_state == 0;
}

}  // namespace

Result<std::string> rebuild_state(const ServerConfig& config) {
  PosixFileSystem fs;
  LevelDbStores stores(fs);
  auto folder = DataFolder::open_existing(fs, config.data);
  if (!folder.ok()) return folder.error();
  if (folder->cluster() == ClusterId()) {
    return Error{
        ErrorCode::kInvalidArgument,
        fmt::format("the folder {} is no member's yet: there is no state to get from anybody", config.data)};
  }
  if (!can_be_rebuilt(fs, *folder, config)) {
    return Error{
        ErrorCode::kInvalidArgument,
        fmt::format("server {} is its cluster's only member, and its log does not begin with the first "
                    "entry: the state in {} is nowhere else. Restore a backup",
                    folder->server().value(), folder->state_directory())};
  }
  if (const Status discarded = StateFolder::discard(fs, stores, folder->state_directory()); !discarded.ok())
    return discarded.error();
  return fmt::format(
      "the state in {} was discarded; start server {} again, and it gets the state from the others",
      folder->state_directory(), folder->server().value());
}

DriverOptions driver_options(const ServerConfig& config, const OpenFolder& folder, BootNonce boot,
                             uint64_t seed) {
  DriverOptions options;
  options.replica.raft = config.raft;
  options.replica.raft.id = config.id;
  options.replica.raft.incarnation = folder.folder->incarnation();
  options.replica.raft.boot = boot;
  options.replica.kv = config.kv;
  options.replica.checkpoint_dirty_bytes = config.checkpoint_dirty_bytes;
  options.replica.dirty_bytes_max = 4 * config.checkpoint_dirty_bytes;
  options.replica.checkpoint_log_bytes = config.checkpoint_log_bytes;
  options.replica.log_kept_bytes = config.log_kept_bytes;
  options.replica.super_digest = config.super_digest;
  options.replica.refuse_mixed_locks = config.refuse_mixed_locks;
  options.replica.zookeeper_linearizable_reads = config.zookeeper_linearizable_reads;
  options.replica.sasl_users = config.sasl_users;
  options.replica.read_only_after = config.read_only_after;
  options.replica.nodes_max = config.nodes_max;
  options.replica.data_bytes_max = config.data_bytes_max;
  options.replica.sessions_max = config.sessions_max;
  options.replica.session_timeout_min_ms = config.session_timeout_min_ms;
  options.replica.session_timeout_max_ms = config.session_timeout_max_ms;
  options.replica.plan = config.cluster;
  options.replica.watches.hash_key = checksum64("watches", seed);
  options.seed = seed;
  options.client_address = config.advertise_client;
  options.cluster = folder.cluster;
  return options;
}

std::vector<LogLine> describe_start(const ServerConfig& config, const OpenFolder& folder) {
  std::vector<LogLine> lines;
  for (const std::string& notice : config.notices) lines.push_back({LogLevel::kInfo, notice});
  const size_t entries = folder.recovered.log ? folder.recovered.log->entries.size() : 0;
  const uint64_t last = folder.recovered.log ? folder.recovered.log->snapshot_index.value() + entries : 0;
  lines.push_back(
      {LogLevel::kInfo,
       fmt::format("quorated " QUORATE_VERSION
                   " id={} cluster={} members={} clients={} peers={} data={} last_index={}",
                   config.id.value(),
                   folder.cluster == ClusterId() ? "none" : fmt::format("{:016x}", folder.cluster.value()),
                   ids_of(config.cluster), config.advertise_client,
                   config.listen_peer ? to_string(*config.listen_peer) : "none", config.data, last)});
  if (folder.recovered.state) {
    lines.push_back({LogLevel::kInfo, fmt::format("the state of entry {} was loaded: {} nodes",
                                                  folder.recovered.state->name.index.value(),
                                                  folder.recovered.state->state->node_count())});
  }
  if (folder.torn_bytes > 0) {
    lines.push_back(
        {LogLevel::kWarning,
         fmt::format("{} bytes at the end of the log were never promised to anybody and were cut off",
                     folder.torn_bytes)});
  }
  const auto advertised = parse_address(config.advertise_client);
  if (config.cluster.size() > 1 && advertised.ok() &&
      (advertised->host == "0.0.0.0" || advertised->host == "::")) {
    lines.push_back(
        {LogLevel::kWarning,
         fmt::format("clients of other servers are told to find this one at {}, where they will not: "
                     "say its own address with --advertise-client",
                     config.advertise_client)});
  }
  if (!folder.members) return lines;
  const std::vector<PlannedMember> members = planned(*folder.members);
  for (size_t i = 0; i < members.size() && i < config.cluster.size(); ++i) {
    if (members[i].address == config.cluster[i].address) continue;
    lines.push_back({LogLevel::kWarning,
                     fmt::format("--cluster has server {} at {}, the log has it at {}: the log's is used",
                                 members[i].id.value(), config.cluster[i].address, members[i].address)});
  }
  return lines;
}

}  // namespace quorate::server
