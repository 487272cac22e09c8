// quorated as its users have it: processes on free ports, in a folder of the test's own.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "proto/client.pb.h"

namespace quorate::server {

// Ports that nobody listened on a moment ago, outside of what the kernel hands out to others.
std::vector<uint16_t> free_ports(size_t count);

// Asks again until it holds. False after a bound that only a failure reaches.
bool eventually(const std::function<bool()>& condition);

// A folder that is gone with the object.
class TemporaryFolder {
 public:
  TemporaryFolder();
  ~TemporaryFolder();
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

class ServerProcess {
 public:
  // `files_max`: how many files the process may have open; 0: as many as this one.
  explicit ServerProcess(const std::vector<std::string>& arguments, uint64_t files_max = 0);
  // Kills it if it still runs.
  ~ServerProcess();
  ServerProcess(const ServerProcess&) = delete;
  ServerProcess& operator=(const ServerProcess&) = delete;

  void signal(int number) const;
  // Waits for its end. The exit code, or 128 + the signal's number; -1 if it does not end.
  int wait();
  // All that it said on standard error so far.
  std::string said() const;
  // Bytes that it has written to files since its start, as the kernel counts them.
  uint64_t bytes_written() const;

 private:
  pid_t pid_ = -1;
  std::string output_path_;
  std::optional<int> ended_;
};

// A connection with the native protocol, one request at a time. Failure to connect or to get an answer:
// nothing.
class TestClient {
 public:
  explicit TestClient(uint16_t port);
  ~TestClient();
  TestClient(const TestClient&) = delete;
  TestClient& operator=(const TestClient&) = delete;

  std::optional<api::Reply> ask(api::ClientFrame frame);
  // Any bytes, without magic or frame.
  bool send_raw(const std::string& bytes);
  bool open_session();
  // With the next number of the session. The reply's code, or -1 without one.
  int create(const std::string& path, const std::string& data);
  int set(const std::string& path, const std::string& data);
  std::optional<std::string> get(const std::string& path);

 private:
  std::optional<std::string> read_exactly(size_t size);
  int write(api::ClientFrame frame);

  int socket_ = -1;
  bool greeted_ = false;
  uint64_t last_id_ = 0;
  uint64_t last_number_ = 0;
};

std::optional<api::ServerStatus> status_of(uint16_t client_port);

// Three servers that form a cluster, with these flags more than they need.
class TestCluster {
 public:
  explicit TestCluster(std::vector<std::string> more = {});

  void start(size_t server);
  void kill(size_t server);
  int terminate(size_t server);
  ServerProcess& process(size_t server) { return *processes_[server]; }
  bool running(size_t server) const { return processes_[server].has_value(); }
  uint16_t client_port(size_t server) const { return client_ports_[server]; }
  uint16_t peer_port(size_t server) const { return peer_ports_[server]; }
  std::string folder(size_t server) const { return folder_.path() + "/" + std::to_string(server + 1); }
  std::vector<std::string> arguments(size_t server) const;
  std::string list() const;
  // Waits until every running server knows the same leader, which runs; its position, or nothing.
  std::optional<size_t> leader();
  // Writes through that server until it is acknowledged.
  bool write_through(size_t server, const std::string& path, const std::string& data);

 private:
  TemporaryFolder folder_;
  std::vector<uint16_t> peer_ports_, client_ports_;
  const std::vector<std::string> more_;
  std::vector<std::optional<ServerProcess>> processes_;
};

}  // namespace quorate::server
