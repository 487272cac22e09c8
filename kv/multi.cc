// Several operations, or several locks, all or none of them.
#include <algorithm>

#include "kv/execution.h"
#include "kv/text.h"

namespace quorate::kv {
namespace {

// As ZooKeeper answers: nothing for those before it, its own error, "not attempted" for those behind it.
void tell_refusal(Outcome& outcome, const OperationView& multi, size_t refused, Outcome why) {
  outcome.code = why.code;
  outcome.message = (multi.kind == OperationKind::kMulti ? "operation " : "lock ") +
                    std::to_string(refused + 1) + " of " + std::to_string(multi.operations.size()) + ": " +
                    why.message;
  outcome.results.assign(multi.operations.size(), OperationResult{});
  outcome.results[refused].code = why.code;
  outcome.results[refused].message = std::move(why.message);
  for (size_t i = refused + 1; i < outcome.results.size(); ++i) {
    outcome.results[i].code = ErrorCode::kNotAttempted;
  }
}

Outcome execute_multi(const Context& context, const OperationView& multi) {
  Outcome outcome;
  outcome.zxid = context.cause.zxid;
  if (Status status = validate_operation(multi); !status.ok()) {
    outcome.code = status.code();
    outcome.message = status.error().message;
    return outcome;
  }
  const size_t changes = context.changes.size();
  const size_t quota_warnings = context.quota_warnings.size();
  context.tree.begin();
  for (size_t i = 0; i < multi.operations.size(); ++i) {
    Outcome one = Execution(context).run(multi.operations[i]);
    if (multi.kind == OperationKind::kAcquireMany && !multi.wait && one.code == ErrorCode::kOk && !one.held) {
      one = Execution(context).refuse(ErrorCode::kContended,
                                      "somebody else holds " + shown(multi.operations[i].path));
    }
    if (one.code != ErrorCode::kOk) {
      context.tree.undo();
      context.changes.resize(changes);
      context.quota_warnings.resize(quota_warnings);
      tell_refusal(outcome, multi, i, std::move(one));
      return outcome;
    }
    outcome.results.push_back({ErrorCode::kOk, {}, std::move(one.path), one.stat, one.held});
  }
  context.tree.keep();
  if (multi.kind == OperationKind::kAcquireMany) {
    outcome.token = Token(context.cause.zxid.value());
    outcome.held = std::all_of(outcome.results.begin(), outcome.results.end(),
                               [](const OperationResult& result) { return result.held; });
  }
  return outcome;
}

}  // namespace

Outcome execute(const Context& context, const OperationView& operation) {
  if (operation.kind == OperationKind::kMulti || operation.kind == OperationKind::kAcquireMany)
    return execute_multi(context, operation);
  return Execution(context).run(operation);
}

}  // namespace quorate::kv
