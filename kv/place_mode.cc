#include "kv/place_mode.h"

#include <charconv>
#include <optional>

namespace quorate::kv {
namespace {

constexpr std::string_view kMark = "quorate:";
constexpr std::string_view kDelay = ";delay=";
constexpr std::string_view kPermit = "permit/";
constexpr std::string_view kGone = ";gone";

bool take(std::string_view& text, std::string_view prefix) {
  if (!text.starts_with(prefix)) return false;
  text.remove_prefix(prefix.size());
  return true;
}

// From 1 to `max`, without leading zeros: each mode has one form.
std::optional<uint32_t> take_number(std::string_view& text, uint32_t max) {
  uint32_t value = 0;
  const char* const end = text.data() + text.size();
  const auto [at, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc() || value == 0 || value > max || text.front() == '0') return std::nullopt;
  text.remove_prefix(static_cast<size_t>(at - text.data()));
  return value;
}

bool take_mode(std::string_view& text, PlaceMode& mode) {
  if (take(text, "exclusive")) return true;
  if (take(text, "shared")) {
    mode.mode = Mode::kShared;
    return true;
  }
  if (!take(text, kPermit)) return false;
  const std::optional<uint32_t> permits = take_number(text, kPermitsMax);
  mode.mode = Mode::kPermit;
  mode.permits = permits.value_or(0);
  return permits.has_value();
}

}  // namespace

PlaceData read_place(std::string_view data) {
  const PlaceData plain{{}, data, false};
  PlaceData place{{}, data, true};
  if (!take(place.name, kMark) || !take_mode(place.name, place.mode)) return plain;
  if (take(place.name, kDelay)) {
    const std::optional<uint32_t> delay = take_number(place.name, kLockDelayMsMax);
    if (!delay) return plain;
    place.mode.delay_ms = *delay;
    place.mode.gone = take(place.name, kGone);
  }
  if (!take(place.name, ":")) return plain;
  // Exclusive without more is written as the name alone.
  return place.mode == PlaceMode() ? plain : place;
}

std::string write_place(const PlaceMode& mode, std::string_view name) {
  if (mode == PlaceMode()) return std::string(name);
  std::string data(kMark);
  switch (mode.mode) {
    case Mode::kExclusive:
      data += "exclusive";
      break;
    case Mode::kShared:
      data += "shared";
      break;
    case Mode::kPermit:
      data.append(kPermit).append(std::to_string(mode.permits));
      break;
  }
  if (mode.delay_ms > 0) data.append(kDelay).append(std::to_string(mode.delay_ms));
  if (mode.gone) data.append(kGone);
  return data.append(":").append(name);
}

std::string mode_text(const PlaceMode& mode) {
  switch (mode.mode) {
    case Mode::kExclusive:
      return "exclusive";
    case Mode::kShared:
      return "shared";
    case Mode::kPermit:
      break;
  }
  return "one of " + std::to_string(mode.permits) + " permits";
}

}  // namespace quorate::kv
