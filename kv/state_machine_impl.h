// What a StateMachine is made of, for the files that implement it:
//   state_machine.cc     commands and reads
//   state_checkpoint.cc  captures, loading, the history, the scrub
#pragma once

#include "kv/command_view.h"
#include "kv/history.h"
#include "kv/operations.h"
#include "kv/sessions.h"
#include "kv/state_machine.h"
#include "kv/tree.h"

namespace quorate::kv {

struct StateMachine::Impl {
  explicit Impl(const Limits& l)
      : limits(l), tree(l.hash_key), sessions(l), history(l.history_bytes_max, l.hash_key) {}

  void apply_command(const OpenSession& open, Applied& applied);
  void apply_command(const AttachSession& attach, Applied& applied);
  void apply_command(const ExpireSessions& expire, Applied& applied);
  void apply_command(const ReapNodes& nodes, Applied& applied);
  void apply_command(const RequestView& request, Applied& applied);
  void answer_attached(const Origin& origin, const Sessions::Attached& attached, Applied& applied);
  Outcome add_credential(Session& session, const OperationView& op);
  void end_session(SessionId id, bool expired, Applied& applied);

  Zxid zxid() const { return Zxid(index.value() + zxid_base); }
  Tree::Cause cause() const { return {zxid(), stamp.wall_ms, stamp.cluster_ms}; }
  Context context(SessionId session, const Credentials& credentials, Applied& applied) {
    return {tree, limits, session, cause(), credentials, applied.changes, applied.quota_warnings};
  }
  uint64_t hash() const { return tree.hash() + tree.quotas().hash() + sessions.hash(); }
  Result<Ref> find(std::string_view path) const;

  const Limits limits;
  const Credentials nobody;
  Tree tree;
  Sessions sessions;
  ChangeHistory history;
  Index index;
  uint64_t zxid_base = 0;
  Stamp stamp;

  // A capture is under way. These come first: the state's own record, and the quotas, which are few.
  bool capturing = false;
  RecordList capture_first;
};

}  // namespace quorate::kv
