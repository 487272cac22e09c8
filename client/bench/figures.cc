#include "client/bench/figures.h"

#include <cstdarg>
#include <cstdio>

namespace quorate::bench {

std::string format(const char* pattern, ...) {
  char text[256];
  va_list arguments;
  va_start(arguments, pattern);
  std::vsnprintf(text, sizeof(text), pattern, arguments);
  va_end(arguments);
  return text;
}

std::string with_commas(double value) {
  const std::string digits = format("%.0f", value);
  std::string text;
  for (size_t i = 0; i < digits.size(); ++i) {
    if (i > 0 && (digits.size() - i) % 3 == 0) text += ',';
    text += digits[i];
  }
  return text;
}

std::string time_text(double us) {
  if (us < 999.5) return format("%.0f us", us);
  if (us < 9'995) return format("%.2f ms", us / 1e3);
  if (us < 99'950) return format("%.1f ms", us / 1e3);
  if (us < 999'500) return format("%.0f ms", us / 1e3);
  return format("%.2f s", us / 1e6);
}

Figures figures_of(const LoadResult& result) {
  const auto us = [&](double share) { return static_cast<double>(result.latency.percentile(share)) / 1000; };
  return {result.rate(), us(0.5), us(0.99), us(0.999)};
}

}  // namespace quorate::bench
