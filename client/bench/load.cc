#include "client/bench/load.h"

#include <sys/timerfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <memory>
#include <optional>

#include "base/check.h"
#include "base/random.h"

namespace quorate::bench {
namespace {

constexpr uint64_t kSilenceMaxNs = 10'000'000'000U;
constexpr int kPollMs = 100;
constexpr uint64_t kTickNs = 1'000'000;
constexpr uint64_t kTickToken = ~uint64_t{0};
// A prime, so that a sweep comes to all keys.
constexpr uint64_t kLeap = 7'919;

// What the whole run is doing. Each stage ends when its condition holds, in this order.
enum class Stage : uint8_t { kOpening, kWarmUp, kMeasuring, kDraining, kClosing, kDone };

struct Slot {
  Request request{};
  uint64_t started_ns = 0;
  bool busy = false;
};

struct Connection {
  Fd fd;
  InBuffer in;
  OutBuffer out;
  std::unique_ptr<Conversation> conversation;
  std::vector<Slot> slots;
  bool wants_write = false;
  bool awaits = false;  // the answer to its opening or farewell
};

class Run {
 public:
  explicit Run(const LoadOptions& options) : options_(options), random_(options.seed) {}

  Result<LoadResult> go() {
    if (Status status = connect(); !status.ok()) return status.error();
    last_heard_ns_ = now_ns();
    if (options_.rate > 0) {
      ticks_ = make_ticks();
      poller_.add(ticks_.get(), kTickToken);
    }
    enter_when_ready();
    while (stage_ != Stage::kDone && !failure_) {
      for (const Poller::Event& event : poller_.wait(poll_ms())) {
        if (event.token == kTickToken) {
          tick();
          continue;
        }
        Connection& connection = connections_[event.token];
        if (event.readable && connection.fd.valid()) receive(connection);
        if (event.writable) flush(connection);
        if (failure_) break;
      }
      advance(now_ns());
    }
    if (failure_) return *failure_;
    return std::move(result_);
  }

 private:
  Status connect() {
    connections_.resize(options_.shape.connections);
    for (uint32_t i = 0; i < connections_.size(); ++i) {
      Connection& connection = connections_[i];
      auto fd = options_.connect(i);
      if (!fd.ok()) return fd.error();
      connection.fd = std::move(*fd);
      set_nonblocking(connection.fd.get());
      connection.conversation = options_.conversation(i);
      connection.slots.resize(options_.shape.outstanding);
      poller_.add(connection.fd.get(), i);
      if (connection.conversation->open(connection.out.bytes())) await(connection);
      flush(connection);
    }
    return {};
  }

  int poll_ms() const {
    if (stage_ != Stage::kWarmUp && stage_ != Stage::kMeasuring) return kPollMs;
    const uint64_t now = now_ns();
    if (now >= stage_ends_ns_) return 1;
    return static_cast<int>(std::min<uint64_t>(kPollMs, (stage_ends_ns_ - now) / 1'000'000 + 1));
  }

  // ---- stages

  void enter_when_ready() {
    if (stage_ != Stage::kOpening || awaited_ > 0) return;
    stage_ = options_.work == Work::kPrepare ? Stage::kDraining : Stage::kWarmUp;
    const uint64_t now = now_ns();
    stage_ends_ns_ = now + static_cast<uint64_t>(options_.warm_up.count());
    paced_from_ns_ = now;
    if (options_.rate > 0) {
      measured_from_ns_ = stage_ends_ns_;
      return;
    }
    for (Connection& connection : connections_) {
      for (uint32_t i = 0; i < connection.slots.size(); ++i) begin(connection, i, now);
      flush(connection);
    }
  }

  void advance(uint64_t now) {
    if (failure_) return;
    if (now - last_heard_ns_ > kSilenceMaxNs) {
      fail(ErrorCode::kTimeout, "no answer for 10 s, to " + what_is_awaited());
      return;
    }
    if (stage_ == Stage::kOpening) enter_when_ready();
    if (stage_ == Stage::kWarmUp && now >= stage_ends_ns_) {
      stage_ = Stage::kMeasuring;
      if (options_.rate == 0) measured_from_ns_ = now;
      stage_ends_ns_ = now + static_cast<uint64_t>(options_.measure.count());
    }
    const bool over = now >= stage_ends_ns_ || (options_.stop != nullptr && *options_.stop);
    if (stage_ == Stage::kMeasuring && over && result_.latency.count() > 0) {
      stage_ = Stage::kDraining;
      due_until_ns_ = now;
      result_.operations = result_.latency.count();
      result_.seconds = static_cast<double>(now - measured_from_ns_) * 1e-9;
    }
    if (stage_ == Stage::kDraining && busy_ == 0 && paced_ >= due(now)) {
      if (options_.rate > 0) result_.operations = result_.latency.count();
      stage_ = Stage::kClosing;
      for (Connection& connection : connections_) {
        if (connection.conversation->close(connection.out.bytes())) await(connection);
        flush(connection);
      }
    }
    if (stage_ == Stage::kClosing && awaited_ == 0) stage_ = Stage::kDone;
  }

