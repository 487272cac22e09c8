#include "client/endpoint.h"

#include <cstdint>

namespace quorate::client {

Result<HostPort> parse_endpoint(std::string_view endpoint) {
  const size_t colon = endpoint.rfind(':');
  if (colon != std::string_view::npos && colon > 0) {
    std::string_view host = endpoint.substr(0, colon);
    const std::string_view port = endpoint.substr(colon + 1);
    const bool bracketed = host.front() == '[' && host.back() == ']';
    if (bracketed) host = host.substr(1, host.size() - 2);
    uint32_t number = 0;
    bool digits = !port.empty() && port.size() <= 5;
    for (const char c : port) {
      digits = digits && c >= '0' && c <= '9';
      number = number * 10 + static_cast<uint32_t>(c - '0');
    }
    const bool plain = bracketed || host.find(':') == std::string_view::npos;
    if (!host.empty() && plain && digits && number > 0 && number <= 65535)
      return HostPort{std::string(host), std::string(port)};
  }
  return Error{ErrorCode::kInvalidArgument,
               "'" + std::string(endpoint) + "' is no endpoint: write HOST:PORT, for example 127.0.0.1:2181"};
}

}  // namespace quorate::client
