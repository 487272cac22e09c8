// quorate shell: one command a line, over one connection and one session.
//
// On a terminal lines are edited, kept and completed (line_editor.h), and a failure or a Ctrl-C ends a
// command and not the shell. Elsewhere standard input is a script.
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <iostream>
#include <utility>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "client/cli/command_line.h"
#include "client/cli/completion.h"
#include "client/cli/line_editor.h"
#include "client/cli/shared_client.h"
#include "client/cli/shell_history.h"
#include "client/cli/shell_path.h"
#include "client/cli/signals.h"
#include "client/cli/words.h"

namespace quorate::cli {

namespace {

constexpr const char* kShellFooter =
    "A line is a command as quorate takes it, without the word quorate; words are quoted as in sh, and a "
    "line\n"
    "that begins with # says nothing. Paths may begin without /: cd PATH says where. All lines share one\n"
    "session: an ephemeral node lives as long as the shell. Without a terminal the lines are a script, "
    "which\n"
    "ends with the first command that fails and with its exit code.";

class Shell {
 public:
  explicit Shell(const Globals& globals) : client_(globals, [this] { session_lost(); }) {
    surroundings_.globals = globals;
    surroundings_.globals.shared = &client_;
    surroundings_.add_builtins = [this](CLI::App& app, const Globals& of_line, Action& action) {
      add_builtins(app, of_line, action);
    };
  }

  int talk();
  int run_script(bool keep_going);

 private:
  void add_builtins(CLI::App& app, const Globals& globals, Action& action);
  int change_folder(const Globals& globals);
  int run_line(const std::string& line);
  int run_words(const std::vector<std::string>& words);
  std::vector<std::string> complete(const std::vector<std::string>& words);
  void session_lost() {
    if (LineEditor* const editor = editor_) editor->wake();
  }
  std::string loss();

