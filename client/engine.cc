#include "client/engine.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace quorate::client {

Engine::Engine(EngineOptions options, Instant now)
    : options_(std::move(options)),
      random_(options_.seed),
      rotation_(options_.endpoints.size()),
      endpoint_works_(options_.endpoints.size()),
      last_heard_(now),
      timeout_(options_.session_timeout) {
  CHECK(options_.password.size() == 16);
}

// ---- what callers ask

uint64_t Engine::ask(Instant now, api::ClientFrame frame, Instant deadline, OnReply on_reply,
                     bool made_by_engine) {
  const uint64_t id = ids_.next();
  unsent_reads_.insert(unsent_reads_.end(), id);
  Read& read = reads_[id];
  read.frame = std::move(frame);
  read.frame.set_id(id);
  read.started = now;
  read.deadline = deadline;
  read.on_reply = std::move(on_reply);
  read.made_by_engine = made_by_engine;
  return id;
}

void Engine::read(Instant now, api::ClientFrame frame, OnReply on_reply, OnEvent on_event) {
  begin(now);
  WatchEntry watch;
  watch.on_event = std::move(on_event);
  if (frame.has_get()) {
    watch.resume.set_watch(frame.get().watch());
    watch.resume.set_kind(1);
    watch.resume.set_path(frame.get().path());
  } else if (frame.has_children()) {
    watch.resume.set_watch(frame.children().watch());
    watch.resume.set_kind(2);
    watch.resume.set_path(frame.children().path());
  }
  if (const uint64_t id = watch.resume.watch(); id != 0) watches_[id] = std::move(watch);
  ask(now, std::move(frame), now + options_.request_timeout, std::move(on_reply), false);
  pump(now);
}

void Engine::write(Instant now, WriteQueue::Request operation, OnReply on_reply) {
  begin(now);
  if (session_state_ == SessionState::kLost || session_state_ == SessionState::kClosed) {
    on_reply(now, session_over());
    return;
  }
  writes_.add(ids_, std::move(operation), now + options_.request_timeout, options_.request_timeout,
              std::move(on_reply));
  pump(now);
}

Error Engine::session_over() const {
  const bool closed = session_state_ == SessionState::kClosed;
  return {closed ? ErrorCode::kShuttingDown : ErrorCode::kSessionExpired, lost_why_};
}

void Engine::close(Instant now, OnReply on_reply) {
  begin(now);
  if (session_state_ == SessionState::kNone && writes_.empty()) {
    session_state_ = SessionState::kClosed;
    lost_why_ = "the client was closed";
    on_reply(now, api::Reply());
    return;
  }
  if (session_state_ == SessionState::kLost || session_state_ == SessionState::kClosed) {
    on_reply(now, api::Reply());
    return;
  }
  api::Write operation;
  operation.mutable_close_session();
  write(now, std::move(operation), [this, done = std::move(on_reply)](Instant at, Result<api::Reply> reply) {
    if (session_state_ == SessionState::kLive) {
      session_state_ = SessionState::kClosed;
      lost_why_ = "the client was closed";
      lease_until_ = session_until_ = Instant::min();
      fail_locks(Error{ErrorCode::kShuttingDown, lost_why_});
    }
    done(at, std::move(reply));
  });
}

void Engine::stop(Instant now) {
  const Error error{ErrorCode::kShuttingDown, "the client was closed"};
  if (session_state_ != SessionState::kLost) session_state_ = SessionState::kClosed;
  lost_why_ = error.message;
  lease_until_ = session_until_ = Instant::min();
  fail_locks(error);
  writes_.fail(now, error);
  std::map<uint64_t, Read> reads = std::exchange(reads_, {});
  unsent_reads_.clear();
  for (auto& [id, read] : reads)
    read.on_reply(now, may_be_done(read) ? outcome_unknown(now - read.started) : error);
  watches_.clear();
  end_feeds(error);
  link_ = Link::kIdle;
  drop_ = true;
}

// ---- the step as a whole

// What the time alone has decided comes before whatever else has happened: after a pause, a lease that ran
// out is seen before a grant that arrived meanwhile.
void Engine::begin(Instant now) {
  if (session_state_ == SessionState::kLive && now >= lease_until_)
    lose_session(now, "no server confirmed the session within its timeout of " + seconds_text(timeout_));
}

bool Engine::anything_outstanding() const {
  return reads_.size() > unsent_reads_.size() || writes_.anything_outstanding() || ping_id_ != 0 ||
         open_id_ != 0;
}

