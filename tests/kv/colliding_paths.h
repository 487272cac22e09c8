// Paths that anybody can make who knows that checksum64() has no key.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace quorate::kv {

// So many, all with one checksum64(): XXH3 multiplies each eight bytes with the next eight, both xored with
// what it knows by heart. These are nothing then, whatever stands behind them.
inline std::vector<std::string> paths_of_one_checksum(size_t count) {
  const std::string begin = "/" + std::string(15, 'a') + "\xde\xd4\x6d\xe9\x83\x90\x97\xdb";
  std::vector<std::string> paths;
  for (size_t i = 0; i < count; ++i) paths.push_back(begin + std::to_string(10'000'000 + i));
  return paths;
}

}  // namespace quorate::kv
