// lock run, lock ls, lock show.
#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "client/cli/command.h"

namespace quorate::cli {

namespace {

using client::Contender;
using client::LockInfo;

constexpr const char* kRunFooter =
    "The command finds its fencing token in QUORATE_LOCK_TOKEN, and PATH in QUORATE_LOCK_PATH. It runs\n"
    "in a process group of its own that dies with lock run, and is ended when the lock is in danger.\n"
    "TIME is a number with a unit: 500ms, 10s, 2m, 1h.\n"
    "Exit codes: the command's own, 128+N if it died of signal N; 124 not obtained in time; 125 lock\n"
    "lost, or not to be had; 126 the command cannot be run; 127 it is not found; 2 wrong usage.";

nlohmann::json contender_json(const Contender& contender) {
  return {{"node", contender.node},
          {"token", contender.token.value()},
          {"session", contender.session.value()},
          {"name", contender.name},
          {"since_ms", contender.since_ms}};
}

nlohmann::json lock_json(const LockInfo& lock) {
  nlohmann::json out{{"path", lock.path},
                     {"holder", nullptr},
                     {"waiters", nlohmann::json::array()},
                     {"more", lock.more},
                     {"mixed", lock.mixed}};
  if (lock.holder) out["holder"] = contender_json(*lock.holder);
  for (const Contender& waiter : lock.waiters) out["waiters"].push_back(contender_json(waiter));
  return out;
}

std::vector<std::string> contender_row(const std::string& what, const Contender& contender) {
  return {what, std::to_string(contender.token.value()), hex_id(contender.session.value()),
          age_text(contender.since_ms), contender.name};
}

int show(const Globals& globals, const std::string& path) {
  Client client(globals.client_options());
  const Result<LockInfo> lock = client.lock_show(path);
  if (lock.code() == ErrorCode::kNoNode)
    return fail(kAnswerIsNo, path + ": no such lock: nobody ever took it (see: quorate lock ls)");
  if (!lock.ok()) return report(path, lock.error());
  if (globals.json) {
    print_json(lock_json(*lock));
    return kDone;
  }
  if (!lock->holder) {
    print_line("free");
    return kDone;
  }
  std::vector<std::vector<std::string>> rows{{"", "TOKEN", "SESSION", "SINCE", "NAME"}};
  rows.push_back(contender_row("holder", *lock->holder));
  for (size_t i = 0; i < lock->waiters.size(); ++i)
    rows.push_back(contender_row("waiter " + std::to_string(i + 1), lock->waiters[i]));
  print_table(rows);
  if (lock->more > 0) print_line("and " + std::to_string(lock->more) + " more");
  if (lock->mixed)
    return fail(
        kAnswerIsNo,
        path + ": has nodes of more than one lock recipe: more than one client may believe to hold it");
  return kDone;
}

int list(const Globals& globals, const std::string& root) {
  Client client(globals.client_options());
  const Result<std::vector<LockInfo>> locks = client.lock_list(root);
  if (!locks.ok()) return report(root, locks.error());
  if (globals.json) {
    nlohmann::json out = nlohmann::json::array();
    for (const LockInfo& lock : *locks) out.push_back(lock_json(lock));
    print_json(out);
    return kDone;
  }
  if (locks->empty()) return kDone;
  std::vector<std::vector<std::string>> rows{{"PATH", "TOKEN", "SESSION", "SINCE", "WAITERS", "HOLDER"}};
  for (const LockInfo& lock : *locks) {
    const Contender holder = lock.holder.value_or(Contender());
    rows.push_back({lock.path, std::to_string(holder.token.value()), hex_id(holder.session.value()),
                    lock.holder ? age_text(holder.since_ms) : "-",
                    std::to_string(lock.waiters.size() + lock.more), holder.name});
  }
  print_table(rows);
  return kDone;
}

}  // namespace

void add_lock_commands(CLI::App& app, const Globals& globals, const std::vector<std::string>& command,
                       Action& action) {
  struct Arguments {
    std::string path, root = "/", wait;
    std::vector<std::string> misplaced;  // a command without "--" before it
    bool no_wait = false, shared = false;
  };
  const auto args = std::make_shared<Arguments>();
  CLI::App* lock = app.add_subcommand("lock", "hold locks, and see who does");
  lock->require_subcommand(1);

  CLI::App* run =
      lock->add_subcommand("run", "run a command while holding a lock: lock run PATH -- COMMAND...");
  run->footer(kRunFooter);
  run->add_option("PATH", args->path, "the lock")->type_name("")->required();
  run->add_option("COMMAND", args->misplaced, "behind --: what to run")->type_name("");
  CLI::Option* wait =
      run->add_option("--wait", args->wait, "give up after this time (default: wait for ever)")
          ->type_name("TIME");
  wait->check([](const std::string& text) {
    const Result<milliseconds> parsed = parse_duration(text);
    return parsed.ok() ? std::string() : parsed.error().message;
  });
  run->add_flag("-n,--no-wait", args->no_wait, "do not wait at all")->excludes(wait);
  run->add_flag("--shared", args->shared, "not in this version");
  run->callback([&globals, &action, &command, args] {
    action = [&globals, &command, args] {
      if (args->shared)
        return fail(kWrongUsage,
                    "lock run --shared needs a later version of Quorate; this one has exclusive locks");
      if (!args->misplaced.empty() || command.empty())
        return fail(kWrongUsage, (command.empty() ? "no command to run"
                                                  : "'" + args->misplaced[0] + "' stands before the --") +
                                     ": write quorate lock run " + args->path + " -- COMMAND...");
      std::optional<milliseconds> time;
      if (!args->wait.empty()) time = *parse_duration(args->wait);
      if (args->no_wait) time = milliseconds(0);
      return run_under_lock(globals, args->path, time, command);
    };
  });

  CLI::App* show_command = lock->add_subcommand("show", "who holds a lock and who waits, in their order");
  show_command->add_option("PATH", args->path, "the lock")->type_name("")->required();
  show_command->callback(
      [&globals, &action, args] { action = [&globals, args] { return show(globals, args->path); }; });

  CLI::App* list_command = lock->add_subcommand("ls", "all locks below a path that somebody holds");
  list_command->add_option("PATH", args->root, "where to look")->type_name("")->capture_default_str();
  list_command->callback(
      [&globals, &action, args] { action = [&globals, args] { return list(globals, args->root); }; });
}

}  // namespace quorate::cli
