#include "kv/state_import.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "kv/path.h"
#include "kv/state_machine_impl.h"
#include "kv/text.h"

namespace quorate::kv {

struct StateImport::Impl {
  explicit Impl(const Limits& limits) : state(limits) {}

  StateMachine state;
  std::vector<std::pair<std::string, QuotaLimits>> quotas;
  Zxid latest;  // of all nodes
};

StateImport::StateImport(const Limits& limits) : impl_(std::make_unique<Impl>(limits)) {}
StateImport::~StateImport() = default;

Status StateImport::add(std::string_view path, const NodeRecord& node) {
  if (node.owner.value() != 0)
    return Error{ErrorCode::kInvalidArgument, shown(path) + " is ephemeral, but no session comes with it"};
  impl_->latest = std::max({impl_->latest, node.mzxid, node.czxid, node.creates != 0 ? node.pzxid : Zxid()});
  return impl_->state.impl_->tree.load(path, node);
}

Status StateImport::set_quota(std::string_view path, const QuotaLimits& limits) {
  if (Status valid = validate_path(path); !valid.ok())
    return Error{ErrorCode::kInvalidArgument, valid.error().message};
  if (Status valid = validate_quota(limits); !valid.ok()) return valid;
  if (limits.none()) return Error{ErrorCode::kInvalidArgument, "a quota without limits is none"};
  if (impl_->quotas.size() >= kQuotasMax)
    return Error{ErrorCode::kInvalidArgument,
                 "there are more than " + std::to_string(kQuotasMax) + " quotas"};
  impl_->quotas.emplace_back(path, limits);
  return {};
}

Result<StateMachine> StateImport::finish(Zxid last) {
  if (impl_->latest > last) {
    return {ErrorCode::kInvalidArgument, "a node is of zxid " + std::to_string(impl_->latest.value()) +
                                             ", which is behind the last, " + std::to_string(last.value())};
  }
  StateMachine::Impl& state = *impl_->state.impl_;
  state.index = Index();
  state.zxid_base = last.value();
  if (Status tree = state.tree.finish_load(last); !tree.ok()) return tree.error();
  for (const auto& [path, limits] : impl_->quotas) state.tree.set_quota(path, limits);
  state.sessions.finish_load(last);
  if (Status history = state.history.finish_load(last, 0, last); !history.ok()) return history.error();
  return std::move(impl_->state);
}

}  // namespace quorate::kv
