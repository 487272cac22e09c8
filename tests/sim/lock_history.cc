#include "tests/sim/lock_history.h"

#include "base/check.h"
#include "tests/sim/history.h"

namespace quorate::sim {
namespace {

std::string name(uint32_t client) { return "client " + std::to_string(client); }
std::string t(Token token) { return std::to_string(token.value()); }

}  // namespace

Verdict LockHistory::hold_begins(const std::string& path, uint32_t client, const std::string& node,
                                 Token token) {
  Lock& lock = locks_[path];
  if (token.value() == 0) return name(client) + " holds " + path + " without a token";
  const auto [grant, first] = lock.granted.emplace(token, std::pair(client, node));
  if (!first && grant->second != std::pair(client, node)) {
    return "token " + t(token) + " of " + path + " was given to " + name(grant->second.first) + " and to " +
           name(client);
  }
  if (leases_count_) {
    for (const auto& [other, its_token] : lock.believers) {
      if (other == client || !lease_valid_(other)) continue;
      return name(client) + " (token " + t(token) + ") and " + name(other) + " (token " + t(its_token) +
             ") both hold " + path;
    }
    if (first && token <= lock.newest_believed) {
      return "the token of " + path + " fell from " + t(lock.newest_believed) + " to " + t(token);
    }
    lock.newest_believed = std::max(lock.newest_believed, token);
  }
  lock.believers[client] = token;
  return std::nullopt;
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
