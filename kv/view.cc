#include "kv/view.h"

#include <algorithm>

#include "kv/path.h"
#include "kv/text.h"
#include "kv/watch_table.h"

namespace quorate::kv {
namespace {

// A node that is looked for costs as one that is gone through, and as one more for so much of its path.
constexpr size_t kPathBytesAsOne = 32;

}  // namespace

bool may_see(const std::shared_ptr<const Acl>& acl, const Credentials& credentials) {
  return acl == nullptr || permits(*acl, credentials, kRead);
}

View View::everything(const StateMachine& state, size_t* looked_at) {
  static const Credentials kSuper = {{std::string(kSuperScheme), {}}};
  return {state, kSuper, looked_at};
}

Result<NodeView> View::get(std::string_view path) const {
  Result<NodeView> node = state_.get(path);
  if (node.ok() && node->acl != nullptr && !permits(*node->acl, credentials_, kRead))
    return denied(path, kRead);
  return node;
}

Result<Stat> View::stat(std::string_view path) const {
  const Result<NodeView> node = state_.get(path);
  if (!node.ok()) return node.error();
  return node->stat;
}

Result<std::vector<Child>> View::children(std::string_view path) const {
  if (const auto node = get(path); !node.ok()) return node.error();
  auto children = state_.children(path);
  if (children.ok()) looked_at(children->size());
  return children;
}

Result<ChildPage> View::children_page(std::string_view path, const ChildPageOptions& options) const {
  if (const auto node = get(path); !node.ok()) return node.error();
  auto page = state_.children_page(path, options);
  if (page.ok()) looked_at(page->looked_at);
  return page;
}

Result<std::optional<Child>> View::first_queued(std::string_view path) const {
  if (const auto node = get(path); !node.ok()) return node.error();
  return state_.first_queued(path);
}

Result<std::vector<Child>> View::holders(std::string_view path) const {
  if (const auto node = get(path); !node.ok()) return node.error();
  auto holders = state_.holders(path);
  looked_at(holders.size());
  return holders;
}

Result<bool> View::holds(std::string_view node) const {
  if (const auto place = get(parent_of(node)); !place.ok()) return place.error();
  return state_.holds(node, looked_at_);
}

std::vector<std::string> View::queues(std::string_view root, size_t max, std::string_view after) const {
  looked_at(state_.queue_count());
  return state_.queues(root, max, after, [this](const Acl* acl) {
    return acl == nullptr || permits(*acl, credentials_, kRead);
  });
}

Result<View::AclView> View::acl(std::string_view path) const {
  const Result<NodeView> node = state_.get(path);
  if (!node.ok()) return node.error();
  const Acl& acl = node->acl == nullptr ? open_acl() : *node->acl;
  if (permits(acl, credentials_, kAdmin)) return AclView{acl, node->stat};
  if (permits(acl, credentials_, kRead)) return AclView{without_secrets(acl), node->stat};
  return denied(path, kRead);
}

bool View::contains(std::string_view path) const {
  looked_at(1 + path.size() / kPathBytesAsOne);
  return state_.contains(path);
}

// What is there of a path is a beginning of it. Looked for from the top downwards in growing steps, so that
// two thousand names of which none is there cost one look-up, and others some for each doubling of what is.
std::string_view View::deepest(std::string_view path) const {
  if (contains(path)) return path;
  std::vector<size_t> ends;  // of the first name, of the first two, and so on
  for (size_t slash = path.find('/', 1); slash != std::string_view::npos; slash = path.find('/', slash + 1))
    ends.push_back(slash);
  size_t there = 0, unknown = ends.size();  // so many names are there; above these, at most so many more
  for (size_t step = 1; unknown > 0; step *= 2) {
    const size_t names = there + std::min(step, (unknown + 1) / 2);
    if (contains(path.substr(0, ends[names - 1]))) {
      unknown -= names - there;
      there = names;
    } else {
      unknown = names - there - 1;
    }
  }
  return there == 0 ? path.substr(0, 1) : path.substr(0, ends[there - 1]);
}

Status View::nearest_readable(std::string_view path) const {
  if (Status valid = validate_path(path); !valid.ok()) return valid;
  if (const Result<NodeView> node = get(deepest(path)); !node.ok()) return node.error();
  return {};
}

bool View::may_tell(const StateMachine::PastChange& change) const {
  return may_see(change.acl, credentials_) && nearest_readable(change.path).ok();
}

bool View::may_tell_of_child(const StateMachine::PastChange& change) const {
  return may_see(change.parent_acl, credentials_) && nearest_readable(parent_of(change.path)).ok();
}

Result<StateMachine::PastChanges> View::changes_since(std::string_view root, Zxid since, size_t max_changes,
                                                      bool recursive) const {
  Result<StateMachine::PastChanges> past = state_.changes_since(root, since, max_changes);
  if (!past.ok()) return past;
  looked_at(past->looked_at);
  const WatchKind kind = recursive ? WatchKind::kTreeFeed : WatchKind::kNodeFeed;
  std::erase_if(past->changes, [&](const StateMachine::PastChange& change) {
    if (!feed_sees(kind, root, change.kind, change.path)) return true;
    const bool of_a_child = !recursive && change.path != root;
    return !(of_a_child ? may_tell_of_child(change) : may_tell(change));
  });
  // That a child went is its parent's to tell, whose it was is not.
  for (StateMachine::PastChange& change : past->changes)
    if (!may_see(change.acl, credentials_)) change.left = nullptr;
  return past;
}

Result<Quota> View::quota(std::string_view path) const {
  if (Status status = nearest_readable(path); !status.ok()) return status.error();
  const std::optional<Quota> quota = state_.quota(path);
  if (!quota) return {ErrorCode::kNoNode, "there is no quota at " + shown(path)};
  return *quota;
}

}  // namespace quorate::kv
