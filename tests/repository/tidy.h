// Style that matters is a test: who may include whom, what is pure, how long a file may be.
//
// The rules are the table of docs/architecture.md. They look at text alone, line by line, after comments and
// string literals were blanked out; a file is named by its path from the repository's root, with '/' between
// folders.
//
// Thread safety: plain functions on values.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace quorate::tidy {

inline constexpr int kFileLinesMax = 600;

struct SourceFile {
  std::string path;
  std::string text;
};

// One broken rule. Line numbers count from 1.
struct Violation {
  std::string path;
  int line = 0;
  std::string what;
};

// Every .h, .cc and .proto file below the source folders of the project at `root`, sorted by path.
// Throws std::filesystem::filesystem_error when a file cannot be read.
std::vector<SourceFile> read_sources(const std::string& root);

// The text with comments and the insides of string and character literals replaced by spaces. Line breaks
// stay, and so do the operands of #include.
std::string blank_comments_and_literals(std::string_view text);

// Includes that the folder of the file must not have.
std::vector<Violation> check_includes(const SourceFile& file);

// Names of clocks, threads, files, the environment and true randomness in code that must be a function of its
// inputs. Empty for a file that need not be pure.
std::vector<Violation> check_purity(const SourceFile& file);

// A file longer than kFileLinesMax.
std::vector<Violation> check_length(const SourceFile& file);

// Sleeping, skipped and disabled cases in a test. Empty for a file that is no test.
std::vector<Violation> check_test_habits(const SourceFile& file);

// Tables of what clients choose (paths, ids, lists, all of them text) without a hash of their own, in what a
// server does for its clients: std::hash has no key, so that anybody can choose what stands in one place.
std::vector<Violation> check_hashes(const SourceFile& file);

// In the public headers (client/quorate/) and in all that they include of ours: macros, and headers of other
// libraries. Those are only for kAsioHeader, which no other may include.
inline constexpr std::string_view kAsioHeader = "client/quorate/asio.h";
std::vector<Violation> check_public_headers(const std::vector<SourceFile>& files);

// One line a violation, "path:line: what", for a test's message.
std::string describe(const std::vector<Violation>& violations);

}  // namespace quorate::tidy
