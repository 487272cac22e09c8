#include <algorithm>
#include <random>
#include <utility>

#include <nlohmann/json.hpp>

#include "client/cli/import_command.h"
#include "client/cli/import_journal.h"
#include "client/cli/import_state.h"
#include "client/cli/progress.h"
#include "client/cli/signals.h"
#include "client/cli/zookeeper_reader.h"
#include "client/cli/zookeeper_walk.h"
#include "kv/path.h"
#include "server/storage/backup.h"
#include "server/storage/files.h"
#include "server/storage/posix_file_system.h"

namespace quorate::cli {

namespace zk = zookeeper;

namespace {

constexpr std::string_view kQuotaRoot = "/zookeeper/quota";
constexpr std::string_view kQuotaLeaf = "/zookeeper_limits";

struct LeftOut {
  std::string path, why;
};
// Of them, so many are named; all are counted.
constexpr size_t kLeftOutNamedMax = 100;
constexpr size_t kWideNamedMax = 100;  // likewise
struct LeftOuts {
  uint64_t count = 0;
  std::vector<LeftOut> named;

  void add(const std::string& path, const std::string& why) {
    ++count;
    if (named.size() < kLeftOutNamedMax) named.push_back({path, why});
  }
};

ClusterId random_cluster() {
  std::random_device device;
  return ClusterId((uint64_t{device()} << 32 | device()) | 1);
}

class Importer {
 public:
  Importer(const Globals& globals, const ImportArguments& args, std::vector<client::Credential> credentials)
      : globals_(globals),
        args_(args),
        reader_({args.servers, std::move(credentials), globals.request_timeout}, signals_),
        journal_(fs_, args.file + ".import") {}

  int import();
  int verify();

 private:
  Status sync();
  Status resume_or_begin(ZookeeperWalk& walk);
  Status read_all();
  Result<ImportedQuotas> read_quotas();
  uint64_t changed_since_start() const;
  // The file that it gives is whole, and what was read.
  Result<server::LoadedBackup> write(const std::string& file);
  // `left_out`: of the source, now.
  Result<Comparison> compare(const kv::StateMachine& state, LeftOuts& left_out);

  int failed(const Error& error);
  int refuse_changed(const std::string& what);
  int tell_imported(const server::LoadedBackup& backup, const Comparison& comparison) const;
  bool is_wanted(std::string_view path) const {
    return args_.path == "/" || path == args_.path || path.starts_with(args_.path + "/");
  }

  const Globals& globals_;
  const ImportArguments& args_;
  Signals signals_;
  server::PosixFileSystem fs_;
  ZookeeperReader reader_;
  ImportJournal journal_;
  Progress progress_;

