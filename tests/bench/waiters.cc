#include "tests/bench/waiters.h"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <utility>

#include "client/bench/native_conversation.h"
#include "tests/bench/native_frames.h"

namespace quorate::bench {
namespace {

constexpr uint64_t kGrantsMaxNs = 30'000'000'000U;
constexpr uint32_t kPatientTimeoutMs = 30'000;  // of those who wait, who say nothing meanwhile
constexpr uint32_t kKilledTimeoutMs = 1'000;    // of those who are killed: the shortest that a server grants
constexpr uint64_t kSignsOfLifeNs = 300'000'000;
constexpr uint32_t kClosedMax = 50;
constexpr const char* kPath = "/quorate-bench/queue";

struct Contender {
  Fd fd;
  std::string in;
  uint64_t next_number = 1;
  std::string node;
  uint64_t granted_ns = 0;  // 0: not yet
  uint64_t signed_ns = 0;   // its last sign of life
  uint64_t replies = 0;
  uint32_t timeout_ms = 0;
  bool closing = false;  // the server ends the connection behind its answer
};

class Line {
 public:
  Line(Port port, HandOvers& found) : port_(port), found_(found) {}

  // Everybody in turn. Those who will be killed have short sessions.
  Status form(uint32_t waiters, uint32_t killed) {
    contenders_.resize(waiters + 1);
    for (size_t i = 0; i < contenders_.size(); ++i) {
      if (Status status = join(i, i < waiters && i + killed >= waiters); !status.ok()) return status;
    }
    return {};
  }

  // The holder gives the lock back.
  Status release(size_t holder) {
    api::ClientFrame frame;
    write(frame, contenders_[holder])->mutable_release()->set_node(contenders_[holder].node);
    return hand_over(holder, frame, released_);
  }
  Status close(size_t holder) {
    contenders_[holder].closing = true;
    api::ClientFrame frame;
    write(frame, contenders_[holder])->mutable_close_session();
    return hand_over(holder, frame, closed_);
  }
  // The holder's connection ends; its session goes on until it runs out.
  Status kill(size_t holder) {
    if (Status status = ping(contenders_[holder]); !status.ok()) return status;
    const uint64_t from = now_ns();
    contenders_[holder].fd.reset();
    if (Status status = await_grant(holder + 1); !status.ok()) return status;
    found_.killed_ms.push_back(static_cast<double>(contenders_[holder + 1].granted_ns - from) * 1e-6);
    return {};
  }
  // The last one leaves as well, so that all that was said has been heard.
  Status leave(size_t last) {
    contenders_[last].closing = true;
    api::ClientFrame frame;
    write(frame, contenders_[last])->mutable_close_session();
    if (Status status = send(contenders_[last], frame); !status.ok()) return status;
    return await_reply(contenders_[last]);
  }

  void sum_up() {
    found_.released_p50_us = static_cast<double>(released_.percentile(0.5)) / 1000;
    found_.released_p99_us = static_cast<double>(released_.percentile(0.99)) / 1000;
    found_.closed_p50_us = static_cast<double>(closed_.percentile(0.5)) / 1000;
  }

 private:
  api::Write* write(api::ClientFrame& frame, Contender& contender) {
    frame.set_id(contender.next_number + 1);
    frame.mutable_write()->set_number(contender.next_number);
    frame.mutable_write()->set_acked_below(contender.next_number++);
    return frame.mutable_write();
  }

  Status send(Contender& contender, const api::ClientFrame& frame) {
    contender.signed_ns = now_ns();
    const std::string bytes = frame_of(frame);
    return write_exactly(contender.fd.get(), bytes.data(), bytes.size()) ? Status() : Status(broken());
  }

  Status join(size_t at, bool hurried) {
    Contender& contender = contenders_[at];
    auto fd = connect_to_loopback(port_);
    if (!fd.ok()) return fd.error();
    contender.fd = std::move(*fd);
    contender.timeout_ms = hurried ? kKilledTimeoutMs : kPatientTimeoutMs;
    poller_.add(contender.fd.get(), at);
    if (!write_exactly(contender.fd.get(), kNativeMagic.data(), kNativeMagic.size())) return broken();
    api::ClientFrame open;
    open.set_id(1);
    open.mutable_open_session()->set_timeout_ms(contender.timeout_ms);
    open.mutable_open_session()->set_password("0123456789abcdef");
    if (Status status = send(contender, open); !status.ok()) return status;
    if (Status status = await_reply(contender); !status.ok()) return status;
    api::ClientFrame acquire;
    write(acquire, contender)->mutable_acquire()->set_path(kPath);
    if (Status status = send(contender, acquire); !status.ok()) return status;
    return await_reply(contender);
  }

