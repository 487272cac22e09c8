#include "lock/service.h"

#include <algorithm>
#include <map>
#include <utility>

#include "kv/path.h"
#include "kv/path_numbers.h"
#include "kv/queue.h"
#include "kv/text.h"

namespace quorate::lock {
namespace {

Token token_of(Zxid czxid) { return Token(czxid.value()); }

// A place in a queue: one entry may make several.
using Made = std::pair<Zxid, uint32_t>;

// A place that an entry took out of a queue, or made a shared one of an exclusive one.
struct Left {
  Made made;
  kv::PlaceMode place;
};
struct Queue {
  std::string_view path;
  std::vector<Left> left;
};

bool is_place(const kv::Change& change) { return change.sequential && change.owner.value() != 0; }

std::vector<Queue> left_queues(const kv::Applied& applied) {
  using Kind = kv::Change::Kind;
  std::vector<Queue> queues;
  kv::PathNumbers known;
  for (const kv::Change& change : applied.changes) {
    const bool downgraded = change.kind == Kind::kDataSet && change.place.mode == kv::Mode::kExclusive;
    const bool left =
        (change.kind == Kind::kDeleted || downgraded) && (is_place(change) || change.place.gone);
    const bool kept = change.kind == Kind::kCreated && change.place.gone;
    if (!left && !kept) continue;
    const std::string_view path = kv::parent_of(change.path);
    // Most entries change one thing, and then nothing has to be found.
    const size_t at = applied.changes.size() == 1 ? 0 : known.of(path).number;
    if (at == queues.size()) queues.push_back({path, {}});
    std::vector<Left>& places = queues[at].left;
    // What is kept for a holder takes its place: nothing was left.
    if (kept && !places.empty()) places.pop_back();
    if (left) places.push_back({change.place.gone ? Made() : Made(change.czxid, change.order), change.place});
  }
  return queues;
}

// What was left of one queue, so that asking about each of its holders does not look at all of it.
class LeftBehind {
 public:
  explicit LeftBehind(std::vector<Left> left) : left_(std::move(left)) {
    std::sort(left_.begin(), left_.end(), [](const Left& a, const Left& b) { return a.made < b.made; });
    const auto other = [this](const Left& each) { return each.place.mode != left_.front().place.mode; };
    other_ = static_cast<size_t>(std::find_if(left_.begin(), left_.end(), other) - left_.begin());
  }

  // Whether a place that holds, with so many before it, did so before these were left.
  bool held_before(const kv::Child& holder, size_t ahead) const {
    const Made made(holder.czxid, holder.order);
    const auto end =
        std::partition_point(left_.begin(), left_.end(), [&](const Left& each) { return each.made < made; });
    const auto count = static_cast<size_t>(end - left_.begin());
    // All before it are alike, and like it.
    if (count > 0 && (count > other_ || left_.front().place.mode != holder.place.mode)) return false;
    switch (holder.place.mode) {
      case kv::Mode::kExclusive:
        return count == 0;
      case kv::Mode::kShared:
        return true;
      case kv::Mode::kPermit:
        break;
    }
    return ahead + count < holder.place.permits;
  }

 private:
  std::vector<Left> left_;  // in the order in which they were made
  size_t other_ = 0;        // the first of another mode than the first; else how many there are
};

bool all_shared(const std::vector<Left>& left) {
  return std::all_of(left.begin(), left.end(),
                     [](const Left& each) { return each.place.mode == kv::Mode::kShared; });
}

Contender contender(const kv::View& state, std::string_view path, const kv::Child& child) {
  Contender contender;
  contender.node = kv::join_path(path, child.name);
  contender.session = child.owner;
  contender.token = token_of(child.czxid);
  // Its place in the queue is the lock's to show, what it says of itself its own.
  if (const Result<kv::NodeView> node = state.get(contender.node); node.ok())
    contender.data = kv::read_place(node->data).name;
  contender.mode = child.place;
  if (kv::is_foreign_reader(child.name)) contender.mode.mode = kv::Mode::kShared;
  contender.since_ms = state.stat(contender.node)->ctime_ms;
  return contender;
}

// Told the places of a queue from the first on: who believes to hold it, because each recipe looks at its own
// names alone.
class Believers {
 public:
  bool next(const kv::Child& child) {
    Of& its = of_[kv::dialect_of(child.name)];
    const bool first = its.count++ == 0;
    its.readers_alone = its.readers_alone && kv::is_foreign_reader(child.name);
    return first || its.readers_alone;
  }

