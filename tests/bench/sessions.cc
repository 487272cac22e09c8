#include "tests/bench/sessions.h"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdio>
#include <fstream>
#include <thread>

#include "client/bench/load.h"
#include "client/bench/native_conversation.h"
#include "tests/bench/native_frames.h"

namespace quorate::bench {
namespace {

constexpr uint32_t kStep = 10'000;
constexpr uint32_t kOpenedAhead = 200;  // opened without waiting for an answer
constexpr uint64_t kSessionsMaxNs = 60'000'000'000U;
constexpr uint64_t kPingEveryNs = uint64_t{kIdleSessionTimeoutMs} * 1'000'000 / 3;
constexpr uint32_t kWriters = 4;
constexpr Duration kWriteTime = std::chrono::seconds(6);

Result<uint64_t> resident_bytes(pid_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/statm");
  uint64_t size = 0, resident = 0;
  if (!(file >> size >> resident))
    return Error{ErrorCode::kIo, "process " + std::to_string(pid) + " is gone"};
  return resident * static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
}

// Connections with a session each, from one epoll loop.
class Herd {
 public:
  explicit Herd(const QuorateCluster& cluster) : cluster_(cluster) {
    api::ClientFrame open, ping;
    open.set_id(1);
    open.mutable_open_session()->set_timeout_ms(kIdleSessionTimeoutMs);
    open.mutable_open_session()->set_password("0123456789abcdef");
    open_ = std::string(kNativeMagic) + frame_of(open);
    ping.set_id(2);
    ping.mutable_ping();
    ping_ = frame_of(ping);
  }

  size_t size() const { return members_.size(); }

  Status grow_to(size_t count) {
    while (members_.size() < count) {
      auto fd = connect_to_loopback(cluster_.port(members_.size() % QuorateCluster::kServers));
      if (!fd.ok()) return fd.error();
      set_nonblocking(fd->get());
      poller_.add(fd->get(), members_.size());
      members_.push_back({std::move(*fd), now_ns()});
      if (!write_exactly(members_.back().fd.get(), open_.data(), open_.size())) return broken();
      ++unanswered_;
      while (unanswered_ > kOpenedAhead || (members_.size() == count && unanswered_ > 0)) {
        if (Status status = turn(100); !status.ok()) return status;
      }
    }
    return {};
  }

  // Pings each member when it is due.
  Status keep_alive(Duration time) {
    const uint64_t until = now_ns() + static_cast<uint64_t>(time.count());
    while (now_ns() < until) {
      const uint64_t due = now_ns() - kPingEveryNs;
      for (Member& member : members_) {
        if (member.pinged_ns > due) continue;
        if (Status status = ping(member); !status.ok()) return status;
      }
      if (Status status = turn(10); !status.ok()) return status;
    }
    return {};
  }

  // The last sign of life, from all of them at once: answers gather for a while, so none is waited for before
  // all have asked.
  Status ping_all() {
    for (Member& member : members_) {
      if (Status status = ping(member); !status.ok()) return status;
    }
    const uint64_t until = now_ns() + kSessionsMaxNs;
    while (unanswered_ > 0 && now_ns() < until) {
      if (Status status = turn(100); !status.ok()) return status;
    }
    return unanswered_ == 0 ? Status() : Status(Error{ErrorCode::kTimeout, "pings were not answered"});
  }

 private:
  struct Member {
    Fd fd;
    uint64_t pinged_ns = 0;
  };

  static Error broken() { return {ErrorCode::kUnavailable, "a server closed the connection of a session"}; }

  Status ping(Member& member) {
    member.pinged_ns = now_ns();
    ++unanswered_;
    return write_exactly(member.fd.get(), ping_.data(), ping_.size()) ? Status() : Status(broken());
  }

  // Every answer is one read: they are small, and there is one request under way on a connection.
  Status turn(int timeout_ms) {
    for (const Poller::Event& event : poller_.wait(timeout_ms)) {
      std::array<char, 4096> bytes;
      const ssize_t got = ::read(members_[event.token].fd.get(), bytes.data(), bytes.size());
      if (got <= 0) return broken();
      api::ServerFrame answer;
      if (got < 4 || !answer.ParseFromArray(bytes.data() + 4, static_cast<int>(got) - 4))
        return Error{ErrorCode::kMalformed, "an answer that does not parse"};
      if (answer.reply().code() != 0)
        return Error{static_cast<ErrorCode>(answer.reply().code()),
                     "a session was refused: " + answer.reply().message()};
      --unanswered_;
    }
    return {};
  }

