#include "tests/sim/lock_history.h"

#include "base/check.h"
#include "tests/sim/history.h"

namespace quorate::sim {
namespace {

std::string name(uint32_t client) { return "client " + std::to_string(client); }
std::string t(Token token) { return std::to_string(token.value()); }

}  // namespace

// Whoever may rely on the lock at this moment, beside this one.
Verdict LockHistory::check_beside(const std::string& path, const Lock& lock, uint32_t client, Token token,
                                  const kv::PlaceMode& mode) const {
  uint32_t beside = 0;
  for (const auto& [other, its] : lock.believers) {
    if (other == client || lock.taken.contains(its.token) || !lease_valid_(other)) continue;
    ++beside;
    if (mode.mode == its.mode.mode && mode.mode != kv::Mode::kExclusive) continue;
    return name(client) + " (token " + t(token) + ") and " + name(other) + " (token " + t(its.token) +
           ") both hold " + path;
  }
  if (mode.mode != kv::Mode::kPermit || beside < mode.permits) return std::nullopt;
  return std::to_string(beside + 1) + " hold " + path + ", which has " + std::to_string(mode.permits) +
         " permits";
}

Verdict LockHistory::hold_begins(const std::string& path, uint32_t client, const std::string& node,
                                 Token token, const kv::PlaceMode& mode) {
  Lock& lock = locks_[path];
  if (token.value() == 0) return name(client) + " holds " + path + " without a token";
  const auto [grant, first] = lock.granted.emplace(token, std::pair(client, node));
  if (!first && grant->second != std::pair(client, node)) {
    return "token " + t(token) + " of " + path + " was given to " + name(grant->second.first) + " and to " +
           name(client);
  }
  if (leases_count_ && !lock.taken.contains(token) && lease_valid_(client)) {
    if (Verdict wrong = check_beside(path, lock, client, token, mode)) return wrong;
    // Those that hold together may learn of it in any order.
    for (const auto& [held, newest] : lock.newest_believed) {
      if (!first || token > newest || (held == mode.mode && held != kv::Mode::kExclusive)) continue;
      return "the token of " + path + " fell from " + t(newest) + " to " + t(token);
    }
    Token& newest = lock.newest_believed[mode.mode];
    newest = std::max(newest, token);
  }
  lock.believers[client] = {token, mode};
  return std::nullopt;
}

void LockHistory::hold_is_shared(const std::string& path, uint32_t client) {
  const auto believer = locks_[path].believers.find(client);
  if (believer != locks_[path].believers.end()) believer->second.mode = {kv::Mode::kShared};
}

void LockHistory::hold_ends(const std::string& path, uint32_t client) {
  locks_[path].believers.erase(client);
}

Verdict LockHistory::resource_written(const std::string& path, uint32_t client, Token token, bool accepted) {
  Lock& lock = locks_[path];
  const auto grant = lock.granted.find(token);
  if (grant == lock.granted.end())
    return name(client) + " wrote with token " + t(token) + ", which nobody was given";
  if (grant->second.first != client)
    return name(client) + " wrote with the token of " + name(grant->second.first);
  if (!accepted) return std::nullopt;
  if (token < lock.highest_written) {
    return "the resource of " + path + " accepted token " + t(token) + " after " + t(lock.highest_written);
  }
  lock.highest_written = token;
  return std::nullopt;
}

void SequenceHistory::begin(const std::string& tag) {
  CHECK(items_.emplace(tag, Item{order_.begin(), ""}).second);
}

Verdict SequenceHistory::end(const std::string& tag, const std::string& path, Zxid zxid) {
  Item& item = items_.at(tag);
  item.path = path;
  if (Verdict wrong = order_.end_write(item.floor, zxid)) return wrong;
  const auto [place, alone] = by_zxid_.emplace(zxid, path);
  if (!alone) return "zxid " + std::to_string(zxid.value()) + " made " + place->second + " and " + path;
  if (place != by_zxid_.begin() && std::prev(place)->second >= path) {
    return path + " was made after " + std::prev(place)->second + ", but its number is not higher";
  }
  if (std::next(place) != by_zxid_.end() && std::next(place)->second <= path) {
    return path + " was made before " + std::next(place)->second + ", but its number is not lower";
  }
  return std::nullopt;
}

Verdict SequenceHistory::finish(const std::vector<std::pair<std::string, std::string>>& nodes) const {
  std::map<std::string, std::string> found;  // by tag
  for (const auto& [path, tag] : nodes) {
    if (!items_.contains(tag)) return path + " holds '" + tag + "', which nobody created";
    const auto [other, alone] = found.emplace(tag, path);
    if (!alone) return "the create of '" + tag + "' was applied twice: " + other->second + " and " + path;
  }
  for (const auto& [tag, item] : items_) {
    if (item.path.empty()) continue;
    const auto node = found.find(tag);
    if (node == found.end()) return "the create of " + item.path + " was answered, and the node is lost";
    if (node->second != item.path)
      return "the create of '" + tag + "' was answered as " + item.path + " but made " + node->second;
  }
  return std::nullopt;
}

}  // namespace quorate::sim
