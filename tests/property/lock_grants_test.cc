// Locks over random histories: who holds does so until he leaves or is removed, each hand-over is granted
// once to those whose turn it is, tokens grow.
#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <map>

#include "base/random.h"
#include "kv/path.h"
#include "kv/queue.h"
#include "lock/service.h"
#include "tests/property/kv_history.h"

namespace quorate::lock {
namespace {

using kv::Step;

struct Holder {
  std::string node;
  SessionId session;
  Token token;
};
using Holders = std::map<std::string, std::vector<Holder>>;  // by path; of every path with a queue

void collect(const kv::StateMachine& state, const std::string& path, Holders& holders) {
  const std::vector<kv::Child> children = state.children(path).value();
  const kv::QueueView queue = kv::queue_of(children);
  if (!queue.queue.empty()) holders[path];
  for (size_t i = 0; i < queue.holders; ++i) {
    const kv::Child& holder = queue.queue[i];
    holders[path].push_back({kv::join_path(path, holder.name), holder.owner, Token(holder.czxid.value())});
  }
  for (const kv::Child& child : children) collect(state, kv::join_path(path, child.name), holders);
}

Holders holders_of(const kv::StateMachine& state) {
  Holders holders;
  collect(state, "/", holders);
  return holders;
}

bool has(const Holders& holders, const std::string& path, const std::string& node) {
  const auto at = holders.find(path);
  return at != holders.end() && std::any_of(at->second.begin(), at->second.end(),
                                            [&](const Holder& each) { return each.node == node; });
}

bool created(const kv::Applied& applied, const std::string& node) {
  return std::any_of(applied.changes.begin(), applied.changes.end(), [&](const kv::Change& change) {
    return change.kind == kv::Change::Kind::kCreated && change.path == node;
  });
}

// Mostly acquires, releases and ends of sessions, on a few locks, and what only native clients ask for.
Step toward_locks(Step step) {
  if (step[0] < 60 || step[0] >= 200) return step;
  if (step[1] % 3 == 0) {
    step[3] = static_cast<uint8_t>(225 + step[3] % 30);
    return step;
  }
  step[3] = step[1] % 2 == 0 ? 10 : 13;
  step[4] = step[3] == 10 ? (step[4] % 2 == 0 ? 0 : 1) : step[4];
  return step;
}

void check_places(const kv::StateMachine& state, const Holders& holders) {
  const std::vector<LockView> locks = list(kv::View::everything(state), "/", {.max = 1'000'000}).locks;
  RC_ASSERT(locks.size() == holders.size());
  for (const LockView& lock : locks) {
    const std::vector<Holder>& holding = holders.at(lock.path);
    std::vector<Contender> told;
    if (lock.holder) told.push_back(*lock.holder);
    told.insert(told.end(), lock.sharing.begin(), lock.sharing.end());
    // Readers of other recipes hold beside each other as those see it, and only the first as the cluster
    // does.
    const bool other_rule =
        lock.mixed || lock.unknown || std::any_of(told.begin(), told.end(), [](const Contender& each) {
          return kv::is_foreign_reader(kv::name_of(each.node));
        });
    if (!other_rule) {
      RC_ASSERT(told.size() == holding.size());
      for (size_t i = 0; i < told.size(); ++i) RC_ASSERT(told[i].node == holding[i].node);
    }
    for (const Holder& holder : holding) {
      RC_ASSERT(place_of(kv::View::everything(state), holder.node)->held);
      RC_ASSERT(place_of(kv::View::everything(state), holder.node)->token == holder.token);
      RC_ASSERT(verify(kv::View::everything(state), lock.path, holder.token).ok());
      RC_ASSERT(state.session(holder.session).has_value());
    }
    Token last = holding.empty() ? Token() : holding.back().token;
    SessionId last_session = holding.empty() ? SessionId() : holding.back().session;
    if (other_rule) continue;
    for (const Contender& waiter : lock.waiters) {
      RC_ASSERT(!place_of(kv::View::everything(state), waiter.node)->held);
      // Of one token are only those that one request of one session made.
      RC_ASSERT(waiter.token >= last);
      if (waiter.token == last) RC_ASSERT(waiter.session == last_session);
      RC_ASSERT(state.session(waiter.session).has_value());
      last = waiter.token;
      last_session = waiter.session;
    }
  }
}

size_t run(const std::vector<Step>& steps) {
  kv::StateMachine state;
  kv::History history(state);
  Holders before;
  std::map<std::string, Holder> highest;
  size_t hand_overs = 0;
  for (const Step& drawn : steps) {
    const Step step = toward_locks(drawn);
    const kv::Applied applied =
        state.apply(state.applied().next(), kv::payload_of(history.command(step), history.stamp(step)));
    const Holders after = holders_of(state);

    // Whoever holds now and did not before, and was there before, has been granted: exactly those, each once.
    std::map<std::string, Holder> expected;
    for (const auto& [path, holding] : after) {
      for (const Holder& holder : holding) {
        if (has(before, path, holder.node)) continue;
        RC_ASSERT(holder.token >= highest[path].token);
        if (holder.token == highest[path].token) RC_ASSERT(holder.session == highest[path].session);
        highest[path] = holder;
        if (!created(applied, holder.node)) expected[holder.node] = holder;
      }
    }
    // Nobody loses a lock by what others do but delete his node.
    for (const auto& [path, holding] : before) {
      for (const Holder& holder : holding)
        if (const auto node = state.get(holder.node);
            node.ok() && node->stat.czxid.value() == holder.token.value())
          RC_ASSERT(has(after, path, holder.node));
    }
    const std::vector<Grant> granted = grants(state, applied);
    RC_ASSERT(granted.size() == expected.size());
    for (const Grant& grant : granted) {
      const auto at = expected.find(grant.node);
      RC_ASSERT(at != expected.end());
      RC_ASSERT(grant.session == at->second.session);
      RC_ASSERT(grant.token == at->second.token);
      RC_ASSERT(grant.zxid == applied.zxid);
      expected.erase(at);
    }
    hand_overs += granted.size();

    // An acquire's answer says the same as the tree.
    for (const kv::SessionOutcome& outcome : applied.outcomes) {
      if (outcome.repeated || outcome.outcome.token == Token()) continue;
      for (const kv::OperationResult& result : outcome.outcome.results)
        RC_ASSERT(result.held == has(after, std::string(kv::parent_of(result.path)), result.path));
      if (outcome.outcome.path.empty()) continue;
      const std::string lock(kv::parent_of(outcome.outcome.path));
      RC_ASSERT(outcome.outcome.held == has(after, lock, outcome.outcome.path));
    }
    check_places(state, after);
    before = after;
  }
  return hand_overs;
}

RC_GTEST_PROP(LockGrants, OneHolderOneGrantGrowingTokens, ()) { (void)run(*kv::histories()); }

TEST(LockGrantsLong, OneHolderOneGrantGrowingTokensOverManyHandOvers) {
  Random random(7);
  size_t hand_overs = 0;
  for (int i = 0; i < 400; ++i) {
    std::vector<Step> steps(400);
    for (Step& step : steps) {
      for (uint8_t& byte : step) byte = static_cast<uint8_t>(random.below(255));
    }
    hand_overs += run(steps);
  }
  EXPECT_GE(hand_overs, 500U);
}

}  // namespace
}  // namespace quorate::lock
