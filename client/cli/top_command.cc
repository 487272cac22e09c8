// quorate top: what the servers do, once a second.
#include <poll.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <iostream>
#include <utility>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "client/cli/signals.h"
#include "client/cli/top_report.h"

namespace quorate::cli {

namespace {

// A server that is not there is not waited for longer than that.
constexpr milliseconds kPatience{2000};
// Locks that are looked at for the ten that most wait for.
constexpr size_t kLocksLookedAtMax = 10'000;
constexpr uint32_t kPathsAskedFor = 50;  // of each server

constexpr milliseconds kIntervalMin{100}, kIntervalMax{3'600'000};

struct TopArguments {
  std::string interval = "1s";
  bool once = false;
};

// The screen that a terminal keeps beside the one with the prompt; the latter is back when this ends.
class OtherScreen {
 public:
  OtherScreen() { std::cout << "\033[?1049h\033[?25l" << std::flush; }
  ~OtherScreen() { std::cout << "\033[?25h\033[?1049l" << std::flush; }
  OtherScreen(const OtherScreen&) = delete;
  OtherScreen& operator=(const OtherScreen&) = delete;

  // In place of what was there, as much as there is room for.
  void draw(const std::vector<TopLine>& lines) const {
    winsize size{};
    const bool known = ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 && size.ws_row > 0;
    const size_t columns = known ? size.ws_col : 80, rows = known ? size.ws_row : 24;
    std::string text = "\033[H";
    for (size_t i = 0; i < lines.size() && i < rows; ++i) {
      if (i > 0) text += "\n";
      const std::string line = lines[i].text.substr(0, columns);
      text += lines[i].heading && in_colour(STDOUT_FILENO) ? "\033[1m" + line + "\033[0m" : line;
      text += "\033[K";
    }
    std::cout << text << "\033[J" << std::flush;
  }
};

// Keys of a terminal, one at a time and not shown. Ctrl-Z does nothing meanwhile: it would leave the terminal
// so.
class Keys {
 public:
  Keys() {
    // From the background nobody may change the terminal.
    if (tcgetpgrp(STDIN_FILENO) != getpgrp() || tcgetattr(STDIN_FILENO, &before_) != 0) return;
    termios single = before_;
    single.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO);
    single.c_cc[VMIN] = 1;
    single.c_cc[VTIME] = 0;
    single.c_cc[VSUSP] = _POSIX_VDISABLE;
    known_ = open_ = tcsetattr(STDIN_FILENO, TCSANOW, &single) == 0;
  }
  ~Keys() {
    if (known_) tcsetattr(STDIN_FILENO, TCSANOW, &before_);
  }
  Keys(const Keys&) = delete;
  Keys& operator=(const Keys&) = delete;

  // To wait for; -1: none.
  int input() const { return open_ ? STDIN_FILENO : -1; }
  // Whether q was typed by now.
  bool quit() {
    pollfd typed{input(), POLLIN, 0};
    char key = 0;
    while (open_ && poll(&typed, 1, 0) == 1) {
      if (read(STDIN_FILENO, &key, 1) != 1)
        open_ = false;
      else if (key == 'q')
        return true;
    }
    return false;
  }

 private:
  bool known_ = false, open_ = false;
  termios before_{};
};

class Top {
 public:
  explicit Top(const Globals& globals) : globals_(patient(globals)), cluster_(globals_) {}

  int run(milliseconds interval, bool once, bool json);

 private:
  static Globals patient(Globals globals) {
    globals.request_timeout = std::min(globals.request_timeout, kPatience);
    globals.shared = nullptr;
    globals.quiet = true;  // it says itself what cannot be seen
    return globals;
  }
  TopLook look();
  void look_at_paths(TopLook& look);

