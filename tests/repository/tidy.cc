#include "tests/repository/tidy.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>
#include <sstream>

namespace quorate::tidy {
namespace {

namespace fs = std::filesystem;

// One row of the table "who may include whom". The first row whose prefix fits a path is the path's layer.
struct Layer {
  std::string_view prefix;
  bool pure;
  std::vector<std::string_view> may_include;  // prefixes of layers
};

const std::vector<Layer>& layers() {
  static const std::vector<Layer> rows = {
      // A thread in waiting code, which servers and clients share.
      {"base/name_lookups", false, {"base/", "base/name_lookups"}},
      {"base/", true, {"base/"}},
      {"raft/", true, {"base/", "raft/"}},
      {"kv/", true, {"base/", "kv/"}},
      {"lock/", true, {"base/", "kv/", "lock/"}},
      {"proto/zookeeper", true, {"base/", "proto/zookeeper"}},
      {"proto/", false, {"base/", "proto/"}},
      // The words between the replica and the store.
      {"server/store_job", true, {"base/", "raft/", "kv/", "server/store_job"}},
      {"server/storage/", false, {"base/", "raft/", "kv/", "server/store_job", "server/storage/"}},
      {"server/shell/",
       false,
       {"base/", "raft/", "kv/", "lock/", "proto/", "proto/zookeeper", "server/", "server/store_job",
        "server/storage/", "server/shell/", "base/name_lookups"}},
      // What stands in server/ itself is the replica and what it speaks.
      {"server/", true, {"base/", "raft/", "kv/", "lock/", "proto/zookeeper", "server/", "server/store_job"}},
      // The commands that work on the folder of a stopped server.
      {"client/cli/",
       false,
       {"base/", "proto/", "proto/zookeeper", "raft/", "kv/", "lock/", "server/store_job", "server/storage/",
        "client/", "client/bench/", "client/cli/"}},
      {"client/bench/", false, {"base/", "proto/zookeeper", "client/bench/"}},
      {"client/", false, {"base/", "base/name_lookups", "proto/", "kv/", "lock/", "client/"}},
  };
  return rows;
}

// Standard headers through which time, threads, files or true randomness would come in.
constexpr std::string_view kImpureHeaders[] = {
    "thread",   "mutex",      "shared_mutex", "condition_variable",
    "future",   "stop_token", "semaphore",    "latch",
    "barrier",  "random",     "fstream",      "filesystem",
    "iostream", "ctime",      "csignal",      "coroutine",
};

// The same things by name.
constexpr std::string_view kImpureNames[] = {
    "system_clock",  "steady_clock", "high_resolution_clock",
    "clock_gettime", "gettimeofday", "random_device",
    "mt19937",       "srand",        "getenv",
    "this_thread",   "jthread",      "pthread_create",
    "ifstream",      "ofstream",     "fopen",
    "boost",         "leveldb",      "protobuf",
};

constexpr std::string_view kBadTestHabits[] = {
    "sleep_for", "sleep_until", "usleep", "nanosleep", "GTEST_SKIP",
};

bool has_prefix(std::string_view text, std::string_view prefix) {
  return text.substr(0, prefix.size()) == prefix;
}

const Layer* layer_of(std::string_view path) {
  for (const Layer& layer : layers()) {
    if (has_prefix(path, layer.prefix)) return &layer;
  }
  return nullptr;
}

std::vector<std::string> split_lines(std::string_view text) {
  std::vector<std::string> lines;
  std::istringstream in{std::string(text)};
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

struct Include {
  std::string target;
  bool quoted = false;
};

// The operand of an #include directive. False for any other line.
bool parse_include(std::string_view line, Include* include) {
  auto skip_blanks = [&line] {
    while (!line.empty() && (line.front() == ' ' || line.front() == '\t')) line.remove_prefix(1);
  };
  skip_blanks();
  if (!has_prefix(line, "#")) return false;
  line.remove_prefix(1);
  skip_blanks();
  if (!has_prefix(line, "include")) return false;
  line.remove_prefix(7);
  skip_blanks();
  if (line.empty() || (line.front() != '"' && line.front() != '<')) return false;
  include->quoted = line.front() == '"';
  line.remove_prefix(1);
  include->target = std::string(line.substr(0, line.find(include->quoted ? '"' : '>')));
  return true;
}

bool is_word(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

bool contains_word(std::string_view line, std::string_view word) {
  for (size_t at = line.find(word); at != line.npos; at = line.find(word, at + 1)) {
    const size_t end = at + word.size();
    if ((at == 0 || !is_word(line[at - 1])) && (end == line.size() || !is_word(line[end]))) return true;
  }
  return false;
}

template <typename Words>
std::vector<Violation> find_words(const SourceFile& file, const Words& words, std::string_view why) {
  std::vector<Violation> found;
  const std::vector<std::string> lines = split_lines(blank_comments_and_literals(file.text));
  for (size_t i = 0; i < lines.size(); ++i) {
    for (std::string_view word : words) {
      if (!contains_word(lines[i], word)) continue;
      found.push_back({file.path, static_cast<int>(i) + 1, std::string(word) + std::string(why)});
    }
  }
  return found;
}

// Why `include` is not allowed in a file of `layer`; empty when it is.
std::string refuse_include(const Layer& layer, const Include& include) {
  const std::string& target = include.target;
  if (include.quoted) {
    if (target.find('/') == target.npos) return "\"" + target + "\" is not a path from the repository's root";
    const Layer* other = layer_of(target);
    const auto& allowed = layer.may_include;
    if (other != nullptr && std::find(allowed.begin(), allowed.end(), other->prefix) != allowed.end())
      return "";
    return std::string(layer.prefix) + " must not include \"" + target + "\"";
  }
  if (!layer.pure) return "";
  if (target == "xxhash.h" && layer.prefix == "base/") return "";
  const bool standard = target.find('/') == target.npos && target.find('.') == target.npos;
  const bool impure =
      std::find(std::begin(kImpureHeaders), std::end(kImpureHeaders), target) != std::end(kImpureHeaders);
  if (standard && !impure) return "";
  return std::string(layer.prefix) + " is pure and must not include <" + target + ">";
}

}  // namespace

std::vector<SourceFile> read_sources(const std::string& root) {
  std::vector<SourceFile> files;
  for (const char* folder : {"base", "raft", "kv", "lock", "server", "client", "proto", "tests"}) {
    const fs::path top = fs::path(root) / folder;
    if (!fs::exists(top)) continue;
    for (const fs::directory_entry& entry : fs::recursive_directory_iterator(top)) {
      const std::string extension = entry.path().extension().string();
      if (extension != ".h" && extension != ".cc" && extension != ".proto") continue;
      std::ifstream in(entry.path(), std::ios::binary);
      std::string text{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
      files.push_back({entry.path().lexically_relative(root).generic_string(), std::move(text)});
    }
  }
  std::sort(files.begin(), files.end(),
            [](const SourceFile& a, const SourceFile& b) { return a.path < b.path; });
  return files;
}

std::string blank_comments_and_literals(std::string_view text) {
  std::string out(text);
  auto blank = [&out](size_t from, size_t to) {
    for (size_t i = from; i < to && i < out.size(); ++i) {
      if (out[i] != '\n') out[i] = ' ';
    }
  };
  auto end_after = [&text](std::string_view mark, size_t from) {
    const size_t at = text.find(mark, from);
    return at == text.npos ? text.size() : at + mark.size();
  };
  bool line_is_include = false;
  for (size_t i = 0; i < text.size();) {
    if (i == 0 || text[i - 1] == '\n') {
      Include ignored;
      line_is_include = parse_include(text.substr(i, text.find('\n', i) - i), &ignored);
    }
    size_t next = i + 1;
    if (has_prefix(text.substr(i), "//")) {
      next = std::min(text.find('\n', i), text.size());
      blank(i, next);
    } else if (has_prefix(text.substr(i), "/*")) {
      next = end_after("*/", i + 2);
      blank(i, next);
    } else if (has_prefix(text.substr(i), "R\"") && (i == 0 || !is_word(text[i - 1]))) {
      const size_t open = text.find('(', i);
      if (open == text.npos) break;
      next = end_after(")" + std::string(text.substr(i + 2, open - i - 2)) + "\"", open);
      blank(i + 2, next - 1);
    } else if (!line_is_include &&
               (text[i] == '"' || (text[i] == '\'' && (i == 0 || !is_word(text[i - 1]))))) {
      // A quote behind a digit separates thousands; it opens no literal.
      while (next < text.size() && text[next] != text[i] && text[next] != '\n')
        next += text[next] == '\\' ? 2 : 1;
      blank(i + 1, next);
      next = std::min(next + 1, text.size());
    }
    i = next;
  }
  return out;
}

std::vector<Violation> check_includes(const SourceFile& file) {
  std::vector<Violation> found;
  const Layer* layer = layer_of(file.path);
  if (layer == nullptr) return found;
  const std::vector<std::string> lines = split_lines(blank_comments_and_literals(file.text));
  for (size_t i = 0; i < lines.size(); ++i) {
    Include include;
    if (!parse_include(lines[i], &include)) continue;
    std::string refusal = refuse_include(*layer, include);
    if (!refusal.empty()) found.push_back({file.path, static_cast<int>(i) + 1, std::move(refusal)});
  }
  return found;
}

std::vector<Violation> check_purity(const SourceFile& file) {
  const Layer* layer = layer_of(file.path);
  if (layer == nullptr || !layer->pure) return {};
  return find_words(file, kImpureNames, " in code that must be a function of its inputs");
}

std::vector<Violation> check_length(const SourceFile& file) {
  const auto lines = std::count(file.text.begin(), file.text.end(), '\n');
  if (lines <= kFileLinesMax) return {};
  return {{file.path, static_cast<int>(lines), "longer than " + std::to_string(kFileLinesMax) + " lines"}};
}

std::vector<Violation> check_test_habits(const SourceFile& file) {
  // A load generator paces itself; it is no test.
  if (!has_prefix(file.path, "tests/") || has_prefix(file.path, "tests/bench/")) return {};
  return find_words(file, kBadTestHabits, " in a test: hand time in, and leave no case out");
}

std::vector<Violation> check_hashes(const SourceFile& file) {
  const bool of_clients = has_prefix(file.path, "kv/") || has_prefix(file.path, "lock/") ||
                          (has_prefix(file.path, "server/") && !has_prefix(file.path, "server/shell/"));
  if (!of_clients) return {};
  std::vector<Violation> found;
  const std::vector<std::string> lines = split_lines(blank_comments_and_literals(file.text));
  for (size_t i = 0; i < lines.size(); ++i) {
    for (const std::string_view table : {"unordered_map<std::string", "unordered_set<std::string"}) {
      const size_t at = lines[i].find(table);
      if (at == std::string::npos || lines[i].find("Hash", at) != std::string::npos) continue;
      found.push_back({file.path, static_cast<int>(i) + 1,
                       std::string(table) + ": name a hash with a key, or use an ordered map"});
    }
  }
  return found;
}

std::vector<Violation> check_public_headers(const std::vector<SourceFile>& files) {
  std::set<std::string> seen;
  std::vector<const SourceFile*> next;
  for (const SourceFile& file : files)
    if (has_prefix(file.path, "client/quorate/") && seen.insert(file.path).second) next.push_back(&file);
  std::vector<Violation> found;
  while (!next.empty()) {
    const SourceFile& file = *next.back();
    next.pop_back();
    const std::vector<std::string> lines = split_lines(blank_comments_and_literals(file.text));
    for (size_t i = 0; i < lines.size(); ++i) {
      if (contains_word(lines[i], "define"))
        found.push_back(
            {file.path, static_cast<int>(i) + 1, "a macro that every user of the library would get"});
      Include include;
      if (!parse_include(lines[i], &include)) continue;
      // Those of the standard library are in no folder.
      const bool others = !include.quoted && include.target.find('/') != std::string::npos;
      if (file.path != kAsioHeader && (others || include.target == kAsioHeader))
        found.push_back({file.path, static_cast<int>(i) + 1,
                         include.target + ": another library that every user of ours would need"});
      if (!include.quoted) continue;
      for (const SourceFile& other : files)
        if (other.path == include.target && seen.insert(other.path).second) next.push_back(&other);
    }
  }
  return found;
}

std::string describe(const std::vector<Violation>& violations) {
  std::string text;
  for (const Violation& v : violations) text += v.path + ":" + std::to_string(v.line) + ": " + v.what + "\n";
  return text;
}

}  // namespace quorate::tidy
