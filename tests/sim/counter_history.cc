#include "tests/sim/counter_history.h"

#include <charconv>

namespace quorate::sim {

std::optional<int64_t> CounterHistory::number(const std::string& data) const {
  int64_t value = 0;
  const auto [end, error] = std::from_chars(data.data(), data.data() + data.size(), value);
  if (error != std::errc() || end != data.data() + data.size()) return std::nullopt;
  return value;
}

std::optional<int64_t> CounterHistory::value(Zxid zxid) const {
  const TreePast::Node& node = past_.at(path_, zxid);
  return node.exists ? number(node.data) : 0;
}

Verdict CounterHistory::committed() {
  const auto& states = past_.states(path_);
  const std::optional<int64_t> now = number(states.back().data);
  const std::optional<int64_t> before = states.size() < 2 ? 0 : number(states[states.size() - 2].data);
  if (!now || !before || !states.back().exists)
    return "the counter is no number: \"" + states.back().data + "\"";
  const auto change = changes_.find(*now - *before);
  const std::string step = "the counter went from " + std::to_string(*before) + " to " + std::to_string(*now);
  if (change == changes_.end()) return step + ", which nobody asked for";
  if (change->second.done.value() != 0) return step + ": that was counted before";
  if (change->second.refused) return step + ": that was told not to be done";
  change->second.done = states.back().from;
  change->second.sum = *now;
  return std::nullopt;
}

void CounterHistory::begin_change(int64_t difference) { changes_[difference].asked = past_.now(); }

Verdict CounterHistory::changed(int64_t difference, int64_t sum) {
  const Change& change = changes_.at(difference);
  if (change.done.value() == 0)
    return "was told that " + std::to_string(difference) + " was counted, and it was not";
  if (change.sum == sum) return std::nullopt;
  return "was told that the counter was at " + std::to_string(sum) + ", and it was at " +
         std::to_string(change.sum);
}

Verdict CounterHistory::not_changed(int64_t difference, bool may_be) {
  Change& change = changes_.at(difference);
  if (may_be) return std::nullopt;
  change.refused = true;
  if (change.done.value() == 0) return std::nullopt;
  return "was told that " + std::to_string(difference) + " was not counted, and it was";
}

Verdict CounterHistory::is(Zxid from, int64_t told) const {
  if (past_.ever(path_, from, past_.now(), [&](Zxid at) { return value(at) == told; })) return std::nullopt;
  return "was told that the counter was at " + std::to_string(told) + ", where it was not meanwhile";
}

Verdict CounterHistory::is_not(Zxid from, int64_t told) const {
  if (past_.ever(path_, from, past_.now(), [&](Zxid at) { return value(at) != told; })) return std::nullopt;
  return "was told that the counter was not at " + std::to_string(told) + ", where it was all the time";
}

}  // namespace quorate::sim
