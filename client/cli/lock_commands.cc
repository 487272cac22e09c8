// lock run, lock ls, lock show, lock verify, lock break, lock graph; lock history is in lock_history.cc.
#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "client/cli/command.h"
#include "client/cli/lock_history.h"
#include "client/cli/lock_text.h"
#include "client/cli/number.h"

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

nlohmann::json lock_json(const LockInfo& lock) {
  nlohmann::json out{{"path", lock.path},
                     {"holder", nullptr},
                     {"sharing", nlohmann::json::array()},
                     {"kept", lock.kept},
                     {"waiters", nlohmann::json::array()},
                     {"more", lock.more},
                     {"mixed", lock.mixed},
                     {"unknown", lock.unknown}};
  if (lock.holder) out["holder"] = contender_json(*lock.holder);
  for (const Contender& holder : lock.sharing) out["sharing"].push_back(contender_json(holder));
  for (const Contender& waiter : lock.waiters) out["waiters"].push_back(contender_json(waiter));
  return out;
}

std::vector<std::string> contender_row(const std::string& what, const Contender& contender) {
  return {what,
          mode_text(contender),
          std::to_string(contender.token.value()),
          hex_id(contender.session.value()),
          age_text(contender.since_ms),
          contender.name};
}

// To make a node is no way to have a lock.
int report_lock(const std::string& path, const Error& error) {
  if (error.code != ErrorCode::kNoNode) return report(path, error);
  return fail(kAnswerIsNo, error.code, path + ": no such lock: nobody ever took it (see: quorate lock ls)");
}

int show(const Globals& globals, const std::string& path) {
  const CommandClient client(globals);
  const Result<LockInfo> lock = client->lock_show(path);
  if (!lock.ok()) return report_lock(path, lock.error());
  if (globals.json) {
    print_json(lock_json(*lock));
    return lock->mixed ? kAnswerIsNo : kDone;
  }
  if (lock->kept > 0) {
    print_line("kept for " + std::to_string(lock->kept) +
               (lock->kept == 1 ? " holder whose session" : " holders whose sessions") + " expired");
  }
  if (!lock->holder && lock->waiters.empty()) {
    if (lock->kept == 0) print_line("free");
    return kDone;
  }
  std::vector<std::vector<std::string>> rows{{"", "MODE", "TOKEN", "SESSION", "SINCE", "NAME"}};
  if (lock->holder) rows.push_back(contender_row("holder", *lock->holder));
  for (const Contender& holder : lock->sharing) rows.push_back(contender_row("holder", holder));
  for (size_t i = 0; i < lock->waiters.size(); ++i)
    rows.push_back(contender_row((lock->unknown ? "" : "waiter ") + std::to_string(i + 1), lock->waiters[i]));
  print_table(rows);
  if (lock->unknown) {
    print_line(
        "names of no lock recipe that is known here, in their order: who holds it, if it is a lock, is not "
        "known");
  }
  if (lock->more > 0) print_line("and " + std::to_string(lock->more) + " more");
  if (lock->mixed)
    return fail(
        kAnswerIsNo,
        path + ": has nodes of more than one lock recipe: more than one client may believe to hold it");
  return kDone;
}

int list(const Globals& globals, const std::string& root) {
  const CommandClient client(globals);
  const Result<std::vector<LockInfo>> locks = client->lock_list(root);
  if (!locks.ok()) return report(root, locks.error());
  if (globals.json) {
    nlohmann::json out = nlohmann::json::array();
    for (const LockInfo& lock : *locks) out.push_back(lock_json(lock));
    print_json(out);
    return kDone;
  }
  if (locks->empty()) return print_nothing("no lock is held");
  std::vector<std::vector<std::string>> rows{{"PATH", "TOKEN", "SESSION", "SINCE", "WAITERS", "HOLDER"}};
  for (const LockInfo& lock : *locks) {
    const Contender holder = lock.holder.value_or(Contender());
    rows.push_back({lock.path, lock.holder ? std::to_string(holder.token.value()) : "-",
                    lock.holder ? hex_id(holder.session.value()) : "-",
                    lock.holder ? age_text(holder.since_ms) : "-",
                    std::to_string(lock.waiters.size() + lock.more), holder.name});
  }
  print_table(rows);
  return kDone;
}