bool Engine::wanted() const {
  return !reads_.empty() || !writes_.empty() || !watches_.empty() || !feeds_.empty() ||
         session_state_ == SessionState::kLive;
}

// Sends all that may be sent. Every step ends with it.
void Engine::pump(Instant now) {
  if (group_failed_) give_back_failed(now);
  if (link_ == Link::kIdle && wanted()) start_connecting(now);
  if (link_ == Link::kPausing && now >= link_deadline_) start_connecting(now);
  if (link_ != Link::kReady) return;
  if (!anything_outstanding()) last_heard_ = now;  // silence counts from the question on
  open_or_ping(now);
  if (probes() && now >= probe_at_) probe(now);
  if (session_state_ == SessionState::kLive) writes_.send(now, sink_);
  send_reads(now);
}

// A read that needs a quorum: a server that is cut off from the others would tell no changes, and seem well.
void Engine::probe(Instant now) {
  probe_at_ = now + kProbeInterval;
  if (anything_outstanding()) return;
  api::ClientFrame frame;
  frame.mutable_get()->set_path("/");
  ask(
      now, std::move(frame), kNever, [](Instant, const Result<api::Reply>&) {}, true);
}

void Engine::send_reads(Instant now) {
  for (auto it = unsent_reads_.begin(); it != unsent_reads_.end();) {
    Read& read = reads_.at(*it);
    const bool due = now >= read.not_before;
    if (due) sink_.frames.push_back(read.frame);
    read.sent = read.sent || due;
    it = due ? unsent_reads_.erase(it) : std::next(it);
  }
}

void Engine::received(Instant now, const api::ServerFrame& frame) {
  begin(now);
  if (link_ != Link::kAttaching && link_ != Link::kReady) return;
  last_heard_ = now;
  switch (frame.body_case()) {
    case api::ServerFrame::kReply:
      on_reply(now, frame.reply());
      break;
    case api::ServerFrame::kWatchEvent:
      on_watch_event(frame.watch_event());
      break;
    case api::ServerFrame::kFeedBatch:
      on_feed_batch(now, frame.feed_batch());
      break;
    case api::ServerFrame::kProgress:
      on_progress(Zxid(frame.progress().zxid()));
      break;
    case api::ServerFrame::kGranted:
      for (auto it = locks_.begin(); it != locks_.end(); ++it) {
        if (it->second.state != LockState::kWaiting || it->second.node != frame.granted().node()) continue;
        grant(it, Token(frame.granted().token()));
        break;
      }
      break;
    case api::ServerFrame::kLost:
      on_lost_place(frame.lost().node());
      break;
    case api::ServerFrame::kSessionEnd:
      if (session_state_ != SessionState::kLive || frame.session_end().session() != session_.value()) break;
      if (judge(static_cast<ErrorCode>(frame.session_end().code())) == Verdict::kSessionLost)
        lose_session(now, "the cluster ended the session");
      else
        fail_link(now, ErrorCode::kUnavailable, "the session was attached elsewhere", Fault::kSession);
      break;
    case api::ServerFrame::BODY_NOT_SET:
      break;  // of a later version: nothing that was asked for
  }
  pump(now);
}

void Engine::on_reply(Instant now, const api::Reply& reply) {
  if (reply.id() != 0 && (reply.id() == open_id_ || reply.id() == attach_id_ || reply.id() == ping_id_))
    return on_control_reply(now, reply);
  Verdict verdict = Verdict::kFinal;
  if (writes_.owns(reply.id())) {
    // Its outcome, when it comes, may be older than what is told meanwhile: then the place is asked for.
    if (judge(error_of(reply).code) == Verdict::kRetryHere)
      for (auto& [id, lock] : locks_)
        if (lock.write == reply.id()) lock.asked_link = 0;
    verdict = writes_.on_reply(now, reply, random_);
    if (verdict == Verdict::kFinal && reply.code() == 0) endpoint_answers();
  } else if (const auto it = reads_.find(reply.id());
             it != reads_.end() && !unsent_reads_.contains(it->first)) {
    const ErrorCode code = error_of(reply).code;
    verdict = judge(code);
    if (code == ErrorCode::kNotLeader) it->second.sent = false;  // refused before anything was done
    if (verdict == Verdict::kFinal || verdict == Verdict::kRetryHere) return on_read_reply(now, it, reply);
  }
  if (verdict == Verdict::kSessionLost) {
    lose_session(now, "the cluster no longer knows the session");
  } else if (verdict != Verdict::kFinal) {
    const Error error = error_of(reply);
    fail_link(now, error.code, error.message);
  }
}

