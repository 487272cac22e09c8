// create, get, set, delete, deleteall, ls, stat.
#include <unistd.h>
#include <algorithm>
#include <cerrno>
#include <cstring>
#include <iostream>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "client/cli/command.h"
#include "client/cli/number.h"
#include "client/cli/progress.h"
#include "client/cli/signals.h"
#include "client/cli/watch_command.h"
#include "kv/path.h"

namespace quorate::cli {

namespace {

// What the command line said; CLI11 writes into it while it parses.
struct DataArguments {
  std::string path, data;
  int32_t version = client::kAnyVersion;
  client::CreateOptions create;
  bool recursive = false;
  uint64_t since = 0;
  std::string ttl;
  std::vector<std::string> acl;
};

// An ephemeral node lives as long as its session: hold it until somebody ends us.
int hold(const std::string& path, const Client& client, Signals& signals) {
  while (true) {
    const int signal = signals.next();
    if (client.session_lost())
      return fail(kNoService, path + ": the session was lost, and the node with it: create it again");
    if (ends_a_command(signal)) return kDone;
  }
}

int create(const Globals& globals, const DataArguments& args) {
  const Result<std::string> data = read_data(args.data);
  if (!data.ok()) return report("", data.error());
  client::CreateOptions create_options = args.create;
  if (!args.ttl.empty()) {
    const Result<milliseconds> ttl = parse_duration(args.ttl);
    if (!ttl.ok()) return report("", ttl.error());
    create_options.ttl = *ttl;
  }
  const Result<client::Acl> acl = parse_acl(args.acl);
  if (!acl.ok()) return report("", acl.error());
  create_options.acl = *acl;
  Signals signals;
  const CommandClient client(globals, [&signals] { signals.wake(); });
  const Result<client::Created> made = client->create(args.path, *data, create_options);
  if (made.code() == ErrorCode::kNoNode)
    return fail(
        kAnswerIsNo, made.code(),
        args.path + ": its parent does not exist (make it too with: quorate create -p " + args.path + ")");
  if (!made.ok()) return report(args.path, made.error());
  if (globals.json)
    print_json({{"path", made->path}, {"stat", stat_json(made->stat)}});
  else if (args.create.ephemeral || args.create.sequential)
    print_line(made->path);
  // The shell's session goes on behind this.
  const bool holds = args.create.ephemeral && globals.shared == nullptr && !output_fails();
  return holds ? hold(made->path, *client, signals) : static_cast<int>(kDone);
}

int write_exactly(std::string_view bytes) {
  // The terminal may have a line of progress on it.
  auto ours = clear_progress();
  while (!bytes.empty()) {
    const ssize_t wrote = write(STDOUT_FILENO, bytes.data(), bytes.size());
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote < 0) {
      const std::string why = std::strerror(errno);
      ours.unlock();
      return fail(kWrongUsage, "cannot write to standard output: " + why);
    }
    bytes.remove_prefix(static_cast<size_t>(wrote));
  }
  return kDone;
}

int get(const Globals& globals, const DataArguments& args) {
  const CommandClient client(globals);
  const Result<client::Node> node = client->get(args.path);
  if (!node.ok()) return report(args.path, node.error());
  if (globals.json) {
    nlohmann::json out{{"path", args.path}, {"stat", stat_json(node->stat)}};
    put_data(out, node->data);
    print_json(out);
    return kDone;
  }
  const int code = write_exactly(node->data);
  // A person's prompt begins on a line of its own; a pipe gets the bytes and nothing else.
  if (code == kDone && isatty(STDOUT_FILENO) != 0 && !node->data.ends_with('\n')) return write_exactly("\n");
  return code;
}

int set(const Globals& globals, const DataArguments& args) {
  const Result<std::string> data = read_data(args.data);
  if (!data.ok()) return report("", data.error());
  const CommandClient client(globals);
  const Result<client::Stat> stat = client->set(args.path, *data, args.version);
  if (!stat.ok()) return report(args.path, stat.error());
  if (globals.json) print_json({{"path", args.path}, {"stat", stat_json(*stat)}});
  return kDone;
}

int remove(const Globals& globals, const DataArguments& args) {
  const CommandClient client(globals);
  const Status done = client->remove(args.path, args.version);
  if (done.code() == ErrorCode::kNoNode)
    return fail(kAnswerIsNo, done.code(), args.path + ": no such node: nothing to delete");
  if (!done.ok()) return report(args.path, done.error());
  if (globals.json) print_json({{"path", args.path}, {"deleted", 1}});
  return kDone;
}

int remove_all(const Globals& globals, const DataArguments& args) {
  const CommandClient client(globals);
  const Status done = client->remove_all(args.path);
  if (done.code() == ErrorCode::kNoNode)
    return fail(kAnswerIsNo, done.code(), args.path + ": no such node: nothing to delete");
  if (!done.ok()) return report(args.path, done.error());
  if (globals.json) print_json({{"path", args.path}, {"deleted", true}});
  return kDone;
}

// Page by page: a million children need no answer that holds them all.
Status list_children(const CommandClient& client, const std::string& path, std::vector<std::string>& names) {
  const Status done = client->for_each_child(path, [&](const std::string& name) {
    names.push_back(name);
    return true;
  });
  std::sort(names.begin(), names.end());
  return done;
}

// Nodes below `path`; of those in `denied` the children are not told.
Status list_tree(const CommandClient& client, const std::string& path, std::vector<std::string>& paths,
                 std::vector<std::string>& denied) {
  std::vector<std::string> names;
  if (Status status = list_children(client, path, names); !status.ok()) return status;
  for (const std::string& name : names) {
    const std::string below = kv::join_path(path, name);
    paths.push_back(below);
    client.show([&paths] { return std::to_string(paths.size()) + " nodes"; });
    const Status status = list_tree(client, below, paths, denied);
    if (status.code() == ErrorCode::kDenied)
      denied.push_back(below);
    else if (!status.ok() && status.code() != ErrorCode::kNoNode)
      return status;
  }
  return {};
}

int list(const Globals& globals, const DataArguments& args) {
  const CommandClient client(globals);
  std::vector<std::string> lines, denied;
  const Status done =
      args.recursive ? list_tree(client, args.path, lines, denied) : list_children(client, args.path, lines);
  if (!done.ok()) return report(args.path, done.error());
  if (globals.json)
    print_json(lines);
  else
    for (const std::string& line : lines) print_line(line);
  return denied.empty() ? static_cast<int>(kDone) : fail_left_out(globals, denied);
}

int stat(const Globals& globals, const DataArguments& args) {
  const CommandClient client(globals);
  const Result<std::optional<client::Stat>> found = client->exists(args.path);
  if (!found.ok()) return report(args.path, found.error());
  if (!*found) return report(args.path, Error{ErrorCode::kNoNode, ""});
  nlohmann::json out = stat_json(**found);
  if (globals.json) {
    out["path"] = args.path;
    print_json(out);
    return kDone;
  }
  std::vector<std::vector<std::string>> rows;
  for (const char* name : {"czxid", "mzxid", "pzxid", "ctime_ms", "mtime_ms", "version", "cversion",
                           "aversion", "ephemeral_owner", "data_bytes", "children"})
    rows.push_back({name, out[name].is_string() ? out[name].get<std::string>() : out[name].dump()});
  print_pairs(rows);
  return kDone;
}

}  // namespace

