#include "client/cli/json_line.h"

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include "client/cli/command.h"
#include "kv/command.h"
#include "kv/path.h"

namespace quorate::cli {

namespace {

std::optional<std::string> from_base64(std::string_view text) {
  std::string bytes;
  uint32_t group = 0;
  size_t digits = 0, padding = 0;
  for (const char c : text) {
    uint32_t value = 0;
    if (c >= 'A' && c <= 'Z') {
      value = static_cast<uint32_t>(c - 'A');
    } else if (c >= 'a' && c <= 'z') {
      value = static_cast<uint32_t>(c - 'a') + 26;
    } else if (c >= '0' && c <= '9') {
      value = static_cast<uint32_t>(c - '0') + 52;
    } else if (c == '+' || c == '/') {
      value = c == '+' ? 62 : 63;
    } else if (c == '=') {
      ++padding;
    } else {
      return std::nullopt;
    }
    if (padding > 0 && c != '=') return std::nullopt;
    group = group << 6 | value;
    if (++digits % 4 != 0) continue;
    for (int shift = 16; shift >= 0; shift -= 8) bytes.push_back(static_cast<char>(group >> shift & 0xff));
    group = 0;
  }
  if (digits % 4 != 0 || padding > 2) return std::nullopt;
  bytes.resize(bytes.size() - padding);
  return bytes;
}

}  // namespace

Result<Line> parse_line(const std::string& text) {
  const auto wrong = [](const std::string& what) { return Error{ErrorCode::kInvalidArgument, what}; };
  const nlohmann::json json = nlohmann::json::parse(text, nullptr, false);
  if (!json.is_object()) return wrong("it is no JSON object");
  Line line;
  std::vector<std::string> acl;
  for (const auto& [key, value] : json.items()) {
    if (key == "acl" && value.is_array()) {
      for (const nlohmann::json& entry : value) {
        if (!entry.is_string()) return wrong("acl is a list of SCHEME:ID:PERMISSIONS");
        acl.push_back(entry.get<std::string>());
      }
    } else if (!value.is_string()) {
      return wrong("'" + key + "' is not what export writes");
    } else if (key == "path") {
      line.path = value.get<std::string>();
    } else if (key == "data") {
      line.data = value.get<std::string>();
    } else if (key == "data_base64") {
      auto bytes = from_base64(value.get_ref<const std::string&>());
      if (!bytes) return wrong("data_base64 is no base64");
      line.data = std::move(*bytes);
    } else {
      return wrong("'" + key + "' is not what export writes");
    }
  }
  if (line.path.empty()) return wrong("'path' is missing");
  if (Status valid = kv::validate_path(line.path); !valid.ok()) return valid.error();
  if (line.data.size() > kv::kDataBytesMax) return wrong(line.path + " has more bytes than a node can hold");
  auto entries = parse_acl(acl);
  if (!entries.ok()) return entries.error();
  line.acl = std::move(*entries);
  return line;
}

}  // namespace quorate::cli
