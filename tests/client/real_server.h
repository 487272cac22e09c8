// Real clients of one real server, for tests of what is built on the client library.
#pragma once

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "client/quorate/client.h"
#include "tests/server/server_process.h"

namespace quorate::client {

inline constexpr milliseconds kLong(20'000);  // only a failure waits for so long
inline constexpr milliseconds kShort(30);

// Choices of a model's steps, about half of `length` of them. Each is drawn in full: by itself RapidCheck
// draws the numbers in a short list as small as the list, and of all that is to be done only what comes
// first.
template <class Step>
rc::Gen<std::vector<Step>> steps(int length) {
  return rc::gen::resize(length, rc::gen::container<std::vector<Step>>(
                                     rc::gen::resize(rc::kNominalSize, rc::gen::arbitrary<Step>())));
}

// One server for all tests of a suite; each has a folder of the tree to itself.
class RealServer : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    const std::vector<uint16_t> ports = server::free_ports(1);
    endpoint_ = "127.0.0.1:" + std::to_string(ports[0]);
    folder_ = std::make_unique<server::TemporaryFolder>();
    server_ = std::make_unique<server::ServerProcess>(
        std::vector<std::string>{"--data", folder_->path() + "/data", "--client", endpoint_});
    Client client(options());
    ASSERT_TRUE(server::eventually([&] { return client.exists("/").ok(); })) << server_->said();
  }
  static void TearDownTestSuite() {
    server_.reset();
    folder_.reset();
  }
  static Options options() {
    Options options;
    options.endpoints = {endpoint_};
    options.session_timeout = milliseconds(60'000);  // no machine is so busy; who dies here says so
    return options;
  }
  static std::string fresh_path() { return "/recipe" + std::to_string(++paths_); }

  std::string path = fresh_path();
  Client a{options()}, b{options()};

 private:
  static inline std::string endpoint_;
  static inline std::unique_ptr<server::TemporaryFolder> folder_;
  static inline std::unique_ptr<server::ServerProcess> server_;
  static inline std::atomic<int> paths_ = 0;
};

}  // namespace quorate::client
