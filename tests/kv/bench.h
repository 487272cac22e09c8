// What the programs that measure the tree and the watches have in common.
#pragma once

#include <cstddef>
#include <cstdint>
#include <fstream>
#include <string>

namespace quorate::kv {

inline constexpr size_t kPathBytes = 40;

// Paths of kPathBytes below 1,000 parents.
inline std::string path_of(uint64_t i) {
  const std::string digits = std::to_string(i);
  std::string path = "/bench/" + std::to_string(i % 1'000) + "/";
  path.append(kPathBytes - path.size() - digits.size(), 'n');
  return path + digits;
}

// What this process has in memory.
inline size_t resident_bytes() {
  std::ifstream status("/proc/self/statm");
  size_t total = 0;
  size_t resident = 0;
  status >> total >> resident;
  return resident * 4096;
}

}  // namespace quorate::kv
