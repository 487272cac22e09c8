// `quorate`: the command line of a Quorate cluster.
#include <csignal>
#include <cstdlib>
#include <iostream>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include "client/cli/command.h"

namespace quorate::cli {

namespace {

constexpr const char* kFooter =
    "TIME is a number with a unit: 500ms, 10s, 2m, 1h. --endpoints, --json and the like stand before\n"
    "the command: quorate --json get /a.\n"
    "Exit codes: 0 done; 1 the answer is no (no node, another version); 2 wrong usage; 3 no server\n"
    "reachable or no quorum; 4 outcome unknown; 5 denied. Those of lock run: quorate lock run --help.";

std::string duration_problem(const std::string& text) {
  const Result<milliseconds> parsed = parse_duration(text);
  if (!parsed.ok()) return parsed.error().message;
  // What the library takes.
  const bool fits = *parsed >= milliseconds(10) && *parsed <= std::chrono::hours(24);
  return fits ? "" : "'" + text + "' is out of range: it may be from 10ms to 24h";
}

// A sentence for what the command line got wrong; CLI11's own words where they are good enough.
std::string usage_problem(const CLI::App& app, const CLI::Error& error) {
  const std::vector<std::string> extra = app.remaining(true);
  const bool ours = dynamic_cast<const CLI::ExtrasError*>(&error) != nullptr ||
                    dynamic_cast<const CLI::RequiredError*>(&error) != nullptr;
  if (ours && !extra.empty()) {
    const std::string& first = extra.front();
    const std::string name = first.substr(0, first.find('='));
    if (name.starts_with("--") && app.get_option_no_throw(name) != nullptr)
      return name + " is an option for all commands: write it before the command";
    if (name.starts_with("-") && name.size() > 1) return "'" + name + "' is no option here";
    if (dynamic_cast<const CLI::RequiredError*>(&error) != nullptr) return "'" + first + "' is no command";
    return "'" + first + "' is one argument too many; quote an argument that has spaces";
  }
  const std::string what = error.what();
  if (dynamic_cast<const CLI::RequiredError*>(&error) != nullptr &&
      what.find("subcommand") != std::string::npos)
    return "say what to do: a command is missing";
  if (dynamic_cast<const CLI::ConversionError*>(&error) != nullptr) {
    const size_t name = what.find(": "), value = what.find(" = ");
    if (name != std::string::npos && value != std::string::npos)
      return what.substr(name + 2, value - name - 2) + ": '" + what.substr(value + 3) +
             "' is no number that it can be";
  }
  return what;
}

// What stands behind "--" of `lock run`, `elect run` and `service register` belongs to its command, whatever
// it looks like.
std::vector<std::string> cut_command(std::vector<std::string>& arguments) {
  const auto runs = [](const std::string& group, const std::string& what) {
    return ((group == "lock" || group == "elect") && what == "run") ||
           (group == "service" && what == "register");
  };
  bool run = false;
  for (size_t i = 0; i < arguments.size(); ++i) {
    if (arguments[i] == "--") {
      if (!run) return {};
      const std::vector<std::string> command(arguments.begin() + static_cast<ptrdiff_t>(i) + 1,
                                             arguments.end());
      arguments.resize(i);
      return command;
    }
    run = run || (i > 0 && runs(arguments[i - 1], arguments[i]));
  }
  return {};
}

int main(int argc, char** argv) {
  Globals globals;
  std::string endpoints, session_timeout = "10s", request_timeout = "5s", credentials;
  Action action;

  CLI::App app("Looks at, changes and locks what a Quorate cluster keeps.", "quorate");
  app.footer(kFooter);
  app.require_subcommand(1);
  app.get_formatter()->column_width(38);
  app.set_version_flag("--version", "quorate " QUORATE_VERSION, "print the version and exit");
  app.add_option("--endpoints", endpoints, "the servers to try, in this order")
      ->envname("QUORATE_ENDPOINTS")
      ->take_last()
      ->type_name("HOST:PORT,...")
      ->default_str("127.0.0.1:2181");
  app.add_flag("--json", globals.json, "print one JSON value a result, on one line");
  app.add_option("--session-timeout", session_timeout,
                 "how long locks and ephemeral nodes outlive our last sign of life")
      ->capture_default_str()
      ->type_name("TIME")
      ->check(duration_problem);
  app.add_option("--request-timeout", request_timeout, "how long to look for an answer")
      ->capture_default_str()
      ->type_name("TIME")
      ->check(duration_problem);
  app.add_option("--credentials", credentials, "a file with USER:PASSWORD in each line: who is asking")
      ->envname("QUORATE_CREDENTIALS")
      ->type_name("FILE");

  std::vector<std::string> arguments(argv + 1, argv + argc);
  const std::vector<std::string> command = cut_command(arguments);
  add_data_commands(app, globals, action);
  add_tree_command(app, globals, action);
  add_txn_command(app, globals, action);
  add_permission_commands(app, globals, action);
  add_lock_commands(app, globals, command, action);
  add_election_commands(app, globals, command, action);
  add_service_commands(app, globals, command, action);
  add_cluster_commands(app, globals, action);
  add_session_commands(app, globals, action);
  add_snapshot_commands(app, globals, action);
  add_import_commands(app, globals, action);
  add_completion_command(app, action);
  // Before anything of it is held against the rules: a line that is being typed breaks most of them.
  if (argc > 1 && std::string_view(argv[1]) == "__complete")
    return complete(app, globals, {argv + 2, argv + argc});

  try {
    app.parse(std::vector<std::string>(arguments.rbegin(), arguments.rend()));
  } catch (const CLI::Success& help) {
    return app.exit(help);
  } catch (const CLI::Error& error) {
    std::string command_names = "quorate";
    for (const CLI::App* at = &app; !at->get_subcommands().empty();) {
      at = at->get_subcommands().front();
      command_names += " " + at->get_name();
    }
    return fail(kWrongUsage, usage_problem(app, error) + " (see: " + command_names + " --help)");
  }
  if (!endpoints.empty()) globals.endpoints = split_list(endpoints);
  globals.session_timeout = *parse_duration(session_timeout);
  globals.request_timeout = *parse_duration(request_timeout);
  if (!credentials.empty()) {
    auto read = read_credentials(credentials);
    if (!read.ok()) return report("", read.error());
    globals.credentials = std::move(*read);
  }
  return action();
}

}  // namespace

}  // namespace quorate::cli

int main(int argc, char** argv) { return quorate::cli::main(argc, argv); }
