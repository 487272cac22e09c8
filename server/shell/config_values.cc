#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <utility>

#include "server/shell/config.h"

namespace quorate::server {

namespace {

Error bad(std::string message) { return {ErrorCode::kBadConfiguration, std::move(message)}; }

// A number and the unit behind it.
std::optional<std::pair<uint64_t, std::string>> split_unit(const std::string& text) {
  uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc()) return std::nullopt;
  return std::pair(number, std::string(end, text.data() + text.size()));
}

}  // namespace

Result<Duration> parse_duration(const std::string& text) {
  constexpr std::pair<std::string_view, Duration> kUnits[] = {{"ms", std::chrono::milliseconds(1)},
                                                              {"s", std::chrono::seconds(1)},
                                                              {"m", std::chrono::minutes(1)},
                                                              {"h", std::chrono::hours(1)}};
  constexpr uint64_t kHoursMax = 24 * 365;
  const auto split = split_unit(text);
  for (const auto& [unit, length] : kUnits) {
    if (!split || split->second != unit) continue;
    const uint64_t most = static_cast<uint64_t>(std::chrono::hours(kHoursMax) / length);
    if (split->first > most) return bad(fmt::format("'{}' is too long", text));
    return length * static_cast<int64_t>(split->first);
  }
  return bad(
      fmt::format("'{}' is no duration: write a number with a unit, for example 150ms, 10s or 2m", text));
}

Result<uint64_t> parse_bytes(const std::string& text) {
  constexpr std::pair<std::string_view, int> kUnits[] = {{"B", 0}, {"KiB", 10}, {"MiB", 20}, {"GiB", 30}};
  const auto split = split_unit(text);
  for (const auto& [unit, shift] : kUnits) {
    if (!split || split->second != unit) continue;
    if (split->first > (UINT64_MAX >> shift)) return bad(fmt::format("'{}' is too large", text));
    return split->first << shift;
  }
  return bad(
      fmt::format("'{}' is no size: write a number with a unit, for example 64MiB, 512KiB or 1000B", text));
}

Result<std::vector<PlannedMember>> parse_cluster(const std::string& text) {
  std::vector<PlannedMember> members;
  size_t begin = 0;
  while (begin <= text.size()) {
    const size_t end = std::min(text.find(',', begin), text.size());
    const std::string item = text.substr(begin, end - begin);
    begin = end + 1;
    const size_t equals = item.find('=');
    uint32_t id = 0;
    const auto parsed = std::from_chars(item.data(), item.data() + std::min(equals, item.size()), id);
    if (equals == std::string::npos || parsed.ec != std::errc() || parsed.ptr != item.data() + equals ||
        id < 1 || id > 255) {
      return bad(fmt::format("'{}' is no member: write ID=HOST:PORT with an id from 1 to 255", item));
    }
    auto address = parse_address(item.substr(equals + 1));
    if (!address.ok()) return address.error();
    if (address->port == 0)
      return bad(fmt::format("'{}' is no member: its peers need a port to dial, not 0", item));
    members.push_back({ServerId(id), to_string(*address)});
  }
  std::sort(members.begin(), members.end(), [](const auto& a, const auto& b) { return a.id < b.id; });
  for (size_t i = 1; i < members.size(); ++i) {
    if (members[i].id == members[i - 1].id) {
      return bad(fmt::format("id {} stands twice: give each server an id of its own", members[i].id.value()));
    }
  }
  for (size_t i = 0; i < members.size(); ++i) {
    for (size_t j = i + 1; j < members.size(); ++j) {
      if (members[i].address == members[j].address) {
        return bad(fmt::format("servers {} and {} have the same address {}", members[i].id.value(),
                               members[j].id.value(), members[i].address));
      }
    }
  }
  return members;
}

}  // namespace quorate::server
