// MD5, as the SASL mechanism DIGEST-MD5 uses it (RFC 2831), which ZooKeeper's clients speak.
//
// Written here for the reasons that sha1.h gives. MD5 is broken as a signature (collisions), and quick to try
// passwords with: whoever overhears an exchange can look for a weak one. Use it for nothing else.
//
// Thread safety: pure functions.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace quorate {

using Md5Digest = std::array<uint8_t, 16>;

// RFC 1321.
Md5Digest md5(std::string_view bytes);

// Lower-case hexadecimal digits, two a byte.
std::string hex_digits(std::string_view bytes);

inline std::string_view bytes_of(const Md5Digest& digest) {
  return {reinterpret_cast<const char*>(digest.data()), digest.size()};
}

}  // namespace quorate
