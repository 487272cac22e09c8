#include "tests/sim/recipe_histories.h"

namespace quorate::sim {

Verdict RecipeHistories::committed(const kv::Applied& applied, const kv::StateMachine& state, Duration time) {
  past.reached(state.zxid(), time);
  bool counted = false;
  for (const kv::Change& change : applied.changes) {
    if (!change.path.starts_with(kRecipesPath)) continue;
    TreePast::Node node{applied.zxid};
    if (const Result<kv::NodeView> view = state.get(change.path); view.ok()) {
      node.exists = true;
      node.data = view->data;
      node.czxid = view->stat.czxid;
      node.version = view->stat.version;
      node.owner = view->stat.ephemeral_owner;
    }
    past.note(change.path, std::move(node));
    counted = counted || change.path == kCounterPath;
  }
  return counted ? counter.committed() : std::nullopt;
}

}  // namespace quorate::sim
