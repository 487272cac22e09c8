// Numbers of the command line: decimal digits and nothing else.
#pragma once

#include <charconv>
#include <limits>
#include <string>
#include <system_error>
#include <type_traits>

#include <CLI/CLI.hpp>

namespace quorate::cli {

// For transform() of an option that is a T from `least` on. CLI11 by itself takes 010 for 8, as C does, where
// a token is often padded with zeros; and of what is no T it makes the T that is nearest.
template <class T>
CLI::Validator decimal(T least = std::is_signed_v<T> ? T{0} : std::numeric_limits<T>::min()) {
  const auto take = [least](std::string& text) -> std::string {
    T number{};
    const char* const end = text.data() + text.size();
    const auto parsed = std::from_chars(text.data(), end, number);
    const bool too_far = parsed.ec == std::errc::result_out_of_range;
    if (parsed.ptr != end || (parsed.ec != std::errc() && !too_far))
      return "'" + text + "' is no number that it can be: write decimal digits";
    if (too_far || number < least)
      return "'" + text + "' is out of range: it may be from " + std::to_string(least) + " to " +
             std::to_string(std::numeric_limits<T>::max());
    text = std::to_string(number);
    return "";
  };
  return CLI::Validator(take, "");
}

}  // namespace quorate::cli
