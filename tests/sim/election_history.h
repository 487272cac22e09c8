// Whether an election of the client library (client/quorate/election.h) has the leader that its candidates
// are told of: that of the places in its queue which was made first. That there is one at a time, by leases
// and by tokens, LockHistory says.
//
// Thread safety: none.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/ids.h"
#include "tests/sim/context.h"
#include "tests/sim/tree_past.h"

namespace quorate::sim {

class ElectionHistory {
 public:
  struct Candidate {
    std::string value;
    Token token;
    SessionId session;
    std::string node;

    friend bool operator==(const Candidate&, const Candidate&) = default;
  };

  ElectionHistory(const TreePast& past, std::string path) : past_(past), path_(std::move(path)) {}

  // Whoever asked at `from` is told that it leads, or is seen to.
  Verdict leads(Zxid from, SessionId session, const std::string& node, Token token) const;
  // Who leads; nothing: nobody.
  Verdict leader_is(Zxid from, const std::optional<Candidate>& told) const;
  // The leader and those that wait.
  Verdict candidates_are(Zxid from, const std::vector<Candidate>& told) const;
  // It was told that its value is another one now; or that it leads no more.
  Verdict proclaimed(Zxid from, const std::string& node, const std::string& value) const;
  Verdict not_leading(Zxid from, const std::string& node) const;
  // It was told that there was no leader but this one in time, though there may have been since `able`.
  Verdict gives_up(Zxid able, const std::optional<Candidate>& known) const;

 private:
  std::vector<Candidate> candidates(Zxid at) const;
  std::optional<Candidate> leader(Zxid at) const;

  const TreePast& past_;
  const std::string path_;
};

}  // namespace quorate::sim
