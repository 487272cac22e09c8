#include "kv/ip_network.h"

#include <algorithm>

namespace quorate::kv {
namespace {

constexpr unsigned kV4Bits = 32;
constexpr unsigned kV6Bits = 128;
constexpr unsigned kMappedBits = 96;  // "::ffff:0:0/96"

// Digits of a number in decimal, without leading zeros: inet_aton reads those as octal, others do not.
std::optional<unsigned> decimal(std::string_view text, unsigned max) {
  if (text.empty() || text.size() > 3 || (text.size() > 1 && text[0] == '0')) return std::nullopt;
  unsigned value = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') return std::nullopt;
    value = value * 10 + static_cast<unsigned>(c - '0');
  }
  if (value > max) return std::nullopt;
  return value;
}

std::optional<unsigned> hex_group(std::string_view text) {
  if (text.empty() || text.size() > 4) return std::nullopt;
  unsigned value = 0;
  for (const char c : text) {
    const int digit = c >= '0' && c <= '9'   ? c - '0'
                      : c >= 'a' && c <= 'f' ? c - 'a' + 10
                      : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                             : -1;
    if (digit < 0) return std::nullopt;
    value = value << 4 | static_cast<unsigned>(digit);
  }
  return value;
}

}  // namespace

bool IpNetwork::parse_dotted(std::string_view text, size_t at) {
  for (size_t i = 0; i < 4; ++i) {
    const size_t dot = text.find('.');
    if ((dot == std::string_view::npos) != (i == 3)) return false;
    const std::optional<unsigned> value = decimal(text.substr(0, dot), 255);
    if (!value.has_value()) return false;
    bytes_[at + i] = static_cast<uint8_t>(*value);
    if (i < 3) text.remove_prefix(dot + 1);
  }
  return true;
}

bool IpNetwork::parse_v4(std::string_view text) {
  bits_max_ = kV4Bits;
  return parse_dotted(text, 0);
}

// Groups from the front until "::", then from there on; what was read behind it moves to the end.
bool IpNetwork::parse_v6(std::string_view text) {
  bits_max_ = kV6Bits;
  size_t at = 0;
  std::optional<size_t> gap;
  if (text.starts_with("::")) {
    gap = 0;
    text.remove_prefix(2);
  }
  while (!text.empty()) {
    const size_t colon = text.find(':');
    const std::string_view group = text.substr(0, colon);
    if (colon == std::string_view::npos && group.find('.') != std::string_view::npos) {
      if (at + 4 > bytes_.size() || !parse_dotted(group, at)) return false;
      at += 4;
      break;
    }
    const std::optional<unsigned> value = hex_group(group);
    if (!value.has_value() || at + 2 > bytes_.size()) return false;
    bytes_[at++] = static_cast<uint8_t>(*value >> 8);
    bytes_[at++] = static_cast<uint8_t>(*value);
    if (colon == std::string_view::npos) break;
    text.remove_prefix(colon + 1);
    if (text.empty()) return false;  // ends in a single colon
    if (text[0] == ':') {
      if (gap.has_value()) return false;
      gap = at;
      text.remove_prefix(1);
    }
  }
  if (!gap.has_value()) return at == bytes_.size();
  if (at + 2 > bytes_.size()) return false;  // "::" stands for one group at least
  const auto begin = bytes_.begin() + static_cast<std::ptrdiff_t>(*gap);
  const auto end = bytes_.begin() + static_cast<std::ptrdiff_t>(at);
  std::move_backward(begin, end, bytes_.end());
  std::fill(begin, begin + static_cast<std::ptrdiff_t>(bytes_.size() - at), uint8_t{0});
  return true;
}

void IpNetwork::unmap() {
  const bool mapped =
      bits_max_ == kV6Bits && bits_ >= kMappedBits && bytes_[10] == 0xff && bytes_[11] == 0xff &&
      std::all_of(bytes_.begin(), bytes_.begin() + 10, [](uint8_t byte) { return byte == 0; });
  if (!mapped) return;
  std::copy(bytes_.begin() + 12, bytes_.end(), bytes_.begin());
  std::fill(bytes_.begin() + 4, bytes_.end(), uint8_t{0});
  bits_max_ = kV4Bits;
  bits_ -= kMappedBits;
}

std::optional<IpNetwork> IpNetwork::parse(std::string_view text) {
  const size_t slash = text.find('/');
  const std::string_view address = text.substr(0, slash);
  IpNetwork network;
  const bool v6 = address.find(':') != std::string_view::npos;
  if (!(v6 ? network.parse_v6(address) : network.parse_v4(address))) return std::nullopt;
  network.bits_ = network.bits_max_;
  if (slash != std::string_view::npos) {
    const std::optional<unsigned> bits = decimal(text.substr(slash + 1), network.bits_max_);
    if (!bits.has_value()) return std::nullopt;
    network.bits_ = *bits;
  }
  network.unmap();
  return network;
}

bool IpNetwork::contains(const IpNetwork& address) const {
  if (bits_max_ != address.bits_max_) return false;
  const size_t whole = bits_ / 8;
  if (!std::equal(bytes_.begin(), bytes_.begin() + static_cast<std::ptrdiff_t>(whole),
                  address.bytes_.begin()))
    return false;
  const unsigned rest = bits_ % 8;
  return rest == 0 || (bytes_[whole] ^ address.bytes_[whole]) >> (8 - rest) == 0;
}

}  // namespace quorate::kv
