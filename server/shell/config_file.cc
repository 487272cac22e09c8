#include "server/shell/config_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <system_error>

#define TOML_EXCEPTIONS 0
#include <toml++/toml.h>

namespace quorate::server {

namespace {

Result<std::vector<ConfigFileValue>> values_of(const toml::parse_result& parsed, const std::string& path) {
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

bool is_ascii(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}

// toml++ 3 takes letters of other languages, where they stand outside of quotes, to a branch that it calls
// unreachable. No key and no number of ours has any; so they may stand in a value that begins with a quote,
// and in comments. Strings of several lines, in which a look at one line would not tell, are needed for none
// either. What is wrong with the line, or nothing.
const char* problem_of(std::string_view line) {
  constexpr const char* kBeyondAscii = "letters beyond ASCII belong into quotes";
  line.remove_prefix(std::min(line.find_first_not_of(" \t"), line.size()));
  if (line.starts_with('#')) return nullptr;
  const size_t value = line.find_first_not_of(" \t", std::min(line.find('='), line.size() - 1) + 1);
  if (value < line.size() && (line[value] == '"' || line[value] == '\'')) {
    if (!is_ascii(line.substr(0, value))) return kBeyondAscii;
    const char quote = line[value];
    line.remove_prefix(value);
    if (line.starts_with(std::string(3, quote))) return "a string ends in the line that it begins in";
    size_t end = 1;
    for (; end < line.size() && line[end] != quote; ++end) {
      if (quote == '"' && line[end] == '\\') ++end;
    }
    line.remove_prefix(std::min(end + 1, line.size()));
  }
  return is_ascii(line.substr(0, line.find('#'))) ? nullptr : kBeyondAscii;
}

Status check_lines(std::string_view text, const std::string& path) {
  constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";
  if (text.starts_with(kByteOrderMark)) text.remove_prefix(kByteOrderMark.size());
  for (size_t line = 1; !text.empty(); ++line) {
    const size_t end = std::min(text.find('\n'), text.size());
    if (const char* problem = problem_of(text.substr(0, end)); problem != nullptr)
      return Error{ErrorCode::kBadConfiguration, fmt::format("{}:{}: {}", path, line, problem)};
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return {};
}

}  // namespace

Result<std::vector<ConfigFileValue>> parse_config_file(std::string_view text, const std::string& path) {
  if (Status status = check_lines(text, path); !status.ok()) return status.error();
  return values_of(toml::parse(text, path), path);
}

Result<std::vector<ConfigFileValue>> read_config_file(const std::string& path) {
  // A folder can be opened like a file, and reads as an empty one.
  std::error_code ignored;
  if (std::filesystem::is_directory(path, ignored))
    return Error{ErrorCode::kBadConfiguration, path + ": is a folder, not a file"};
  std::ifstream in(path, std::ios::binary);
  std::ostringstream text;
  if (!in || !(text << in.rdbuf() || in.peek() == std::ifstream::traits_type::eof()))
    return Error{ErrorCode::kBadConfiguration, path + ": cannot be read"};
  return parse_config_file(text.str(), path);
}

}  // namespace quorate::server
