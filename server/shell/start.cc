#include "server/shell/start.h"

#include <fmt/format.h>

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
Result<std::optional<raft::Configuration>> members_of(const WalRecovered& recovered) {
  for (auto entry = recovered.entries.rbegin(); entry != recovered.entries.rend(); ++entry) {
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
    auto members = members_of(found);
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

}  // namespace

Result<OpenFolder> open_folder(const ServerConfig& config, Incarnation fresh) {
  OpenFolder opened;
  opened.fs = std::make_unique<PosixFileSystem>();
  auto folder = DataFolder::open(*opened.fs, config.data, config.id, fresh);
  if (!folder.ok()) return folder.error();
  opened.folder = std::make_unique<DataFolder>(std::move(*folder));
  if (const Status log = open_log(config, opened); !log.ok()) return log.error();
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

DriverOptions driver_options(const ServerConfig& config, const OpenFolder& folder, BootNonce boot,
                             uint64_t seed) {
  DriverOptions options;
  options.replica.raft = config.raft;
  options.replica.raft.id = config.id;
  options.replica.raft.incarnation = folder.folder->incarnation();
  options.replica.raft.boot = boot;
  options.replica.kv = config.kv;
  options.replica.plan = config.cluster;
  options.seed = seed;
  options.client_address = config.advertise_client;
  options.cluster = folder.cluster;
  return options;
}

std::vector<LogLine> describe_start(const ServerConfig& config, const OpenFolder& folder) {
  std::vector<LogLine> lines;
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
