// The paths that the load works on, the same in every protocol.
#pragma once

#include <cstdint>
#include <cstdio>
#include <string>

namespace quorate::bench {

inline constexpr const char* kBenchFolder = "/quorate-bench";
inline constexpr const char* kBenchLocksFolder = "/quorate-bench/locks";

inline std::string bench_node_path(uint32_t key) {
  char path[48];
  std::snprintf(path, sizeof(path), "/quorate-bench/node-of-40-bytes-%08u", key);
  return path;
}

inline std::string bench_lock_path(uint32_t key) {
  char path[48];
  std::snprintf(path, sizeof(path), "/quorate-bench/locks/l%04u", key);
  return path;
}

}  // namespace quorate::bench
