// The state as one session may see it: every read that is served to a client goes through here, so that none
// can forget to ask. Reads of StateMachine itself are for what decides, not for what answers.
//
// | read                        | needs                                                              |
// |-----------------------------|--------------------------------------------------------------------|
// | get, children, first_queued, holders | kRead on the node                                         |
// | holds                       | kRead on the lock, which is the node's parent                      |
// | stat ("exists")             | nothing, as in ZooKeeper up to 3.8.3: Curator's recipes need it so |
// | acl                         | kRead or kAdmin; digests are hidden without kAdmin                 |
// | queues                      | kRead on each; others are left out                                 |
// | quota, a path asked for     | kRead on the path, or on the deepest node on the way to it         |
// | a change, for watches       | kRead on the node, as it was; for children: on the parent          |
// | a past change               | the same, and kRead on what is there by now: the node, the parent  |
// | whose a place was that left | what a past change of the node needs                               |
//
// Thread safety: none; it lives as long as the state and the credentials, and until the next apply.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "kv/state_machine.h"

namespace quorate::kv {

// Whether a change may be told to somebody; `acl` as Change has it.
bool may_see(const std::shared_ptr<const Acl>& acl, const Credentials& credentials);

class View {
 public:
  // How many nodes and changes are gone through for the answers is added to *looked_at, told or not.
  View(const StateMachine& state, const Credentials& credentials, size_t* looked_at = nullptr)
      : state_(state), credentials_(credentials), looked_at_(looked_at) {}
  // As nobody is denied anything: for the cluster's own use and for tests.
  static View everything(const StateMachine& state, size_t* looked_at = nullptr);

  // Errors of all: those of the StateMachine's reads, and kDenied.
  Result<NodeView> get(std::string_view path) const;
  Result<Stat> stat(std::string_view path) const;
  Result<std::vector<Child>> children(std::string_view path) const;
  Result<ChildPage> children_page(std::string_view path, const ChildPageOptions& options) const;
  // What a feed of `root` would have told (not recursive: `root` itself, and its children made and deleted).
  // Changes that may not be seen are left out: those that might not be seen then, by the lists that the
  // history kept, and those of nodes that may not be read by now (of what is gone, the deepest node on the
  // way to it); whether a child came or went is for who may read its parent, as in a list of children.
  Result<StateMachine::PastChanges> changes_since(std::string_view root, Zxid since, size_t max_changes,
                                                  bool recursive = true) const;
  // Of one of the StateMachine's past changes, by the same rules: what happened to its node may be told, and
  // that a child of its parent came or went.
  bool may_tell(const StateMachine::PastChange& change) const;
  bool may_tell_of_child(const StateMachine::PastChange& change) const;
  // Nothing where nobody queues.
  Result<std::optional<Child>> first_queued(std::string_view path) const;
  // Nothing where nobody holds.
  Result<std::vector<Child>> holders(std::string_view path) const;
  Result<bool> holds(std::string_view node) const;
  // By path, those behind `after`.
  std::vector<std::string> queues(std::string_view root, size_t max, std::string_view after = {}) const;
  struct AclView {
    Acl acl;
    Stat stat;
  };
  Result<AclView> acl(std::string_view path) const;
  // kNoNode where there is no quota.
  Result<Quota> quota(std::string_view path) const;

  // Whether what is or was at a path may be known. Costs few look-ups, however long the path and whatever is
  // there; they are added to *looked_at, too. Errors: kDenied unless the node, or the deepest on the way to
  // it, may be read; kBadPath.
  Status nearest_readable(std::string_view path) const;

  const Credentials& credentials() const { return credentials_; }
  Zxid zxid() const { return state_.zxid(); }

 private:
  bool contains(std::string_view path) const;
  // REQUIRES: a valid path.
  std::string_view deepest(std::string_view path) const;
  void looked_at(size_t count) const {
    if (looked_at_ != nullptr) *looked_at_ += count;
  }

  const StateMachine& state_;
  const Credentials& credentials_;
  size_t* looked_at_;
};

}  // namespace quorate::kv
