// elect run, show, watch: the election of client/quorate/election.h.
#include <thread>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "client/cli/command.h"
#include "client/cli/signals.h"
#include "client/quorate/election.h"

namespace quorate::cli {
namespace {

using client::Candidate;
using client::Election;
using Leader = std::optional<Candidate>;

nlohmann::json candidate_json(const Candidate& candidate) {
  return {{"value", candidate.value},
          {"token", candidate.token.value()},
          {"session", hex_id(candidate.session.value())},
          {"node", candidate.node},
          {"leads", candidate.leads}};
}

int show_election(const Globals& globals, const std::string& path) {
  const CommandClient client(globals);
  const Result<std::vector<Candidate>> all = Election(*client, path).candidates();
  if (!all.ok()) return report(path, all.error());
  if (globals.json) {
    nlohmann::json out = nlohmann::json::array();
    for (const Candidate& each : *all) out.push_back(candidate_json(each));
    print_json(out);
  }
  const bool led = !all->empty() && all->front().leads;
  if (globals.json) return led ? kDone : kAnswerIsNo;
  if (all->empty()) return fail(kAnswerIsNo, path + ": nobody leads");
  std::vector<std::vector<std::string>> rows{{"", "VALUE", "TOKEN", "SESSION"}};
  for (const Candidate& each : *all) {
    rows.push_back({each.leads ? "leader" : "waits", each.value, std::to_string(each.token.value()),
                    hex_id(each.session.value())});
  }
  print_table(rows);
  return led ? kDone : fail(kAnswerIsNo, path + ": nobody leads");
}

void tell(const Globals& globals, const Leader& leader) {
  if (globals.json) {
    print_json(leader ? candidate_json(*leader) : nlohmann::json(nullptr));
  } else {
    print_line(leader ? std::to_string(leader->token.value()) + " " + visible(leader->value) : "-");
  }
}

int watch_election(const Globals& globals, const std::string& path) {
  Signals signals;
  Client client(globals.client_options());  // our own: it is closed to end the looking
  std::optional<Error> ended;
  std::thread looking([&] {
    Election election(client, path);
    Result<Leader> leader = election.leader();
    while (leader.ok()) {
      tell(globals, *leader);
      if (output_fails()) break;
      leader = election.next_leader(*leader);
    }
    if (!leader.ok()) ended = leader.error();
    signals.wake();
  });
  int signal = signals.next();
  while (signal == SIGCHLD) signal = signals.next();
  client.close();
  looking.join();
  return signal == 0 && ended ? report(path, *ended) : kDone;
}

}  // namespace

void add_election_commands(CLI::App& app, const Globals& globals, const std::vector<std::string>& command,
                           Action& action) {
  struct Arguments {
    std::string path, value, wait;
    std::vector<std::string> misplaced;
  };
  const auto args = std::make_shared<Arguments>();
  CLI::App* elect =
      app.add_subcommand("elect", "one of several candidates leads, with a value that all can see");
  elect->require_subcommand(1);
  const auto path_of = [args](CLI::App* sub) {
    sub->add_option("PATH", args->path, "the election")->type_name("")->required();
  };

  CLI::App* run =
      elect->add_subcommand("run", "run a command while leading: elect run PATH --value V -- COMMAND...");
  path_of(run);
  run->footer(
      "As lock run does it, with the same exit codes; the command finds its fencing token in "
      "QUORATE_LOCK_TOKEN.");
  run->add_option("COMMAND", args->misplaced, "behind --: what to run")->type_name("");
  run->add_option("--value", args->value, "what all can see of the leader: an address, for example")
      ->type_name("VALUE");
  run->add_option("--wait", args->wait, "give up after this time (default: wait for ever)")
      ->type_name("TIME")
      ->check([](const std::string& text) {
        const Result<milliseconds> parsed = parse_duration(text);
        return parsed.ok() ? std::string() : parsed.error().message;
      });
  run->callback([&globals, &action, &command, args] {
    action = [&globals, &command, args] {
      if (!args->misplaced.empty() || command.empty())
        return fail(kWrongUsage,
                    "no command to run: write quorate elect run " + args->path + " -- COMMAND...");
      if (args->value.starts_with("quorate:"))
        return fail(kWrongUsage, "a value must not begin with quorate:, which says how locks are held");
      LockWish wish;
      wish.path = args->path;
      wish.data = args->value;
      if (!args->wait.empty()) wish.wait = *parse_duration(args->wait);
      return run_under_lock(globals, wish, command);
    };
  });

  CLI::App* show_command =
      elect->add_subcommand("show", "the leader and those that wait; exit code 1 if nobody leads");
  path_of(show_command);
  show_command->callback([&globals, &action, args] {
    action = [&globals, args] { return show_election(globals, args->path); };
  });

  CLI::App* watch_command = elect->add_subcommand(
      "watch", "print token and value of the leader (-: none), and again at each change");
  path_of(watch_command);
  watch_command->callback([&globals, &action, args] {
    action = [&globals, args] { return watch_election(globals, args->path); };
  });
}

}  // namespace quorate::cli
