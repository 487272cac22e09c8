// `quorate`: the command line of a Quorate cluster.
#include <fcntl.h>
#include <unistd.h>

#include <string_view>

#include "client/cli/command_line.h"
#include "client/cli/completion.h"

namespace {

// A stream that is closed where we are started stays one that cannot be read or written, but its number is
// not free: a descriptor of ours that got it would be printed to, or closed as that stream.
void occupy_closed_streams() {
  for (const int each : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO})
    if (fcntl(each, F_GETFD) < 0) (void)!open("/dev/null", each == STDIN_FILENO ? O_WRONLY : O_RDONLY);
}

}  // namespace

int main(int argc, char** argv) {
  occupy_closed_streams();
  quorate::cli::CommandLine line;
  // Before anything of it is held against the rules: a line that is being typed breaks most of them.
  if (argc > 1 && std::string_view(argv[1]) == "__complete")
    return quorate::cli::print_completions(line.app(), {argv + 2, argv + argc});
  return line.run({argv + 1, argv + argc});
}