int verify(const Globals& globals, const std::string& path, uint64_t token) {
  const CommandClient client(globals);
  const Status held = client->verify_lock(path, Token(token));
  const bool no = held.code() == ErrorCode::kNotHolder || held.code() == ErrorCode::kNoNode;
  if (globals.json && (held.ok() || no)) {
    print_json({{"path", path}, {"token", token}, {"held", held.ok()}});
    return held.ok() ? kDone : kAnswerIsNo;
  }
  if (!held.ok()) return report_lock(path, held.error());
  print_line("held");
  return kDone;
}

int break_lock(const Globals& globals, const std::string& path, uint64_t token) {
  const CommandClient client(globals);
  const Status broken = client->break_lock(path, Token(token));
  if (!broken.ok()) return report_lock(path, broken.error());
  if (globals.json) print_json({{"path", path}, {"token", token}, {"broken", true}});
  return kDone;
}

std::string sessions_text(const std::vector<SessionId>& sessions, const char* between) {
  std::string text;
  for (const SessionId session : sessions) text += (text.empty() ? "" : between) + hex_id(session.value());
  return text;
}

nlohmann::json sessions_json(const std::vector<SessionId>& sessions) {
  nlohmann::json out = nlohmann::json::array();
  for (const SessionId session : sessions) out.push_back(hex_id(session.value()));
  return out;
}

int graph(const Globals& globals, const std::string& root) {
  const CommandClient client(globals);
  const Result<client::LockGraph> graph = client->lock_graph(root);
  if (!graph.ok()) return report(root, graph.error());
  if (globals.json) {
    nlohmann::json out{
        {"waits", nlohmann::json::array()}, {"deadlocks", nlohmann::json::array()}, {"more", graph->more}};
    for (const client::LockWait& wait : graph->waits) {
      out["waits"].push_back({{"session", hex_id(wait.session.value())},
                              {"path", wait.path},
                              {"node", wait.node},
                              {"for", sessions_json(wait.for_sessions)},
                              {"any", wait.any}});
    }
    for (const auto& circle : graph->deadlocks) out["deadlocks"].push_back(sessions_json(circle));
    print_json(out);
    return graph->deadlocks.empty() ? kDone : kAnswerIsNo;
  }
  if (!graph->waits.empty()) {
    std::vector<std::vector<std::string>> rows{{"SESSION", "PATH", "WAITS FOR"}};
    for (const client::LockWait& wait : graph->waits)
      rows.push_back({hex_id(wait.session.value()), wait.path,
                      (wait.any ? "any of " : "") + sessions_text(wait.for_sessions, ", ")});
    print_table(rows);
  }
  if (graph->waits.empty()) return print_nothing("nobody waits");
  if (graph->more > 0) print_line("and " + std::to_string(graph->more) + " waiters more");
  for (const auto& circle : graph->deadlocks) {
    print_line("deadlock: " + sessions_text(circle, " waits for ") + " waits for " +
               hex_id(circle.front().value()));
  }
  return graph->deadlocks.empty() ? kDone : kAnswerIsNo;
}

}  // namespace