  std::string what_is_awaited() const {
    if (awaited_ == 0) return std::to_string(busy_) + " requests";
    return std::to_string(awaited_) + (stage_ == Stage::kOpening ? " openings" : " farewells");
  }

  void await(Connection& connection) {
    connection.awaits = true;
    ++awaited_;
  }

  void answered(Connection& connection) {
    if (!connection.awaits) return;
    connection.awaits = false;
    --awaited_;
  }

  // The server closes the connection of a session that was closed: that is a farewell too.
  void ended(Connection& connection) {
    if (stage_ == Stage::kClosing) {
      answered(connection);
      connection.fd.reset();
    } else {
      fail(ErrorCode::kUnavailable, "the server closed a connection");
    }
  }

  // ---- requests

  bool issuing() const {
    if (options_.work == Work::kPrepare) return prepared_ < options_.keys;
    return stage_ == Stage::kWarmUp || stage_ == Stage::kMeasuring || drains_due();
  }

  // Of a given rate, what was due before the end is begun and counted behind it: a pause at the end would hide
  // all that it delays.
  bool drains_due() const { return options_.rate > 0 && stage_ == Stage::kDraining; }

  Request next_request(uint32_t slot) {
    if (options_.work == Work::kPrepare) return {Step::kCreate, prepared_++, slot};
    if (options_.work == Work::kSweep)
      return {Step::kSet, static_cast<uint32_t>(swept_++ * kLeap % options_.keys), slot};
    const auto key = static_cast<uint32_t>(random_.below(options_.keys));
    switch (options_.work) {
      case Work::kGet:
        return {Step::kGet, key, slot};
      case Work::kMixed:
        return {random_.below(10) == 0 ? Step::kSet : Step::kGet, key, slot};
      case Work::kLock:
        return {Step::kAcquire, key, slot};
      case Work::kHandOver:
        return {Step::kAcquire, 0, slot};
      default:
        return {Step::kSet, key, slot};
    }
  }

  void begin(Connection& connection, uint32_t slot_number, uint64_t now) {
    if (!issuing()) return;
    Slot& slot = connection.slots[slot_number];
    slot.request = next_request(slot_number);
    slot.started_ns = now;
    slot.busy = true;
    ++busy_;
    connection.conversation->request(slot.request, connection.out.bytes());
  }

  void finish(Connection& connection, uint32_t slot_number, uint64_t now) {
    if (slot_number >= connection.slots.size() || !connection.slots[slot_number].busy) {
      fail(ErrorCode::kMalformed, "an answer to a request that was not sent");
      return;
    }
    Slot& slot = connection.slots[slot_number];
    if (slot.request.step == Step::kAcquire) {
      if (options_.work == Work::kHandOver) handed_over(now);
      slot.request.step = Step::kRelease;
      connection.conversation->request(slot.request, connection.out.bytes());
      return;
    }
    // With a given rate it counts when it was due.
    const bool counts =
        options_.rate > 0 ? slot.started_ns >= measured_from_ns_ : stage_ == Stage::kMeasuring;
    if (counts && options_.work != Work::kHandOver) {
      result_.latency.record(now - slot.started_ns);
      if (options_.keeps_samples) result_.samples.push_back({slot.started_ns, now - slot.started_ns});
    }
    slot.busy = false;
    --busy_;
    if (options_.rate == 0) begin(connection, slot_number, now);
  }

  void handed_over(uint64_t now) {
    if (stage_ == Stage::kMeasuring && held_from_ns_ != 0) result_.latency.record(now - held_from_ns_);
    held_from_ns_ = now;
  }

  // ---- a given rate

  static Fd make_ticks() {
    Fd ticks(::timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC));
    CHECK(ticks.valid());
    const timespec each{0, kTickNs};
    const itimerspec every{each, each};
    CHECK(::timerfd_settime(ticks.get(), 0, &every, nullptr) == 0);
    return ticks;
  }

  void tick() {
    uint64_t expired = 0;
    if (::read(ticks_.get(), &expired, sizeof(expired)) != sizeof(expired)) return;
    begin_due(now_ns());
    for (Connection& connection : connections_) flush(connection);
  }

