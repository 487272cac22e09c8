// A TOML file of settings, as the texts that flags would have had.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"

namespace quorate::server {

struct ConfigFileValue {
  std::string key;
  std::string text;
  unsigned line = 0;
};

// Errors: kBadConfiguration: the file cannot be read or is no TOML (with the line), or a value is neither a
// string nor a number.
Result<std::vector<ConfigFileValue>> read_config_file(const std::string& path);

}  // namespace quorate::server
