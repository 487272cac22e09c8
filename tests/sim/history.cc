#include "tests/sim/history.h"

#include <set>

#include "base/check.h"

namespace quorate::sim {
namespace {

std::string z(Zxid zxid) { return std::to_string(zxid.value()); }

}  // namespace

Verdict RealTimeOrder::end_read(Zxid floor, Zxid seen) {
  if (seen < floor) {
    return "a read saw the state of zxid " + z(seen) + ", but zxid " + z(floor) +
           " had been answered before it began";
  }
  if (highest_ < seen) highest_ = seen;
  return std::nullopt;
}

Verdict RealTimeOrder::end_write(Zxid floor, Zxid applied) {
  if (applied <= floor) {
    return "a write was applied at zxid " + z(applied) + ", but zxid " + z(floor) +
           " had been answered before it began";
  }
  if (highest_ < applied) highest_ = applied;
  return std::nullopt;
}

size_t RegisterHistory::begin_write(const std::string& key, WriteKind kind, const std::string& value) {
  if (kind != WriteKind::kDelete) CHECK(by_value_.emplace(value, writes_.size()).second);
  Write write;
  write.key = key;
  write.kind = kind;
  write.value = value;
  write.floor = order_.begin();
  writes_.push_back(std::move(write));
  return writes_.size() - 1;
}

Verdict RegisterHistory::end_write(size_t id, const kv::Outcome& outcome) {
  Write& write = writes_.at(id);
  CHECK(!write.known);
  write.known = true;
  write.zxid = outcome.zxid;
  if (outcome.code == ErrorCode::kOk) {
    write.applied = true;
    write.version = outcome.stat.version;
    write.czxid = outcome.stat.czxid;
    if (write.kind == WriteKind::kCreate) write.czxid = outcome.zxid;
    return order_.end_write(write.floor, outcome.zxid);
  }
  // A refusal is a read of whether the key exists.
  Read read;
  read.key = write.key;
  read.ended = true;
  read.seen = outcome.zxid;
  read.writes_begun = writes_.size();
  if (outcome.code == ErrorCode::kNodeExists || outcome.code == ErrorCode::kBadVersion)
    read.only_exists = true;
  if (outcome.code == ErrorCode::kNoNode && write.kind != WriteKind::kCreate) read.only_exists = false;
  if (read.only_exists) reads_.push_back(read);
  return order_.end_read(write.floor, outcome.zxid);
}

size_t RegisterHistory::begin_read(const std::string& key) {
  Read read;
  read.key = key;
  read.floor = order_.begin();
  reads_.push_back(std::move(read));
  return reads_.size() - 1;
}

Verdict RegisterHistory::end_read(size_t id, Zxid seen, const std::optional<ReadValue>& shown) {
  Read& read = reads_.at(id);
  CHECK(!read.ended);
  read.ended = true;
  read.seen = seen;
  read.shown = shown;
  read.writes_begun = writes_.size();
  return order_.end_read(read.floor, seen);
}

Verdict RegisterHistory::finish() const {
  std::set<std::string> keys;
  for (const Write& write : writes_) keys.insert(write.key);
  for (const Read& read : reads_) keys.insert(read.key);
  for (const std::string& key : keys) {
    Effects effects;
    if (Verdict wrong = add_effects(key, effects)) return wrong;
    if (Verdict wrong = check_versions(key, effects)) return wrong;
    for (const Read& read : reads_) {
      if (read.key != key || !read.ended) continue;
      if (Verdict wrong = check_read(read, effects)) return "key " + key + ": " + *wrong;
    }
  }
  return std::nullopt;
}

// The writes of the key that surely happened: by their outcome, or because somebody saw them.
Verdict RegisterHistory::add_effects(const std::string& key, Effects& effects) const {
  std::map<std::string, Zxid> placed;
  for (const Write& write : writes_) {
    if (write.key != key || !write.applied) continue;
    Effect effect{write.kind, write.value, std::nullopt, write.czxid};
    if (write.kind != WriteKind::kDelete) effect.version = write.version;
    if (!effects.emplace(write.zxid, effect).second)
      return "key " + key + ": two writes were applied at zxid " + z(write.zxid);
    placed[write.value] = write.zxid;
  }
  for (const Read& read : reads_) {
    if (read.key != key || !read.shown) continue;
    const ReadValue& shown = *read.shown;
    const auto origin = by_value_.find(shown.value);
    if (origin == by_value_.end()) return "key " + key + " shows '" + shown.value + "', which nobody wrote";
    const Write& write = writes_[origin->second];
    if (write.key != key)
      return "key " + key + " shows '" + shown.value + "', which was written to " + write.key;
    if (origin->second >= read.writes_begun)
      return "key " + key + " shows '" + shown.value + "' before it was written";
    if (write.known && !write.applied)
      return "key " + key + " shows '" + shown.value + "', whose write was refused";
    const auto [place, first] = placed.emplace(shown.value, shown.stat.mzxid);
    if (place->second != shown.stat.mzxid) {
      return "key " + key + ": the write of '" + shown.value + "' was applied at zxid " + z(place->second) +
             " and again at " + z(shown.stat.mzxid);
    }
    if (!first) continue;
    if (shown.stat.mzxid <= write.floor)
      return "key " + key + ": '" + shown.value + "' is older than its own request";
    const bool alone =
        effects
            .emplace(shown.stat.mzxid, Effect{write.kind, shown.value, shown.stat.version, shown.stat.czxid})
            .second;
    if (!alone) return "key " + key + ": two writes were applied at zxid " + z(shown.stat.mzxid);
  }
  return std::nullopt;
}

size_t RegisterHistory::unknown(const std::string& key, WriteKind kind, size_t before) const {
  size_t count = 0;
  for (size_t i = 0; i < before; ++i) {
    if (!writes_[i].known && writes_[i].kind == kind && writes_[i].key == key) ++count;
  }
  return count;
}

Verdict RegisterHistory::check_read(const Read& read, const Effects& effects) const {
  const auto after = effects.upper_bound(read.seen);
  const Effect* last = after == effects.begin() ? nullptr : &std::prev(after)->second;
  const bool exists = last != nullptr && last->kind != WriteKind::kDelete;
  const bool shown_exists = read.only_exists ? *read.only_exists : read.shown.has_value();
  if (!shown_exists) {
    if (!exists || unknown(read.key, WriteKind::kDelete, read.writes_begun) > 0) return std::nullopt;
    return "the state of zxid " + z(read.seen) + " has no node, but '" + last->value + "' was written at " +
           z(std::prev(after)->first);
  }
  if (read.only_exists) {
    if (exists || unknown(read.key, WriteKind::kCreate, read.writes_begun) > 0) return std::nullopt;
    return "the state of zxid " + z(read.seen) + " is said to have a node that was never made or is deleted";
  }
  const kv::Stat& stat = read.shown->stat;
  if (stat.mzxid > read.seen)
    return "the state of zxid " + z(read.seen) + " shows a write of zxid " + z(stat.mzxid);
  CHECK(last != nullptr);  // what it shows is among the effects
  const Zxid newest = std::prev(after)->first;
  if (newest != stat.mzxid) {
    return "the state of zxid " + z(read.seen) + " shows '" + read.shown->value + "' of " + z(stat.mzxid) +
           ", but there was a write at " + z(newest);
  }
  if (last->value != read.shown->value) {
    return "zxid " + z(newest) + " wrote '" + last->value + "', but '" + read.shown->value + "' is shown";
  }
  return std::nullopt;
}

// Between two writes that happened, the version may have risen only by writes whose outcome is unknown: more
// would mean that something was applied twice.
Verdict RegisterHistory::check_versions(const std::string& key, const Effects& effects) const {
  const size_t unknown_sets = unknown(key, WriteKind::kSet, writes_.size());
  const Effect* before = nullptr;
  for (const auto& [zxid, effect] : effects) {
    if (before != nullptr && before->version && effect.version && before->czxid == effect.czxid) {
      const int64_t rise = int64_t{*effect.version} - *before->version;
      if (rise < 1) return "key " + key + ": the version does not rise at zxid " + z(zxid);
      if (rise > 1 + static_cast<int64_t>(unknown_sets)) {
        return "key " + key + ": a write was applied more than once before zxid " + z(zxid);
      }
    }
    before = &effect;
  }
  return std::nullopt;
}

}  // namespace quorate::sim