void Engine::on_read_reply(Instant now, std::map<uint64_t, Read>::iterator it, const api::Reply& reply) {
  const Error error = error_of(reply);
  if (judge(error.code) == Verdict::kRetryHere) {
    unsent_reads_.insert(it->first);
    it->second.not_before = now + back_off(random_, ++it->second.refusals);
    return;
  }
  endpoint_answers();
  Read read = std::move(it->second);
  reads_.erase(it);
  on_watch_reply(read, reply);
  if (error.ok())
    read.on_reply(now, reply);
  else
    read.on_reply(now, error);
}

void Engine::tick(Instant now) {
  begin(now);
  if ((link_ == Link::kConnecting || link_ == Link::kAttaching) && now >= link_deadline_)
    fail_link(now, ErrorCode::kUnavailable, "did not answer");
  if (link_is_silent(now)) fail_link(now, ErrorCode::kUnavailable, "stopped answering");
  expire_requests(now);
  pump(now);
}

void Engine::expire_requests(Instant now) {
  bool silent = false;
  for (auto it = reads_.begin(); it != reads_.end();) {
    if (it->second.deadline > now) {
      ++it;
      continue;
    }
    const bool outstanding = unsent_reads_.erase(it->first) == 0;
    Read read = std::move(it->second);
    it = reads_.erase(it);
    silent = silent || (outstanding && last_heard_ <= read.started);
    for (const uint64_t watch : {read.frame.get().watch(), read.frame.children().watch()})
      if (watch != 0) watches_.erase(watch);
    read.on_reply(now, may_be_done(read) ? outcome_unknown(now - read.started) : not_done(now, read.started));
  }
  writes_.expire(now, not_done(now, now - options_.request_timeout));
  for (auto it = locks_.begin(); it != locks_.end();) {
    const auto lock = it++;
    if (lock->second.deadline > now) continue;
    give_up_waiting(now, lock, false);
  }
  if (silent) fail_link(now, ErrorCode::kTimeout, "stopped answering");
}

// Why a request that changed nothing had no answer in time.
Error Engine::not_done(Instant now, Instant started) const {
  if (no_quorum_at_ && *no_quorum_at_ >= started)
    return {ErrorCode::kNoQuorum,
            "the servers that answer have no quorum (asked " + endpoint() +
                " last): see quorate cluster status, and start the servers that are down"};
  const std::string waited = seconds_text(now - started);
  if (link_ == Link::kReady)
    return {ErrorCode::kTimeout, endpoint() + " did not answer in " + waited + "; nothing was changed"};
  std::string all;
  for (const std::string& each : options_.endpoints) all += (all.empty() ? "" : ", ") + each;
  return {ErrorCode::kUnavailable, "no server reachable in " + waited + " at " + all + " (" +
                                       trouble_.message + "): is one running there?"};
}

Engine::Output Engine::take_output() {
  Output out;
  out.drop = std::exchange(drop_, false);
  out.connect = std::exchange(connect_, std::nullopt);
  out.frames = std::exchange(sink_.frames, {});
  out.completions = std::exchange(sink_.completions, {});
  return out;
}

Instant Engine::deadline() const {
  Instant earliest_read = kNever;
  Instant earliest = writes_.deadline(link_ == Link::kReady && session_state_ == SessionState::kLive);
  // Each is given as long as the others: of those with a deadline, the first has the earliest.
  for (auto it = reads_.begin(); it != reads_.end() && earliest_read == kNever; ++it)
    earliest_read = it->second.deadline;
  earliest = std::min(earliest, earliest_read);
  if (link_ == Link::kReady)
    for (const uint64_t id : unsent_reads_) earliest = std::min(earliest, reads_.at(id).not_before);
  for (const auto& [id, lock] : locks_) earliest = std::min(earliest, lock.deadline);
  if (link_ == Link::kPausing || link_ == Link::kConnecting || link_ == Link::kAttaching)
    earliest = std::min(earliest, link_deadline_);
  if (session_state_ == SessionState::kLive) earliest = std::min(earliest, lease_until_);
  if (link_ != Link::kReady) return earliest;
  if (session_state_ == SessionState::kLive && ping_id_ == 0)
    earliest = std::min(earliest, std::max(ping_sent_ + ping_interval(), control_again_));
  if (session_state_ == SessionState::kNone && !writes_.empty())
    earliest = std::min(earliest, control_again_);
  if (anything_outstanding()) earliest = std::min(earliest, last_heard_ + silence_max());
  if (probes()) earliest = std::min(earliest, probe_at_);
  return earliest;
}

}  // namespace quorate::client
