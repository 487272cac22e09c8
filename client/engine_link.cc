// The engine's connection and session.
#include <algorithm>

#include "base/check.h"
#include "client/engine.h"

namespace quorate::client {

Duration Engine::whole_lease() const { return timeout_ * (100 - kDriftPercent) / 100; }

// The servers may have given a shorter timeout than was asked for: the margin takes half of it at most.
Duration Engine::lease() const { return std::max(whole_lease() - options_.lost_margin, whole_lease() / 2); }

// Two heartbeats may fail before the lease is in danger.
Duration Engine::ping_interval() const { return lease() / 3; }

Duration Engine::silence_max() const { return std::min(kSilenceMax, timeout_ / 3); }

bool Engine::link_is_silent(Instant now) const {
  return link_ == Link::kReady && anything_outstanding() && now >= last_heard_ + silence_max();
}

void Engine::start_connecting(Instant now) {
  link_ = Link::kConnecting;
  ++link_number_;
  connect_ = rotation_.current();
  link_deadline_ = now + std::min({kConnectMax, options_.request_timeout / 3, options_.session_timeout / 4});
}

void Engine::endpoint_answers() {
  rotation_.worked();
  endpoint_works();
}

void Engine::endpoint_works() {
  std::optional<bool>& told = endpoint_works_[rotation_.current()];
  if (!options_.on_endpoint || told == true) return;
  told = true;
  tell([call = options_.on_endpoint, name = endpoint()] { call(name, Error{}); });
}

void Engine::endpoint_fails(const Error& why) {
  std::optional<bool>& told = endpoint_works_[rotation_.current()];
  if (!options_.on_endpoint || told == false) return;
  told = false;
  tell([call = options_.on_endpoint, name = endpoint(), why] { call(name, why); });
}

// Whatever was asked on this connection is asked again on the next.
void Engine::fail_link(Instant now, ErrorCode code, const std::string& why, Fault fault) {
  const bool no_quorum = code == ErrorCode::kNoQuorum || code == ErrorCode::kNotLeader;
  if (no_quorum) no_quorum_at_ = now;
  if (!no_quorum && fault == Fault::kEndpoint) endpoint_fails({code, why});
  trouble_ = Error{code, endpoint() + ": " + why};
  if (link_ != Link::kIdle && link_ != Link::kPausing) drop_ = true;
  // What was to be sent on it can not be sent on another one.
  sink_.frames.clear();
  connect_.reset();
  writes_.connection_lost();
  unsent_reads_.clear();
  std::erase_if(reads_, [](const auto& read) { return read.second.made_by_engine; });
  for (auto& [id, read] : reads_) {
    read.not_before = Instant{};
    unsent_reads_.insert(unsent_reads_.end(), id);
  }
  open_id_ = attach_id_ = ping_id_ = 0;
  if (session_state_ == SessionState::kOpening) session_state_ = SessionState::kNone;
  const Duration pause = rotation_.failed(random_);
  link_ = wanted() ? Link::kPausing : Link::kIdle;
  link_deadline_ = now + pause;
}

void Engine::disconnected(Instant now, const std::string& reason) {
  begin(now);
  if (link_ != Link::kIdle && link_ != Link::kPausing) {
    fail_link(now, ErrorCode::kUnavailable, reason);
    drop_ = false;
  }
  pump(now);
}

void Engine::connected(Instant now) {
  begin(now);
  if (link_ != Link::kConnecting) return;
  last_heard_ = now;
  if (session_state_ != SessionState::kLive) {
    link_ready(now);
  } else {
    link_ = Link::kAttaching;
    link_deadline_ = now + silence_max();
    api::AttachSession* attach = send_control(now, attach_id_, attach_sent_).mutable_attach_session();
    attach->set_session(session_.value());
    attach->set_password(options_.password);
    attach->set_attempt(link_number_);
  }
  pump(now);
}

void Engine::link_ready(Instant now) {
  link_ = Link::kReady;
  link_deadline_ = kNever;
  probe_at_ = now + kProbeInterval;
  resume_watches(now);
  resume_feeds(now);
  ask_places(now);
}

api::ClientFrame& Engine::send_control(Instant now, uint64_t& id, Instant& sent_at) {
  CHECK(id == 0);
  id = ids_.next();
  sent_at = now;
  api::ClientFrame& frame = sink_.frames.emplace_back();
  frame.set_id(id);
  return frame;
}

// REQUIRES: the connection is ready.
void Engine::open_or_ping(Instant now) {
  if (now < control_again_) return;
  if (session_state_ == SessionState::kNone && !writes_.empty()) {
    session_state_ = SessionState::kOpening;
    api::OpenSession* open = send_control(now, open_id_, open_sent_).mutable_open_session();
    open->set_timeout_ms(static_cast<uint32_t>(to_ms(options_.session_timeout)));
    open->set_password(options_.password);
  } else if (session_state_ == SessionState::kLive && ping_id_ == 0 && now >= ping_sent_ + ping_interval()) {
    send_control(now, ping_id_, ping_sent_).mutable_ping();
  }
}

void Engine::on_control_reply(Instant now, const api::Reply& reply) {
  const uint64_t id = reply.id();
  const bool is_open = id == open_id_, is_attach = id == attach_id_;
  const Instant sent_at = is_open ? open_sent_ : is_attach ? attach_sent_ : ping_sent_;
  (is_open ? open_id_ : is_attach ? attach_id_ : ping_id_) = 0;
  const Error error = error_of(reply);
  const Verdict verdict = judge(error.code);
  if (is_open && !error.ok()) session_state_ = SessionState::kNone;

  if (error.ok()) {
    // Each connection begins with an attach: that one was taken says nothing of what is asked next.
    is_attach ? endpoint_works() : endpoint_answers();
    control_refusals_ = 0;
    if (is_open || is_attach) {
      session_ = is_open ? SessionId(reply.outcome().session()) : session_;
      if (const uint32_t ms = reply.outcome().timeout_ms(); ms != 0) timeout_ = std::chrono::milliseconds(ms);
    }
    if (is_open) {
      session_state_ = SessionState::kLive;
      lease_until_ = sent_at + lease();
      session_until_ = sent_at + whole_lease();
      ping_sent_ = sent_at;
    } else if (session_state_ == SessionState::kLive) {
      lease_until_ = std::max(lease_until_, sent_at + lease());
      session_until_ = std::max(session_until_, sent_at + whole_lease());
    }
    if (is_attach) {
      ping_sent_ = sent_at;
      link_ready(now);
    }
  } else if (verdict == Verdict::kRetryHere) {
    // An attach decides whether the connection can be used at all; the others can wait.
    if (is_attach) return fail_link(now, error.code, error.message);
    control_again_ = now + back_off(random_, ++control_refusals_);
  } else if (verdict == Verdict::kSessionLost && !is_open) {
    lose_session(now, "the cluster no longer knows the session");
  } else if (verdict == Verdict::kFinal && is_open) {
    writes_.fail_unsent(now, error);
  } else {
    fail_link(now, error.code, error.message);
  }
}

void Engine::lose_session(Instant now, const std::string& why) {
  session_state_ = SessionState::kLost;
  if (now < lease_until_) lease_until_ = session_until_ = now;  // the cluster said so, not the clock
  lost_why_ = "the session is over (" + why +
              "); its ephemeral nodes and locks are gone: start again with a new session";
  const Error error{ErrorCode::kSessionExpired, lost_why_};
  fail_locks(error);
  writes_.fail(now, error);
  if (options_.on_session_lost) sink_.completions.push_back(options_.on_session_lost);
  // The server would count this connection as the session's.
  if (link_ == Link::kAttaching || link_ == Link::kReady)
    fail_link(now, ErrorCode::kUnavailable, "the session is over", Fault::kSession);
}

}  // namespace quorate::client
