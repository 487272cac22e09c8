#include "client/write_queue.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "client/rotation.h"

namespace quorate::client {

namespace {

Error outcome_late(Duration timeout) {
  return {ErrorCode::kOutcomeUnknown,
          "no server was reached in " + seconds_text(timeout) +
              ": it will be done as soon as one is, or with the end of the session"};
}

// What a server refuses by itself with these has used no number: an outcome would say that it was applied.
bool refused_unnumbered(ErrorCode code) {
  switch (code) {
    case ErrorCode::kLimitReached:
    case ErrorCode::kInvalidArgument:
    case ErrorCode::kTooLarge:
    case ErrorCode::kUnsupported:
      return true;
    default:
      return false;
  }
}

}  // namespace

Error outcome_unknown(Duration waited) {
  return {ErrorCode::kOutcomeUnknown,
          "sent, but not answered in " + seconds_text(waited) +
              ": it may have been applied, or may yet be; read before doing it again"};
}

uint64_t WriteQueue::add(RequestIds& ids, Request request, Instant deadline, Duration timeout,
                         OnReply on_reply, IfLate if_late) {
  Entry& entry = waiting_.emplace_back();
  entry.id = ids.next();
  entry.request = std::move(request);
  entry.deadline = deadline;
  entry.timeout = timeout;
  entry.on_reply = std::move(on_reply);
  entry.if_late = if_late;
  return entry.id;
}

void WriteQueue::send_entry(Entry& entry, Sink& sink) {
  CHECK(!entry.outstanding);
  api::ClientFrame& frame = sink.frames.emplace_back();
  frame.set_id(entry.id);
  const auto put = [&](auto& to, const auto& request) {
    to = request;
    to.set_number(entry.number);
    to.set_acked_below(acked_below());
  };
  if (const auto* write = std::get_if<api::Write>(&entry.request)) {
    put(*frame.mutable_write(), *write);
  } else {
    put(*frame.mutable_add_credential(), std::get<api::AddCredential>(entry.request));
  }
  entry.outstanding = true;
  ++outstanding_;
}

void WriteQueue::send(Instant now, Sink& sink) {
  if (now < resend_at_) return;
  for (Entry& entry : in_flight_)
    if (!entry.outstanding) send_entry(entry, sink);
  while (!waiting_.empty()) {
    // Counted from the lowest unanswered number: what the servers must keep, whatever the order of the
    // answers.
    if (next_number_ - acked_below() >= kWritesInFlightMax) return;
    Entry entry = std::move(waiting_.front());
    waiting_.pop_front();
    entry.number = next_number_++;
    in_flight_.push_back(std::move(entry));
    send_entry(in_flight_.back(), sink);
  }
}

void WriteQueue::connection_lost() {
  for (Entry& entry : in_flight_) entry.outstanding = false;
  outstanding_ = 0;
  resend_at_ = Instant{};
  refusals_ = 0;
}

bool WriteQueue::owns(uint64_t id) const {
  return std::any_of(in_flight_.begin(), in_flight_.end(), [id](const Entry& e) { return e.id == id; });
}

void WriteQueue::put_off(Instant now, Random& random) {
  // All that was on the way is refused together; that is one refusal.
  if (now >= resend_at_) resend_at_ = now + back_off(random, ++refusals_);
}

void WriteQueue::answer(Instant now, Entry& entry, Result<api::Reply> reply) {
  if (OnReply on_reply = std::exchange(entry.on_reply, nullptr)) on_reply(now, std::move(reply));
}

Verdict WriteQueue::on_reply(Instant now, const api::Reply& reply, Random& random) {
  const auto it =
      std::find_if(in_flight_.begin(), in_flight_.end(), [&](const Entry& e) { return e.id == reply.id(); });
  if (it == in_flight_.end() || !it->outstanding) return Verdict::kFinal;
  it->outstanding = false;
  --outstanding_;
  const Error error = error_of(reply);
  const Verdict verdict = judge(error.code);
  if (verdict == Verdict::kRetryHere) {
    if (error.code == ErrorCode::kRequestGap && it == in_flight_.begin() && ++gaps_ >= kGapsMax)
      return Verdict::kSessionLost;
    put_off(now, random);
    return Verdict::kFinal;
  }
  if (verdict != Verdict::kFinal) return verdict;
  refusals_ = 0;
  gaps_ = 0;
  Entry entry = std::move(*it);
  if (refused_unnumbered(error.code) && !reply.has_outcome()) {
    fill(*it);
  } else {
    in_flight_.erase(it);
  }
  if (error.code == ErrorCode::kRequestForgotten) {
    answer(now, entry,
           Error{ErrorCode::kOutcomeUnknown, "the servers no longer have the outcome of this write"});
  } else if (!error.ok() && reply.outcome().results_size() == 0) {
    answer(now, entry, error);
  } else {
    answer(now, entry, reply);
  }
  return Verdict::kFinal;
}

// Later numbers can only be applied behind this one, and its caller is told that nothing was done: the number
// is spent on a multi of no operations.
void WriteQueue::fill(Entry& entry) {
  Entry filler;
  filler.id = entry.id;
  filler.number = entry.number;
  filler.request.emplace<api::Write>().mutable_multi();
  entry = std::move(filler);
}

bool WriteQueue::withdraw(uint64_t id) {
  const auto it = std::find_if(waiting_.begin(), waiting_.end(), [id](const Entry& e) { return e.id == id; });
  if (it == waiting_.end()) return false;
  waiting_.erase(it);
  return true;
}

void WriteQueue::expire(Instant now, const Error& unsent) {
  // The callbacks may add writes: what is due is taken out first.
  std::vector<Entry> due;
  std::vector<std::pair<OnReply, Error>> unknown;
  const auto tell = [&unknown](Entry& entry, Error error) {
    entry.deadline = kNever;
    if (entry.on_reply) unknown.emplace_back(std::exchange(entry.on_reply, nullptr), std::move(error));
  };
  for (auto it = waiting_.begin(); it != waiting_.end();) {
    if (it->deadline > now) {
      ++it;
    } else if (it->if_late == IfLate::kSendStill) {
      tell(*it, outcome_late(it->timeout));
      ++it;
    } else {
      due.push_back(std::move(*it));
      it = waiting_.erase(it);
    }
  }
  for (Entry& entry : in_flight_) {
    if (entry.deadline <= now) tell(entry, outcome_unknown(entry.timeout));
  }
  for (auto& [on_reply, error] : unknown) on_reply(now, error);
  for (Entry& entry : due) answer(now, entry, unsent);
}

void WriteQueue::fail(Instant now, const Error& unsent) {
  std::deque<Entry> sent = std::exchange(in_flight_, {});
  outstanding_ = 0;
  for (Entry& entry : sent) {
    answer(now, entry,
           Error{ErrorCode::kOutcomeUnknown,
                 "the session ended before the answer came: it may or may not have been applied; read before "
                 "doing it again"});
  }
  fail_unsent(now, unsent);
}

void WriteQueue::fail_unsent(Instant now, const Error& error) {
  std::deque<Entry> unsent = std::exchange(waiting_, {});
  for (Entry& entry : unsent) answer(now, entry, error);
}

Instant WriteQueue::deadline(bool attached) const {
  Instant earliest = kNever;
  // Each is given as long as the others: of those with a deadline, the first has the earliest.
  for (auto it = waiting_.begin(); it != waiting_.end() && earliest == kNever; ++it) earliest = it->deadline;
  for (const Entry& entry : in_flight_) {
    earliest = std::min(earliest, entry.deadline);
    if (attached && !entry.outstanding) earliest = std::min(earliest, resend_at_);
  }
  return earliest;
}

}  // namespace quorate::client
