#include "tests/bench/failover.h"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <thread>

#include "client/bench/native_conversation.h"

namespace quorate::bench {
namespace {

constexpr uint64_t kWriteMaxNs = 30'000'000'000U;
constexpr useconds_t kRetryUs = 1'000;
constexpr int kWritesBefore = 20;

// One client with one request at a time.
class Probe {
 public:
  explicit Probe(uint32_t number) : conversation_(number) {}

  Status connect(Port port) {
    auto fd = connect_to_loopback(port);
    if (!fd.ok()) return fd.error();
    fd_ = std::move(*fd);
    conversation_.open(out_.bytes());
    return exchange(false);
  }

  Status write() {
    conversation_.request({Step::kSet, 0, 0}, out_.bytes());
    return exchange(true);
  }

  Status close() {
    conversation_.close(out_.bytes());
    return exchange(false);
  }

 private:
  // Sends what waits and reads until it is answered.
  Status exchange(bool retries) {
    const uint64_t until = now_ns() + kWriteMaxNs;
    while (now_ns() < until) {
      if (!out_.flush(fd_.get())) return Error{ErrorCode::kUnavailable, "a survivor closed its connection"};
      const Heard heard = conversation_.hear(in_.bytes(), out_.bytes());
      const std::string why(heard.why);
      in_.consume(heard.bytes);
      switch (heard.kind) {
        case Heard::Kind::kDone:
        case Heard::Kind::kReady:
        case Heard::Kind::kFarewell:
          return {};
        case Heard::Kind::kNothing:
          continue;
        case Heard::Kind::kRefused:
          if (!retries || !worth_trying_again(heard.code))
            return Error{heard.code, "a write was refused: " + why};
          ::usleep(kRetryUs);
          conversation_.retry(heard.slot, out_.bytes());
          continue;
        case Heard::Kind::kEnded:
        case Heard::Kind::kBroken:
          return Error{heard.code, "a survivor's answer makes no sense: " + why};
        case Heard::Kind::kIncomplete:
          break;
      }
      pollfd wait{fd_.get(), POLLIN, 0};
      if (::poll(&wait, 1, 100) > 0 && in_.read_from(fd_.get()) == ReadOutcome::kClosed) {
        return Error{ErrorCode::kUnavailable, "a survivor closed its connection"};
      }
    }
    return Error{ErrorCode::kTimeout, "a write was not acknowledged within 30 s"};
  }

  static bool worth_trying_again(ErrorCode code) {
    switch (code) {
      case ErrorCode::kNoQuorum:
      case ErrorCode::kNotLeader:
      case ErrorCode::kOverloaded:
      case ErrorCode::kOutcomeUnknown:
      case ErrorCode::kTimeout:
      case ErrorCode::kUnavailable:
        return true;
      default:
        return false;
    }
  }

  NativeConversation conversation_;
  Fd fd_;
  InBuffer in_;
  OutBuffer out_;
};

Result<double> one_round(QuorateCluster& cluster, int round) {
  auto leader = cluster.wait_until_level();
  if (!leader.ok()) return leader.error();
  const size_t survivor = (*leader + 1 + static_cast<size_t>(round) % 2) % QuorateCluster::kServers;

  Probe probe(static_cast<uint32_t>(round));
  if (Status status = probe.connect(cluster.port(survivor)); !status.ok()) return status.error();
  for (int i = 0; i < kWritesBefore; ++i) {
    if (Status status = probe.write(); !status.ok()) return status.error();
  }
  const uint64_t killed_ns = now_ns();
  cluster.process(*leader).kill_now();
  if (Status status = probe.write(); !status.ok()) return status.error();
  const double ms = static_cast<double>(now_ns() - killed_ns) * 1e-6;

  if (Status status = probe.close(); !status.ok()) return status.error();
  if (Status status = cluster.restart(*leader); !status.ok()) return status.error();
  return ms;
}

}  // namespace

double FailoverTimes::median() const {
  if (ms.empty()) return 0;
  const size_t half = ms.size() / 2;
  return ms.size() % 2 == 1 ? ms[half] : (ms[half - 1] + ms[half]) / 2;
}

Result<FailoverTimes> measure_failover(QuorateCluster& cluster, int rounds,
                                       const std::function<void(const std::string&)>& progress) {
  FailoverTimes times;
  for (int round = 1; round <= rounds; ++round) {
    auto ms = one_round(cluster, round);
    if (!ms.ok()) return ms.error();
    char line[80];
    std::snprintf(line, sizeof(line), "failover %d of %d: %.1f ms", round, rounds, *ms);
    progress(line);
    times.ms.push_back(*ms);
  }
  std::sort(times.ms.begin(), times.ms.end());
  if (auto leader = cluster.wait_until_level(); !leader.ok()) return leader.error();
  return times;
}

Result<double> measure_idle(const QuorateCluster& cluster, Duration time) {
  const auto spent = [&]() -> Result<double> {
    double sum = 0;
    for (size_t i = 0; i < QuorateCluster::kServers; ++i) {
      auto seconds = cpu_seconds(cluster.process(i).pid());
      if (!seconds.ok()) return seconds.error();
      sum += *seconds;
    }
    return sum;
  };
  auto before = spent();
  if (!before.ok()) return before.error();
  const uint64_t from = now_ns();
  std::this_thread::sleep_for(time);
  const double seconds = static_cast<double>(now_ns() - from) * 1e-9;
  auto after = spent();
  if (!after.ok()) return after.error();
  return (*after - *before) / seconds * 100;
}

}  // namespace quorate::bench
