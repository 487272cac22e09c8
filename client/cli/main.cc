// `quorate`: the command line of a Quorate cluster.
#include <string_view>

#include "client/cli/command_line.h"
#include "client/cli/completion.h"

int main(int argc, char** argv) {
  quorate::cli::CommandLine line;
  // Before anything of it is held against the rules: a line that is being typed breaks most of them.
  if (argc > 1 && std::string_view(argv[1]) == "__complete")
    return quorate::cli::print_completions(line.app(), {argv + 2, argv + argc});
  return line.run({argv + 1, argv + argc});
}
