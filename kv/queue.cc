#include "kv/queue.h"

#include <algorithm>

namespace quorate::kv {

Dialect dialect_of(std::string_view name) {
  const size_t last = name.find_last_not_of("0123456789");
  // A name that is digits alone, or has none at its end, comes from no lock recipe we know.
  if (last == std::string_view::npos || last + 1 == name.size()) return Dialect::kMixed;
  const std::string_view stem = name.substr(0, last + 1);
  if (stem.ends_with("__lock__")) return Dialect::kKazoo;
  if (stem.ends_with("lock-")) return Dialect::kLock;
  return Dialect::kMixed;
}

QueueView queue_of(std::span<const Child> children) {
  QueueView view;
  for (const Child& child : children) {
    const bool queued = child.sequential && child.owner.value() != 0;
    (queued ? view.queue : child.place.gone ? view.gone : view.strangers).push_back(child);
    if (!queued) continue;
    const Dialect dialect = dialect_of(child.name);
    view.dialect = view.dialect == Dialect::kEmpty || view.dialect == dialect ? dialect : Dialect::kMixed;
  }
  // Stable: those of one entry stay in the order in which it made them.
  std::stable_sort(view.queue.begin(), view.queue.end(),
                   [](const Child& a, const Child& b) { return a.czxid < b.czxid; });
  Holders holders;
  for (const Child& child : view.gone) holders.next(child.place);
  for (const Child& child : view.queue) {
    if (!holders.next(child.place)) break;
    ++view.holders;
  }
  return view;
}

}  // namespace quorate::kv