  Status hand_over(size_t holder, const api::ClientFrame& frame, Histogram& times) {
    const uint64_t from = now_ns();
    Contender& leaving = contenders_[holder];
    if (Status status = send(leaving, frame); !status.ok()) return status;
    if (Status status = await_grant(holder + 1); !status.ok()) return status;
    times.record(contenders_[holder + 1].granted_ns - from);
    return await_reply(leaving);
  }

  Status await_grant(size_t at) {
    ++found_.hand_overs;
    due_ = at;
    const uint64_t until = now_ns() + kGrantsMaxNs;
    while (contenders_[at].granted_ns == 0) {
      if (now_ns() > until) return Error{ErrorCode::kTimeout, "a lock was not handed over"};
      if (Status status = turn(); !status.ok()) return status;
    }
    return {};
  }

  Status await_reply(Contender& contender) {
    const uint64_t until = now_ns() + kGrantsMaxNs;
    while (contender.replies == 0) {
      if (now_ns() > until) return Error{ErrorCode::kTimeout, "a request was not answered"};
      if (Status status = turn(); !status.ok()) return status;
    }
    --contender.replies;
    return {};
  }

  Status ping(Contender& contender) {
    api::ClientFrame ping;
    ping.set_id(kPingId);
    ping.mutable_ping();
    return send(contender, ping);
  }

  // Those with short sessions say that they are there.
  Status stay_alive() {
    const uint64_t now = now_ns();
    if (now < stay_alive_again_ns_) return {};
    stay_alive_again_ns_ = now + kSignsOfLifeNs / 10;
    for (Contender& contender : contenders_) {
      if (!contender.fd.valid() || contender.timeout_ms != kKilledTimeoutMs) continue;
      if (now - contender.signed_ns < kSignsOfLifeNs) continue;
      if (Status status = ping(contender); !status.ok()) return status;
    }
    return {};
  }

  Status turn() {
    if (Status status = stay_alive(); !status.ok()) return status;
    for (const Poller::Event& event : poller_.wait(10)) {
      Contender& contender = contenders_[event.token];
      if (!contender.fd.valid()) continue;
      std::array<char, 4096> bytes;
      const ssize_t got = ::read(contender.fd.get(), bytes.data(), bytes.size());
      if (got <= 0) {
        if (!contender.closing) return broken();
        contender.fd.reset();
        continue;
      }
      contender.in.append(bytes.data(), static_cast<size_t>(got));
      if (Status status = hear(event.token); !status.ok()) return status;
    }
    return {};
  }

  Status hear(size_t at) {
    Contender& contender = contenders_[at];
    bool unreadable = false;
    while (const auto frame = take_frame(contender.in, unreadable)) {
      if (unreadable) return Error{ErrorCode::kMalformed, "an answer that does not parse"};
      if (frame->has_reply()) {
        if (frame->reply().code() != 0)
          return Error{static_cast<ErrorCode>(frame->reply().code()), frame->reply().message()};
        if (frame->reply().id() == kPingId) continue;
        ++contender.replies;
        const api::Outcome& outcome = frame->reply().outcome();
        if (contender.node.empty() && !outcome.path().empty()) contender.node = outcome.path();
        if (outcome.held()) contender.granted_ns = now_ns();
      } else if (frame->has_granted()) {
        contender.granted_ns = now_ns();
        ++found_.woken;
        found_.in_order = found_.in_order && at == due_;
      } else if (!frame->has_session_end()) {
        ++found_.woken;
      }
    }
    return {};
  }

  static constexpr uint64_t kPingId = uint64_t{1} << 60;
  static Error broken() {
    return {ErrorCode::kUnavailable, "the server closed the connection of a contender"};
  }

  const Port port_;
  HandOvers& found_;
  Poller poller_;
  std::vector<Contender> contenders_;
  size_t due_ = 0;  // whose turn it is
  uint64_t stay_alive_again_ns_ = 0;
  Histogram released_, closed_;
};

}  // namespace

Result<HandOvers> measure_hand_overs(Port port, uint32_t waiters, uint32_t killed,
                                     const std::function<void(const std::string&)>& progress) {
  rlimit descriptors{};
  ::getrlimit(RLIMIT_NOFILE, &descriptors);
  descriptors.rlim_cur = descriptors.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &descriptors);

  HandOvers found;
  found.waiters = waiters;
  found.killed_timeout_ms = kKilledTimeoutMs;
  Line line(port, found);
  progress("lining up " + std::to_string(waiters) + " who wait for one lock");
  if (Status status = line.form(waiters, killed); !status.ok()) return status.error();
  progress("handing it over");
  const uint32_t closed = std::min(waiters / 10, kClosedMax);
  for (uint32_t i = 0; i < waiters; ++i) {
    const Status done = i + killed >= waiters            ? line.kill(i)
                        : i + killed + closed >= waiters ? line.close(i)
                                                         : line.release(i);
    if (!done.ok()) return done.error();
  }
  if (Status status = line.leave(waiters); !status.ok()) return status.error();
  line.sum_up();
  return found;
}

}  // namespace quorate::bench