  uint64_t ticks_until(uint64_t now) const {
    const uint64_t until = stage_ == Stage::kDraining ? std::min(now, due_until_ns_) : now;
    return (until - paced_from_ns_) / kTickNs;
  }
  // How many were to be begun up to the last millisecond, and before the end.
  uint64_t due(uint64_t now) const {
    if (options_.rate == 0) return 0;
    return static_cast<uint64_t>(static_cast<double>(ticks_until(now)) * (options_.rate / 1'000));
  }

  // As far as there are slots.
  void begin_due(uint64_t now) {
    if (stage_ != Stage::kWarmUp && stage_ != Stage::kMeasuring && !drains_due()) return;
    const double each_tick = options_.rate / 1'000;
    while (paced_ < due(now) && busy_ < uint64_t{options_.shape.connections} * options_.shape.outstanding) {
      const auto its_tick = static_cast<uint64_t>(static_cast<double>(paced_) / each_tick) + 1;
      auto [connection, slot] = next_free();
      begin(*connection, slot, paced_from_ns_ + std::min(its_tick, ticks_until(now)) * kTickNs);
      ++paced_;
    }
  }

  // REQUIRES: a slot is free.
  std::pair<Connection*, uint32_t> next_free() {
    for (;;) {
      next_slot_ = (next_slot_ + 1) % (connections_.size() * options_.shape.outstanding);
      Connection& connection = connections_[next_slot_ % connections_.size()];
      const auto slot = static_cast<uint32_t>(next_slot_ / connections_.size());
      if (!connection.slots[slot].busy) return {&connection, slot};
    }
  }

  // ---- sockets

  void receive(Connection& connection) {
    switch (connection.in.read_from(connection.fd.get())) {
      case ReadOutcome::kNothing:
        return;
      case ReadOutcome::kClosed:
        ended(connection);
        return;
      case ReadOutcome::kSome:
        break;
    }
    const uint64_t now = now_ns();
    last_heard_ns_ = now;
    while (!failure_ && connection.fd.valid()) {
      const Heard heard = connection.conversation->hear(connection.in.bytes(), connection.out.bytes());
      if (heard.kind == Heard::Kind::kIncomplete) break;
      take(connection, heard, now);
      connection.in.consume(heard.bytes);
    }
    flush(connection);
  }

  void take(Connection& connection, const Heard& heard, uint64_t now) {
    switch (heard.kind) {
      case Heard::Kind::kReady:
      case Heard::Kind::kFarewell:
        answered(connection);
        break;
      case Heard::Kind::kEnded:
        ended(connection);
        break;
      case Heard::Kind::kDone:
        finish(connection, heard.slot, now);
        break;
      case Heard::Kind::kRefused:
        if (options_.work == Work::kPrepare && heard.code == ErrorCode::kNodeExists) {
          finish(connection, heard.slot, now);
        } else {
          fail(heard.code, "the server refused a request: " + std::string(heard.why));
        }
        break;
      case Heard::Kind::kBroken:
        fail(ErrorCode::kMalformed, "the server's answer does not parse: " + std::string(heard.why));
        break;
      case Heard::Kind::kNothing:
      case Heard::Kind::kIncomplete:
        break;
    }
  }

  void flush(Connection& connection) {
    if (!connection.fd.valid()) return;
    if (!connection.out.flush(connection.fd.get())) {
      fail(ErrorCode::kUnavailable, "the server closed a connection");
      return;
    }
    const bool waits = !connection.out.empty();
    if (waits != connection.wants_write) {
      connection.wants_write = waits;
      const auto token = static_cast<uint64_t>(&connection - connections_.data());
      poller_.want_write(connection.fd.get(), token, waits);
    }
  }

  void fail(ErrorCode code, std::string message) {
    if (!failure_) failure_ = Error{code, std::move(message)};
  }

  const LoadOptions& options_;
  Random random_;
  Poller poller_;
  std::vector<Connection> connections_;
  Stage stage_ = Stage::kOpening;
  uint64_t stage_ends_ns_ = 0;
  uint64_t measured_from_ns_ = 0;
  uint64_t last_heard_ns_ = 0;
  uint32_t awaited_ = 0;  // connections whose opening or farewell is not answered yet
  uint64_t busy_ = 0;     // Invariant: the number of busy slots.
  uint32_t prepared_ = 0;
  uint64_t swept_ = 0;
  uint64_t held_from_ns_ = 0;  // since when the lock has been held; 0: never
  // Of a given rate: what was begun since, and where the search for a free slot goes on.
  Fd ticks_;
  uint64_t paced_from_ns_ = 0;
  uint64_t paced_ = 0;
  uint64_t due_until_ns_ = 0;  // the end of what is measured
  size_t next_slot_ = 0;
  LoadResult result_;
  std::optional<Error> failure_;
};

}  // namespace

std::string_view work_name(Work work) {
  static constexpr std::array<std::string_view, 7> kNames{"prepare", "sweep", "set",     "get",
                                                          "mixed",   "lock",  "handover"};
  return kNames[static_cast<size_t>(work)];
}

Shape shape_of(uint32_t clients) {
  CHECK(clients > 0);
  if (clients <= 256) return {clients, 1};
  return {64, std::min(64U, (clients + 63) / 64)};
}

Result<LoadResult> run_load(const LoadOptions& options) {
  CHECK(options.connect != nullptr);
  CHECK(options.shape.connections > 0 && options.shape.outstanding > 0 && options.shape.outstanding <= 64);
  auto run = std::make_unique<Run>(options);
  return run->go();
}

}  // namespace quorate::bench
