// One operation under way: what operations.cc (single ones), locking.cc (queues), deletion.cc (whole
// subtrees) and multi.cc share.
// Not for others to include.
//
// An operation that refuses has changed nothing: every rule is asked before the first change.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "kv/operations.h"

namespace quorate::kv {

class Execution {
 public:
  explicit Execution(const Context& context)
      : tree_(context.tree),
        limits_(context.limits),
        session_(context.session),
        cause_(context.cause),
        credentials_(context.credentials),
        changes_(context.changes),
        quota_warnings_(context.quota_warnings) {
    outcome_.zxid = cause_.zxid;
  }

  // One of each kind but a close and a multi.
  Outcome run(const OperationView& op);
  Outcome refuse(ErrorCode code, std::string message);
  void erase(const Place& place);
  // As erase(), of what an expired session owned.
  void expire(const Place& place);

 private:
  Outcome create(const OperationView& op);
  Outcome set(const OperationView& op);
  Outcome set_acl(const OperationView& op);
  Outcome remove(const OperationView& op);
  Outcome remove_all(const Place& place);
  Outcome acquire(const OperationView& op);
  Outcome release(const OperationView& op);
  Outcome upgrade(const OperationView& op);
  Outcome downgrade(const OperationView& op);
  Outcome break_lock(const OperationView& op);
  Outcome set_quota(const OperationView& op);
  Outcome check(const OperationView& op);
  Outcome check_absent(const OperationView& op);
  Outcome check_held(const OperationView& op);

  // Who may: asked once for each node that an operation touches, and nowhere else.
  Status allowed(Ref ref, Permission permission) const;

  Place deepest(std::string_view path) const;
  Place make(const Place& parent, std::string_view path, const NewNode& made);
  // `acl` lends its reference: each node takes one of its own.
  Place make_parents(Place from, std::string_view path, uint32_t acl);
  // Whether what is missing from below `from` down to `path`, and one node below it, may be made, all with
  // that list. Errors: kTooManyNodes, if with missing ones the entry changes more than
  // Limits::made_nodes_max, or makes more than Limits::made_bytes_max.
  Status may_make(const Place& from, std::string_view path, uint32_t acl) const;
  // Whether the entry may make so many bytes more. `path` is for the message.
  Status may_make_bytes(size_t bytes, std::string_view path) const;
  // A list as it is stored. Errors: kInvalidAcl ("auth" of nobody).
  Result<Acl> expanded(const Acl& acl) const;
  // The id of a list, with a reference.
  uint32_t acl_of(const Acl& acl);
  uint32_t again(uint32_t acl) {
    tree_.acls().retain(acl);
    return acl;
  }
  void note(Change::Kind kind, const Place& place);
  // Whose the place in a lock's queue is that goes now; null of what is none.
  std::shared_ptr<const LeftPlace> left_place(Ref ref) const;
  Outcome refuse(const Error& error) { return refuse(error.code, error.message); }
  Outcome refuse(const Status& status) { return refuse(status.code(), status.error().message); }
  Outcome refuse_missing(std::string_view path, std::string_view advice);
  Outcome refuse_version(const Place& place, int32_t actual, int32_t version);
  Outcome refuse_sequence(std::string_view parent);
  bool forges_place(Ref ref, std::string_view data) const;
  std::string queue_refusal(Ref lock, const PlaceMode& wanted) const;
  // Who holds, for people: "session 0x1f holds it with token 9".
  std::string holder_text(Ref lock) const;
  // Errors: kNoNode, kNotHolder unless it is this session's place in a queue.
  Result<Place> own_place(std::string_view node);
  std::string kazoo_name() const;

  Tree& tree_;
  const Limits& limits_;
  const SessionId session_;
  const Tree::Cause cause_;
  const Credentials& credentials_;
  std::vector<Change>& changes_;
  std::vector<std::string>& quota_warnings_;
  Outcome outcome_;
};

}  // namespace quorate::kv
