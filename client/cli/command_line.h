// One command line of `quorate`, be it the program's own or a line of its shell: parsed by the same rules,
// with the same help, the same errors and the same exit codes.
//
// Thread safety: none.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include "client/cli/command.h"

namespace quorate::cli {

// What a line finds in a shell.
struct ShellSurroundings {
  Globals globals;           // what the shell was started with, and its client
  std::string folder = "/";  // where paths begin that do not begin with /
  // The commands that only a shell has.
  std::function<void(CLI::App&, const Globals&, Action&)> add_builtins;
};

// A sentence for what a line got wrong; CLI11's own words where they are good enough. `kind`: what the line
// should have named first, "command" for one.
std::string usage_problem(const CLI::App& app, const CLI::Error& error, const std::string& kind);

class CommandLine {
 public:
  // `shell`: whose line it is; it outlives this. Null: it is the program's own, and the environment counts.
  explicit CommandLine(const ShellSurroundings* shell = nullptr);
  CommandLine(const CommandLine&) = delete;
  CommandLine& operator=(const CommandLine&) = delete;

  // Once. Parses, does, and says what is wrong. Returns the exit code.
  int run(std::vector<std::string> arguments);
  const CLI::App& app() const { return app_; }

 private:
  void add_globals();
  void resolve_paths();
  // Whether the sentence is about an option that stands before the command, and is explained there.
  bool about_globals(const std::string& problem) const;
  int take_globals();

  const ShellSurroundings* const shell_;
  Globals globals_;
  std::string endpoints_, session_timeout_, request_timeout_, credentials_;
  std::vector<std::string> command_;  // what stands behind "--"
  Action action_;
  std::vector<CLI::Option*> own_;  // with one of these a line of a shell has a client of its own
  CLI::App app_;
};

}  // namespace quorate::cli
