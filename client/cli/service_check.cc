#include "client/cli/service_check.h"

#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <condition_variable>
#include <cstring>
#include <mutex>
#include <thread>

extern char** environ;

namespace quorate::cli {
namespace {

using Clock = std::chrono::steady_clock;

struct Target {
  std::string host, port, path;
};

Error failed(const std::string& why) { return {ErrorCode::kUnavailable, why}; }

// HOST:PORT or [ADDRESS]:PORT; `port` where none is named.
Result<Target> parse_target(const std::string& text, const std::string& default_port) {
  Target target;
  const size_t slash = text.find('/');
  target.path = slash == std::string::npos ? "/" : text.substr(slash);
  std::string place = text.substr(0, slash);
  const size_t bracket = place.rfind(']'), colon = place.rfind(':');
  const bool has_port = colon != std::string::npos && (bracket == std::string::npos || colon > bracket);
  target.port = has_port ? place.substr(colon + 1) : default_port;
  target.host = has_port ? place.substr(0, colon) : place;
  if (target.host.starts_with("[") && target.host.ends_with("]"))
    target.host = target.host.substr(1, target.host.size() - 2);
  const bool number =
      !target.port.empty() && target.port.find_first_not_of("0123456789") == std::string::npos;
  if (target.host.empty() || !number)
    return Error{ErrorCode::kInvalidArgument, "'" + text + "' names no HOST:PORT"};
  return target;
}

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&&) = delete;
  int get() const { return fd_; }

  // Whether it may be read or written before then.
  bool wait(short events, Clock::time_point until) const {
    while (true) {
      const auto left = std::chrono::duration_cast<milliseconds>(until - Clock::now());
      if (left.count() <= 0) return false;
      pollfd poll{fd_, events, 0};
      const int ready = ::poll(&poll, 1, static_cast<int>(left.count()));
      if (ready > 0) return true;
      if (ready < 0 && errno != EINTR) return false;
    }
  }

 private:
  int fd_;
};

