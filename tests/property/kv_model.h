// The state machine written a second time, as plainly as can be: one map of nodes that is searched from end
// to end for every question, one map of sessions. Slow, and easy to believe. It knows no messages and no
// limit in bytes.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "kv/state_machine.h"

namespace quorate::kv {

class Model {
 public:
  explicit Model(const Limits& limits) : limits_(limits) {}

  // What apply() should say, without messages. `actual` is what it said: only the digits of a kazoo name are
  // taken from there.
  Applied apply(const Command& command, const Stamp& stamp, const Applied& actual);

  struct Node {
    std::string data;
    bool null_data = false;
    Stat stat;
    bool sequential = false;
    NodeKind kind = NodeKind::kPersistent;
    int64_t ttl_ms = 0;
    int64_t touched_ms = 0;  // cluster time of the creation or the last set
    Acl acl;                 // empty: open to all
    uint64_t creates = 0;
    uint64_t order = 0;  // of creation, over all nodes
  };
  struct Session {
    uint32_t epoch = 1;
    uint32_t timeout_ms = 0;
    SessionPassword password{};
    Origin origin;
    Zxid attached_at;
    uint64_t attempt = 0;
    uint64_t floor = 1;
    uint64_t next = 1;
    std::map<uint64_t, Outcome> results;
    Credentials credentials;
  };

  const std::map<std::string, Node>& nodes() const { return nodes_; }
  const std::map<SessionId, Session>& sessions() const { return sessions_; }
  const std::map<std::string, QuotaLimits>& quotas() const { return quotas_; }
  std::vector<std::string> children(const std::string& path) const;  // their paths, in the order of creation
  std::vector<std::string> owned(SessionId session) const;
  std::vector<std::string> queue(const std::string& path) const;
  // The places that are kept for expired holders, and those of the queue that hold.
  std::vector<std::string> kept(const std::string& path) const;
  std::vector<std::string> holders(const std::string& path) const;
  // What may be reaped at that cluster time.
  bool due(const std::string& path, int64_t cluster_ms) const;

 private:
  Outcome open(const OpenSession& open, Applied& out);
  Outcome attach(const AttachSession& attach, Applied& out);
  SessionOutcome request(const SessionRequest& request, Applied& out);
  Outcome attached(const SessionId& id) const;
  void forget_origin(const Origin& origin);
  void end(SessionId id, bool expired, Applied& out);

  Outcome operate(SessionId session, const CreateOp& op, Applied& out);
  Outcome operate(SessionId session, const SetOp& op, Applied& out);
  Outcome operate(SessionId session, const DeleteOp& op, Applied& out);
  Outcome operate(SessionId session, const AcquireOp& op, Applied& out);
  Outcome operate(SessionId session, const AcquireManyOp& op, Applied& out);
  Outcome operate(SessionId session, const ReleaseOp& op, Applied& out);
  Outcome operate(SessionId session, const UpgradeOp& op, Applied& out);
  Outcome operate(SessionId session, const DowngradeOp& op, Applied& out);
  Outcome operate(SessionId session, const BreakOp& op, Applied& out);
  Outcome operate(SessionId session, const CloseSessionOp& op, Applied& out);
  Outcome operate(SessionId session, const SetAclOp& op, Applied& out);
  Outcome operate(SessionId session, const SetQuotaOp& op, Applied& out);
  Outcome operate(SessionId session, const AddCredentialOp& op, Applied& out);
  Outcome operate(SessionId session, const MultiOp& op, Applied& out);
  Outcome operate(SessionId session, const CheckOp& op, Applied& out);
  Outcome operate(SessionId session, const CheckAbsentOp& op, Applied& out);
  Outcome operate(SessionId session, const CheckHeldOp& op, Applied& out);
  void reap(const ReapNodes& nodes, Applied& out);

  Outcome outcome(ErrorCode code = ErrorCode::kOk) const;
  Node& make(const std::string& path, const std::string& data, SessionId owner, bool sequential,
             Applied& out);
  void make_parents(const std::string& path, const Acl& acl, Applied& out);
  void erase(const std::string& path, Applied& out);
  bool queued(const std::string& path) const;
  bool holds(const std::string& node) const;
  PlaceMode mode(const std::string& node) const;
  std::string place_name(const std::string& path, bool kazoo) const;
  // Who may, by the list of the node or, where there is none, of the deepest node on the way to it.
  bool may(SessionId session, std::string path, uint32_t permission) const;
  // Whether the quotas let so much be added at the path; missing nodes on the way to it count as made.
  bool fits(const std::string& path, size_t bytes) const;

  Limits limits_;
  std::map<std::string, Node> nodes_{{"/", Node{}}};
  std::map<SessionId, Session> sessions_;
  std::map<std::string, QuotaLimits> quotas_;
  Zxid zxid_;
  int64_t wall_ms_ = 0;
  int64_t cluster_ms_ = 0;
  uint64_t order_ = 0;
  std::string kazoo_digits_;
};

}  // namespace quorate::kv
