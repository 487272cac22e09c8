#include "tests/bench/report_text.h"

#include <algorithm>

namespace quorate::bench {

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

}  // namespace quorate::bench
