// Arithmetic of majorities, apart from everything that uses it.
//
// Thread safety: pure functions.
#pragma once

#include <algorithm>
#include <cstddef>
#include <functional>
#include <set>
#include <span>
#include <vector>

#include "base/check.h"
#include "base/ids.h"

namespace quorate::raft {

// The smallest number of voters that two disjoint groups cannot both have.
constexpr size_t majority(size_t voters) { return voters / 2 + 1; }

// The highest value that a majority of the voters has reached: of match indexes the one that may be committed
// (Figure 2, "Rules for Servers", leaders), of acknowledged rounds the newest confirmed one, of instants the
// last contact with a quorum. One value for each voter; reorders them. REQUIRES: !values.empty().
template <class T>
T reached_by_majority(std::span<T> values) {
  CHECK(!values.empty());
  const auto at = values.begin() + static_cast<std::ptrdiff_t>(majority(values.size()) - 1);
  std::nth_element(values.begin(), at, values.end(), std::greater<T>());
  return *at;
}

enum class VoteOutcome { kPending, kWon, kLost };

// Counts the answers of voters only. Lost: too many refused for a majority to be left. A server in both sets
// counts as granted.
VoteOutcome vote_outcome(std::span<const ServerId> voters, const std::set<ServerId>& granted,
                         const std::set<ServerId>& refused);

}  // namespace quorate::raft
