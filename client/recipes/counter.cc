#include "client/quorate/counter.h"

#include <charconv>

namespace quorate::client {

Result<Counter::Seen> Counter::look() {
  const Result<Node> node = client_.get(path_);
  if (node.code() == ErrorCode::kNoNode) return Seen{};
  if (!node.ok()) return node.error();
  Seen seen{0, node->stat.version};
  const char* const end = node->data.data() + node->data.size();
  const auto [at, error] = std::from_chars(node->data.data(), end, seen.value);
  if (error != std::errc() || at != end)
    return Error{ErrorCode::kMalformed, "the node at " + path_ + " holds no number: it is no counter"};
  return seen;
}

Result<bool> Counter::replace(const Seen& seen, int64_t value) {
  const std::string text = std::to_string(value);
  if (seen.version < 0) {
    const Result<Created> made = client_.create(path_, text, {.parents = true});
    if (made.ok()) return true;
    return made.code() == ErrorCode::kNodeExists ? Result<bool>(false) : Result<bool>(made.error());
  }
  const Result<Stat> set = client_.set(path_, text, seen.version);
  if (set.ok()) return true;
  const bool changed = set.code() == ErrorCode::kBadVersion || set.code() == ErrorCode::kNoNode;
  return changed ? Result<bool>(false) : Result<bool>(set.error());
}

Result<int64_t> Counter::get() {
  const Result<Seen> seen = look();
  if (!seen.ok()) return seen.error();
  return seen->value;
}

Result<int64_t> Counter::add(int64_t difference) {
  while (true) {
    const Result<Seen> seen = look();
    if (!seen.ok()) return seen.error();
    int64_t sum = 0;
    if (__builtin_add_overflow(seen->value, difference, &sum))
      return Error{ErrorCode::kInvalidArgument, "the counter " + path_ + " is at " +
                                                    std::to_string(seen->value) + " and cannot take " +
                                                    std::to_string(difference) + " more"};
    const Result<bool> replaced = replace(*seen, sum);
    if (!replaced.ok()) return replaced.error();
    if (*replaced) return sum;
  }
}

Result<bool> Counter::compare_and_set(int64_t expected, int64_t value) {
  while (true) {
    const Result<Seen> seen = look();
    if (!seen.ok()) return seen.error();
    if (seen->value != expected) return false;
    const Result<bool> replaced = replace(*seen, value);
    if (!replaced.ok() || *replaced) return replaced;
  }
}

}  // namespace quorate::client
