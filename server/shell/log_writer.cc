#include "server/shell/log_writer.h"

#include <fmt/format.h>

#include <cstdlib>

#include "base/check.h"
#include "server/shell/clock.h"
#include "server/shell/log.h"

namespace quorate::server {

namespace {

// The log is looked after when nothing was written for this long ...
constexpr Duration kQuiet = std::chrono::milliseconds(100);
// ... or, under a load without pauses, this often: else a segment would end with no spare one ready, and be
// zero-filled while everybody waits.
constexpr Duration kCareUnderLoad = std::chrono::milliseconds(50);
// Between two pieces of that work, so that what arrives meanwhile is served.
constexpr Duration kCareStep = std::chrono::milliseconds(5);
constexpr Duration kFinishLimit = std::chrono::milliseconds(200);

}  // namespace

LogWriter::LogWriter(boost::asio::io_context& loop, std::unique_ptr<Wal> wal, Duration slow_sync,
                     Duration no_space_retry, std::function<void(Ticket)> durable)
    : wal_(std::move(wal)),
      slow_sync_(slow_sync),
      no_space_retry_(no_space_retry),
      durable_(std::move(durable)),
      retry_timer_(loop.get_executor()),
      care_timer_(loop.get_executor()) {
  if (wal_) arm_care(kQuiet);
}

LogWriter::~LogWriter() = default;

void LogWriter::set_wal(std::unique_ptr<Wal> wal) {
  CHECK(wal_ == nullptr && wal != nullptr);
  wal_ = std::move(wal);
}

Status LogWriter::write(const std::optional<raft::HardState>& hard_state,
                        const std::vector<raft::Entry>& entries, Ticket ticket) {
  CHECK_MSG(wal_ != nullptr, "something is to be written before there is a log");
  if (Status appended = wal_->append(hard_state, entries); !appended.ok()) return appended;
  waiting_ = ticket;
  // While the disk is full only the timer tries, not every message that arrives.
  return no_space_ ? Status() : sync();
}

Status LogWriter::sync() {
  const Instant before = monotonic_now();
  const Status synced = wal_->sync();
  const Instant after = monotonic_now();
  if (!synced.ok()) {
    if (synced.code() != ErrorCode::kNoSpace) return synced;
    const std::string line = repeats_.admit(
        "no space",
        fmt::format("nothing can be written until there is room again: {}", synced.error().message), after);
    if (!line.empty()) log(LogLevel::kWarning, line);
    no_space_ = true;
    retry_later();
    return {};
  }
  if (after - before >= slow_sync_) {
    // On a disk that is always slow each of them would be a line.
    const std::string line =
        repeats_.admit("slow sync", fmt::format("slow sync of the log: {} ms", to_ms(after - before)), after);
    if (!line.empty()) log(LogLevel::kWarning, line);
  }
  const bool was_full = std::exchange(no_space_, false);
  last_write_ = after;
  arm_care(kQuiet);
  const Ticket ticket = std::exchange(waiting_, Ticket());
  // Nothing waits where only a cut was tried again.
  if (ticket != Ticket()) durable_(ticket);
  const Status cut = cut_now();
  // A cut may still lack it.
  if (cut.ok() && was_full && !no_space_) log(LogLevel::kInfo, "there is room again, the log goes on");
  return cut;
}

Status LogWriter::cut(Index index, Term term) {
  CHECK_MSG(wal_ != nullptr, "there is no log to be cut");
  cut_ = {index, term};
  // Also while the disk is full: a cut gives room back, and what is written next builds on it.
  const bool was_full = no_space_;
  const Status cut = cut_now();
  if (no_space_ && !was_full)
    log(LogLevel::kWarning, "nothing can be written until there is room again: the log cannot be cut");
  return cut;
}

Status LogWriter::cut_now() {
  if (!cut_) return {};
  const Instant before = monotonic_now();
  const Status cut = wal_->cut(cut_->first, cut_->second);
  if (cut.code() == ErrorCode::kNoSpace) {
    if (!std::exchange(no_space_, true)) retry_later();
    return {};
  }
  if (!cut.ok()) return cut;
  cut_.reset();
  const Instant after = monotonic_now();
  if (after - before < slow_sync_) return {};
  const std::string line =
      repeats_.admit("slow cut", fmt::format("slow cut of the log: {} ms", to_ms(after - before)), after);
  if (!line.empty()) log(LogLevel::kWarning, line);
  return {};
}

void LogWriter::retry_later() {
  retry_timer_.expires_after(no_space_retry_);
  retry_timer_.async_wait([this](const boost::system::error_code& error) {
    if (error) return;
    if (const Status synced = sync(); !synced.ok()) give_up(synced.error());
  });
}

void LogWriter::arm_care(Duration after) {
  if (care_armed_) return;
  care_armed_ = true;
  care_timer_.expires_after(after);
  care_timer_.async_wait([this](const boost::system::error_code& error) {
    care_armed_ = false;
    if (!error) care();
  });
}

void LogWriter::care() {
  const Instant now = monotonic_now();
  const bool quiet = now - last_write_ >= kQuiet;
  if (no_space_ || (!quiet && now - last_care_ < kCareUnderLoad)) {
    arm_care(kQuiet);
    return;
  }
  last_care_ = now;
  const Result<bool> more = wal_->idle();
  if (!more.ok()) {
    if (more.code() != ErrorCode::kNoSpace) give_up(more.error());
    arm_care(no_space_retry_);
    return;
  }
  if (*more) {
    arm_care(quiet ? kCareStep : kCareUnderLoad);
  } else if (!quiet) {
    arm_care(kQuiet);
  }
}

void LogWriter::finish() {
  if (!wal_ || waiting_ != Ticket()) return;
  const Instant limit = monotonic_now() + kFinishLimit;
  while (monotonic_now() < limit) {
    const Result<bool> more = wal_->idle();
    if (!more.ok() || !*more) return;
  }
}

// Outside a write there is nobody to hand the error to: the process ends here, with its one line.
void LogWriter::give_up(const Error& error) {
  log(LogLevel::kError, fmt::format("the log failed, the server ends: {}", error.message));
  std::_Exit(1);
}

}  // namespace quorate::server
