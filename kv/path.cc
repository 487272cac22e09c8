#include "kv/path.h"

#include <cstdint>

#include "base/check.h"
#include "kv/text.h"

namespace quorate::kv {
namespace {

// One code point from the front of `rest`, or nothing where the bytes are not the shortest form of one (RFC
// 3629).
struct Utf8 {
  uint32_t code_point = 0;
  size_t size = 0;  // 0: not UTF-8
};

Utf8 decode_utf8(std::string_view rest) {
  const auto byte = [&](size_t i) { return static_cast<uint8_t>(rest[i]); };
  const uint8_t lead = byte(0);
  const size_t size = lead < 0x80             ? 1
                      : (lead & 0xe0) == 0xc0 ? 2
                      : (lead & 0xf0) == 0xe0 ? 3
                      : (lead & 0xf8) == 0xf0 ? 4
                                              : 0;
  if (size == 0 || size > rest.size()) return {};
  if (size == 1) return {lead, 1};
  uint32_t code_point = lead & (0x7fU >> size);
  for (size_t i = 1; i < size; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return {};
    code_point = code_point << 6 | (byte(i) & 0x3fU);
  }
  constexpr uint32_t kSmallest[] = {0, 0, 0x80, 0x800, 0x10000};
  if (code_point < kSmallest[size] || code_point > 0x10ffff) return {};
  return {code_point, size};
}

bool forbidden(uint32_t c) {
  return c <= 0x1f || (c >= 0x7f && c <= 0x9f) || (c >= 0xd800 && c <= 0xf8ff) || c >= 0xfff0;
}

Error bad(std::string_view path, size_t at, std::string_view what) {
  std::string message = "the path ";
  message.append(shown(path)).append(" has ").append(what);
  message.append(" at byte ").append(std::to_string(at));
  return {ErrorCode::kBadPath, std::move(message)};
}

Status validate_component(std::string_view path, size_t begin, size_t end) {
  const std::string_view component = path.substr(begin, end - begin);
  if (component.empty())
    return bad(path, begin, "an empty component (write single slashes and none at the end)");
  if (component == "." || component == "..")
    return bad(path, begin, "a relative component (write it out in full)");
  for (size_t i = begin; i < end;) {
    const auto c = static_cast<uint8_t>(path[i]);
    if (c > 0x1f && c < 0x7f) {
      ++i;
      continue;
    }
    const Utf8 decoded = decode_utf8(path.substr(i, end - i));
    if (decoded.size == 0) return bad(path, i, "bytes that are not UTF-8");
    if (forbidden(decoded.code_point)) return bad(path, i, "a character that no path may contain");
    i += decoded.size;
  }
  return {};
}

}  // namespace

Status validate_path(std::string_view path, bool sequential) {
  const size_t bytes = path.size() + (sequential ? kSequenceDigits : 0);
  if (bytes > kPathBytesMax) {
    return {ErrorCode::kTooLarge, "the path has " + std::to_string(bytes) + " bytes; at most " +
                                      std::to_string(kPathBytesMax) + " are allowed"};
  }
  if (path.empty() || path[0] != '/') {
    return {ErrorCode::kBadPath, "the path " + shown(path) + " does not start with a slash"};
  }
  if (path.size() == 1) return {};
  for (size_t begin = 1;;) {
    const size_t slash = path.find('/', begin);
    const bool last = slash == std::string_view::npos;
    const size_t end = last ? path.size() : slash;
    const bool suffix_follows = last && begin == end && sequential;
    if (!suffix_follows) {
      // A suffix also makes "." and ".." into ordinary names, but a rule that depends on it helps nobody.
      if (Status status = validate_component(path, begin, end); !status.ok()) return status;
    }
    if (last) return {};
    begin = slash + 1;
  }
}

std::string_view parent_of(std::string_view path) {
  const size_t slash = path.rfind('/');
  CHECK(slash != std::string_view::npos);
  return slash == 0 ? path.substr(0, 1) : path.substr(0, slash);
}

std::string_view name_of(std::string_view path) {
  const size_t slash = path.rfind('/');
  CHECK(slash != std::string_view::npos);
  return path.substr(slash + 1);
}

std::string join_path(std::string_view parent, std::string_view name) {
  std::string path;
  path.reserve(parent.size() + 1 + name.size());
  if (parent != "/") path.append(parent);
  path.push_back('/');
  path.append(name);
  return path;
}

}  // namespace quorate::kv
