#include <utility>

#include "kv/path.h"
#include "kv/tree.h"

namespace quorate::kv {

// The first child made after the cursor's; those that were walked past are added to `looked_at`.
Ref Tree::child_behind(Ref parent, const ChildCursor& cursor, size_t& looked_at) const {
  const Ref known = find(join_path(path(parent), cursor.name)).ref;
  if (known != kNone && nodes_[known].parent == parent && nodes_[known].czxid == cursor.czxid &&
      nodes_[known].order == cursor.order) {
    return nodes_[known].next;
  }
  // It was deleted. A queue loses its oldest first, so the place is near the beginning, if anywhere.
  const std::pair behind(cursor.czxid, cursor.order);
  const auto made = [this](Ref child) { return std::pair(nodes_[child].czxid, nodes_[child].order); };
  // From both ends, so that a list that grew since costs as little.
  Ref front = parent_part(parent).first_child;
  Ref back = parent_part(parent).last_child;
  if (back == kNone || made(back) <= behind) return kNone;
  while (made(front) <= behind) {
    looked_at += 2;
    const Ref before = nodes_[back].prev;
    if (made(before) <= behind) return back;
    front = nodes_[front].next;
    back = before;
  }
  return front;
}

ChildPage Tree::children_page(Ref ref, const ChildPageOptions& options) const {
  ChildPage page;
  Ref at = options.after ? child_behind(ref, *options.after, page.looked_at) : parent_part(ref).first_child;
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
  page.looked_at += looked_at;
  if (at != kNone) page.next = {nodes_[last].czxid, nodes_[last].order, std::string(nodes_[last].name())};
  return page;
}

}  // namespace quorate::kv
