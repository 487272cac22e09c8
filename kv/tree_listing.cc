#include <utility>

#include "kv/path.h"
#include "kv/tree.h"

namespace quorate::kv {

// The first child made after the cursor's.
Ref Tree::child_behind(Ref parent, const ChildCursor& cursor) const {
  const Ref known = find(join_path(path(parent), cursor.name)).ref;
  if (known != kNone && nodes_[known].parent == parent && nodes_[known].czxid == cursor.czxid &&
      nodes_[known].order == cursor.order) {
    return nodes_[known].next;
  }
  // It was deleted. A queue loses its oldest first, so the place is near the beginning, if anywhere.
  const std::pair behind(cursor.czxid, cursor.order);
  Ref at = parent_part(parent).first_child;
  while (at != kNone && std::pair(nodes_[at].czxid, nodes_[at].order) <= behind) at = nodes_[at].next;
  return at;
}

ChildPage Tree::children_page(Ref ref, const ChildPageOptions& options) const {
  ChildPage page;
  Ref at = options.after ? child_behind(ref, *options.after) : parent_part(ref).first_child;
  size_t looked_at = 0;
  size_t bytes = 0;
  Ref last = kNone;
  while (at != kNone) {
    const Node& node = nodes_[at];
    const bool wanted = node.name().starts_with(options.prefix);
    const bool full = page.children.size() >= options.count_max || bytes + node.name_size > options.bytes_max;
    if (looked_at == kChildrenLookedAtMax || (looked_at > 0 && wanted && full)) break;
    if (wanted) {
      page.children.push_back(child(at));
      bytes += node.name_size;
    }
    ++looked_at;
    last = at;
    at = node.next;
  }
  if (at != kNone) page.next = {nodes_[last].czxid, nodes_[last].order, std::string(nodes_[last].name())};
  return page;
}

}  // namespace quorate::kv
