// What a line that is being typed may become: commands, options, and paths of the cluster.
#pragma once

#include <string>
#include <vector>

#include "client/cli/command.h"

namespace quorate::cli {

// Nobody waits longer for a Tab.
inline constexpr milliseconds kCompletionPatience{1000};

// What the last of `words` (behind the program's name) may become, in byte order; nothing is parsed before. A
// path that is the only one and has children comes with a slash as well. `folder`: where paths begin that do
// not begin with /; "": there are none.
std::vector<std::string> completions(const CLI::App& app, Globals globals, const std::string& folder,
                                     const std::vector<std::string>& words);
// The same for bash and zsh, a line each; the environment counts. Returns the exit code.
int print_completions(const CLI::App& app, std::vector<std::string> words);

}  // namespace quorate::cli
