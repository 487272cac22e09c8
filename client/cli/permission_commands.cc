// setacl, getacl, quota set, quota show: who may, and how much.
#include <charconv>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "client/cli/command.h"
#include "client/cli/number.h"

namespace quorate::cli {

namespace {

using client::Quota;
using client::QuotaLimits;

struct PermissionArguments {
  std::string path;
  int32_t version = client::kAnyVersion;
  std::vector<std::string> acl;
  std::string count, bytes;
  bool soft = false, hard = false;
};

int set_acl(const Globals& globals, const PermissionArguments& args) {
  const Result<client::Acl> acl = parse_acl(args.acl);
  if (!acl.ok()) return report("", acl.error());
  const CommandClient client(globals);
  const Result<client::Stat> stat = client->set_acl(args.path, *acl, args.version);
  if (stat.code() == ErrorCode::kBadVersion)
    return fail(
        kAnswerIsNo, stat.code(),
        args.path + ": the list has another version (see aversion in: quorate stat " + args.path + ")");
  if (!stat.ok()) return report(args.path, stat.error());
  if (globals.json) print_json({{"path", args.path}, {"stat", stat_json(*stat)}});
  return kDone;
}

// As setacl takes them.
int get_acl(const Globals& globals, const PermissionArguments& args) {
  const CommandClient client(globals);
  const Result<client::NodeAcl> found = client->get_acl(args.path);
  if (!found.ok()) return report(args.path, found.error());
  if (globals.json) {
    nlohmann::json out{
        {"path", args.path}, {"acl", nlohmann::json::array()}, {"stat", stat_json(found->stat)}};
    for (const client::AclEntry& entry : found->acl)
      out["acl"].push_back({{"scheme", entry.scheme},
                            {"id", entry.id},
                            {"permissions", permission_letters(entry.permissions)}});
    print_json(out);
    return kDone;
  }
  for (const client::AclEntry& entry : found->acl)
    print_line(entry.scheme + ":" + entry.id + ":" + permission_letters(entry.permissions));
  return kDone;
}

// ---- quotas

// "" leaves the limit as it is, "none" takes it away.
Status set_limit(std::optional<int64_t>& limit, const std::string& text) {
  if (text.empty()) return {};
  if (text == "none") {
    limit.reset();
    return {};
  }
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < 0)
    return Error{ErrorCode::kInvalidArgument, "'" + text + "' is no limit: write a number, or none"};
  limit = value;
  return {};
}

int set_quota(const Globals& globals, const PermissionArguments& args) {
  if (args.count.empty() && args.bytes.empty())
    return fail(kWrongUsage, "say what to limit: --count N, --bytes N, or both (none takes a limit away)");
  const CommandClient client(globals);
  // The limits that are not named stay.
  const Result<std::optional<Quota>> before = client->get_quota(args.path);
  if (!before.ok()) return report(args.path, before.error());
  QuotaLimits limits = *before ? (*before)->limits : QuotaLimits{};
  for (const Status& status : {set_limit(args.soft ? limits.count_soft : limits.count_hard, args.count),
                               set_limit(args.soft ? limits.bytes_soft : limits.bytes_hard, args.bytes)})
    if (!status.ok()) return report("", status.error());
  const Status done = client->set_quota(args.path, limits);
  if (!done.ok()) return report(args.path, done.error());
  if (globals.json) print_json({{"path", args.path}, {"quota", "set"}});
  return kDone;
}

nlohmann::json limit_json(const std::optional<int64_t>& limit) {
  return limit ? nlohmann::json(*limit) : nlohmann::json();
}

std::string limit_text(const std::optional<int64_t>& limit) { return limit ? std::to_string(*limit) : "-"; }

int show_quota(const Globals& globals, const PermissionArguments& args) {
  const CommandClient client(globals);
  const Result<std::optional<Quota>> found = client->get_quota(args.path);
  if (!found.ok()) return report(args.path, found.error());
  if (!*found && globals.json) {
    print_json({{"path", args.path}, {"count", nullptr}, {"bytes", nullptr}});
    return kAnswerIsNo;
  }
  if (!*found)
    return fail(kAnswerIsNo, args.path + ": there is no quota (set one with: quorate quota set " + args.path +
                                 " --count N)");
  const Quota& quota = **found;
  if (globals.json) {
    print_json({{"path", args.path},
                {"count",
                 {{"used", quota.used_count},
                  {"soft", limit_json(quota.limits.count_soft)},
                  {"hard", limit_json(quota.limits.count_hard)}}},
                {"bytes",
                 {{"used", quota.used_bytes},
                  {"soft", limit_json(quota.limits.bytes_soft)},
                  {"hard", limit_json(quota.limits.bytes_hard)}}}});
    return kDone;
  }
  print_table({{"", "USED", "SOFT", "HARD"},
               {"nodes", std::to_string(quota.used_count), limit_text(quota.limits.count_soft),
                limit_text(quota.limits.count_hard)},
               {"bytes", std::to_string(quota.used_bytes), limit_text(quota.limits.bytes_soft),
                limit_text(quota.limits.bytes_hard)}});
  return kDone;
}

}  // namespace

void add_permission_commands(CLI::App& app, const Globals& globals, Action& action) {
  const auto args = std::make_shared<PermissionArguments>();
  const auto add = [&](CLI::App& to, const char* name, const char* what,
                       int (*run)(const Globals&, const PermissionArguments&)) {
    CLI::App* command = to.add_subcommand(name, what);
    command->add_option("PATH", args->path, "the node's path, for example /services/a")
        ->type_name("")
        ->required();
    command->callback(
        [&globals, &action, args, run] { action = [&globals, args, run] { return run(globals, *args); }; });
    return command;
  };
  add(app, "getacl", "show who may do what to a node", get_acl);
  CLI::App* command = add(app, "setacl", "say who may do what to a node", set_acl);
  command
      ->add_option(
          "ENTRY", args->acl,
          "SCHEME:ID:PERMISSIONS: world:anyone, auth: (who asks), digest:USER:HASH, ip:ADDRESS[/BITS], "
          "sasl:NAME, x509:NAME; r read, w write, c create and d delete children, a set this list")
      ->type_name("")
      ->required();
  command->add_option("-v,--version", args->version, "only if the list has this version (aversion)")
      ->transform(decimal(client::kAnyVersion))
      ->type_name("VERSION");

  CLI::App* quota = app.add_subcommand("quota", "limit what a node and all below it may hold");
  quota->require_subcommand(1);
  command = add(*quota, "set", "set limits; those that are not named stay", set_quota);
  command->add_option("--count", args->count, "so many nodes; none: no limit")->type_name("N");
  command->add_option("--bytes", args->bytes, "so many bytes in them; none: no limit")->type_name("N");
  CLI::Option* soft =
      command->add_flag("--soft", args->soft, "only the servers' logs say when it is exceeded");
  command->add_flag("--hard", args->hard, "what goes beyond is refused (the default)")->excludes(soft);
  add(*quota, "show", "show the limits of a path, and what is used of them", show_quota);
}

}  // namespace quorate::cli
