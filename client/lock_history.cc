// The past of a lock, read from the cluster's history of changes.
#include <algorithm>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <utility>

#include "client/client_impl.h"
#include "client/lock_past.h"

namespace quorate::client {

namespace {

// How often it is read anew when its beginning is forgotten meanwhile.
constexpr int kReadsMax = 5;
// The first zxid is that of no node, so nothing is missed behind it.
constexpr Zxid kBeginning(1);

// What a feed has told.
struct ToldChanges {
  std::mutex mutex;
  std::condition_variable more;
  std::vector<Event> events;   // guarded by mutex
  Zxid complete;               // guarded by mutex
  std::optional<Error> error;  // guarded by mutex
};

OnChanges told_to(const std::shared_ptr<ToldChanges>& told) {
  return [told](const Result<Changes>& changes) {
    const std::lock_guard lock(told->mutex);
    if (changes.ok()) {
      told->events.insert(told->events.end(), changes->events.begin(), changes->events.end());
      told->complete = changes->complete;
    } else {
      told->error = changes.error();
    }
    told->more.notify_all();
  };
}

// Waits until the feed is complete up to there; `patience` for each part of it.
Status wait_for(Host& host, ToldChanges& told, Zxid target, milliseconds patience) {
  std::unique_lock lock(told.mutex);
  while (told.complete < target && !told.error) {
    const Zxid before = told.complete;
    const bool moved =
        host.wait(lock, told.more, host.in(patience), [&] { return told.complete > before || told.error; });
    if (!moved) return {ErrorCode::kTimeout, "no server went on telling the history of changes in time"};
  }
  if (told.error) return *told.error;
  return {};
}

struct Reach {
  Zxid floor, now;
};

class Reader {
 public:
  Reader(Client& client, std::string_view path, milliseconds patience)
      : client_(client), path_(path), patience_(patience) {}

  // A zxid that the cluster has reached, and the one behind which its history is whole.
  Result<Reach> reach() {
    const auto told = std::make_shared<ToldChanges>();
    const auto feed = client_.watch_changes(path_, {.since = Zxid(), .recursive = false}, told_to(told));
    if (!feed.ok()) return feed.error();
    if (Status status = wait_for(Host::of(client_), *told, Zxid(1), patience_); !status.ok())
      return status.error();
    const std::lock_guard lock(told->mutex);
    return Reach{std::max(feed->history_floor(), kBeginning), told->complete};
  }

  Result<std::vector<Event>> changes(Zxid since, Zxid until) {
    const auto told = std::make_shared<ToldChanges>();
    const auto feed = client_.watch_changes(path_, {.since = since, .recursive = true}, told_to(told));
    if (!feed.ok()) return feed.error();
    if (since < until) {
      if (Status status = wait_for(Host::of(client_), *told, until, patience_); !status.ok())
        return status.error();
    }
    const std::lock_guard lock(told->mutex);
    std::vector<Event> events = std::move(told->events);
    std::erase_if(events, [until](const Event& event) { return event.zxid > until; });
    return events;
  }

 private:
  Client& client_;
  const std::string path_;
  const milliseconds patience_;
};

}  // namespace

Result<LockHistory> Client::lock_history(std::string_view path) {
  for (int read = 1;; ++read) {
    const Result<LockInfo> lock = lock_show(path);
    if (!lock.ok() && lock.code() != ErrorCode::kNoNode) return lock.error();
    const std::optional<LockInfo> seen = lock.ok() ? std::optional(*lock) : std::nullopt;
    Reader reader(*this, path, impl_->options.request_timeout);
    const Result<Reach> reach = reader.reach();
    if (!reach.ok()) return reach.error();
    const Result<std::vector<Event>> events = reader.changes(reach->floor, reach->now);
    if (!events.ok() && events.code() == ErrorCode::kHistoryGone && read < kReadsMax) continue;
    if (!events.ok()) return events.error();
    LockHistory history = past_of(path, reach->floor == kBeginning ? Zxid() : reach->floor, *events, seen);
    history.complete = reach->now;
    return history;
  }
}

}  // namespace quorate::client
