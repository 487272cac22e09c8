// What the figures were measured on.
#pragma once

#include <string>

namespace quorate::bench {

struct Machine {
  int cores = 0;
  std::string cpu;
  std::string kernel;
  std::string file_system;  // of the folder: type and device

  std::string describe() const;
};

// Whatever cannot be found out reads "unknown".
Machine describe_machine(const std::string& folder);

}  // namespace quorate::bench
