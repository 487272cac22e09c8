#include "server/shell/config_file.h"

#include <fmt/format.h>

#include <filesystem>
#include <system_error>

#define TOML_EXCEPTIONS 0
#include <toml++/toml.h>

namespace quorate::server {

Result<std::vector<ConfigFileValue>> read_config_file(const std::string& path) {
  // A folder can be opened like a file, and reads as an empty one.
  std::error_code ignored;
  if (std::filesystem::is_directory(path, ignored))
    return Error{ErrorCode::kBadConfiguration, path + ": is a folder, not a file"};
  const toml::parse_result parsed = toml::parse_file(path);
  if (!parsed) {
    const toml::parse_error& error = parsed.error();
    const unsigned line = error.source().begin.line;
    const std::string where = line > 0 ? fmt::format("{}:{}", path, line) : path;
    return Error{ErrorCode::kBadConfiguration, fmt::format("{}: {}", where, error.description())};
  }
  std::vector<ConfigFileValue> values;
  for (const auto& [key, node] : parsed.table()) {
    ConfigFileValue value{std::string(key.str()), {}, node.source().begin.line};
    if (const auto* text = node.as_string()) {
      value.text = text->get();
    } else if (const auto* number = node.as_integer()) {
      value.text = std::to_string(number->get());
    } else {
      return Error{ErrorCode::kBadConfiguration, fmt::format("{}:{}: '{}' must be a string or a whole number",
                                                             path, value.line, value.key)};
    }
    values.push_back(std::move(value));
  }
  return values;
}

}  // namespace quorate::server
