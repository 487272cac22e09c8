#include "client/cli/cluster_view.h"

#include <algorithm>
#include <future>
#include <set>
#include <utility>

#include "client/endpoint.h"

namespace quorate::cli {

namespace {

using client::MemberStatus;
using client::ServerStatus;

using Answers = std::vector<std::pair<std::string, Result<ServerStatus>>>;

Answers ask_all(const CommandClient& client, const std::set<std::string>& addresses) {
  std::vector<std::pair<std::string, std::future<Result<ServerStatus>>>> asked;
  for (const std::string& address : addresses)
    asked.emplace_back(
        address, std::async(std::launch::async, [&client, address] { return client->status(address); }));
  Answers answers;
  for (auto& [address, answer] : asked) answers.emplace_back(address, answer.get());
  return answers;
}

void take(ClusterView& view, const Answers& answers) {
  for (const auto& [address, answer] : answers) {
    if (!answer.ok()) {
      view.unknown[address] = answer.error().message;
      continue;
    }
    ServerView& server = view.servers[answer->id];
    if (server.address.empty()) server.address = address;
    server.status = *answer;
  }
  for (const auto& [address, answer] : answers) {
    if (!answer.ok()) continue;
    for (const MemberStatus& member : answer->members) {
      ServerView& server = view.servers[member.id];
      server.learner = member.learner;
      if (!member.client_address.empty()) server.address = member.client_address;
    }
  }
  // An address that did not answer may turn out to be a member's.
  for (auto& [id, server] : view.servers) {
    const auto it = view.unknown.find(server.address);
    if (it == view.unknown.end()) continue;
    if (!server.status) server.problem = it->second;
    view.unknown.erase(it);
  }
}

}  // namespace

std::string role_text(const ServerView& server) {
  if (!server.status) return "unreachable";
  if (!server.status->may_vote && !server.learner) return "recovering";
  if (server.status->receiving) return "receiving";
  if (server.status->stuck) return "stuck";
  switch (server.status->role) {
    case client::Role::kLeader:
      return "leader";
    case client::Role::kCandidate:
    case client::Role::kPreCandidate:
      return "candidate";
    case client::Role::kFollower:
      return server.learner ? "learner" : "follower";
  }
  return "unknown";
}

void find_leader(ClusterView& view) {
  view.voters = view.reachable_voters = 0;
  view.leader.reset();
  std::map<std::pair<Term, ServerId>, size_t> followers;
  for (const auto& [id, server] : view.servers) {
    if (server.learner) continue;
    ++view.voters;
    if (!server.status) continue;
    if (server.status->may_vote) ++view.reachable_voters;
    if (server.status->leader != ServerId()) ++followers[{server.status->term, server.status->leader}];
  }
  for (const auto& [candidate, count] : followers) {
    const auto it = view.servers.find(candidate.second);
    if (count * 2 <= view.voters || it == view.servers.end() || !it->second.status) continue;
    if (it->second.status->role == client::Role::kLeader && it->second.status->term == candidate.first)
      view.leader = candidate.second;
  }
}

Status validate_endpoints(const Globals& globals) {
  for (const std::string& endpoint : globals.endpoints) {
    const auto place = client::parse_endpoint(endpoint);
    if (place.ok()) continue;
    const bool bare = std::count(endpoint.begin(), endpoint.end(), ':') > 1 && !endpoint.starts_with('[');
    return Error{place.code(),
                 place.error().message + (bare ? " (an IPv6 address stands in brackets: [::1]:2181)" : "")};
  }
  return {};
}

ClusterView look_at_cluster(const Globals& globals, const CommandClient& client) {
  ClusterView view;
  std::set<std::string> asked(globals.endpoints.begin(), globals.endpoints.end());
  take(view, ask_all(client, asked));
  // Each server knows the addresses that it has heard of: what a new one tells may lead to another.
  while (true) {
    std::set<std::string> next;
    for (const auto& [id, server] : view.servers)
      if (!server.status && !server.address.empty() && asked.insert(server.address).second)
        next.insert(server.address);
    if (next.empty()) break;
    take(view, ask_all(client, next));
  }
  for (auto& [id, server] : view.servers) {
    if (!server.status && server.problem.empty())
      server.problem = "its address is not known to the servers that answer";
    if (server.status && server.status->disk_full)
      server.problem = "its disk is full: what it cannot write waits until there is room";
  }
  find_leader(view);
  return view;
}

}  // namespace quorate::cli
