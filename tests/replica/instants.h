// The units in which tests of the replica and its parts tell time.
#pragma once

#include "base/time.h"

namespace quorate::server::test {

inline constexpr Duration kMs = std::chrono::milliseconds(1);
// When a test of a part begins, if it does not matter.
inline constexpr Instant kStart{std::chrono::seconds(5)};

}  // namespace quorate::server::test