void add_data_commands(CLI::App& app, const Globals& globals, Action& action) {
  const auto args = std::make_shared<DataArguments>();
  const auto add = [&](const char* name, const char* what, int (*run)(const Globals&, const DataArguments&)) {
    CLI::App* command = app.add_subcommand(name, what);
    command->add_option("PATH", args->path, "the node's path, for example /services/a")
        ->type_name("")
        ->required();
    command->callback(
        [&globals, &action, args, run] { action = [&globals, args, run] { return run(globals, *args); }; });
    return command;
  };
  const char* data_help = "the bytes, at most 1 MiB; - reads standard input, @FILE a file";

  CLI::App* command = add("create", "make a node; without DATA an empty one", create);
  command->add_option("DATA", args->data, data_help)->type_name("");
  command->add_flag("-e,--ephemeral", args->create.ephemeral,
                    "print the path, and hold the node until a signal");
  command->add_flag("-s,--sequential", args->create.sequential,
                    "add a number that grows to the path, and print it");
  command->add_flag("-p,--parents", args->create.parents, "make missing parents");
  command->add_flag("--container", args->create.container,
                    "the node goes some time after the last of its children");
  command->add_option("--ttl", args->ttl, "the node goes when it was not set for so long and has no children")
      ->type_name("TIME");
  command
      ->add_option("--acl", args->acl,
                   "who may do what, SCHEME:ID:PERMISSIONS as setacl takes them; may be given several times")
      ->allow_extra_args(false)
      ->type_name("ENTRY");

  add("get", "write a node's data to standard output, byte by byte as it is", get);

  command = add("set", "change a node's data", set);
  command->add_option("DATA", args->data, data_help)->type_name("")->required();
  command->add_option("-v,--version", args->version, "only if the node has this version")
      ->transform(decimal(client::kAnyVersion))
      ->type_name("VERSION");

  command = add("delete", "delete a node without children", remove);
  command->add_option("-v,--version", args->version, "only if the node has this version")
      ->transform(decimal(client::kAnyVersion))
      ->type_name("VERSION");

  add("deleteall", "delete a node and all below it, at once", remove_all);

  command = add("ls", "list the children of a node", list);
  command->add_flag("-R,--recursive", args->recursive, "the paths of all nodes below it");

  add("stat", "show what is known of a node", stat);
  command = add("watch", "print each change of a node and of its list of children, until a signal",
                [](const Globals& g, const DataArguments& a) {
                  return watch(g, {a.path, a.recursive, a.since});
                });
  command->add_flag("-R,--recursive", args->recursive, "each change of the node and of all below it");
  command
      ->add_option("--since,--from", args->since,
                   "begin behind this zxid, not now; the last field of each line is one")
      ->transform(decimal<uint64_t>(1))
      ->type_name("ZXID");
}

}  // namespace quorate::cli
