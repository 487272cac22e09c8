// What the changes below a lock's path say about its queue.
//
// Thread safety: pure.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "client/quorate/types.h"

namespace quorate::client {

// `events`: all that changed at `path` and below it behind `since`, in order; of one zxid all or none.
// `seen`: the queue as it stood at some time between `since` and the last of them; none: there was no such
// path. What `seen` had no room for is taken as an exclusive place is.
LockHistory past_of(std::string_view path, Zxid since, const std::vector<Event>& events,
                    const std::optional<LockInfo>& seen);

}  // namespace quorate::client
