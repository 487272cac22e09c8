#include "tests/bench/report_text.h"

#include <algorithm>
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

std::string aligned(const std::vector<Cells>& table) {
  std::vector<size_t> widths(table.front().size());
  for (const Cells& row : table) {
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  std::string text;
  for (const Cells& row : table) {
    for (size_t i = 0; i < row.size(); ++i) {
      const std::string gap(widths[i] - row[i].size(), ' ');
      text += i == 0 ? row[i] + gap : "  " + gap + row[i];
    }
    text.erase(text.find_last_not_of(' ') + 1);
    text += '\n';
  }
  return text;
}

std::string verdict(bool met) { return met ? "met" : "missed"; }

std::string json_figures(const Figures& f) {
  return format(R"({"ops_per_s": %.1f, "p50_us": %.1f, "p99_us": %.1f, "p999_us": %.1f})", f.rate, f.p50_us,
                f.p99_us, f.p999_us);
}

std::string json_string(const std::string& text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
  }
  return out + "\"";
}

std::string json_machine(const Machine& machine) {
  return format("{\"cores\": %d, ", machine.cores) + "\"cpu\": " + json_string(machine.cpu) +
         ", \"kernel\": " + json_string(machine.kernel) +
         ", \"file_system\": " + json_string(machine.file_system) + "}";
}

Figures figures_of(const LoadResult& result) {
  const auto us = [&](double share) { return static_cast<double>(result.latency.percentile(share)) / 1000; };
  return {result.rate(), us(0.5), us(0.99), us(0.999)};
}

}  // namespace quorate::bench
