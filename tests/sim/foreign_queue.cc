#include "tests/sim/foreign_queue.h"

#include <algorithm>
#include <string_view>

namespace quorate::sim {
namespace {

constexpr size_t kSequenceDigits = 10;

std::string_view sequence_of(std::string_view name) {
  return name.substr(name.size() - std::min(name.size(), kSequenceDigits));
}

}  // namespace

std::string ForeignQueue::id(const std::string& unique) const {
  return kazoo_ ? unique + "__lock__" : "_c_" + unique + "-lock-";
}

bool ForeignQueue::counts(const std::string& name) const {
  return !kazoo_ || name.find("__lock__") != std::string::npos;
}

ForeignQueue::Look ForeignQueue::look(const std::string& place, const std::vector<std::string>& names) const {
  Look look;
  for (const std::string& each : names) {
    look.there = look.there || each == place;
    const bool before = counts(each) && sequence_of(each) < sequence_of(place);
    if (before && (look.before.empty() || sequence_of(look.before) < sequence_of(each))) look.before = each;
  }
  return look;
}

Verdict ForeignQueue::shown(const std::vector<std::string>& names) const {
  for (const std::string& each : names) {
    if (never_made_.contains(each.substr(0, each.size() - sequence_of(each).size())))
      return each + " was made after it was found not to be there";
  }
  if (watched_.empty() || std::find(names.begin(), names.end(), watched_) != names.end()) return std::nullopt;
  return "is shown that " + watched_ + " has gone, and its watch was never told";
}

}  // namespace quorate::sim
