#include "tests/fuzz/target.h"

#include <algorithm>

namespace quorate::fuzz {
namespace {

// Filled in before main() by the targets themselves, in the order of linking.
std::vector<const Target*>& registered() {
  static std::vector<const Target*> targets;
  return targets;
}

}  // namespace

Target::Target(const char* its_name, Run its_run, Seeds its_seeds)
    : name(its_name), run(its_run), seeds(its_seeds) {
  registered().push_back(this);
}

std::vector<const Target*> Target::all() {
  std::vector<const Target*> targets = registered();
  std::sort(targets.begin(), targets.end(), [](const Target* a, const Target* b) {
    return std::string_view(a->name) < std::string_view(b->name);
  });
  return targets;
}

const Target* Target::find(std::string_view name) {
  for (const Target* target : registered()) {
    if (name == target->name) return target;
  }
  return nullptr;
}

}  // namespace quorate::fuzz
