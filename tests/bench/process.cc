#include "tests/bench/process.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <sstream>

#include "client/bench/net.h"

namespace quorate::bench {
namespace {

// Asks the kernel to end this process with its parent. `parent` closes the gap between fork and the question.
void die_with(pid_t parent) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(1);
}

}  // namespace

Child& Child::operator=(Child&& other) noexcept {
  if (this != &other) {
    kill_and_wait();
    pid_ = other.pid_;
    other.pid_ = -1;
  }
  return *this;
}

bool Child::running() const {
  if (pid_ < 0) return false;
  siginfo_t info{};
  // WNOWAIT: whoever ends the child still collects it.
  return ::waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
         info.si_pid == 0;
}

void Child::kill_now() const {
  if (pid_ > 0) ::kill(pid_, SIGKILL);
}

void Child::kill_and_wait() {
  if (pid_ < 0) return;
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
  pid_ = -1;
}

bool Child::stop(int timeout_ms) {
  if (pid_ < 0) return true;
  ::kill(pid_, SIGTERM);
  const uint64_t until = now_ns() + static_cast<uint64_t>(timeout_ms) * 1'000'000;
  while (now_ns() < until) {
    int status = 0;
    if (::waitpid(pid_, &status, WNOHANG) == pid_) {
      pid_ = -1;
      return WIFEXITED(status) && WEXITSTATUS(status) == 0;
    }
    ::usleep(5'000);
  }
  kill_and_wait();
  return false;
}

Result<Child> fork_child(const std::function<int()>& body) {
  const pid_t parent = ::getpid();
  const pid_t pid = ::fork();
  if (pid < 0) return errno_error("cannot start a process");
  if (pid == 0) {
    die_with(parent);
    ::_exit(body());
  }
  return Child(pid);
}

Result<Child> spawn(const std::vector<std::string>& arguments, const std::string& log_path) {
  std::vector<char*> argv;
  for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  return fork_child([&]() -> int {
    const int log = ::open(log_path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    if (log >= 0) {
      ::dup2(log, STDOUT_FILENO);
      ::dup2(log, STDERR_FILENO);
    }
    ::execv(argv[0], argv.data());
    std::perror(argv[0]);
    return 127;
  });
}

Result<double> cpu_seconds(pid_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
  std::string line;
  if (!std::getline(file, line)) return Error{ErrorCode::kIo, "process " + std::to_string(pid) + " is gone"};
  // Behind the name in parentheses, which may hold anything: state is field 3, utime and stime are 14 and 15.
  std::istringstream fields(line.substr(line.rfind(')') + 2));
  std::string skipped;
  for (int field = 3; field < 14; ++field) fields >> skipped;
  uint64_t user = 0, system = 0;
  fields >> user >> system;
  if (!fields) return Error{ErrorCode::kIo, "/proc/" + std::to_string(pid) + "/stat does not parse"};
  return static_cast<double>(user + system) / static_cast<double>(::sysconf(_SC_CLK_TCK));
}

}  // namespace quorate::bench