void add_lock_commands(CLI::App& app, const Globals& globals, const std::vector<std::string>& command,
                       Action& action) {
  struct Arguments {
    std::string path, root = "/", wait, delay;
    std::vector<std::string> misplaced;  // a command without "--" before it
    std::vector<std::string> with;
    bool no_wait = false, shared = false;
    uint32_t permits = 0;
    uint64_t token = 0;
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
  const auto is_duration = [](const std::string& text) {
    const Result<milliseconds> parsed = parse_duration(text);
    return parsed.ok() ? std::string() : parsed.error().message;
  };
  wait->check(is_duration);
  run->add_flag("-n,--no-wait", args->no_wait, "do not wait at all")->excludes(wait);
  CLI::Option* shared = run->add_flag("--shared", args->shared, "share the lock with all who ask for it so");
  CLI::Option* permits =
      run->add_option("--permits", args->permits, "take one of N permits instead: at most N run at once")
          ->type_name("N")
          ->transform(decimal<uint32_t>())
          ->check(CLI::Range(uint32_t{1}, uint32_t{10'000}))
          ->excludes(shared);
  run->add_option("--with", args->with, "take this lock in the same step, too; may be given several times")
      ->type_name("PATH")
      ->allow_extra_args(false)
      ->excludes(shared)
      ->excludes(permits);
  run->add_option("--delay", args->delay, "when the session expires, keep the lock for nobody for so long")
      ->type_name("TIME")
      ->check(is_duration);
  run->callback([&globals, &action, &command, args] {
    action = [&globals, &command, args] {
      if (!args->misplaced.empty() || command.empty())
        return fail(kWrongUsage, (command.empty() ? "no command to run"
                                                  : "'" + args->misplaced[0] + "' stands before the --") +
                                     ": write quorate lock run " + args->path + " -- COMMAND...");
      LockWish wish;
      wish.path = args->path;
      wish.more = args->with;
      if (args->shared) wish.mode = client::LockMode::kShared;
      if (args->permits > 0) wish.mode = client::LockMode::kPermit;
      wish.permits = args->permits;
      if (!args->wait.empty()) wish.wait = *parse_duration(args->wait);
      if (args->no_wait) wish.wait = milliseconds(0);
      if (!args->delay.empty()) wish.delay = *parse_duration(args->delay);
      return run_under_lock(globals, wish, command);
    };
  });

  CLI::App* show_command = lock->add_subcommand("show", "who holds a lock and who waits, in their order");
  show_command->add_option("PATH", args->path, "the lock")->type_name("")->required();
  show_command->callback(
      [&globals, &action, args] { action = [&globals, args] { return show(globals, args->path); }; });

  CLI::App* verify_command =
      lock->add_subcommand("verify", "whether the lock is held with a token: exit code 0, or 1 if it is not");
  verify_command->add_option("PATH", args->path, "the lock")->type_name("")->required();
  verify_command->add_option("TOKEN", args->token, "the fencing token")
      ->transform(decimal<uint64_t>())
      ->type_name("")
      ->required();
  verify_command->callback([&globals, &action, args] {
    action = [&globals, args] { return verify(globals, args->path, args->token); };
  });

  CLI::App* break_command = lock->add_subcommand(
      "break", "take the lock away from its holder; needs the permission to administer PATH");
  break_command->add_option("PATH", args->path, "the lock")->type_name("")->required();
  break_command->add_option("--token", args->token, "the holder's, as lock show tells it")
      ->transform(decimal<uint64_t>())
      ->type_name("TOKEN")
      ->required();
  break_command->callback([&globals, &action, args] {
    action = [&globals, args] { return break_lock(globals, args->path, args->token); };
  });

  CLI::App* graph_command =
      lock->add_subcommand("graph", "who waits for whom; exit code 1 if some wait in a circle");
  graph_command->add_option("PATH", args->root, "where to look")->type_name("")->capture_default_str();
  graph_command->callback(
      [&globals, &action, args] { action = [&globals, args] { return graph(globals, args->root); }; });

  CLI::App* history_command =
      lock->add_subcommand("history", "who held a lock, and when, as far back as the cluster knows");
  history_command->add_option("PATH", args->path, "the lock")->type_name("")->required();
  history_command->callback(
      [&globals, &action, args] { action = [&globals, args] { return lock_history(globals, args->path); }; });

  CLI::App* list_command = lock->add_subcommand("ls", "all locks below a path that somebody holds");
  list_command->add_option("PATH", args->root, "where to look")->type_name("")->capture_default_str();
  list_command->callback(
      [&globals, &action, args] { action = [&globals, args] { return list(globals, args->root); }; });
}

}  // namespace quorate::cli
