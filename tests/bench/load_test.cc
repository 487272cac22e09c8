// The load generator against the nulls, and against conversations that go wrong.
#include "client/bench/load.h"

#include <gtest/gtest.h>

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <thread>

#include "base/check.h"
#include "tests/bench/null_cluster.h"
#include "tests/bench/null_frame.h"
#include "tests/bench/null_server.h"

namespace quorate::bench {
namespace {

LoadOptions options_for(Port port, Work work, Shape shape) {
  LoadOptions options;
  options.connect = to_loopback({port});
  options.conversation = [](uint32_t) { return std::make_unique<NullConversation>(); };
  options.shape = shape;
  options.work = work;
  options.measure = std::chrono::milliseconds(20);
  return options;
}

class Folder {
 public:
  Folder() { path_ = ::mkdtemp(pattern_.data()); }
  ~Folder() { std::filesystem::remove_all(path_); }
  const std::string& path() const { return path_; }

 private:
  std::string pattern_ = "/tmp/quorate-bench-test-XXXXXX";
  std::string path_;
};

TEST(Shape, ClientsBeyond256ShareConnections) {
  EXPECT_EQ(shape_of(1).connections, 1U);
  EXPECT_EQ(shape_of(256).connections, 256U);
  EXPECT_EQ(shape_of(256).outstanding, 1U);
  EXPECT_EQ(shape_of(1024).connections, 64U);
  EXPECT_EQ(shape_of(1024).outstanding, 16U);
  EXPECT_EQ(shape_of(4096).outstanding, 64U);
}

TEST(Load, DrivesEveryWorkOverTheNullServer) {
  auto server = start_null_server();
  ASSERT_TRUE(server.ok());
  for (const Work work : {Work::kSet, Work::kGet, Work::kMixed, Work::kLock, Work::kHandOver}) {
    auto result = run_load(options_for(server->port, work, {4, 4}));
    ASSERT_TRUE(result.ok()) << result.error().message;
    EXPECT_GT(result->operations, 0U) << work_name(work);
    EXPECT_EQ(result->latency.count(), result->operations);
    EXPECT_GT(result->rate(), 0);
  }
}

TEST(Load, BeginsNoMoreThanTheGivenRate) {
  auto server = start_null_server();
  ASSERT_TRUE(server.ok());
  LoadOptions options = options_for(server->port, Work::kSweep, {2, 4});
  options.rate = 20'000;
  options.measure = std::chrono::milliseconds(100);
  options.keeps_samples = true;
  auto result = run_load(options);
  ASSERT_TRUE(result.ok()) << result.error().message;
  EXPECT_GT(result->operations, 0U);
  EXPECT_LE(static_cast<double>(result->operations), options.rate * result->seconds + options.rate / 1'000);
  EXPECT_EQ(result->samples.size(), result->operations);
}

// Answers some, is then silent until the load is told to end and for a while beyond, and answers the rest.
class PausingServer {
 public:
  static constexpr uint32_t kOutstanding = 4;
  static constexpr uint32_t kAnsweredBefore = 20;

  explicit PausingServer(std::atomic<bool>& stop) : stop_(stop) {
    auto listener = listen_on_loopback();
    CHECK(listener.ok());
    port_ = listener->second;
    thread_ = std::thread([this, socket = std::move(listener->first)] { serve(socket.get()); });
  }
  ~PausingServer() { thread_.join(); }
  Port port() const { return port_; }
  // From the last request that came before the end to that.
  uint64_t silent_ms() const { return silent_ms_; }

 private:
  void serve(int listener) {
    const Fd connection(::accept(listener, nullptr, nullptr));
    std::string in, held;
    uint32_t requests = 0, unanswered = 0;
    char buffer[4096];
    for (ssize_t got = 0; (got = ::read(connection.get(), buffer, sizeof(buffer))) > 0;) {
      in.append(buffer, static_cast<size_t>(got));
      while (const auto frame = take_null_frame(in)) {
        put_null_frame(frame->request, 0, held);
        in.erase(0, frame->bytes);
        ++requests;
        ++unanswered;
      }
      if (requests > kAnsweredBefore && !stop_) {
        if (unanswered < kOutstanding) continue;
        pause(connection.get());  // all that can be outstanding is, so nothing more comes
      }
      CHECK(write_exactly(connection.get(), held.data(), held.size()));
      held.clear();
      unanswered = 0;
    }
  }
  void pause(int connection) {
    constexpr int kHalfMs = 100;
    const auto began = std::chrono::steady_clock::now();
    pollfd nothing{connection, POLLIN, 0};
    CHECK(::poll(&nothing, 1, kHalfMs) == 0);
    const auto took = std::chrono::steady_clock::now() - began;
    silent_ms_ = static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::milliseconds>(took).count());
    stop_ = true;
    CHECK(::poll(&nothing, 1, kHalfMs) == 0);
  }

  std::atomic<bool>& stop_;
  std::atomic<uint64_t> silent_ms_ = 0;
  Port port_ = 0;
  std::thread thread_;
};

TEST(Load, CountsAllThatAPauseAtTheEndDelays) {
  std::atomic<bool> stop = false;
  Result<LoadResult> result = LoadResult();
  uint64_t silent_ms = 0;
  {
    PausingServer server(stop);
    LoadOptions options = options_for(server.port(), Work::kGet, {1, PausingServer::kOutstanding});
    options.rate = 1'000;
    options.measure = std::chrono::hours(1);
    options.stop = &stop;
    options.keeps_samples = true;
    result = run_load(options);
    silent_ms = server.silent_ms();
  }
  ASSERT_TRUE(result.ok()) << result.error().message;
  // One is due each millisecond; the last tick may not have been over.
  EXPECT_GE(result->operations + 2, PausingServer::kAnsweredBefore + silent_ms);
  EXPECT_EQ(result->samples.size(), result->operations);
  EXPECT_GE(result->latency.percentile(1) + 2'000'000, silent_ms * 1'000'000);
}

TEST(Load, EndsWhenItIsTold) {
  auto server = start_null_server();
  ASSERT_TRUE(server.ok());
  const std::atomic<bool> stop = true;
  LoadOptions options = options_for(server->port, Work::kSet, {1, 1});
  options.measure = std::chrono::hours(1);
  options.stop = &stop;
  auto result = run_load(options);
  ASSERT_TRUE(result.ok()) << result.error().message;
  EXPECT_GT(result->operations, 0U);
}

TEST(Load, DrivesTheNullClusterBeyondTheEndOfItsFiles) {
  const Folder folder;
  auto cluster = start_null_cluster(folder.path(), 4096);
  ASSERT_TRUE(cluster.ok()) << cluster.error().message;
  // 1,000 creates of more than 100 bytes each go around a file of one page many times.
  auto prepared = run_load(options_for(cluster->port, Work::kPrepare, {1, 1}));
  ASSERT_TRUE(prepared.ok()) << prepared.error().message;
  auto result = run_load(options_for(cluster->port, Work::kMixed, {4, 2}));
  ASSERT_TRUE(result.ok()) << result.error().message;
  EXPECT_GT(result->operations, 0U);
  for (const Child& process : cluster->processes) EXPECT_TRUE(process.running());
}

// Counts what it is asked, and hears `answer` in place of every tenth answer.
class Meddler final : public Conversation {
 public:
  Meddler(Heard answer, uint32_t& requests) : answer_(answer), requests_(requests) {}
  bool open(std::string&) override { return false; }
  void request(const Request& request, std::string& out) override {
    ++requests_;
    null_.request(request, out);
  }
  Heard hear(std::string_view in, std::string& out) override {
    Heard heard = null_.hear(in, out);
    if (heard.kind != Heard::Kind::kDone || ++heard_ % 10 != 0) return heard;
    answer_.bytes = heard.bytes;
    answer_.slot = heard.slot;
    return answer_;
  }
  bool close(std::string&) override { return false; }

