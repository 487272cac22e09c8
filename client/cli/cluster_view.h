// What the servers of a cluster say of themselves and of each other, asked one by one, and what follows from
// it.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "client/cli/command.h"

namespace quorate::cli {

struct ServerView {
  std::string address;  // its client address, as far as it is known
  bool learner = false;
  std::optional<client::ServerStatus> status;
  std::string problem;  // why there is no status, or what is wrong with the server
};

struct ClusterView {
  std::map<ServerId, ServerView> servers;
  // Endpoints that did not answer and belong to no known server.
  std::map<std::string, std::string> unknown;
  // The server that says it leads and whom a majority of the voters, itself included, takes for the leader in
  // its term.
  std::optional<ServerId> leader;
  size_t voters = 0, reachable_voters = 0;  // reachable: and may vote

  const client::ServerStatus* leader_status() const {
    return leader ? &*servers.at(*leader).status : nullptr;
  }
  bool nobody_answered() const { return reachable_voters == 0 && servers.empty(); }
};

// Of the endpoints: one that is none would only seem not to answer. Errors: kInvalidArgument.
Status validate_endpoints(const Globals& globals);

// Asks the endpoints, learns the members' addresses from the answers, and asks those too; all at once in each
// round.
ClusterView look_at_cluster(const Globals& globals, const CommandClient& client);

// Pure: "leader", "follower", "unreachable", ...
std::string role_text(const ServerView& server);
// Pure: fills in what follows from the answers.
void find_leader(ClusterView& view);

}  // namespace quorate::cli
