// Who waits for whom, from what the locks show.
//
// Thread safety: pure.
#pragma once

#include <vector>

#include "client/quorate/types.h"

namespace quorate::client {

LockGraph graph_of(const std::vector<LockInfo>& locks);

}  // namespace quorate::client
