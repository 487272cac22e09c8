#include "server/shell/address.h"

#include <fmt/format.h>

#include <charconv>

namespace quorate::server {

Result<Address> parse_address(std::string_view text) {
  const auto bad = [&](std::string_view why) {
    return Error{
        ErrorCode::kBadConfiguration,
        fmt::format("'{}' is no address: {}; write HOST:PORT, for example 127.0.0.1:2181", text, why)};
  };
  const size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return bad("the port is missing");
  std::string_view host = text.substr(0, colon);
  const std::string_view port_text = text.substr(colon + 1);
  if (host.size() >= 2 && host.front() == '[' && host.back() == ']') {
    host = host.substr(1, host.size() - 2);
  } else if (host.find(':') != std::string_view::npos) {
    return bad("an IPv6 address stands in brackets");
  }
  if (host.empty()) return bad("the host is missing");
  uint16_t port = 0;
  const auto [end, error] = std::from_chars(port_text.data(), port_text.data() + port_text.size(), port);
  if (error != std::errc() || end != port_text.data() + port_text.size() || port_text.empty()) {
    return bad("the port is no number up to 65535");
  }
  return Address{std::string(host), port};
}

std::string to_string(const Address& address) {
  const bool bracketed = address.host.find(':') != std::string::npos;
  return bracketed ? fmt::format("[{}]:{}", address.host, address.port)
                   : fmt::format("{}:{}", address.host, address.port);
}

}  // namespace quorate::server
