// An IP address, or all that share its first bits, as ACLs name them: "10.1.2.3", "10.0.0.0/8",
// "2001:db8::/32".
//
// An IPv4 address that came over an IPv6 socket ("::ffff:10.1.2.3") is the IPv4 address.
//
// Thread safety: plain values.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

namespace quorate::kv {

class IpNetwork {
 public:
  // Nothing for text that is neither (RFC 4291, section 2.2, without zones; dotted decimal without leading
  // zeros).
  static std::optional<IpNetwork> parse(std::string_view text);

  // Whether the prefix is the whole address.
  bool is_address() const { return bits_ == bits_max_; }
  // REQUIRES: address.is_address(). Of the other family: no.
  bool contains(const IpNetwork& address) const;

 private:
  bool parse_v4(std::string_view text);
  bool parse_v6(std::string_view text);
  bool parse_dotted(std::string_view text, size_t at);
  void unmap();

  std::array<uint8_t, 16> bytes_{};
  unsigned bits_max_ = 0;  // 32 or 128
  unsigned bits_ = 0;
};

}  // namespace quorate::kv
