// digest: what the servers' --super-digest and a list of permissions have in place of a password. The
// password is typed unseen, or comes from a file or a pipe, and never stands on the command line.
#include <poll.h>
#include <termios.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <iostream>
#include <optional>

#include <fcntl.h>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "client/cli/command.h"
#include "client/cli/signals.h"
#include "kv/acl.h"

namespace quorate::cli {

namespace {

// Of a password.
constexpr size_t kPasswordBytesMax = 1024;

struct DigestArguments {
  std::string user, file = "-";
};

// The terminal shows nothing of what is typed; it does again when this ends. Ctrl-Z does nothing meanwhile:
// it would leave the terminal so.
class Unseen {
 public:
  Unseen() {
    known_ = tcgetattr(STDIN_FILENO, &before_) == 0;
    if (!known_) return;
    termios unseen = before_;
    unseen.c_lflag &= ~static_cast<tcflag_t>(ECHO);
    unseen.c_cc[VSUSP] = _POSIX_VDISABLE;
    tcsetattr(STDIN_FILENO, TCSAFLUSH, &unseen);
  }
  ~Unseen() {
    if (known_) tcsetattr(STDIN_FILENO, TCSAFLUSH, &before_);
  }
  Unseen(const Unseen&) = delete;
  Unseen& operator=(const Unseen&) = delete;

 private:
  bool known_ = false;
  termios before_{};
};

// Up to the end of the line, which is taken too. A byte at a time: in a script what is behind it is the next
// command's.
Result<std::string> read_first_line(int fd, const std::string& name) {
  std::string line;
  while (true) {
    char byte = 0;
    const ssize_t got = read(fd, &byte, 1);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return Error{ErrorCode::kIo, "cannot read " + name + ": " + std::strerror(errno)};
    if (got == 0 || byte == '\n') break;
    if (line.size() == kPasswordBytesMax)
      return Error{ErrorCode::kTooLarge, "the password in " + name + " is longer than " +
                                             std::to_string(kPasswordBytesMax) + " bytes"};
    line += byte;
  }
  if (line.ends_with('\r')) line.pop_back();
  return line;
}

// None: a signal came instead.
std::optional<Result<std::string>> type_password(Signals& signals, const std::string& prompt, int& signal) {
  std::cerr << prompt << std::flush;
  pollfd input{STDIN_FILENO, POLLIN, 0};
  do {
    signal = signals.next(-1, STDIN_FILENO);
  } while (signal == SIGCHLD || (signal == 0 && poll(&input, 1, 0) == 0));
  std::optional<Result<std::string>> typed;
  if (signal == 0) typed = read_first_line(STDIN_FILENO, "the terminal");
  std::cerr << std::endl;  // that was typed, and not seen
  return typed;
}

int ask_twice(const DigestArguments& args, std::string& password) {
  Signals signals;
  const Unseen unseen;
  for (const std::string& prompt : {"Password of " + args.user + ": ", std::string("The same again: ")}) {
    int signal = 0;
    const auto typed = type_password(signals, prompt, signal);
    if (!typed) return kExitSignal + signal;
    if (!typed->ok()) return report("", typed->error());
    if (prompt.starts_with("The same") && **typed != password)
      return fail(kWrongUsage, "these are two passwords: begin again");
    password = **typed;
  }
  return kDone;
}

int read_password(const DigestArguments& args, std::string& password) {
  if (args.file == "-" && isatty(STDIN_FILENO) != 0) return ask_twice(args, password);
  const std::string name = args.file == "-" ? "standard input" : args.file;
  const int fd = args.file == "-" ? STDIN_FILENO : open(name.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return fail(kWrongUsage, ErrorCode::kIo, "cannot read " + name + ": " + std::strerror(errno));
  if (fd == STDIN_FILENO) wait_for_input(fd);
  auto line = read_first_line(fd, name);
  if (fd != STDIN_FILENO) close(fd);
  if (!line.ok()) return report("", line.error());
  password = std::move(*line);
  return kDone;
}

int digest(const Globals& globals, const DigestArguments& args) {
  if (args.user.empty() || args.user.find(':') != std::string::npos)
    return fail(kWrongUsage,
                "'" + args.user + "' is no user: a name without a colon; the password is asked for");
  std::string password;
  if (const int code = read_password(args, password); code != kDone) return code;
  if (password.empty())
    return fail(kWrongUsage, "there is no password: nothing was typed, or the first line is empty");
  const Result<std::string> id = kv::digest_id(args.user + ":" + password);
  if (!id.ok()) return report("", id.error());
  if (globals.json)
    print_json({{"user", args.user}, {"digest", *id}});
  else
    print_line(*id);
  return kDone;
}

}  // namespace

void add_digest_command(CLI::App& app, const Globals& globals, Action& action) {
  const auto args = std::make_shared<DigestArguments>();
  CLI::App* command = app.add_subcommand(
      "digest", "print USER:HASH of a password, for lists of permissions and quorated --super-digest");
  command->add_option("USER", args->user, "whose password it is")->required()->type_name("");
  command
      ->add_option("FILE", args->file,
                   "a file whose first line is the password; - reads standard input, where a terminal shows "
                   "nothing of what is typed")
      ->capture_default_str()
      ->type_name("");
  command->callback(
      [&globals, &action, args] { action = [&globals, args] { return digest(globals, *args); }; });
}

}  // namespace quorate::cli
