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
    "Exit codes: 0 done; 1 the answer is no (no node, another version); 2 wrong usage; 3 no server\n"
    "reachable or no quorum; 4 outcome unknown; 5 denied. lock run: its command's, or 124 not\n"
    "obtained in time, 125 lock lost or not to be had, 126/127 command not to be run/found.";

std::vector<std::string> split(const std::string& list) {
  std::vector<std::string> parts(1);
  for (const char c : list) {
    if (c == ',')
      parts.emplace_back();
    else
      parts.back() += c;
  }
  return parts;
}

std::string duration_problem(const std::string& text) {
  const Result<milliseconds> parsed = parse_duration(text);
  if (!parsed.ok()) return parsed.error().message;
  return *parsed > milliseconds(0) ? "" : "'" + text + "' must be more than 0";
}

// What stands behind "--" of `lock run` belongs to its command, whatever it looks like.
std::vector<std::string> cut_command(std::vector<std::string>& arguments) {
  bool lock = false, run = false;
  for (size_t i = 0; i < arguments.size(); ++i) {
    if (arguments[i] == "--") {
      if (!run) return {};
      const std::vector<std::string> command(arguments.begin() + static_cast<ptrdiff_t>(i) + 1,
                                             arguments.end());
      arguments.resize(i);
      return command;
    }
    run = run || (lock && arguments[i] == "run");
    lock = arguments[i] == "lock";
  }
  return {};
}

int main(int argc, char** argv) {
  Globals globals;
  std::string endpoints, session_timeout = "10s", request_timeout = "5s", credentials;
  Action action;

  CLI::App app("quorate: look at, change and lock what a Quorate cluster keeps", "quorate");
  app.footer(kFooter);
  app.require_subcommand(1);
  app.add_option("--endpoints", endpoints, "HOST:PORT,... of the servers")
      ->envname("QUORATE_ENDPOINTS")
      ->take_last()
      ->default_str("127.0.0.1:2181");
  app.add_flag("--json", globals.json, "print one JSON value a result");
  app.add_option("--session-timeout", session_timeout,
                 "how long a session outlives its last sign of life, with unit")
      ->capture_default_str()
      ->check(duration_problem);
  app.add_option("--request-timeout", request_timeout, "how long to look for an answer, with unit")
      ->capture_default_str()
      ->check(duration_problem);
  app.add_option("--credentials", credentials, "not in this version");

  std::vector<std::string> arguments(argv + 1, argv + argc);
  const std::vector<std::string> command = cut_command(arguments);
  add_data_commands(app, globals, action);
  add_lock_commands(app, globals, command, action);
  add_cluster_commands(app, globals, action);

  try {
    app.parse(std::vector<std::string>(arguments.rbegin(), arguments.rend()));
  } catch (const CLI::Success& help) {
    return app.exit(help);
  } catch (const CLI::Error& error) {
    std::string what = error.what();
    return fail(kWrongUsage, what + " (see: quorate --help)");
  }
  if (!credentials.empty())
    return fail(kWrongUsage, "--credentials needs a later version of Quorate; this one lets every client in");
  if (!endpoints.empty()) globals.endpoints = split(endpoints);
  globals.session_timeout = *parse_duration(session_timeout);
  globals.request_timeout = *parse_duration(request_timeout);
  return action();
}

}  // namespace

}  // namespace quorate::cli

int main(int argc, char** argv) { return quorate::cli::main(argc, argv); }
