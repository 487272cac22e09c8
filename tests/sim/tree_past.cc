#include "tests/sim/tree_past.h"

#include <algorithm>

namespace quorate::sim {
namespace {

bool is_at_or_below(const std::string& root, const std::string& path) {
  return path.starts_with(root) && (path.size() == root.size() || path[root.size()] == '/');
}

}  // namespace

void TreePast::note(const std::string& path, Node node) {
  now_ = node.from;
  changes_.emplace_back(node.from, path);
  std::vector<Node>& states = nodes_[path];
  // One entry may change a node more than once.
  if (!states.empty() && states.back().from == node.from) states.pop_back();
  states.push_back(std::move(node));
}

void TreePast::reached(Zxid zxid, Duration time) {
  now_ = zxid;
  times_.emplace_back(time, zxid);
}

Zxid TreePast::by(Duration time) const {
  const auto behind = std::upper_bound(times_.begin(), times_.end(), time,
                                       [](Duration t, const auto& each) { return t < each.first; });
  return behind == times_.begin() ? Zxid() : std::prev(behind)->second;
}

const TreePast::Node& TreePast::at(const std::string& path, Zxid zxid) const {
  static const Node kNone{};
  const std::vector<Node>& all = states(path);
  const auto behind =
      std::upper_bound(all.begin(), all.end(), zxid, [](Zxid z, const Node& node) { return z < node.from; });
  return behind == all.begin() ? kNone : *std::prev(behind);
}

const std::vector<TreePast::Node>& TreePast::states(const std::string& path) const {
  static const std::vector<Node> kNone;
  const auto found = nodes_.find(path);
  return found == nodes_.end() ? kNone : found->second;
}

std::vector<std::string> TreePast::ever_children(const std::string& parent) const {
  std::vector<std::string> paths;
  const std::string prefix = parent + "/";
  for (auto it = nodes_.lower_bound(prefix); it != nodes_.end() && it->first.starts_with(prefix); ++it) {
    if (it->first.find('/', prefix.size()) == std::string::npos) paths.push_back(it->first);
  }
  return paths;
}

std::vector<std::string> TreePast::children(const std::string& parent, Zxid zxid) const {
  std::vector<std::string> paths = ever_children(parent);
  std::erase_if(paths, [&](const std::string& path) { return !at(path, zxid).exists; });
  return paths;
}

bool TreePast::ever(const std::string& root, Zxid from, Zxid to,
                    const std::function<bool(Zxid)>& holds) const {
  if (holds(from)) return true;
  auto change = std::upper_bound(changes_.begin(), changes_.end(), from,
                                 [](Zxid z, const auto& each) { return z < each.first; });
  for (; change != changes_.end() && change->first <= to; ++change) {
    if (is_at_or_below(root, change->second) && holds(change->first)) return true;
  }
  return false;
}

}  // namespace quorate::sim
