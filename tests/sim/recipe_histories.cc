#include "tests/sim/recipe_histories.h"

namespace quorate::sim {

Verdict RecipeHistories::committed(const kv::Applied& applied, const kv::StateMachine& state, Duration time) {
  past.reached(state.zxid(), time);
  std::vector<std::string> touched;
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
    touched.push_back(change.path);
  }
  const std::string items = std::string(kQueuePath) + "/items/";
  for (const std::string& path : touched) {
    Verdict verdict;
    if (path == kCounterPath) verdict = counter.committed();
    if (path.starts_with(items)) verdict = queue.committed(path);
    if (verdict) return verdict;
  }
  return std::nullopt;
}

}  // namespace quorate::sim
