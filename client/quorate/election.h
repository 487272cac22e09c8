// One of several candidates leads, and everybody can see who and with which value (an address, for example).
//
//   Election election(client, "/services/planner/leader");
//   Result<Leadership> leading = election.campaign("10.0.0.7:9000");    // waits until it leads
//   if (leading.ok()) lead(leading->token(), leading->stop_token());
//
// A candidacy is a place in the queue of an exclusive lock (client/quorate/lock.h): leadership is handed on
// in the order of arrival, has a fencing token, and is known to be lost before anybody else can have it. The
// value is the data of the place, so that it is seen in the instant in which the candidate leads.
//
// Thread safety: all members. An Election must not outlive its Client.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "client/quorate/client.h"

namespace quorate::client {

struct Candidate {
  std::string value;
  Token token;  // a later leader has a higher one
  SessionId session;
  std::string node;
  bool leads = false;

  friend bool operator==(const Candidate&, const Candidate&) = default;
};

// Leads until it is given up (release(), or the end of the guard) or lost.
class Leadership : public Lock {
 public:
  // Changes the value, if it still leads. Errors: kNotHolder, those of writes.
  Status proclaim(std::string_view value);

 private:
  friend class Election;
  Leadership(Client& client, Lock lock) : Lock(std::move(lock)), client_(&client) {}
  Client* client_;
};

class Election {
 public:
  Election(Client& client, std::string path) : client_(client), path_(std::move(path)) {}

  // Stands, and waits until it leads. Errors: those of Client::acquire(); kInvalidArgument for a value that
  // begins with "quorate:".
  Result<Leadership> campaign(std::string_view value, std::optional<milliseconds> wait = {});
  // None: nobody leads.
  Result<std::optional<Candidate>> leader();
  // The leader first, if there is one, then those that wait in their order. (There is none while the place of
  // one whose session expired is kept: AcquireOptions::delay.)
  Result<std::vector<Candidate>> candidates();
  // Waits until the leader is another than `known` (none: nobody led), or has another value. Leaders that
  // came and went meanwhile are passed over. Errors: kTimeout.
  Result<std::optional<Candidate>> next_leader(const std::optional<Candidate>& known,
                                               std::optional<milliseconds> wait = {});

 private:
  Client& client_;
  const std::string path_;
};

}  // namespace quorate::client