  const QuorateCluster& cluster_;
  Poller poller_;
  std::vector<Member> members_;
  std::string open_, ping_;
  size_t unanswered_ = 0;
};

struct Spent {
  double cpu_seconds = 0;
  uint64_t resident = 0;
};

Result<Spent> spent(const QuorateCluster& cluster) {
  Spent sum;
  for (size_t i = 0; i < QuorateCluster::kServers; ++i) {
    auto seconds = cpu_seconds(cluster.process(i).pid());
    auto bytes = resident_bytes(cluster.process(i).pid());
    if (!seconds.ok()) return seconds.error();
    if (!bytes.ok()) return bytes.error();
    sum.cpu_seconds += *seconds;
    sum.resident += *bytes;
  }
  return sum;
}

Result<double> p99_of_writes(const QuorateCluster& cluster, size_t leader) {
  LoadOptions load;
  load.connect = to_loopback({cluster.port(leader)});
  load.conversation = [](uint32_t number) { return std::make_unique<NativeConversation>(number); };
  load.shape = {kWriters, 1};
  load.work = Work::kSet;
  load.measure = kWriteTime;
  auto result = run_load(load);
  if (!result.ok()) return result.error();
  return static_cast<double>(result->latency.percentile(0.99)) / 1000;
}

// All members fall silent; somebody else writes meanwhile.
Status measure_expiry(const QuorateCluster& cluster, Herd& herd, size_t leader, SessionsFigures& figures) {
  // What is measured before lasts almost as long as a session does without a sign of life.
  if (Status status = herd.ping_all(); !status.ok()) return status;
  auto before = p99_of_writes(cluster, leader);
  if (!before.ok()) return before.error();
  figures.p99_before_us = *before;
  if (Status status = herd.ping_all(); !status.ok()) return status;
  figures.expired = static_cast<uint32_t>(herd.size());
  auto full = ask_status(cluster.port(leader));
  if (!full.ok()) return full.error();
  const uint64_t others = full->sessions - herd.size() + kWriters;

  // The writes run over the time in which the sessions expire.
  ::usleep((kIdleSessionTimeoutMs - 3'000) * 1000);
  Result<double> during = 0.0;
  std::thread writer([&] { during = p99_of_writes(cluster, leader); });
  uint64_t first_gone = 0, all_gone = 0;
  const uint64_t until = now_ns() + kSessionsMaxNs;
  while (all_gone == 0 && now_ns() < until) {
    auto view = ask_status(cluster.port(leader));
    if (!view.ok()) break;
    if (first_gone == 0 && view->sessions < herd.size()) first_gone = now_ns();
    if (view->sessions <= others) all_gone = now_ns();
    ::usleep(2'000);
  }
  writer.join();
  if (!during.ok()) return during.error();
  if (all_gone == 0) return Error{ErrorCode::kTimeout, "the silent sessions did not expire"};
  figures.p99_during_us = *during;
  figures.expiry_ms = static_cast<double>(all_gone - first_gone) * 1e-6;
  return {};
}

}  // namespace

Result<SessionsFigures> measure_sessions(const QuorateCluster& cluster, uint32_t sessions_max, Duration time,
                                         const std::function<void(const std::string&)>& progress) {
  rlimit descriptors{};
  ::getrlimit(RLIMIT_NOFILE, &descriptors);
  descriptors.rlim_cur = descriptors.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &descriptors);
  const auto most = static_cast<uint32_t>(std::min<uint64_t>(sessions_max, descriptors.rlim_cur - 100));

  auto leader = cluster.wait_until_level();
  if (!leader.ok()) return leader.error();
  auto empty = spent(cluster);
  if (!empty.ok()) return empty.error();
  SessionsFigures figures;
  Herd herd(cluster);
  for (uint32_t count = std::min(kStep, most);; count = std::min(count + kStep, most)) {
    progress("opening " + std::to_string(count) + " sessions");
    if (Status status = herd.grow_to(count); !status.ok()) return status.error();
    // Once around, so that every buffer is what it will be.
    if (Status status = herd.keep_alive(Duration(kPingEveryNs)); !status.ok()) return status.error();
    auto from = spent(cluster);
    auto index_from = ask_status(cluster.port(*leader));
    const uint64_t begin = now_ns();
    if (Status status = herd.keep_alive(time); !status.ok()) return status.error();
    const double seconds = static_cast<double>(now_ns() - begin) * 1e-9;
    auto to = spent(cluster);
    auto index_to = ask_status(cluster.port(*leader));
    if (!from.ok() || !to.ok() || !index_from.ok() || !index_to.ok())
      return Error{ErrorCode::kUnavailable, "a server gave no figures"};
    figures.idle.push_back(
        {count, (to->cpu_seconds - from->cpu_seconds) / seconds * 100,
         static_cast<double>(to->resident - std::min(to->resident, empty->resident)) / count,
         index_to->last_index - index_from->last_index});
    if (count >= most) break;
  }
  progress("letting " + std::to_string(herd.size()) + " sessions expire at once");
  if (Status status = measure_expiry(cluster, herd, *leader, figures); !status.ok()) return status.error();
  return figures;
}

}  // namespace quorate::bench
