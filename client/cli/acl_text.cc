// Lists of permissions as a person writes them.
#include "client/cli/command.h"

namespace quorate::cli {

namespace {
constexpr std::string_view kLetters = "rwcda";
}  // namespace

Result<client::AclEntry> parse_acl_entry(const std::string& text) {
  const size_t first = text.find(':');
  const size_t last = text.rfind(':');
  client::AclEntry entry;
  bool good = first != std::string::npos && first < last;
  for (size_t i = good ? last + 1 : text.size(); i < text.size(); ++i) {
    const size_t bit = kLetters.find(text[i]);
    good = good && bit != std::string_view::npos;
    if (good) entry.permissions |= 1U << bit;
  }
  if (!good) {
    return Error{ErrorCode::kInvalidArgument,
                 "'" + text +
                     "' is no entry of a list of permissions: write SCHEME:ID:rwcda, "
                     "for example world:anyone:r"};
  }
  entry.scheme = text.substr(0, first);
  entry.id = text.substr(first + 1, last - first - 1);
  return entry;
}

std::string permission_letters(uint32_t permissions) {
  std::string out;
  for (size_t bit = 0; bit < kLetters.size(); ++bit)
    if ((permissions >> bit & 1U) != 0) out += kLetters[bit];
  return out;
}

Result<client::Acl> parse_acl(const std::vector<std::string>& entries) {
  client::Acl acl;
  for (const std::string& text : entries) {
    const Result<client::AclEntry> entry = parse_acl_entry(text);
    if (!entry.ok()) return entry.error();
    acl.push_back(*entry);
  }
  return acl;
}

}  // namespace quorate::cli
