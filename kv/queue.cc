#include "kv/queue.h"

#include <algorithm>

namespace quorate::kv {

namespace {

// The name without the digits at its end; "" of a name that is digits alone, or has none at its end.
std::string_view stem_of(std::string_view name) {
  const size_t last = name.find_last_not_of("0123456789");
  if (last == std::string_view::npos || last + 1 == name.size()) return {};
  return name.substr(0, last + 1);
}

}  // namespace

Dialect dialect_of(std::string_view name) {
  const std::string_view stem = stem_of(name);
  if (stem.ends_with("lock-")) return Dialect::kLock;
  if (stem.ends_with("__lock__") || stem.ends_with("__rlock__")) return Dialect::kKazoo;
  if (stem.ends_with("__READ__") || stem.ends_with("__WRIT__")) return Dialect::kCurator;
  return Dialect::kUnknown;
}

bool is_foreign_reader(std::string_view name) {
  const std::string_view stem = stem_of(name);
  return stem.ends_with("__rlock__") || stem.ends_with("__READ__");
}

QueueView queue_of(std::span<const Child> children) {
  QueueView view;
  for (const Child& child : children) {
    const bool queued = child.sequential && child.owner.value() != 0;
    (queued ? view.queue : child.place.gone ? view.gone : view.strangers).push_back(child);
    if (queued || child.place.gone) view.dialect = both(view.dialect, dialect_of(child.name));
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