 private:
  NullConversation null_;
  Heard answer_;
  uint32_t& requests_;
  uint32_t heard_ = 0;
};

Result<LoadResult> run_with(Work work, Heard answer, uint32_t& requests) {
  auto server = start_null_server();
  if (!server.ok()) return server.error();
  LoadOptions options = options_for(server->port, work, {1, 1});
  options.measure = std::chrono::hours(1);
  options.conversation = [&](uint32_t) { return std::make_unique<Meddler>(answer, requests); };
  return run_load(options);
}

TEST(Load, PreparesEveryKeyOnceAndAcceptsThoseThatExist) {
  uint32_t requests = 0;
  Heard exists{Heard::Kind::kRefused, 0, 0, ErrorCode::kNodeExists, "exists"};
  auto result = run_with(Work::kPrepare, exists, requests);
  ASSERT_TRUE(result.ok()) << result.error().message;
  EXPECT_EQ(requests, kKeys);
}

TEST(Load, ARefusalEndsTheRunWithItsCode) {
  uint32_t requests = 0;
  Heard refusal{Heard::Kind::kRefused, 0, 0, ErrorCode::kOverloaded, "too much"};
  auto result = run_with(Work::kSet, refusal, requests);
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.code(), ErrorCode::kOverloaded);
  EXPECT_NE(result.error().message.find("too much"), std::string::npos);
  EXPECT_EQ(requests, 10U);
}

TEST(Load, AnAnswerThatDoesNotParseEndsTheRun) {
  uint32_t requests = 0;
  auto result = run_with(Work::kSet, {Heard::Kind::kBroken, 0, 0, ErrorCode::kMalformed, "noise"}, requests);
  EXPECT_EQ(result.code(), ErrorCode::kMalformed);
}

TEST(Load, ASessionThatEndsEarlyEndsTheRun) {
  uint32_t requests = 0;
  auto result =
      run_with(Work::kSet, {Heard::Kind::kEnded, 0, 0, ErrorCode::kSessionExpired, "over"}, requests);
  EXPECT_EQ(result.code(), ErrorCode::kUnavailable);
}

TEST(Load, AServerThatHangsUpEndsTheRun) {
  auto listener = listen_on_loopback();
  ASSERT_TRUE(listener.ok());
  auto server = fork_child([&]() -> int { return read_exactly(listener->first.get(), nullptr, 1) ? 1 : 0; });
  ASSERT_TRUE(server.ok());
  listener->first.reset();
  auto result = run_load(options_for(listener->second, Work::kSet, {1, 1}));
  // Either the connection is refused or it breaks, as the server happens to end before or after.
  EXPECT_TRUE(result.code() == ErrorCode::kUnavailable || result.code() == ErrorCode::kIo);
}

TEST(Process, CountsTheTimeOfAProcessAndKnowsItsEnd) {
  auto server = start_null_server();
  ASSERT_TRUE(server.ok());
  auto seconds = cpu_seconds(server->process.pid());
  ASSERT_TRUE(seconds.ok());
  EXPECT_GE(*seconds, 0);
  const pid_t pid = server->process.pid();
  EXPECT_TRUE(server->process.running());
  server->process.kill_and_wait();
  EXPECT_FALSE(server->process.running());
  EXPECT_FALSE(cpu_seconds(pid).ok());
}

}  // namespace
}  // namespace quorate::bench
