#include "kv/text.h"

#include "kv/path.h"

namespace quorate::kv {

std::string shown(std::string_view path) {
  constexpr size_t kShownBytesMax = 100;
  constexpr char kHex[] = "0123456789abcdef";
  std::string text = "\"";
  for (const char c : path.substr(0, kShownBytesMax)) {
    const auto byte = static_cast<uint8_t>(c);
    if (byte >= 0x20 && byte < 0x7f && c != '"' && c != '\\') {
      text.push_back(c);
    } else {
      text.append("\\x");
      text.push_back(kHex[byte >> 4]);
      text.push_back(kHex[byte & 15]);
    }
  }
  text.append(path.size() > kShownBytesMax ? "...\"" : "\"");
  return text;
}

void append_sequence(std::string& out, uint64_t value) {
  const std::string digits = std::to_string(value);
  if (digits.size() < kSequenceDigits) out.append(kSequenceDigits - digits.size(), '0');
  out.append(digits);
}

}  // namespace quorate::kv
