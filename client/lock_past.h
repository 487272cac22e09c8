// What the changes below a lock's path say about its queue.
//
// Thread safety: pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "client/quorate/types.h"

namespace quorate::client {

// A change at a place of a queue, or somewhere else below the lock.
struct PlaceChange {
  EventKind kind = EventKind::kDataChanged;
  std::string path;
  Zxid zxid;
  // Who left, of one that is deleted; none from servers that do not say. Session 0: it was kept for an
  // expired holder.
  std::optional<Contender> left{};
  int64_t left_ms = 0;  // wall clock
};

// `events`: all that changed at `path` and below it behind `since`, in order; of one zxid all or none.
// `seen`: the queue as it stood at some time between `since` and the last of them; none: there was no such
// path. What `seen` had no room for is taken as an exclusive place is.
LockHistory past_of(std::string_view path, Zxid since, const std::vector<PlaceChange>& events,
                    const std::optional<LockInfo>& seen);

}  // namespace quorate::client