  ShellSurroundings surroundings_;
  std::string target_;  // of cd
  bool over_ = false;
  std::unique_ptr<LineEditor> own_editor_;     // on a terminal; outlives the thread of client_
  std::atomic<LineEditor*> editor_ = nullptr;  // the same, for that thread
  // With less patience than the commands' own.
  std::unique_ptr<SharedClient> completing_;
  SharedClient client_;
};

// What is to be said of a session that was lost; "": nothing.
std::string Shell::loss() {
  return client_.replaced()
             ? "the session was lost, and with it the ephemeral nodes and locks that this shell "
               "had; the next command that needs one opens another"
             : "";
}

void Shell::add_builtins(CLI::App& app, const Globals& globals, Action& action) {
  CLI::App* cd =
      app.add_subcommand("cd", "say where paths begin that do not begin with /; without PATH at /");
  target_ = "/";
  cd->add_option("PATH", target_, "the node to begin at")->type_name("");
  cd->callback([this, &globals, &action] { action = [this, &globals] { return change_folder(globals); }; });
  app.add_subcommand("pwd", "print where paths begin")->callback([this, &globals, &action] {
    action = [this, &globals] {
      if (globals.json)
        print_json({{"path", surroundings_.folder}});
      else
        print_line(surroundings_.folder);
      return static_cast<int>(kDone);
    };
  });
  app.add_subcommand("help", "print this help; that of a command: COMMAND --help")->callback([this, &action] {
    action = [this] {
      // Of a line on which no command was chosen.
      std::cout << CommandLine(&surroundings_).app().help() << std::flush;
      return static_cast<int>(kDone);
    };
  });
  app.add_subcommand("exit", "leave the shell, as Ctrl-D does")->callback([this, &action] {
    action = [this] {
      over_ = true;
      return static_cast<int>(kDone);
    };
  });
}

int Shell::change_folder(const Globals& globals) {
  const CommandClient client(globals);
  const auto found = client->exists(target_);
  if (!found.ok()) return report(target_, found.error());
  if (!*found) return report(target_, Error{ErrorCode::kNoNode, ""});
  surroundings_.folder = target_;
  if (globals.json) print_json({{"path", target_}});
  return kDone;
}

int Shell::run_words(const std::vector<std::string>& words) {
  // A command that read standard input to its end on a terminal leaves it at that.
  std::cin.clear();
  std::clearerr(stdin);
  try {
    return CommandLine(&surroundings_).run(words);
  } catch (const Interrupted& interrupted) {
    return fail(kExitSignal + interrupted.signal, "interrupted");
  }
}

int Shell::run_line(const std::string& line) {
  if (const size_t begin = line.find_first_not_of(" \t\r"); begin == std::string::npos || line[begin] == '#')
    return kDone;
  const auto words = split_words(line);
  if (!words.ok())
    return fail(kWrongUsage, words.error().message + ": write the line again, nothing was done");
  if (const std::string lost = loss(); !lost.empty()) (void)fail(kNoService, lost);
  return run_words(*words);
}

std::vector<std::string> Shell::complete(const std::vector<std::string>& words) {
  Globals globals = surroundings_.globals;
  globals.request_timeout = kCompletionPatience;
  globals.quiet = true;
  if (!completing_) completing_ = std::make_unique<SharedClient>(globals, [] {});
  (void)completing_->replaced();
  globals.shared = completing_.get();
  const CommandLine line(&surroundings_);
  return completions(line.app(), globals, surroundings_.folder, words);
}

int Shell::talk() {
  LineEditor editor([this](const auto& words) { return complete(words); },
                    [this] {
                      const std::string lost = loss();
                      return lost.empty() ? "" : "quorate: " + lost;
                    });
  ShellHistory history(history_file());
  for (const std::string& line : history.lines()) editor.remember(line);
  remember_signals();
  editor_ = &editor;
  bool history_works = true;
  while (!over_) {
    forget_signal();
    const LineEditor::Read read = editor.read("quorate " + surroundings_.folder + "> ");
    if (read.end == LineEditor::End::kAbandoned) continue;
    if (read.end != LineEditor::End::kLine) break;
    if (may_be_kept(read.line)) {
      editor.remember(read.line);
      const Status kept = history.add(read.line);
      if (!kept.ok() && std::exchange(history_works, false)) (void)report("", kept.error());
    }
    const int code = run_line(read.line);
    if (remembered_signal() == SIGINT || code == kExitSignal + SIGINT)
      std::cout << std::endl;  // the terminal has written ^C
    if (remembered_signal() == SIGTERM || remembered_signal() == SIGHUP) break;
  }
  const int signal = remembered_signal();
  return signal == SIGTERM || signal == SIGHUP ? kExitSignal + signal : static_cast<int>(kDone);
}

// A byte at a time, as sh reads a script: what is behind the line is the command's own standard input. False
// at the end.
bool read_script_line(std::string& line) {
  line.clear();
  while (true) {
    char byte = 0;
    const ssize_t got = read(STDIN_FILENO, &byte, 1);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return !line.empty();
    if (byte == '\n') return true;
    line += byte;
  }
}

int Shell::run_script(bool keep_going) {
  int first_failure = kDone;
  std::string line;
  for (size_t number = 1; !over_ && read_script_line(line); ++number) {
    const int code = run_line(line);
    // Whoever ends a command by a signal means the script.
    if (remembered_signal() != 0) return kExitSignal + remembered_signal();
    if (code == kDone) continue;
    if (first_failure == kDone) first_failure = code;
    if (keep_going) continue;
    return fail_with(code,
                     "line " + std::to_string(number) +
                         " failed, and what is behind it was not done (--keep-going does it all the same)");
  }
  return first_failure;
}

}  // namespace

void add_shell_command(CLI::App& app, const Globals& globals, Action& action) {
  const auto keep_going = std::make_shared<bool>(false);
  CLI::App* shell = app.add_subcommand("shell", "type commands, or run a script of them, over one session");
  shell->footer(kShellFooter);
  shell->add_flag("-k,--keep-going", *keep_going, "of a script: do what is behind a command that fails, too");
  shell->callback([&globals, &action, keep_going] {
    action = [&globals, keep_going] {
      Shell shell_of_user(globals);
      const bool terminal = isatty(STDIN_FILENO) != 0 && isatty(STDOUT_FILENO) != 0;
      return terminal ? shell_of_user.talk() : shell_of_user.run_script(*keep_going);
    };
  });
}

}  // namespace quorate::cli
