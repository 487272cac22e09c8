// The arithmetic of majorities against counting.
#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include "raft/quorum.h"

namespace quorate::raft {
namespace {

RC_GTEST_PROP(Quorum, TwoMajoritiesAlwaysMeet, ()) {
  const size_t voters = *rc::gen::inRange<size_t>(1, 1000);
  RC_ASSERT(2 * majority(voters) > voters);
  RC_ASSERT(2 * (majority(voters) - 1) <= voters);
}

RC_GTEST_PROP(Quorum, ReachedByMajorityIsTheHighestValueThatAMajorityHas, ()) {
  auto values = *rc::gen::resize(
      9, rc::gen::nonEmpty(rc::gen::container<std::vector<uint64_t>>(rc::gen::inRange<uint64_t>(0, 12))));
  // The slow twin: try every value from the top, and count who has it.
  uint64_t expected = 0;
  for (uint64_t candidate = 12; candidate > 0; --candidate) {
    size_t have = 0;
    for (const uint64_t value : values) have += value >= candidate ? 1 : 0;
    if (have * 2 > values.size()) {
      expected = candidate;
      break;
    }
  }
  RC_ASSERT(reached_by_majority(std::span<uint64_t>(values)) == expected);
}

RC_GTEST_PROP(Quorum, AVoteIsDecidedExactlyWhenNoAnswerCanChangeIt, ()) {
  const auto count = *rc::gen::inRange<uint32_t>(1, 8);
  std::vector<ServerId> voters;
  std::set<ServerId> granted;
  std::set<ServerId> refused;
  size_t yes = 0;
  size_t open = 0;
  for (uint32_t id = 1; id <= count; ++id) {
    voters.push_back(ServerId(id));
    switch (*rc::gen::inRange(0, 3)) {
      case 0:
        granted.insert(ServerId(id));
        ++yes;
        break;
      case 1:
        refused.insert(ServerId(id));
        break;
      default:
        ++open;
        break;
    }
  }
  // Strangers are not counted.
  if (*rc::gen::arbitrary<bool>()) granted.insert(ServerId(200));
  if (*rc::gen::arbitrary<bool>()) refused.insert(ServerId(201));

  // The slow twin: let the open ones answer in every number.
  bool can_win = false;
  bool can_lose = false;
  for (size_t more = 0; more <= open; ++more) {
    (2 * (yes + more) > count ? can_win : can_lose) = true;
  }
  const VoteOutcome expected = !can_lose  ? VoteOutcome::kWon
                               : !can_win ? VoteOutcome::kLost
                                          : VoteOutcome::kPending;
  RC_ASSERT(vote_outcome(voters, granted, refused) == expected);
}

}  // namespace
}  // namespace quorate::raft
