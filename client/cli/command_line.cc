#include "client/cli/command_line.h"

#include <algorithm>
#include <iostream>
#include <optional>

#include "client/cli/cluster_view.h"
#include "client/cli/shell_path.h"
#include "kv/acl.h"

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

}  // namespace

std::string usage_problem(const CLI::App& app, const CLI::Error& error, const std::string& kind) {
  const std::vector<std::string> extra = app.remaining(true);
  const bool ours = dynamic_cast<const CLI::ExtrasError*>(&error) != nullptr ||
                    dynamic_cast<const CLI::RequiredError*>(&error) != nullptr;
  if (ours && !extra.empty()) {
    const std::string& first = extra.front();
    const std::string name = first.substr(0, first.find('='));
    if (name.starts_with("--") && app.get_option_no_throw(name) != nullptr)
      return name + " is an option for all commands: write it before the command";
    if (name.starts_with("-") && name.size() > 1) return "'" + name + "' is no option here";
    if (dynamic_cast<const CLI::RequiredError*>(&error) != nullptr) return "'" + first + "' is no " + kind;
    return "'" + first + "' is one argument too many; quote an argument that has spaces";
  }
  const std::string what = error.what();
  if (dynamic_cast<const CLI::RequiredError*>(&error) != nullptr &&
      what.find("subcommand") != std::string::npos)
    return "say what to do: a " + kind + " is missing";
  if (dynamic_cast<const CLI::ConversionError*>(&error) != nullptr) {
    const size_t name = what.find(": "), value = what.find(" = ");
    if (name != std::string::npos && value != std::string::npos)
      return what.substr(name + 2, value - name - 2) + ": '" + what.substr(value + 3) +
             "' is no number that it can be";
  }
  return what;
}

CommandLine::CommandLine(const ShellSurroundings* shell)
    : shell_(shell), app_("Looks at, changes and locks what a Quorate cluster keeps.", "quorate") {
  if (shell != nullptr) globals_ = shell->globals;
  app_.footer(kFooter);
  app_.require_subcommand(1);
  app_.get_formatter()->column_width(38);
  app_.set_version_flag("--version", "quorate " QUORATE_VERSION, "print the version and exit");
  add_globals();
  add_data_commands(app_, globals_, action_);
  add_tree_command(app_, globals_, action_);
  add_txn_command(app_, globals_, action_);
  add_permission_commands(app_, globals_, action_);
  add_lock_commands(app_, globals_, command_, action_);
  add_election_commands(app_, globals_, command_, action_);
  add_service_commands(app_, globals_, command_, action_);
  add_cluster_commands(app_, globals_, action_);
  add_top_command(app_, globals_, action_);
  add_bench_command(app_, globals_, action_);
  add_session_commands(app_, globals_, action_);
  add_snapshot_commands(app_, globals_, action_);
  add_digest_command(app_, globals_, action_);
  add_import_commands(app_, globals_, action_);
  if (shell == nullptr) {
    add_shell_command(app_, globals_, action_);
    add_completion_command(app_, globals_, action_);
  } else {
    shell->add_builtins(app_, globals_, action_);
    resolve_paths();
    app_.get_subcommand("ls")->get_option("PATH")->required(false)->default_val(shell->folder);
  }
}

void CommandLine::add_globals() {
  session_timeout_ = std::to_string(globals_.session_timeout.count()) + "ms";
  request_timeout_ = std::to_string(globals_.request_timeout.count()) + "ms";
  if (shell_ == nullptr) {
    session_timeout_ = "10s";
    request_timeout_ = "5s";
  }
  CLI::Option* endpoints = app_.add_option("--endpoints", endpoints_, "the servers to try, in this order")
                               ->take_last()
                               ->type_name("HOST:PORT,...")
                               ->default_str("127.0.0.1:2181");
  app_.add_flag("--json", globals_.json, "print one JSON value a result, on one line");
  CLI::Option* session_timeout =
      app_.add_option("--session-timeout", session_timeout_,
                      "how long locks and ephemeral nodes outlive our last sign of life")
          ->capture_default_str()
          ->type_name("TIME")
          ->check(duration_problem);
  CLI::Option* request_timeout =
      app_.add_option("--request-timeout", request_timeout_, "how long to look for an answer")
          ->capture_default_str()
          ->type_name("TIME")
          ->check(duration_problem);
  CLI::Option* credentials =
      app_.add_option("--credentials", credentials_, "a file with USER:PASSWORD in each line: who is asking")
          ->type_name("FILE");
  own_ = {endpoints, session_timeout, request_timeout, credentials};
  if (shell_ != nullptr) return;
  endpoints->envname("QUORATE_ENDPOINTS");
  credentials->envname("QUORATE_CREDENTIALS");
}

