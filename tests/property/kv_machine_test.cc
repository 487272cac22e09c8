// The state machine against the model, over random histories of everything there is.
#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <map>

#include "base/random.h"
#include "kv/path.h"
#include "kv/queue.h"
#include "tests/property/kv_history.h"
#include "tests/property/kv_model.h"

namespace quorate::kv {
namespace {

// So few that histories reach it.
Limits small_limits() {
  Limits limits;
  limits.results_max = 5;
  limits.results_bytes_max = 1 << 20;
  limits.recursive_delete_max = 4;
  return limits;
}

// The model knows no messages; a refusal must have one all the same.
Outcome without_message(Outcome outcome) {
  RC_ASSERT(outcome.code == ErrorCode::kOk || !outcome.message.empty());
  outcome.message.clear();
  for (OperationResult& result : outcome.results) {
    const bool refused = result.code != ErrorCode::kOk && result.code != ErrorCode::kNotAttempted;
    RC_ASSERT(refused == !result.message.empty());
    result.message.clear();
  }
  return outcome;
}

void compare_changes(const Applied& actual, const Applied& expected) {
  RC_ASSERT(actual.zxid == expected.zxid);
  RC_ASSERT(actual.changes.size() == expected.changes.size());
  for (size_t i = 0; i < actual.changes.size(); ++i) {
    RC_ASSERT(actual.changes[i].kind == expected.changes[i].kind);
    RC_ASSERT(actual.changes[i].path == expected.changes[i].path);
    RC_ASSERT(actual.changes[i].owner == expected.changes[i].owner);
    RC_ASSERT(actual.changes[i].sequential == expected.changes[i].sequential);
    RC_ASSERT(actual.changes[i].czxid == expected.changes[i].czxid);
  }
}

void compare_outcomes(const Applied& actual, const Applied& expected) {
  RC_ASSERT(actual.outcomes.size() == expected.outcomes.size());
  for (size_t i = 0; i < actual.outcomes.size(); ++i) {
    RC_ASSERT(actual.outcomes[i].session == expected.outcomes[i].session);
    RC_ASSERT(actual.outcomes[i].number == expected.outcomes[i].number);
    RC_ASSERT(actual.outcomes[i].epoch == expected.outcomes[i].epoch);
    RC_ASSERT(actual.outcomes[i].repeated == expected.outcomes[i].repeated);
    RC_ASSERT(actual.outcomes[i].outcome.code == expected.outcomes[i].outcome.code);
    RC_ASSERT(without_message(actual.outcomes[i].outcome) == expected.outcomes[i].outcome);
  }
  RC_ASSERT(actual.origin_outcomes.size() == expected.origin_outcomes.size());
  for (size_t i = 0; i < actual.origin_outcomes.size(); ++i) {
    RC_ASSERT(actual.origin_outcomes[i].origin == expected.origin_outcomes[i].origin);
    RC_ASSERT(without_message(actual.origin_outcomes[i].outcome) == expected.origin_outcomes[i].outcome);
  }
  RC_ASSERT(actual.sessions_attached == expected.sessions_attached);
  RC_ASSERT(actual.sessions_ended.size() == expected.sessions_ended.size());
  for (size_t i = 0; i < actual.sessions_ended.size(); ++i) {
    RC_ASSERT(actual.sessions_ended[i].session == expected.sessions_ended[i].session);
    RC_ASSERT(actual.sessions_ended[i].expired == expected.sessions_ended[i].expired);
  }
}

void compare_nodes(const StateMachine& state, const Model& model) {
  RC_ASSERT(state.node_count() == model.nodes().size());
  std::vector<std::string> queues;
  for (const auto& [path, node] : model.nodes()) {
    const Result<NodeView> view = state.get(path);
    RC_ASSERT(view.ok());
    RC_ASSERT(view->data == node.data);
    RC_ASSERT(view->null_data == node.null_data);
    RC_ASSERT(view->stat == node.stat);
    RC_ASSERT(view->sequential == node.sequential);
    RC_ASSERT(view->kind == node.kind);
    RC_ASSERT(view->ttl_ms == node.ttl_ms);
    RC_ASSERT((view->acl == nullptr ? open_acl() : *view->acl) == (node.acl.empty() ? open_acl() : node.acl));

    const std::vector<Child> children = state.children(path).value();
    std::vector<std::string> paths;
    for (const Child& child : children) paths.push_back(join_path(path, child.name));
    RC_ASSERT(paths == model.children(path));

    const std::vector<std::string> queue = model.queue(path);
    const std::optional<Child> first = state.first_queued(path);
    RC_ASSERT(first.has_value() == !queue.empty());
    if (first) RC_ASSERT(join_path(path, first->name) == queue.front());
    if (first) queues.push_back(path);
    std::vector<std::string> holding;
    for (const Child& child : state.holders(path)) holding.push_back(join_path(path, child.name));
    RC_ASSERT(holding == model.holders(path));
    for (const std::string& place : queue)
      RC_ASSERT(state.holds(place) == (std::find(holding.begin(), holding.end(), place) != holding.end()));
    paths.clear();
    const QueueView queue_view = queue_of(children);
    RC_ASSERT(queue_view.holders == holding.size());
    RC_ASSERT(queue_view.gone.size() == model.kept(path).size());
    for (const Child& child : queue_view.queue) paths.push_back(join_path(path, child.name));
    RC_ASSERT(paths == queue);
  }
  RC_ASSERT(state.queues("/", 1'000'000) == queues);
  RC_ASSERT(state.quotas().size() == model.quotas().size());
  for (const auto& [path, limits] : model.quotas()) RC_ASSERT(state.quota(path)->limits == limits);
}

void compare_sessions(const StateMachine& state, const Model& model) {
  const std::vector<SessionView> views = state.sessions();
  RC_ASSERT(views.size() == model.sessions().size());
  auto view = views.begin();
  for (const auto& [id, session] : model.sessions()) {
    RC_ASSERT(view->id == id);
    RC_ASSERT(view->epoch == session.epoch);
    RC_ASSERT(state.credentials(id) == session.credentials);
    RC_ASSERT(view->timeout_ms == session.timeout_ms);
    RC_ASSERT(view->next_number == session.next);
    RC_ASSERT(state.ephemerals(id) == model.owned(id));
    RC_ASSERT(view->ephemerals == model.owned(id).size());
    ++view;
  }
}

using Codes = std::map<ErrorCode, size_t>;

// Gives how often each code came out.
Codes run_against_model(const std::vector<Step>& steps) {
  StateMachine state(small_limits());
  StateMachine twin(small_limits());
  Model model(small_limits());
  History history(state);
  Codes codes;
  for (const Step& step : steps) {
    const Command command = history.command(step);
    const Stamp stamp = history.stamp(step);
    const std::string payload = payload_of(command, stamp);
    const Applied actual = state.apply(state.applied().next(), payload);
    const Applied expected = model.apply(command, stamp, actual);
    compare_outcomes(actual, expected);
    compare_changes(actual, expected);
    (void)twin.apply(twin.applied().next(), payload);
    RC_ASSERT(twin.state_hash() == state.state_hash());
    RC_ASSERT(state.check_consistency() == std::nullopt);
    for (const SessionOutcome& outcome : actual.outcomes) ++codes[outcome.outcome.code];
    for (const OriginOutcome& outcome : actual.origin_outcomes) ++codes[outcome.outcome.code];
  }
  compare_nodes(state, model);
  compare_sessions(state, model);
  return codes;
}

RC_GTEST_PROP(KvMachine, DoesWhatTheModelDoes, ()) { (void)run_against_model(*histories()); }

// Longer than RapidCheck draws them, and proof that the histories meet every rule: each refusal comes often.
TEST(KvMachineLong, DoesWhatTheModelDoesAndMeetsEveryRefusal) {
  Random random(20'240'601);
  Codes codes;
  for (int run = 0; run < 200; ++run) {
    std::vector<Step> steps(600);
    for (Step& step : steps) {
      for (uint8_t& byte : step) byte = static_cast<uint8_t>(random.below(255));
    }
    for (const auto& [code, count] : run_against_model(steps)) codes[code] += count;
  }
  for (const ErrorCode code : {ErrorCode::kOk,
                               ErrorCode::kNoNode,
                               ErrorCode::kNodeExists,
                               ErrorCode::kBadVersion,
                               ErrorCode::kNotEmpty,
                               ErrorCode::kNoChildrenForEphemerals,
                               ErrorCode::kBadPath,
                               ErrorCode::kNotHolder,
                               ErrorCode::kBadQueue,
                               ErrorCode::kInvalidArgument,
                               ErrorCode::kSessionExpired,
                               ErrorCode::kSessionMoved,
                               ErrorCode::kBadCredentials,
                               ErrorCode::kRequestGap,
                               ErrorCode::kRequestForgotten,
                               ErrorCode::kTooManyResults,
                               ErrorCode::kTooManyNodes,
                               ErrorCode::kInvalidTtl,
                               ErrorCode::kInvalidAcl,
                               ErrorCode::kDenied,
                               ErrorCode::kContended,
                               ErrorCode::kQuotaExceeded}) {
    EXPECT_GE(codes[code], 20U) << error_name(code);
  }
}

// Where nothing was left out, all that differs is what a history did: undone, the hash is as before.
RC_GTEST_PROP(KvMachine, TheHashForgetsWhatIsGone, ()) {
  const std::vector<Step> steps = *histories();
  StateMachine state(small_limits());
  History history(state);
  for (const Step& step : steps) {
    (void)state.apply(state.applied().next(), payload_of(history.command(step), history.stamp(step)));
  }
  const uint64_t before = state.state_hash();
  const auto apply = [&](const Command& command) {
    return state.apply(state.applied().next(), payload_of(command, state.last_stamp()));
  };
  const SessionId visitor = apply(OpenSession{}).origin_outcomes.at(0).outcome.session;
  RC_ASSERT(state.state_hash() != before);
  (void)apply(SessionRequest{visitor, 1, 1, 0, CreateOp{"no path", {}, false, false, false}});
  (void)apply(ExpireSessions{{visitor}});
  RC_ASSERT(state.state_hash() == before);
}

}  // namespace
}  // namespace quorate::kv
