#include "tests/raft/describe.h"

#include <sstream>

namespace quorate::raft::testing {
namespace {

struct Describer {
  std::ostream& out;

  void operator()(const VoteRequest& m) {
    out << (m.pre ? "would you vote" : "vote") << " for a log that ends at " << m.last_index << "^"
        << m.last_term;
    if (m.transfer) out << ", told to stand";
  }
  void operator()(const VoteResponse& m) {
    out << (m.pre ? (m.granted ? "would vote" : "would not vote") : (m.granted ? "voted" : "did not vote"));
  }
  void operator()(const AppendRequest& m) {
    out << "append after " << m.prev_index << "^" << m.prev_term << ":";
    if (m.entries.empty()) out << " nothing";
    for (const Entry& entry : m.entries) out << " " << entry.index << "^" << entry.term;
    out << ", commit " << m.commit << ", round " << m.round;
  }
  void operator()(const AppendResponse& m) {
    if (m.success) {
      out << "holds all up to " << m.match;
    } else {
      out << "has not " << m.rejected_prev << ", perhaps " << m.hint_index << "^" << m.hint_term;
    }
    out << ", round " << m.round;
  }
  void operator()(const Heartbeat& m) { out << "heartbeat, commit " << m.commit << ", round " << m.round; }
  void operator()(const HeartbeatResponse& m) { out << "heard, round " << m.round; }
  void operator()(const SnapshotRequest& m) {
    out << "needs the snapshot " << m.last_index << "^" << m.last_term;
  }
  void operator()(const SnapshotResponse& m) { out << "has all up to " << m.last_index; }
  void operator()(const TimeoutNow&) { out << "stand now"; }
};

}  // namespace

std::string describe(const Body& body) {
  std::ostringstream out;
  std::visit(Describer{out}, body);
  return out.str();
}

std::string describe(const Message& message) {
  std::ostringstream out;
  out << message.from << "->" << message.to << " term " << message.term << ": " << describe(message.body);
  if (!message.counts) out << " (not to be counted)";
  if (message.declines) out << " (not to be handed leadership)";
  return out.str();
}

std::string describe(const RoleChange& change) {
  std::ostringstream out;
  out << role_name(change.role);
  if (change.role == RoleName::kFollower && change.leader != ServerId{}) out << " of " << change.leader;
  out << " in term " << change.term << ": " << change.reason;
  return out.str();
}

}  // namespace quorate::raft::testing
