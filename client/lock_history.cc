// The past of a lock, read from the cluster's history of changes: the queue as it stands, then how far the
// history reaches, then the changes page by page.
#include <algorithm>
#include <memory>
#include <utility>

#include "client/client_impl.h"
#include "client/lock_past.h"
#include "client/wire.h"
#include "kv/path.h"

namespace quorate::client {

namespace {

// How often it is read anew when its beginning is forgotten meanwhile.
constexpr int kReadsMax = 5;
// The first zxid is that of no node, so nothing is missed behind it.
constexpr Zxid kBeginning(1);

PlaceChange change_of(const api::Change& change) {
  PlaceChange out{static_cast<EventKind>(change.kind()), change.path(), Zxid(change.zxid())};
  if (!change.has_left()) return out;
  out.left = contender_of(change.left());
  out.left->node = change.path();
  out.left_ms = change.left_ms();
  return out;
}

// On the loop's thread, but for what comes out.
class Reading {
 public:
  explicit Reading(std::string_view path) : path_(path) {}

  api::ClientFrame first() {
    step_ = Step::kQueue;
    ++reads_;
    seen_.reset();
    events_.clear();
    api::ClientFrame frame;
    frame.mutable_lock_show()->set_path(path_);
    return frame;
  }

  // As Take has it.
  bool take(Outcome& reply, api::ClientFrame& next) {
    if (reply.code() == ErrorCode::kHistoryGone && reads_ < kReadsMax) {
      next = first();
      return true;
    }
    if (step_ == Step::kQueue) {
      if (!reply.ok() && reply.code() != ErrorCode::kNoNode) return false;
      if (reply.ok()) seen_ = lock_of(reply->lock());
      step_ = Step::kReach;
      next = changes_since(Zxid());
      return true;
    }
    if (!reply.ok()) return false;
    const api::Changes& changes = reply->changes();
    if (step_ == Step::kReach) {
      step_ = Step::kChanges;
      since_ = std::max(Zxid(changes.floor()), kBeginning);
      complete_ = Zxid(changes.up_to());
      next = changes_since(since_);
      return since_ < complete_;
    }
    for (const api::Change& change : changes.changes())
      if (change.kind() >= 1 && change.kind() <= 3 && Zxid(change.zxid()) <= complete_)
        events_.push_back(change_of(change));
    next = changes_since(Zxid(changes.up_to()));
    return Zxid(changes.up_to()) < complete_;
  }

  LockHistory result() const {
    LockHistory history = past_of(path_, since_ == kBeginning ? Zxid() : since_, events_, seen_);
    history.complete = complete_;
    return history;
  }

 private:
  enum class Step { kQueue, kReach, kChanges };

  api::ClientFrame changes_since(Zxid since) const {
    api::ClientFrame frame;
    frame.mutable_watch_since()->set_root(path_);
    frame.mutable_watch_since()->set_since(since.value());
    frame.mutable_watch_since()->set_recursive(true);
    frame.mutable_watch_since()->set_past(true);
    return frame;
  }

  const std::string path_;
  Step step_ = Step::kQueue;
  int reads_ = 0;
  std::optional<LockInfo> seen_;
  Zxid since_, complete_;
  std::vector<PlaceChange> events_;
};

}  // namespace

Call<Result<LockHistory>> AsyncClient::lock_history(std::string_view path) {
  using History = Result<LockHistory>;
  if (Status status = kv::validate_path(path); !status.ok())
    return refused_call<History>(impl_, status.error());
  const auto reading = std::make_shared<Reading>(path);
  const auto take = [reading](Outcome& reply, api::ClientFrame& next) { return reading->take(reply, next); };
  return make_call<History>(impl_, start_exchange(impl_, reading->first(), take),
                            [reading](Outcome& reply) -> History {
                              if (!reply.ok()) return reply.error();
                              return reading->result();
                            });
}

}  // namespace quorate::client
