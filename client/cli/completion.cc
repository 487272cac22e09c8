// completion: what bash and zsh need to complete a line. They ask `quorate __complete WORD...`, so that what
// is offered is what this very version takes, and paths are those of the cluster.
#include <algorithm>
#include <cstdlib>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "client/cli/completion.h"
#include "client/cli/shell_path.h"
#include "kv/path.h"

namespace quorate::cli {

namespace {

constexpr size_t kPathsMax = 500;

constexpr const char* kBash = R"(_quorate() {
  local IFS=$' \t\n' line=${COMP_LINE:0:COMP_POINT} words
  read -ra words <<<"$line"
  if [[ $line == *[[:space:]] ]]; then words+=(""); fi
  IFS=$'\n'
  COMPREPLY=($("${words[0]}" __complete "${words[@]:1}" 2>/dev/null))
}
complete -o default -F _quorate quorate)";

constexpr const char* kZsh = R"(#compdef quorate
_quorate() {
  local -a found
  found=("${(@f)$("${words[1]}" __complete "${(@)words[2,CURRENT]}" 2>/dev/null)}")
  if [[ -n $found[1] ]]; then compadd -- "${found[@]}"; else _files; fi
}
# Read by itself out of a folder of functions, it is asked to complete at once.
if [[ ${funcstack[1]-} == _quorate ]]; then _quorate "$@"; else compdef _quorate quorate; fi)";

// Where a line has come to, before its last word.
struct Place {
  const CLI::App* command = nullptr;
  size_t positionals = 0;
  bool value = false;  // of the option before
  bool other = false;  // behind "--": a command of somebody else
};

const CLI::App* subcommand(const CLI::App& app, const std::string& name) {
  const auto found = app.get_subcommands([&](const CLI::App* each) { return each->get_name() == name; });
  return found.empty() ? nullptr : found.front();
}

bool takes_value(const CLI::Option& option) { return option.get_items_expected_max() > 0; }

Place walk(const CLI::App& app, const std::vector<std::string>& words, Globals& globals,
           std::string& credentials) {
  Place place{&app};
  for (size_t i = 0; i + 1 < words.size(); ++i) {
    const std::string& word = words[i];
    if (place.value) {
      place.value = false;
      continue;
    }
    if (word == "--") {
      place.other = true;
      return place;
    }
    if (word.starts_with('-') && word.size() > 1) {
      const size_t equals = word.find('=');
      const std::string name = word.substr(0, equals);
      const std::string value =
          equals != std::string::npos ? word.substr(equals + 1) : (i + 2 < words.size() ? words[i + 1] : "");
      if (name == "--endpoints") globals.endpoints = split_list(value);
      if (name == "--credentials") credentials = value;
      const CLI::Option* option = place.command->get_option_no_throw(name);
      place.value = option != nullptr && takes_value(*option) && equals == std::string::npos;
      continue;
    }
    const CLI::App* below = place.positionals == 0 ? subcommand(*place.command, word) : nullptr;
    if (below != nullptr)
      place.command = below;
    else
      ++place.positionals;
  }
  return place;
}

// Nodes whose paths begin so. One that is alone and has children is offered with a slash too, so that no
// blank is put behind it.
std::vector<std::string> paths(const Globals& globals, const std::string& folder, const std::string& prefix) {
  if (folder.empty() && !prefix.starts_with('/'))
    return prefix.empty() ? std::vector<std::string>{"/"} : std::vector<std::string>{};
  const size_t typed = prefix.rfind('/') + 1;  // behind the last slash, or all of it
  std::string parent = resolve_path(folder, prefix.substr(0, typed));
  if (parent.size() > 1 && parent.ends_with('/')) parent.pop_back();
  std::vector<std::string> found;
  const CommandClient client(globals);
  client::ChildrenPageOptions options;
  options.prefix = prefix.substr(typed);
  while (true) {
    const auto page = client->children_page(parent, options);
    if (!page.ok()) return {};
    for (const std::string& name : page->names) found.push_back(prefix.substr(0, typed) + name);
    if (!page->next || found.size() >= kPathsMax) break;
    options.after = page->next;
  }
  if (found.size() == 1) {
    const auto stat = client->exists(kv::join_path(parent, found.front().substr(typed)));
    if (stat.ok() && stat->has_value() && (*stat)->children > 0) found.push_back(found.front() + "/");
  }
  return found;
}

std::vector<std::string> candidates(const Place& place, const Globals& globals, const std::string& folder,
                                    const std::string& prefix) {
  std::vector<std::string> found;
  if (place.value || place.other) return found;
  if (prefix.starts_with('-')) {
    for (const CLI::Option* option : place.command->get_options())
      for (const std::string& name : option->get_lnames()) found.push_back("--" + name);
    return found;
  }
  for (const CLI::App* below : place.command->get_subcommands([](const CLI::App*) { return true; }))
    found.push_back(below->get_name());
  if (!found.empty()) return found;
  size_t at = 0;
  for (const CLI::Option* option : place.command->get_options()) {
    if (!option->get_positional()) continue;
    if (at++ == place.positionals && option->get_name(true) == "PATH") return paths(globals, folder, prefix);
  }
  return found;
}

}  // namespace

std::vector<std::string> completions(const CLI::App& app, Globals globals, const std::string& folder,
                                     const std::vector<std::string>& words) {
  std::string credentials;
  const Place place = walk(app, words, globals, credentials);
  if (!credentials.empty()) {
    auto read = read_credentials(credentials);
    if (read.ok()) globals.credentials = std::move(*read);
  }
  const std::string prefix = words.empty() ? "" : words.back();
  std::vector<std::string> found = candidates(place, globals, folder, prefix);
  std::erase_if(found, [&](const std::string& each) { return !each.starts_with(prefix); });
  std::sort(found.begin(), found.end());
  return found;
}

int print_completions(const CLI::App& app, std::vector<std::string> words) {
  Globals globals;
  globals.request_timeout = kCompletionPatience;
  globals.quiet = true;
  if (words.empty()) words.emplace_back();
  // As if they stood first on the line.
  if (const char* const file = std::getenv("QUORATE_CREDENTIALS"))
    words.insert(words.begin(), {"--credentials", file});
  if (const char* const endpoints = std::getenv("QUORATE_ENDPOINTS"))
    words.insert(words.begin(), {"--endpoints", endpoints});
  for (const std::string& each : completions(app, globals, "", words)) print_line(each);
  return kDone;
}

void add_completion_command(CLI::App& app, const Globals& globals, Action& action) {
  CLI::App* completion =
      app.add_subcommand("completion", "print what a shell needs to complete commands and paths");
  completion->require_subcommand(1);
  const auto add = [&](const std::string& shell, const std::string& help, const char* script) {
    completion->add_subcommand(shell, help)->callback([&globals, &action, shell, script] {
      action = [&globals, shell, script] {
        if (globals.json)
          print_json({{"shell", shell}, {"script", script}});
        else
          print_line(script);
        return static_cast<int>(kDone);
      };
    });
  };
  add("bash", "for ~/.bashrc: source <(quorate completion bash)", kBash);
  add("zsh", "for ~/.zshrc, behind compinit: source <(quorate completion zsh)", kZsh);
}

}  // namespace quorate::cli