  const Globals globals_;
  Signals signals_;  // before any client's thread
  const CommandClient cluster_;
  std::map<std::string, std::unique_ptr<Client>> servers_;  // by address: each is asked for its own paths
};

// Each server tells its own, so each is asked over a connection of its own.
void Top::look_at_paths(TopLook& look) {
  for (const auto& [id, server] : look.cluster.servers) {
    if (!server.status || server.address.empty()) continue;
    std::unique_ptr<Client>& client = servers_[server.address];
    if (!client || client->session_lost()) {
      client::Options options = globals_.client_options();
      options.endpoints = {server.address};
      client = std::make_unique<Client>(options);
    }
    auto hot = client->hot_paths(kPathsAskedFor);
    const std::string name = "server " + std::to_string(id.value());
    if (hot.ok()) {
      look.hot[id] = std::move(*hot);
    } else if (hot.code() == ErrorCode::kUnsupported) {
      look.notes.push_back(name + " does not tell its hottest paths: it is older than this program");
    } else {
      look.notes.push_back(name + " does not tell its hottest paths: " + hot.error().message);
    }
  }
}

TopLook Top::look() {
  TopLook look;
  look.cluster = look_at_cluster(globals_, cluster_);
  if (!look.cluster.leader) {
    look.notes.emplace_back("without a quorum neither paths nor locks can be seen");
    return look;
  }
  look_at_paths(look);
  auto locks = cluster_->lock_list("/", kLocksLookedAtMax);
  if (!locks.ok()) {
    look.notes.push_back("the locks cannot be seen: " + locks.error().message);
    return look;
  }
  look.locks = std::move(*locks);
  if (look.locks.size() == kLocksLookedAtMax)
    look.notes.push_back("only the first " + std::to_string(kLocksLookedAtMax) + " locks were looked at");
  return look;
}

int Top::run(milliseconds interval, bool once, bool json) {
  std::optional<TopLook> before = look();
  if (before->cluster.nobody_answered()) {
    std::string all;
    for (const auto& [address, problem] : before->cluster.unknown) all += (all.empty() ? "" : "; ") + problem;
    return fail(kNoService, ErrorCode::kUnavailable,
                "no server reachable: " + all + " (is one running there? name others with --endpoints)");
  }
  std::optional<OtherScreen> screen;
  std::optional<Keys> keys;
  if (!once && !json && isatty(STDOUT_FILENO) != 0) {
    screen.emplace();
    if (isatty(STDIN_FILENO) != 0) keys.emplace();
    screen->draw(top_lines(top_report(std::nullopt, *before)));
  }
  bool first = true;
  while (true) {
    const auto due = std::chrono::steady_clock::now() + interval;
    auto left = std::chrono::duration_cast<milliseconds>(due - std::chrono::steady_clock::now());
    while (left > milliseconds(0)) {
      const int signal = signals_.next(static_cast<int>(left.count()), keys ? keys->input() : -1);
      if (ends_a_command(signal) || (keys && keys->quit())) return kDone;
      left = std::chrono::ceil<milliseconds>(due - std::chrono::steady_clock::now());
    }
    TopLook now = look();
    const TopReport report = top_report(before, now);
    before = std::move(now);
    if (json) {
      print_json(top_json(report));
    } else if (screen) {
      screen->draw(top_lines(report));
    } else {
      if (!std::exchange(first, false)) print_line("");
      for (const TopLine& line : top_lines(report)) print_line(line.text);
    }
    if (once || output_fails()) return kDone;
  }
}

std::string interval_problem(const std::string& text) {
  const Result<milliseconds> parsed = parse_duration(text);
  if (!parsed.ok()) return parsed.error().message;
  const bool fits = *parsed >= kIntervalMin && *parsed <= kIntervalMax;
  return fits ? "" : "'" + text + "' is out of range: it may be from 100ms to 1h";
}

}  // namespace

void add_top_command(CLI::App& app, const Globals& globals, Action& action) {
  const auto args = std::make_shared<TopArguments>();
  CLI::App* top = app.add_subcommand(
      "top",
      "requests, latencies, hottest paths and most contended locks, again and again until a signal, or "
      "q on a terminal");
  top->add_option("--interval", args->interval, "between two looks")
      ->capture_default_str()
      ->type_name("TIME")
      ->check(interval_problem);
  top->add_flag("--once", args->once, "one look, over one interval");
  top->callback([&globals, &action, args] {
    action = [&globals, args] {
      return Top(globals).run(*parse_duration(args->interval), args->once, globals.json);
    };
  });
}

}  // namespace quorate::cli
