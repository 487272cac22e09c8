// A TOML file of settings, as the texts that flags would have had.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace quorate::server {

struct ConfigFileValue {
  std::string key;
  std::string text;
  unsigned line = 0;
};

// What stands in a file of that name. Errors: as below.
Result<std::vector<ConfigFileValue>> parse_config_file(std::string_view text, const std::string& path);

// Errors: kBadConfiguration: the file cannot be read or is no TOML (with the line), or a value is neither a
// string nor a number.
Result<std::vector<ConfigFileValue>> read_config_file(const std::string& path);

}  // namespace quorate::server
