// Every change at a path and below it, in order, each once, over changes of server and lost connections:
//
//   Result<ChangeFeed> feed = client.watch_changes("/services", {.since = read.zxid}, [](const auto& changes)
//   {
//     if (!changes.ok()) return read_again(changes.error());   // the last call
//     for (const Event& event : changes->events) apply(event);
//     remember(changes->complete);                             // resume from here
//   });
//
// The servers keep a bounded history of changes. Who resumes from further back than it reaches is told so
// (kHistoryGone): what was missed can not be told, read the state again. Nothing is ever left out silently.
//
// Thread safety: all members. Dropping a ChangeFeed ends it; so does the end of its Client.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "client/quorate/types.h"

namespace quorate::client {

struct Changes {
  // Of whole entries of the log: what one multi or recursive delete did comes in one piece. Kinds: created,
  // deleted, data changed. May be empty, when only `complete` has advanced.
  std::vector<Event> events;
  Zxid complete;  // everything up to here was told
};

struct WatchChangesOptions {
  Zxid since;             // tell what came behind it; 0: from now on
  bool recursive = true;  // false: the node itself, and its children created and deleted
};

// Called on the client's own thread, one call at a time: it must not wait for the client there. An error is
// the last call: kHistoryGone, kShuttingDown when the client was closed, kLimitReached; kInvalidArgument when
// the cluster was restored to a time before what was told.
using OnChanges = std::function<void(const Result<Changes>&)>;

struct FeedState;

class ChangeFeed {
 public:
  ~ChangeFeed();
  ChangeFeed(ChangeFeed&&) noexcept;
  ChangeFeed& operator=(ChangeFeed&&) noexcept;
  // Everything up to here was handed to the callback, which has returned; WatchChangesOptions::since before
  // that.
  Zxid complete() const;
  // How far back the cluster's history reached when the feed began: any `since` from there on can be told.
  Zxid history_floor() const;

 private:
  friend class AsyncClient;
  explicit ChangeFeed(std::shared_ptr<FeedState> state);
  std::shared_ptr<FeedState> state_;
};

}  // namespace quorate::client