// Every PATH of every command may be written from where the user of the shell is.
void CommandLine::resolve_paths() {
  std::vector<CLI::App*> apps{&app_};
  for (size_t i = 0; i < apps.size(); ++i) {
    for (CLI::App* below : apps[i]->get_subcommands([](const CLI::App*) { return true; }))
      apps.push_back(below);
    for (CLI::Option* option : apps[i]->get_options()) {
      const bool names_node = option->get_positional()
                                  ? option->get_name(true) == "PATH"
                                  : option->get_type_name() == "PATH" && !option->check_name("--path");
      if (!names_node) continue;  // --path of import is one of ZooKeeper's
      option->transform([this](const std::string& text) { return resolve_path(shell_->folder, text); });
    }
  }
}

// What was said before the command. kDone, or the exit code of what is wrong with it.
int CommandLine::take_globals() {
  for (const char* const name : {"--endpoints", "--credentials"})
    if (const CLI::Option* option = app_.get_option(name);
        option->count() > 0 && option->as<std::string>().empty())
      return fail(kWrongUsage, std::string(name) +
                                   " has nothing behind it: write what it is to be, or leave it out (is a "
                                   "variable not set?)");
  if (!endpoints_.empty()) globals_.endpoints = split_list(endpoints_);
  if (const Status usable = validate_endpoints(globals_); !usable.ok())
    return report("--endpoints", usable.error());
  globals_.session_timeout = *parse_duration(session_timeout_);
  globals_.request_timeout = *parse_duration(request_timeout_);
  for (const CLI::Option* option : own_)
    if (option->count() > 0) globals_.shared = nullptr;
  if (credentials_.empty()) return kDone;
  auto read = read_credentials(credentials_);
  if (!read.ok()) return report("", read.error());
  if (read->size() > kv::kCredentialsMax)
    return fail(kWrongUsage, credentials_ + " has " + std::to_string(read->size()) +
                                 " lines with a USER:PASSWORD; at most " +
                                 std::to_string(kv::kCredentialsMax) + " can ask together");
  globals_.credentials = std::move(*read);
  return kDone;
}

bool CommandLine::about_globals(const std::string& problem) const {
  const std::string first = problem.substr(0, problem.find_first_of(": "));
  return first == "--json" || std::any_of(own_.begin(), own_.end(), [&first](const CLI::Option* option) {
           return option->get_name() == first;
         });
}

int CommandLine::run(std::vector<std::string> arguments) {
  command_ = cut_command(arguments);
  try {
    app_.parse(std::vector<std::string>(arguments.rbegin(), arguments.rend()));
  } catch (const CLI::Success& help) {
    return app_.exit(help);
  } catch (const CLI::Error& error) {
    std::string command_names = "quorate";
    for (const CLI::App* at = &app_; !at->get_subcommands().empty();) {
      at = at->get_subcommands().front();
      command_names += " " + at->get_name();
    }
    const ErrorForm form(globals_.json || app_.get_option("--json")->count() > 0);
    const std::string problem = usage_problem(app_, error, "command");
    if (about_globals(problem)) command_names = "quorate";
    return fail(kWrongUsage, problem + " (see: " + command_names + " --help)");
  }
  const ErrorForm form(globals_.json);
  if (const int code = take_globals(); code != kDone) return code;
  const int code = action_();
  std::cout.flush();
  if (std::cout || code != kDone) return code;
  std::cout.clear();  // for the next line of a shell
  return fail(kWrongUsage, ErrorCode::kIo,
              "cannot write to standard output: what was printed is not all there");
}

}  // namespace quorate::cli
