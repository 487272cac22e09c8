#include "lock/service.h"

#include <unordered_map>
#include <utility>

#include "kv/path.h"
#include "kv/queue.h"

namespace quorate::lock {
namespace {

Token token_of(Zxid czxid) { return Token(czxid.value()); }

// A place in a queue: one entry may make several.
using Made = std::pair<Zxid, uint32_t>;

// The earliest place of a queue that an entry removed.
struct Freed {
  std::string_view path;
  Made made;
};

std::vector<Freed> freed_queues(const kv::Applied& applied) {
  std::vector<Freed> freed;
  std::unordered_map<std::string_view, size_t> known;
  for (const kv::Change& change : applied.changes) {
    const bool left_a_queue =
        change.kind == kv::Change::Kind::kDeleted && change.sequential && change.owner.value() != 0;
    if (!left_a_queue) continue;
    const std::string_view path = kv::parent_of(change.path);
    const auto [at, first_time] = known.try_emplace(path, freed.size());
    const Made made(change.czxid, change.order);
    if (first_time) {
      freed.push_back({path, made});
    } else if (made < freed[at->second].made) {
      freed[at->second].made = made;
    }
  }
  return freed;
}

Contender contender(const kv::View& state, std::string_view path, const kv::Child& child) {
  Contender contender;
  contender.node = kv::join_path(path, child.name);
  contender.session = child.owner;
  contender.token = token_of(child.czxid);
  // Its place in the queue is the lock's to show, what it says of itself its own.
  if (const Result<kv::NodeView> node = state.get(contender.node); node.ok()) contender.data = node->data;
  contender.since_ms = state.stat(contender.node)->ctime_ms;
  return contender;
}

size_t bytes_of(const Contender& contender) {
  return kViewPartBytes + contender.node.size() + contender.data.size();
}

}  // namespace

std::vector<Grant> grants(const kv::StateMachine& state, const kv::Applied& applied) {
  std::vector<Grant> grants;
  for (const Freed& freed : freed_queues(applied)) {
    const std::optional<kv::Child> first = state.first_queued(freed.path);
    // One that stands before all that left held already; one that this entry made has its answer there.
    if (!first.has_value() || Made(first->czxid, first->order) < freed.made) continue;
    if (first->czxid == applied.zxid) continue;
    grants.push_back(
        {first->owner, kv::join_path(freed.path, first->name), token_of(first->czxid), applied.zxid});
  }
  return grants;
}

Result<Place> place_of(const kv::View& state, std::string_view node) {
  const Result<kv::NodeView> view = state.get(node);
  if (!view.ok()) return view.error();
  if (!view->sequential || view->stat.ephemeral_owner.value() == 0) {
    return {ErrorCode::kBadQueue,
            "this node is no place in a lock's queue; name the node that an acquire made"};
  }
  const Result<std::optional<kv::Child>> first = state.first_queued(kv::parent_of(node));
  if (!first.ok()) return first.error();
  return Place{first->has_value() && (*first)->name == kv::name_of(node), token_of(view->stat.czxid)};
}

size_t bytes_of(const LockView& view) {
  size_t bytes = kViewPartBytes + view.path.size();
  if (view.holder) bytes += bytes_of(*view.holder);
  for (const Contender& waiter : view.waiters) bytes += bytes_of(waiter);
  return bytes;
}

Result<LockView> show(const kv::View& state, std::string_view path, size_t bytes_max) {
  const Result<std::vector<kv::Child>> children = state.children(path);
  if (!children.ok()) return children.error();
  const kv::QueueView queue = kv::queue_of(*children);
  LockView view;
  view.path = path;
  view.mixed = queue.dialect == kv::Dialect::kMixed;
  view.zxid = state.zxid();
  size_t bytes = bytes_of(view);
  for (const kv::Child& child : queue.queue) {
    Contender one = contender(state, path, child);
    bytes += bytes_of(one);
    if (!view.holder.has_value()) {
      view.holder = std::move(one);
    } else if (bytes <= bytes_max) {
      view.waiters.push_back(std::move(one));
    } else {
      break;
    }
  }
  const size_t told = (view.holder ? 1 : 0) + view.waiters.size();
  view.more = queue.queue.size() - told;
  return view;
}

LockPage list(const kv::View& state, std::string_view root, const ListOptions& options) {
  LockPage page;
  size_t bytes = 0;
  // One more than asked for shows whether there is a next page.
  const size_t wanted = options.max == SIZE_MAX ? options.max : options.max + 1;
  for (const std::string& path : state.queues(root, wanted, options.after)) {
    const bool first = page.locks.empty();
    std::optional<LockView> view;
    if (page.locks.size() < options.max || first) {
      view = show(state, path, first ? options.bytes_max : SIZE_MAX).value();
      bytes += bytes_of(*view);
    }
    if (!view || (!first && bytes > options.bytes_max)) {
      page.next = page.locks.back().path;
      break;
    }
    page.locks.push_back(std::move(*view));
  }
  return page;
}

}  // namespace quorate::lock