 private:
  struct Of {
    size_t count = 0;
    bool readers_alone = true;
  };
  std::map<kv::Dialect, Of> of_;
};

size_t bytes_of(const Contender& contender) {
  return kViewPartBytes + contender.node.size() + contender.data.size();
}

}  // namespace

std::vector<Grant> grants(const kv::StateMachine& state, const kv::Applied& applied) {
  std::vector<Grant> grants;
  for (const Queue& queue : left_queues(applied)) {
    const std::optional<kv::Child> first = state.first_queued(queue.path);
    if (queue.left.empty() || !first) continue;
    // Readers that go let no other reader in.
    if (first->place.mode == kv::Mode::kShared && all_shared(queue.left)) continue;
    size_t ahead = state.kept_places(queue.path);
    const LeftBehind left(queue.left);
    for (const kv::Child& holder : state.holders(queue.path)) {
      // One that this entry made has its answer there.
      if (holder.czxid != applied.zxid && !left.held_before(holder, ahead)) {
        grants.push_back(
            {holder.owner, kv::join_path(queue.path, holder.name), token_of(holder.czxid), applied.zxid});
      }
      ++ahead;
    }
  }
  return grants;
}

std::vector<Loss> losses(const kv::Applied& applied) {
  std::vector<Loss> losses;
  const auto knows = [&](SessionId session) {
    const auto is_its = [&](const auto& each) { return each.session == session; };
    return std::any_of(applied.outcomes.begin(), applied.outcomes.end(), is_its) ||
           std::any_of(applied.sessions_ended.begin(), applied.sessions_ended.end(), is_its);
  };
  for (const kv::Change& change : applied.changes) {
    if (change.kind == kv::Change::Kind::kDeleted && is_place(change) && !knows(change.owner))
      losses.push_back({change.owner, change.path, applied.zxid});
  }
  return losses;
}

Result<Place> place_of(const kv::View& state, std::string_view node) {
  const Result<kv::NodeView> view = state.get(node);
  if (!view.ok()) return view.error();
  if (!view->sequential || view->stat.ephemeral_owner.value() == 0) {
    return {ErrorCode::kBadQueue,
            "this node is no place in a lock's queue; name the node that an acquire made"};
  }
  const Result<bool> holds = state.holds(node);
  if (!holds.ok()) return holds.error();
  return Place{*holds, token_of(view->stat.czxid)};
}

Status verify(const kv::View& state, std::string_view path, Token token) {
  const Result<std::vector<kv::Child>> holders = state.holders(path);
  if (!holders.ok()) return holders.error();
  for (const kv::Child& holder : *holders)
    if (token_of(holder.czxid) == token) return {};
  std::string message =
      "the lock " + kv::shown(path) + " is not held with token " + std::to_string(token.value());
  if (holders->empty()) {
    message += ": nobody holds it";
  } else {
    message += ": its holder has token " + std::to_string(holders->front().czxid.value());
  }
  return Error{ErrorCode::kNotHolder, std::move(message)};
}

size_t bytes_of(const LockView& view) {
  size_t bytes = kViewPartBytes + view.path.size();
  if (view.holder) bytes += bytes_of(*view.holder);
  for (const Contender& holder : view.sharing) bytes += bytes_of(holder);
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
  view.unknown = queue.dialect == kv::Dialect::kUnknown;
  view.zxid = state.zxid();
  view.kept = queue.gone.size();
  size_t bytes = bytes_of(view);
  Believers believers;
  for (const kv::Child& kept : queue.gone) believers.next(kept);
  for (size_t i = 0; i < queue.queue.size(); ++i) {
    const kv::Child& child = queue.queue[i];
    Contender one = contender(state, path, child);
    bytes += bytes_of(one);
    if (i > 0 && bytes > bytes_max) break;
    const bool believes = believers.next(child);
    const bool holds = !view.unknown && (i < queue.holders || believes);
    if (holds && !view.holder) {
      view.holder = std::move(one);
    } else {
      (holds ? view.sharing : view.waiters).push_back(std::move(one));
    }
  }
  const size_t told = (view.holder ? 1 : 0) + view.sharing.size() + view.waiters.size();
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
      view = show(state, path, options.bytes_max - std::min(bytes, options.bytes_max)).value();
      bytes += bytes_of(*view);
    }
    if (!view || (!first && (view->more > 0 || bytes > options.bytes_max))) {
      page.next = page.locks.back().path;
      break;
    }
    page.locks.push_back(std::move(*view));
  }
  return page;
}

}  // namespace quorate::lock
