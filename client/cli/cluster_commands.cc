// cluster status, cluster health, cluster transfer.
#include <algorithm>
#include <thread>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "client/cli/cluster_view.h"
#include "client/cli/command.h"
#include "client/cli/number.h"

namespace quorate::cli {

namespace {

using client::ServerStatus;

// So many entries behind, a follower is not merely a moment late.
constexpr uint64_t kLagOfDegraded = 10'000;

// Entries of the leader's log that a server has not applied; the leader's own are those that are not
// committed.
uint64_t lag(const ServerStatus& leader, const ServerStatus& server) {
  return leader.last_index > server.applied ? leader.last_index - server.applied : 0;
}

std::string way_out(const ClusterView& view) {
  bool formed = false;
  std::string wiped, full;
  const auto add = [](std::string& to, ServerId id) {
    to += (to.empty() ? "" : ", ") + std::to_string(id.value());
  };
  for (const auto& [id, server] : view.servers) {
    if (!server.status) continue;
    formed = formed || server.status->cluster != ClusterId();
    if (!server.status->may_vote && !server.learner) add(wiped, id);
    if (server.status->disk_full) add(full, id);
  }
  if (!formed) return "the cluster is not formed yet: the servers' logs say for whom they wait, and why";
  if (!full.empty()) return "the disk of server " + full + " is full: make room there";
  if (view.reachable_voters * 2 > view.voters) return "try again in a moment";
  if (wiped.empty()) return "start the servers that are down";
  return "start the servers that are down; server " + wiped +
         " may not vote, because the data folder was wiped: where no majority is left see docs/operations.md";
}

// The sentence of an answer of no; 3.
int no_quorum(const ClusterView& view) {
  if (view.nobody_answered()) {
    std::string all;
    for (const auto& [address, problem] : view.unknown) all += (all.empty() ? "" : "; ") + problem;
    return fail(kNoService, ErrorCode::kUnavailable,
                "no server reachable: " + all + " (is one running there? name others with --endpoints)");
  }
  return fail(kNoService, ErrorCode::kNoQuorum,
              "no quorum: no leader that a majority of the " + std::to_string(view.voters) +
                  " voters follows, and " + std::to_string(view.reachable_voters) +
                  (view.reachable_voters == 1 ? " of them answers" : " of them answer") +
                  "; each line is that server's own view (" + way_out(view) + ")");
}

nlohmann::json view_json(const ClusterView& view) {
  nlohmann::json out{
      {"leader", nullptr}, {"quorum", view.leader.has_value()}, {"servers", nlohmann::json::array()}};
  if (view.leader) out["leader"] = view.leader->value();
  for (const auto& [id, server] : view.servers) {
    nlohmann::json each{{"id", id.value()}, {"address", server.address}, {"role", role_text(server)}};
    if (server.status) {
      const ServerId its_leader = server.status->leader;
      each.update(
          {{"term", server.status->term.value()},
           {"leader", its_leader == ServerId() ? nlohmann::json() : nlohmann::json(its_leader.value())},
           {"last_index", server.status->last_index.value()},
           {"commit", server.status->committed.value()},
           {"applied", server.status->applied.value()},
           {"zxid", server.status->zxid.value()},
           {"nodes", server.status->nodes},
           {"sessions", server.status->sessions},
           {"connections", server.status->connections},
           {"watches", server.status->watches}});
      each["lag"] =
          view.leader ? nlohmann::json(lag(*view.leader_status(), *server.status)) : nlohmann::json();
    }
    if (!server.problem.empty()) each["problem"] = server.problem;
    out["servers"].push_back(std::move(each));
  }
  return out;
}

int status(const Globals& globals) {
  const CommandClient client(globals);
  const ClusterView view = look_at_cluster(globals, client);
  if (view.nobody_answered()) return no_quorum(view);
  if (globals.json) {
    print_json(view_json(view));
    return view.leader ? kDone : kNoService;
  } else {
    std::vector<std::vector<std::string>> rows{{"ID", "ADDRESS", "ROLE", "TERM", "COMMIT", "APPLIED", "LAG"}};
    const auto in_trouble = [](const auto& each) { return !each.second.problem.empty(); };
    if (std::any_of(view.servers.begin(), view.servers.end(), in_trouble)) rows[0].emplace_back("PROBLEM");
    for (const auto& [id, server] : view.servers) {
      std::vector<std::string> row{std::to_string(id.value()), server.address.empty() ? "-" : server.address,
                                   role_text(server)};
      if (server.status)
        row.insert(
            row.end(),
            {std::to_string(server.status->term.value()), std::to_string(server.status->committed.value()),
             std::to_string(server.status->applied.value()),
             view.leader ? std::to_string(lag(*view.leader_status(), *server.status)) : "-"});
      else
        row.insert(row.end(), {"-", "-", "-", "-"});
      if (!server.problem.empty()) row.push_back(server.problem);
      rows.push_back(std::move(row));
    }
    print_table(rows);
  }
  return view.leader ? static_cast<int>(kDone) : no_quorum(view);
}

int health(const Globals& globals) {
  const CommandClient client(globals);
  const ClusterView view = look_at_cluster(globals, client);
  const auto say = [&](const std::string& state, const std::string& reason, int code) {
    if (globals.json)
      print_json({{"health", state}, {"reason", reason}});
    else
      print_line(state + ": " + reason);
    return code;
  };
  if (view.nobody_answered()) return no_quorum(view);
  const std::string answer = std::to_string(view.reachable_voters) + " of " + std::to_string(view.voters) +
                             (view.reachable_voters == 1 ? " voters answers" : " voters answer");
  if (!view.leader)
    return say("no quorum", answer + ", and no leader has a majority (" + way_out(view) + ")", kNoService);
  const std::string leader = "server " + std::to_string(view.leader->value()) + " leads";
  for (const auto& [id, server] : view.servers) {
    const std::string name = "server " + std::to_string(id.value());
    if (!server.status)
      return say("degraded", name + " does not answer; " + answer + ", " + leader, kAnswerIsNo);
    if (!server.status->may_vote && !server.learner)
      return say("degraded",
                 name + " may not vote: its data folder was wiped, or has not recovered yet; " + leader,
                 kAnswerIsNo);
    if (server.status->disk_full)
      return say("degraded", name + ": " + server.problem + "; " + leader, kAnswerIsNo);
    if (server.status->receiving)
      return say("degraded", name + " is getting the state from another server; " + leader, kAnswerIsNo);
    if (server.status->stuck)
      return say("degraded", name + " waits for its disk (is it full?), and serves nobody; " + leader,
                 kAnswerIsNo);
    if (lag(*view.leader_status(), *server.status) > kLagOfDegraded)
      return say("degraded",
                 name + " is " + std::to_string(lag(*view.leader_status(), *server.status)) +
                     " entries behind; " + leader,
                 kAnswerIsNo);
  }
  return say("healthy", answer + ", " + leader, kDone);
}

// The leader does not say which of them it has asked.
int not_moved(const ClusterView& view, uint32_t target, const Error& error) {
  if (target == 0) return report("", error);
  const ServerView& server = view.servers.at(ServerId(target));
  const std::string here = server.status ? "" : "; nor does it here: " + server.problem;
  return report("server " + std::to_string(target) + " has not taken over",
                {error.code, error.message + here});
}

int transfer(const Globals& globals, uint32_t target) {
  const CommandClient client(globals);
  ClusterView view = look_at_cluster(globals, client);
  if (!view.leader) return no_quorum(view);
  const ServerId from = *view.leader;
  if (target != 0 && !view.servers.contains(ServerId(target)))
    return fail(kWrongUsage, "there is no server " + std::to_string(target) +
                                 " in this cluster (see: quorate cluster status)");
  if (ServerId(target) != from) {
    const Status moved = client->transfer(view.servers.at(from).address, ServerId(target));
    if (!moved.ok()) return not_moved(view, target, moved.error());
    client.show([target] {
      return target == 0 ? std::string("waiting for another leader")
                         : "waiting for server " + std::to_string(target) + " to lead";
    });
    // The old leader has answered; the others may hear of the new one a moment later.
    const auto until = std::chrono::steady_clock::now() + globals.request_timeout;
    do {
      view = look_at_cluster(globals, client);
      if (view.leader && view.leader != from) break;
      std::this_thread::sleep_for(milliseconds(20));
    } while (std::chrono::steady_clock::now() < until);
  }
  if (!view.leader) return no_quorum(view);
  if (*view.leader == from && ServerId(target) != from)
    return fail(kAnswerIsNo, "leadership has not moved: server " + std::to_string(from.value()) +
                                 " leads (see: quorate cluster status)");
  if (globals.json)
    print_json({{"leader", view.leader->value()}, {"address", view.servers.at(*view.leader).address}});
  else
    print_line("server " + std::to_string(view.leader->value()) + " at " +
               view.servers.at(*view.leader).address + " leads");
  return kDone;
}

}  // namespace

void add_cluster_commands(CLI::App& app, const Globals& globals, Action& action) {
  CLI::App* cluster = app.add_subcommand("cluster", "look at the servers, and move leadership");
  cluster->require_subcommand(1);
  cluster
      ->add_subcommand("status", "each server: role, term, committed and applied log index, lag in entries")
      ->callback([&globals, &action] { action = [&globals] { return status(globals); }; });
  cluster->add_subcommand("health", "one line: healthy (0), degraded (1) or no quorum (3), and why")
      ->callback([&globals, &action] { action = [&globals] { return health(globals); }; });
  const auto target = std::make_shared<uint32_t>(0);
  CLI::App* move =
      cluster->add_subcommand("transfer", "hand leadership to a server, or to the most advanced");
  move->add_option("ID", *target, "the server that is to lead (default: the one whose log is most advanced)")
      ->transform(decimal<uint32_t>(1))  // 0 would be none in particular
      ->type_name("");
  move->callback(
      [&globals, &action, target] { action = [&globals, target] { return transfer(globals, *target); }; });
}

}  // namespace quorate::cli
