#include "tests/server/server_process.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include <chrono>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <random>
#include <sstream>

namespace quorate::server {

namespace {

constexpr std::chrono::seconds kFailureBound(30);
constexpr int kAskAgainMs = 5;
constexpr int kAnswerBoundSeconds = 10;

sockaddr_in loopback(uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  return address;
}

bool can_bind(uint16_t port) {
  const int probe = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const sockaddr_in address = loopback(port);
  const bool bound = ::bind(probe, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0;
  ::close(probe);
  return bound;
}

}  // namespace

std::vector<uint16_t> free_ports(size_t count) {
  static std::mt19937 random(std::random_device{}());
  static std::vector<uint16_t> given;
  std::uniform_int_distribution<uint32_t> any(10'000, 32'000);
  std::vector<uint16_t> ports;
  while (ports.size() < count) {
    const auto port = static_cast<uint16_t>(any(random));
    if (std::find(given.begin(), given.end(), port) != given.end() || !can_bind(port)) continue;
    given.push_back(port);
    ports.push_back(port);
  }
  return ports;
}

bool eventually(const std::function<bool()>& condition) {
  const auto end = std::chrono::steady_clock::now() + kFailureBound;
  while (!condition()) {
    if (std::chrono::steady_clock::now() >= end) return false;
    ::poll(nullptr, 0, kAskAgainMs);
  }
  return true;
}

TemporaryFolder::TemporaryFolder() {
  std::string name = std::filesystem::temp_directory_path() / "quorated-test-XXXXXX";
  if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("no temporary folder");
  path_ = name;
}

TemporaryFolder::~TemporaryFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

// ---- ServerProcess

ServerProcess::ServerProcess(const std::vector<std::string>& arguments, uint64_t files_max) {
  std::string name = std::filesystem::temp_directory_path() / "quorated-said-XXXXXX";
  const int output = ::mkstemp(name.data());
  output_path_ = name;
  std::vector<char*> argv = {const_cast<char*>(QUORATED_PATH)};
  for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  pid_ = ::fork();
  if (pid_ == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);  // a test that crashes leaves no server behind
    ::dup2(output, STDERR_FILENO);
    const rlimit files{files_max, files_max};
    if (files_max > 0 && ::setrlimit(RLIMIT_NOFILE, &files) != 0) ::_exit(98);
    ::execv(QUORATED_PATH, argv.data());
    ::_exit(99);
  }
  ::close(output);
}

ServerProcess::~ServerProcess() {
  if (!ended_) {
    signal(SIGKILL);
    wait();
  }
  ::unlink(output_path_.c_str());
}

void ServerProcess::signal(int number) const { ::kill(pid_, number); }

int ServerProcess::wait() {
  if (ended_) return *ended_;
  int status = 0;
  if (!eventually([&] { return ::waitpid(pid_, &status, WNOHANG) == pid_; })) return -1;
  ended_ = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return *ended_;
}

uint64_t ServerProcess::bytes_written() const {
  std::ifstream io("/proc/" + std::to_string(pid_) + "/io");
  std::string name;
  uint64_t value = 0;
  while (io >> name >> value) {
    if (name == "write_bytes:") return value;
  }
  ADD_FAILURE() << "the kernel does not say what the process has written";
  return 0;
}

std::string ServerProcess::said() const {
  std::ostringstream text;
  text << std::ifstream(output_path_).rdbuf();
  return text.str();
}

// ---- TestClient

TestClient::TestClient(uint16_t port) {
  socket_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const timeval bound{kAnswerBoundSeconds, 0};
  ::setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &bound, sizeof(bound));
  const sockaddr_in address = loopback(port);
  if (::connect(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
    ::close(socket_);
    socket_ = -1;
  }
}

TestClient::~TestClient() {
  if (socket_ >= 0) ::close(socket_);
}

bool TestClient::send_raw(const std::string& bytes) {
  return socket_ >= 0 &&
         ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(bytes.size());
}

std::optional<std::string> TestClient::read_exactly(size_t size) {
  std::string bytes(size, '\0');
  size_t have = 0;
  while (have < size) {
    const ssize_t got = ::recv(socket_, bytes.data() + have, size - have, 0);
    if (got <= 0) return std::nullopt;
    have += static_cast<size_t>(got);
  }
  return bytes;
}

std::optional<api::Reply> TestClient::ask(api::ClientFrame frame) {
  if (socket_ < 0) return std::nullopt;
  frame.set_id(++last_id_);
  const std::string body = frame.SerializeAsString();
  uint32_t size = static_cast<uint32_t>(body.size());
  std::string bytes = greeted_ ? "" : "QUORATE1";
  greeted_ = true;
  bytes.append(reinterpret_cast<const char*>(&size), sizeof(size));
  if (!send_raw(bytes + body)) return std::nullopt;
  while (true) {
    const auto length = read_exactly(sizeof(size));
    if (!length) return std::nullopt;
    std::memcpy(&size, length->data(), sizeof(size));
    const auto answer = read_exactly(size);
    api::ServerFrame parsed;
    if (!answer || !parsed.ParseFromString(*answer)) return std::nullopt;
    if (parsed.has_reply() && parsed.reply().id() == last_id_) return parsed.reply();
  }
}

bool TestClient::open_session() {
  api::ClientFrame frame;
  frame.mutable_open_session()->set_timeout_ms(30'000);
  frame.mutable_open_session()->set_password("0123456789abcdef");
  const auto reply = ask(std::move(frame));
  return reply && reply->code() == 0;
}

int TestClient::write(api::ClientFrame frame) {
  frame.mutable_write()->set_number(++last_number_);
  frame.mutable_write()->set_acked_below(last_number_);
  const auto reply = ask(std::move(frame));
  return reply ? static_cast<int>(reply->code()) : -1;
}

int TestClient::create(const std::string& path, const std::string& data) {
  api::ClientFrame frame;
  frame.mutable_write()->mutable_create()->set_path(path);
  frame.mutable_write()->mutable_create()->set_data(data);
  return write(std::move(frame));
}

int TestClient::set(const std::string& path, const std::string& data) {
  api::ClientFrame frame;
  frame.mutable_write()->mutable_set()->set_path(path);
  frame.mutable_write()->mutable_set()->set_data(data);
  frame.mutable_write()->mutable_set()->set_version(-1);
  return write(std::move(frame));
}

std::optional<std::string> TestClient::get(const std::string& path) {
  api::ClientFrame frame;
  frame.mutable_get()->set_path(path);
  frame.mutable_get()->set_with_data(true);
  const auto reply = ask(std::move(frame));
  if (!reply || reply->code() != 0) return std::nullopt;
  return reply->node().data();
}

std::optional<api::ServerStatus> status_of(uint16_t client_port) {
  api::ClientFrame frame;
  frame.mutable_status();
  const auto reply = TestClient(client_port).ask(std::move(frame));
  if (!reply || reply->code() != 0) return std::nullopt;
  return reply->status();
}

// ---- TestCluster

TestCluster::TestCluster(std::vector<std::string> more)
    : peer_ports_(free_ports(3)), client_ports_(free_ports(3)), more_(std::move(more)), processes_(3) {
  for (size_t server = 0; server < 3; ++server) start(server);
}

std::string TestCluster::list() const {
  std::string text;
  for (size_t server = 0; server < 3; ++server) {
    text += (server == 0 ? "" : ",") + std::to_string(server + 1) +
            "=127.0.0.1:" + std::to_string(peer_ports_[server]);
  }
  return text;
}

std::vector<std::string> TestCluster::arguments(size_t server) const {
  std::vector<std::string> all = {"--id",
                                  std::to_string(server + 1),
                                  "--data",
                                  folder(server),
                                  "--cluster",
                                  list(),
                                  "--client",
                                  "127.0.0.1:" + std::to_string(client_ports_[server]),
                                  "--segment-bytes",
                                  "4MiB"};
  all.insert(all.end(), more_.begin(), more_.end());
  return all;
}

void TestCluster::start(size_t server) { processes_[server].emplace(arguments(server)); }

void TestCluster::kill(size_t server) {
  processes_[server]->signal(SIGKILL);
  processes_[server]->wait();
  processes_[server].reset();
}

int TestCluster::terminate(size_t server) {
  processes_[server]->signal(SIGTERM);
  const int code = processes_[server]->wait();
  processes_[server].reset();
  return code;
}

std::optional<size_t> TestCluster::leader() {
  std::optional<size_t> found;
  eventually([&] {
    std::optional<uint32_t> known;
    for (size_t server = 0; server < processes_.size(); ++server) {
      if (!running(server)) continue;
      const auto status = status_of(client_ports_[server]);
      if (!status || status->leader() == 0 || (known && *known != status->leader())) return false;
      known = status->leader();
    }
    if (!known || !running(*known - 1)) return false;
    found = *known - 1;
    return true;
  });
  return found;
}

bool TestCluster::write_through(size_t server, const std::string& path, const std::string& data) {
  return eventually([&] {
    TestClient client(client_ports_[server]);
    if (!client.open_session()) return false;
    const int made = client.create(path, data);
    return made == 0 || (made == 2 && client.set(path, data) == 0);
  });
}

}  // namespace quorate::server