Result<Descriptor> connect_to(const Target& target, Clock::time_point until) {
  addrinfo hints{}, *found = nullptr;
  hints.ai_socktype = SOCK_STREAM;
  if (const int error = getaddrinfo(target.host.c_str(), target.port.c_str(), &hints, &found); error != 0)
    return failed(target.host + ": " + gai_strerror(error));
  const std::unique_ptr<addrinfo, void (*)(addrinfo*)> addresses(found, freeaddrinfo);
  std::string why = "no address";
  for (const addrinfo* at = found; at != nullptr; at = at->ai_next) {
    Descriptor socket(::socket(at->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    int error = errno;
    if (socket.get() >= 0) {
      error = ::connect(socket.get(), at->ai_addr, at->ai_addrlen) == 0 ? 0 : errno;
      if (error == EINPROGRESS) {
        socklen_t size = sizeof(error);
        if (!socket.wait(POLLOUT, until)) {
          error = ETIMEDOUT;
        } else {
          ::getsockopt(socket.get(), SOL_SOCKET, SO_ERROR, &error, &size);
        }
      }
      if (error == 0) return socket;
    }
    why = std::strerror(error);
  }
  return failed(target.host + ":" + target.port + ": " + why);
}

std::string request_of(const Target& target) {
  const bool ipv6 = target.host.find(':') != std::string::npos;
  const std::string host = ipv6 ? "[" + target.host + "]" : target.host;
  return "GET " + target.path + " HTTP/1.1\r\nHost: " + host + ":" + target.port +
         "\r\nUser-Agent: quorate\r\nConnection: close\r\n\r\n";
}

Status try_http(const Target& target, Clock::time_point until) {
  Result<Descriptor> socket = connect_to(target, until);
  if (!socket.ok()) return socket.error();
  const std::string request = request_of(target);
  // Short enough for any socket's buffer.
  if (!socket->wait(POLLOUT, until) || ::send(socket->get(), request.data(), request.size(), MSG_NOSIGNAL) !=
                                           static_cast<ssize_t>(request.size()))
    return failed("the request could not be sent");
  std::string answer;
  char buffer[512];
  while (answer.find('\n') == std::string::npos && answer.size() < 4096) {
    if (!socket->wait(POLLIN, until)) return failed("no answer in time");
    const ssize_t got = ::recv(socket->get(), buffer, sizeof(buffer), 0);
    if (got <= 0) break;
    answer.append(buffer, static_cast<size_t>(got));
  }
  const std::string line = answer.substr(0, answer.find_first_of("\r\n"));
  if (line.starts_with("HTTP/1.") && line.size() >= 12 && line[8] == ' ' && line[9] == '2') return {};
  return failed(line.empty() ? "no answer" : "answered '" + line + "'");
}

Status try_command(const std::string& command, Clock::time_point until, const sigset_t& mask) {
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK);
  posix_spawnattr_setsigmask(&attributes, &mask);
  // Our standard input and output are those of the registered command, or of whoever reads what we print.
  posix_spawn_file_actions_t files;
  posix_spawn_file_actions_init(&files);
  posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&files, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
  std::string shell = "/bin/sh", option = "-c", text = command;
  char* arguments[] = {shell.data(), option.data(), text.data(), nullptr};
  pid_t pid = -1;
  const int error = posix_spawn(&pid, "/bin/sh", &files, &attributes, arguments, environ);
  posix_spawn_file_actions_destroy(&files);
  posix_spawnattr_destroy(&attributes);
  if (error != 0) return failed(std::string("/bin/sh: ") + std::strerror(error));
  // Debian 12's <sys/pidfd.h> does not say that its functions are C's.
  const Descriptor end(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  const int opened = end.get() < 0 ? errno : 0;
  const bool ended = opened == 0 && end.wait(POLLIN, until);
  // With all it started, and before it is waited for: until then its number is nobody else's.
  ::kill(-pid, SIGKILL);
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  if (opened != 0) return failed(std::string("watching the command: ") + std::strerror(opened));
  if (!ended) return failed("the command took too long");
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return {};
  return failed(WIFEXITED(status) ? "the command exited with " + std::to_string(WEXITSTATUS(status))
                                  : "the command died of signal " + std::to_string(WTERMSIG(status)));
}

constexpr std::string_view kHttp = "http://", kTcp = "tcp://", kExec = "exec:";

}  // namespace

Status validate_check(const std::string& what) {
  if (what.empty() || (what.starts_with(kExec) && what.size() > kExec.size())) return {};
  Result<Target> target =
      Error{ErrorCode::kInvalidArgument,
            "'" + what + "' is no check: write http://..., tcp://HOST:PORT or exec:COMMAND"};
  if (what.starts_with(kHttp)) target = parse_target(what.substr(kHttp.size()), "80");
  if (what.starts_with(kTcp)) target = parse_target(what.substr(kTcp.size()), "");
  return target.ok() ? Status() : Status(target.error());
}

Result<std::string> check_request(const std::string& what) {
  if (Status valid = validate_check(what); !valid.ok()) return valid.error();
  if (!what.starts_with(kHttp)) return std::string();
  return request_of(*parse_target(what.substr(kHttp.size()), "80"));
}

Status try_check(const CheckWish& wish, const sigset_t& mask) {
  const Clock::time_point until = Clock::now() + wish.patience;
  const std::string& what = wish.what;
  if (what.starts_with(kExec)) return try_command(what.substr(kExec.size()), until, mask);
  const bool http = what.starts_with(kHttp);
  const Result<Target> target = parse_target(what.substr(http ? kHttp.size() : kTcp.size()), "80");
  if (!target.ok()) return target.error();
  if (http) return try_http(*target, until);
  const Result<Descriptor> socket = connect_to(*target, until);
  return socket.ok() ? Status() : Status(socket.error());
}

struct HealthChecker::State {
  CheckWish wish;
  sigset_t mask{};
  std::function<void()> changed;
  std::mutex mutex;
  std::condition_variable ended;
  bool healthy = false, failing = false, stopping = false;  // guarded by mutex
  std::string reason = "it was not checked yet";
  std::thread thread;

  void run() {
    uint32_t failures = 0;
    while (true) {
      const Status tried = try_check(wish, mask);
      failures = tried.ok() ? 0 : failures + 1;
      std::unique_lock lock(mutex);
      if (stopping) return;
      if (!tried.ok()) reason = tried.error().message;
      const bool now = tried.ok() || (healthy && failures < wish.failures);
      const bool healthy_before = std::exchange(healthy, now);
      const bool failing_before = std::exchange(failing, failures >= wish.failures);
      if (healthy != healthy_before || failing != failing_before) {
        lock.unlock();
        changed();
        lock.lock();
      }
      if (ended.wait_for(lock, wish.every, [this] { return stopping; })) return;
    }
  }
};

HealthChecker::HealthChecker(CheckWish wish, const sigset_t& mask, std::function<void()> changed)
    : state_(std::make_unique<State>()) {
  state_->wish = std::move(wish);
  state_->mask = mask;
  state_->changed = std::move(changed);
  if (state_->wish.what.empty()) {
    state_->healthy = true;
  } else {
    state_->thread = std::thread([state = state_.get()] { state->run(); });
  }
}

HealthChecker::~HealthChecker() {
  {
    const std::lock_guard lock(state_->mutex);
    state_->stopping = true;
    state_->ended.notify_all();
  }
  if (state_->thread.joinable()) state_->thread.join();
}

bool HealthChecker::healthy() const {
  const std::lock_guard lock(state_->mutex);
  return state_->healthy;
}

bool HealthChecker::failing() const {
  const std::lock_guard lock(state_->mutex);
  return state_->failing;
}

std::string HealthChecker::reason() const {
  const std::lock_guard lock(state_->mutex);
  return state_->reason;
}

}  // namespace quorate::cli