  ImportedNodes nodes_;
  ImportedQuotas quotas_;
  uint64_t ephemerals_ = 0;
  uint64_t zxid_at_start_ = 0;
  uint64_t resumed_ = 0;  // nodes of an earlier run
  LeftOuts left_out_, quotas_left_out_;
};

// The server that is asked has everything that was acknowledged before.
Status Importer::sync() {
  reader_.ask(zk::Sync{"/"}, [](zk::Reply reply) -> Status {
    if (reply.error == zk::ErrorCode::kOk) return {};
    return Error{ErrorCode::kUnavailable,
                 "the source answers a sync with error " + std::to_string(static_cast<int32_t>(reply.error))};
  });
  return reader_.run();
}

Status Importer::resume_or_begin(ZookeeperWalk& walk) {
  zxid_at_start_ = static_cast<uint64_t>(reader_.zxid());
  if (!journal_.exists()) {
    walk.visit("/");
    return journal_.begin({zxid_at_start_, args_.path});
  }
  std::vector<std::string> found = {"/"};
  const auto begun =
      journal_.resume([&](std::string_view path, std::string_view record, std::vector<std::string> children) {
        nodes_.insert_or_assign(std::string(path), std::string(record));
        for (const std::string& name : children) found.push_back(kv::join_path(path, name));
      });
  if (!begun.ok()) return begun.error();
  if (begun->root != args_.path || begun->zxid > zxid_at_start_)
    return Error{ErrorCode::kInUse, journal_.path() +
                                        " is of an unfinished import of another ensemble, or of " +
                                        begun->root + ": remove it to begin anew"};
  zxid_at_start_ = begun->zxid;
  resumed_ = nodes_.size();
  for (std::string& path : found)
    if (!nodes_.contains(path)) walk.visit(std::move(path));
  return {};
}

Status Importer::read_all() {
  ZookeeperWalk walk(reader_, args_.path,
                     {[this](SourceNode&& node) -> Status {
                        const std::string record = kv::encode_node(node.record());
                        if (Status kept = journal_.add(node.path, record, node.children); !kept.ok())
                          return kept;
                        nodes_.insert_or_assign(std::move(node.path), record);
                        progress_.show([this] { return "read " + std::to_string(nodes_.size()) + " nodes"; });
                        return {};
                      },
                      [this](const std::string& path, const std::string& why) { left_out_.add(path, why); }});
  if (Status ready = resume_or_begin(walk); !ready.ok()) return ready;
  const Status read = walk.run();
  // What was read is kept whatever came of it.
  const Status kept = journal_.flush();
  if (!read.ok()) return read;
  ephemerals_ = walk.ephemerals();
  if (kept.ok() && left_out_.count == 0 && !nodes_.contains(args_.path))
    return Error{ErrorCode::kNoNode, "the source has no node " + args_.path};
  return kept;
}

// A quota of ZooKeeper's stands at /zookeeper/quota, the path, and a node with the limits.
Result<ImportedQuotas> Importer::read_quotas() {
  ImportedQuotas quotas;
  LeftOuts left_out;
  ZookeeperWalk walk(
      reader_, std::string(kQuotaRoot),
      {[&](SourceNode&& node) -> Status {
         const std::string_view path = node.path;
         if (!path.ends_with(kQuotaLeaf)) return {};
         std::string of(path.substr(kQuotaRoot.size(), path.size() - kQuotaRoot.size() - kQuotaLeaf.size()));
         if (of.empty()) of = "/";
         const kv::QuotaLimits limits = parse_quota_limits(node.data);
         if (is_wanted(of) && !limits.none()) quotas.emplace_back(std::move(of), limits);
         return {};
       },
       [&](const std::string& path, const std::string& why) { left_out.add(path, why); }});
  walk.visit(std::string(kQuotaRoot));
  if (Status read = walk.run(); !read.ok()) return read.error();
  quotas_left_out_ = std::move(left_out);
  std::sort(quotas.begin(), quotas.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  return quotas;
}

uint64_t Importer::changed_since_start() const {
  return static_cast<uint64_t>(std::count_if(nodes_.begin(), nodes_.end(), [this](const auto& node) {
    return kv::decode_node(node.second)->mzxid.value() > zxid_at_start_;
  }));
}

Result<server::LoadedBackup> Importer::write(const std::string& file) {
  Zxid last(static_cast<uint64_t>(reader_.zxid()));
  for (const auto& [path, bytes] : nodes_) {
    const kv::NodeRecord record = *kv::decode_node(bytes);
    last = std::max({last, record.mzxid, record.pzxid});
  }
  auto state = build_state(nodes_, quotas_, last);
  if (!state.ok()) return state.error();
  if (fs_.exists(file)) {
    if (Status removed = fs_.remove(file); !removed.ok()) return removed.error();
  }
  server::StateName name;
  name.cluster = random_cluster();
  name.state_hash = state->state_hash();
  if (Status saved = server::save_backup(fs_, file, name, *state); !saved.ok()) return saved.error();
  return server::load_backup(fs_, file, {});
}

Result<Comparison> Importer::compare(const kv::StateMachine& state, LeftOuts& left_out) {
  if (Status synced = sync(); !synced.ok()) return synced.error();
  Comparison comparison(state);
  ZookeeperWalk walk(reader_, args_.path,
                     {[&](SourceNode&& node) -> Status {
                        comparison.add(node.path, node.record());
                        progress_.show([&] {
                          return "compared " + std::to_string(comparison.source_nodes) + " of " +
                                 std::to_string(state.node_count()) + " nodes";
                        });
                        return {};
                      },
                      [&](const std::string& path, const std::string& why) { left_out.add(path, why); },
                      [&](const std::string& path, size_t children) {
                        return comparison.names(path, children);
                      }});
  walk.visit("/");
  if (Status walked = walk.run(); !walked.ok()) return walked.error();
  comparison.finish();
  return comparison;
}

// ---- what is said

int Importer::failed(const Error& error) {
  const bool kept = journal_.exists() && !args_.verify;
  if (reader_.interrupted() != 0) {
    return fail(kExitSignal + reader_.interrupted(), kept ? "interrupted: " + std::to_string(nodes_.size()) +
                                                                " nodes are kept in " + journal_.path() +
                                                                "; the same command goes on from there"
                                                          : "interrupted");
  }
  if (error.code == ErrorCode::kNoNode) {
    if (kept) (void)journal_.remove();
    return fail(kAnswerIsNo, error.code, error.message);
  }
  if (error.code != ErrorCode::kUnavailable || !kept) return report("", error);
  return report("",
                {error.code, error.message + " (" + std::to_string(nodes_.size()) + " nodes are kept in " +
                                 journal_.path() + "; the same command goes on from there)"});
}

int Importer::refuse_changed(const std::string& what) {
  (void)journal_.remove();
  return fail(kAnswerIsNo, what + ": stop whoever writes first, then begin again");
}

int Importer::tell_imported(const server::LoadedBackup& backup, const Comparison& comparison) const {
  const std::vector<WideNode> wide = wide_nodes(nodes_);
  if (globals_.json) {
    nlohmann::json left_out = nlohmann::json::array(), wide_named = nlohmann::json::array();
    for (size_t i = 0; i < wide.size() && i < kWideNamedMax; ++i)
      wide_named.push_back({{"path", wide[i].path}, {"children", wide[i].children}});
    for (const LeftOut& each : left_out_.named) left_out.push_back({{"path", each.path}, {"why", each.why}});
    print_json({{"file", args_.file},
                {"nodes", comparison.nodes},
                {"resumed", resumed_},
                {"hash", hex_id(comparison.hash)},
                {"zxid", backup.state->zxid().value()},
                {"quotas", quotas_.size()},
                {"ephemerals", ephemerals_},
                {"wide_count", wide.size()},
                {"wide", wide_named},
                {"left_out_count", left_out_.count},
                {"left_out", left_out}});
  } else {
    print_line(args_.file + " holds " + std::to_string(comparison.nodes) + " nodes and " +
               std::to_string(quotas_.size()) + " quotas up to zxid " +
               std::to_string(backup.state->zxid().value()) + ", the same as the source: hash " +
               hex_id(comparison.hash));
    if (ephemerals_ > 0)
      print_line(std::to_string(ephemerals_) +
                 " ephemeral nodes stay with their sessions: clients make them anew");
    if (!wide.empty())
      print_line(std::to_string(wide.size()) +
                 " nodes have lists of children that ZooKeeper's clients cannot read from Quorate, which sends "
                 "at most " +
                 std::to_string(kListBytesMax >> 20) + " MiB of names in one answer");
    for (size_t i = 0; i < wide.size() && i < kWideNamedMax; ++i)
      print_line("too wide: " + wide[i].path + ": " + std::to_string(wide[i].children) + " children");
    for (const LeftOut& each : left_out_.named) print_line("left out: " + each.path + ": " + each.why);
  }
  if (left_out_.count == 0) return kDone;
  if (globals_.json) return kDeniedAccess;  // left_out says it
  return fail(kDeniedAccess,
              std::to_string(left_out_.count) +
                  " nodes were left out, with all below them; name a super user with --auth-file "
                  "and begin again, or do without them");
}

// ---- the two commands

int Importer::import() {
  if (Status held = journal_.hold(); !held.ok()) return report("", held.error());
  if (fs_.exists(args_.file))
    return fail(kAnswerIsNo, args_.file + " exists already; give another name, or move that file away");
  Status read = sync();
  if (read.ok()) read = read_all();
  if (!read.ok()) return failed(read.error());
  auto quotas = read_quotas();
  if (!quotas.ok()) return failed(quotas.error());
  quotas_ = std::move(*quotas);
  if (const uint64_t changed = changed_since_start(); changed > 0)
    return refuse_changed(std::to_string(changed) + " nodes were changed while the import ran");
  const std::string unverified = args_.file + ".unverified";
  const auto backup = write(unverified);
  // A list of children that does not fit its parent's count was read at another moment.
  if (backup.code() == ErrorCode::kCorruption) return refuse_changed(backup.error().message);
  if (!backup.ok()) return failed(backup.error());
  // An import that goes on has not seen what the earlier one left out: this looks at all of it.
  LeftOuts left_out;
  const auto comparison = compare(*backup->state, left_out);
  if (!comparison.ok() || !comparison->same()) (void)fs_.remove(unverified);
  if (!comparison.ok()) return failed(comparison.error());
  if (!comparison->same())
    return refuse_changed(std::to_string(comparison->differing) +
                          " nodes were changed while the import ran, " + comparison->paths.front() +
                          " first");
  const auto quotas_now = read_quotas();
  if (!quotas_now.ok() || *quotas_now != quotas_) (void)fs_.remove(unverified);
  if (!quotas_now.ok()) return failed(quotas_now.error());
  if (*quotas_now != quotas_) return refuse_changed("quotas were changed while the import ran");
  left_out_ = std::move(left_out);
  left_out_.count += quotas_left_out_.count;
  for (const LeftOut& each : quotas_left_out_.named)
    if (left_out_.named.size() < kLeftOutNamedMax) left_out_.named.push_back(each);
  Status named = server::rename_durably(fs_, unverified, args_.file);
  if (named.ok()) named = journal_.remove();
  if (!named.ok()) return failed(named.error());
  return tell_imported(*backup, *comparison);
}

int Importer::verify() {
  const auto backup = server::load_backup(fs_, args_.file, {});
  if (!backup.ok()) return failed(backup.error());
  LeftOuts left_out;
  const auto comparison = compare(*backup->state, left_out);
  if (!comparison.ok()) return failed(comparison.error());
  if (globals_.json) {
    print_json({{"file", args_.file},
                {"same", comparison->same()},
                {"nodes", comparison->nodes},
                {"hash", hex_id(comparison->hash)},
                {"source_nodes", comparison->source_nodes},
                {"source_hash", hex_id(comparison->source_hash)},
                {"differing", comparison->differing},
                {"paths", comparison->paths}});
  } else {
    print_line(args_.file + ": " + std::to_string(comparison->nodes) + " nodes, hash " +
               hex_id(comparison->hash));
    print_line("servers: " + std::to_string(comparison->source_nodes) + " nodes, hash " +
               hex_id(comparison->source_hash));
    for (const std::string& path : comparison->paths) print_line("differs: " + path);
  }
  if (comparison->same()) return kDone;
  if (globals_.json) return kAnswerIsNo;
  return fail(kAnswerIsNo, std::to_string(comparison->differing) + " nodes differ");
}

}  // namespace

int import_zookeeper(const Globals& globals, const ImportArguments& args) {
  if (const Status valid = kv::validate_path(args.path); !valid.ok()) return report("--path", valid.error());
  std::vector<client::Credential> credentials;
  if (!args.auth_file.empty()) {
    auto read = read_credentials(args.auth_file);
    if (!read.ok()) return report("", read.error());
    credentials = std::move(*read);
  }
  Importer importer(globals, args, std::move(credentials));
  return args.verify ? importer.verify() : importer.import();
}

}  // namespace quorate::cli
