#include "server/shell/sasl_users.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "kv/acl.h"

namespace quorate::server {

Result<SaslUsers> parse_sasl_users(std::string_view text) {
  SaslUsers users;
  const auto wrong = [](size_t line, const char* what) {
    return Error{ErrorCode::kBadConfiguration, fmt::format("line {}: {}", line, what)};
  };
  for (size_t line = 1; !text.empty(); ++line) {
    const size_t end = std::min(text.find('\n'), text.size());
    std::string_view entry = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (entry.ends_with('\r')) entry.remove_suffix(1);
    if (entry.empty() || entry.starts_with('#')) continue;
    const size_t colon = entry.find(':');
    if (colon == std::string_view::npos || colon + 1 == entry.size())
      return wrong(line, "write name:password");
    const std::string name(entry.substr(0, colon));
    if (!kv::validate_credential({"sasl", name}).ok()) return wrong(line, "that name cannot stand in an ACL");
    if (!users.emplace(name, sasl_secret(kZookeeperSasl, name, entry.substr(colon + 1))).second)
      return wrong(line, "that name stood in a line before");
  }
  if (users.empty())
    return {ErrorCode::kBadConfiguration, "there is no user in it: write name:password lines"};
  return users;
}

Result<SaslUsers> read_sasl_users(const std::string& path) {
  std::ifstream in(path);
  std::stringstream text;
  if (!in || std::filesystem::is_directory(path) || !(text << in.rdbuf()))
    return {ErrorCode::kBadConfiguration, fmt::format("{}: cannot be read, or is empty", path)};
  auto users = parse_sasl_users(text.str());
  if (users.ok()) return users;
  return {ErrorCode::kBadConfiguration, fmt::format("{}: {}", path, users.error().message)};
}

}  // namespace quorate::server
