// What the client library decides: which server to speak to, what to send again, when a session is lost, who
// is told what. No socket, thread or clock: things that happen are handed in with the time now, and what must
// be done comes out as one struct. The library's background thread (client/thread_loop.h) runs it on a real
// socket; tests run it on a scripted server and a hand-turned clock.
//
//   engine.received(now, frame);           // any number of times: all that is ready
//   Engine::Output out = engine.take_output();
//   ... obey it: drop, connect, send out.frames, then run out.completions, then arm a timer for
//   engine.deadline()
//
// Thread safety: none. One owner.
//
// Invariants: a number is never used for two writes; a write's callback is called once; a lock is reported
// lost, and no grant is accepted, once lease_until() is reached.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/ids.h"
#include "base/random.h"
#include "base/time.h"
#include "client/quorate/changes.h"
#include "client/quorate/types.h"
#include "client/request.h"
#include "client/rotation.h"
#include "client/wire.h"
#include "client/write_queue.h"

namespace quorate::client {

struct EngineOptions {
  std::vector<std::string> endpoints;
  Duration session_timeout = std::chrono::seconds(10);
  Duration request_timeout = std::chrono::seconds(5);
  Duration lost_margin{};
  std::string password;  // 16 random bytes
  uint64_t seed = 0;     // for the jitter of pauses
  std::function<void()> on_session_lost;
  std::function<void(const std::string& endpoint, const Error& trouble)> on_endpoint;
};

// A clock of ours may run this much slower than the leader's: the share of the timeout that a lease gives up.
inline constexpr int64_t kDriftPercent = 10;
// A connection on which nothing was heard for this long, while something was asked, is given up (less for
// short sessions).
inline constexpr Duration kSilenceMax = std::chrono::seconds(4);
// Without a session there are no heartbeats: while something is watched, the server is asked this often
// whether it still is in touch with the cluster.
inline constexpr Duration kProbeInterval = std::chrono::seconds(5);
inline constexpr Duration kConnectMax = std::chrono::seconds(1);

struct GrantedLock {
  uint64_t id = 0;
  std::string path, node;
  Token token;
  SessionId session;
};

class Engine {
 public:
  struct Output {
    bool drop = false;              // close the connection, before all else
    std::optional<size_t> connect;  // then begin to connect to this endpoint
    std::vector<api::ClientFrame> frames;
    std::vector<std::function<void()>> completions;
  };
  using OnAcquired = std::function<void(Result<GrantedLock>)>;
  using OnAllAcquired = std::function<void(Result<std::vector<GrantedLock>>)>;

  Engine(EngineOptions options, Instant now);

  // ---- what callers ask

  // A Get or Children with a watch id also arms that watch; its event goes to `on_event`, once.
  using OnEvent = std::function<void(Event)>;
  void read(Instant now, api::ClientFrame frame, OnReply on_reply, OnEvent on_event = nullptr);
  void remove_watch(Instant now, uint64_t watch);
  // `on_started` gets the first answer. From then on `on_changes` is told every change, each once and in
  // order, over whatever connections, until remove_feed() or an error.
  void watch_changes(Instant now, api::WatchSince request, OnReply on_started, OnChanges on_changes);
  void remove_feed(Instant now, uint64_t id);
  void write(Instant now, WriteQueue::Request operation, OnReply on_reply);
  // `wait`: none: for ever; 0: not at all. `on_lost` is called at most once, and only after a grant.
  uint64_t acquire(Instant now, const api::Acquire& request, std::optional<Duration> wait,
                   OnAcquired on_acquired, std::function<void()> on_lost);
  // All of these or none; `on_lost` is told which of them. Each is released by itself.
  uint64_t acquire_many(Instant now, const api::AcquireMany& request, std::optional<Duration> wait,
                        OnAllAcquired on_acquired, std::function<void(size_t)> on_lost);
  // An upgrade or a downgrade of a held lock. From a good answer on the lock is the one that it names, under
  // the same id, and `on_lost` takes the place of the earlier one. It waits as long as the session lives.
  void change(Instant now, uint64_t lock, api::Write operation, OnAcquired on_changed,
              std::function<void()> on_lost);
  void release(Instant now, uint64_t lock, OnReply on_reply);
  // What is still waited for of an acquire() or acquire_many() is given up: kTimeout. Else nothing happens.
  void cancel_acquire(Instant now, uint64_t acquire);
  // Comes out with the completions, behind all that the engine has told.
  void tell(std::function<void()> completion) { sink_.completions.push_back(std::move(completion)); }
  // Ends the session behind all writes; nothing may be written afterwards.
  void close(Instant now, OnReply on_reply);
  // The end, also without an answer to close(): everybody is told. Nothing may be asked afterwards.
  void stop(Instant now);

  // ---- what happens on the current connection (events of dropped ones are not handed in)

  void connected(Instant now);
  void disconnected(Instant now, const std::string& reason);
  void received(Instant now, const api::ServerFrame& frame);
  void tick(Instant now);

  Output take_output();
  Instant deadline() const;

  // ---- what can be asked

  // Once this is reached, the session counts as lost. kNever when there is none.
  Instant lease_until() const { return lease_until_; }
  // Until then nobody else can have been granted the session's locks: lost_margin later, unless the cluster
  // itself ended the session.
  Instant session_until() const { return session_until_; }
  SessionId session() const { return session_; }  // 0: none was opened yet
  bool session_lost() const { return session_state_ == SessionState::kLost; }

 private:
  enum class Link { kIdle, kPausing, kConnecting, kAttaching, kReady };
  enum class SessionState { kNone, kOpening, kLive, kLost, kClosed };
  enum class LockState { kJoining, kWaiting, kHeld };

  struct Read {
    api::ClientFrame frame;
    Instant started, deadline;
    Instant not_before{};  // after a refusal
    OnReply on_reply;
    bool made_by_engine = false;  // made anew for each connection
    bool sent = false;            // and not refused, over any connection
    size_t refusals = 0;
  };
  struct WatchEntry {
    api::ResumeWatch resume;  // as it would be resumed
    bool armed = false;
    OnEvent on_event;
  };
  struct FeedEntry {
    api::WatchSince request;  // as it would be resumed: its `since` is where it is complete
    OnChanges on_changes;
    bool started = false;  // the first answer has come
    bool live = false;     // over this connection
  };
  // Several locks that are acquired together.
  struct Group {
    std::vector<std::optional<GrantedLock>> granted;
    size_t missing = 0;
    OnAllAcquired on_acquired;  // empty: it was answered
    std::function<void(size_t)> on_lost;
    bool failed = false;  // what it has is given back
  };
  struct LockEntry {
    LockState state = LockState::kJoining;
    std::string path, node;
    Token token;
    std::optional<Duration> wait;  // as asked for
    Instant started;
    Instant deadline = kNever;
    uint64_t acquire = 0;     // what acquire() answered; several of a group have it
    uint64_t write = 0;       // the id of the request that it, or its last change, was asked with
    uint64_t asked_link = 0;  // the link that request was first asked on, or an earlier one
    OnAcquired on_acquired;   // empty: the caller has gone, leave the queue when we have joined it
    std::function<void()> on_lost;
    bool changing = false;  // an upgrade or downgrade is on its way
    std::shared_ptr<Group> group{};
    size_t index = 0;  // in the group
  };

  // engine.cc: the step as a whole
  void begin(Instant now);
  void pump(Instant now);
  bool wanted() const;
  bool anything_outstanding() const;
  bool probes() const {
    return session_state_ != SessionState::kLive && !(feeds_.empty() && watches_.empty());
  }
  void probe(Instant now);
  void send_reads(Instant now);
  void on_reply(Instant now, const api::Reply& reply);
  void on_read_reply(Instant now, std::map<uint64_t, Read>::iterator it, const api::Reply& reply);
  void expire_requests(Instant now);
  uint64_t ask(Instant now, api::ClientFrame frame, Instant deadline, OnReply on_reply, bool made_by_engine);
  Error not_done(Instant now, Instant started) const;
  // Of what has no number and is asked as a read: the end of another's session alone changes anything.
  static bool may_be_done(const Read& read) { return read.sent && read.frame.has_end_session(); }
  // What is answered to whoever needs the session. REQUIRES: it is lost or closed.
  Error session_over() const;

  // engine_link.cc: the connection and the session
  void start_connecting(Instant now);
  // Whose fault it is decides whether the endpoint counts as one that does not work.
  enum class Fault { kEndpoint, kSession };
  void fail_link(Instant now, ErrorCode code, const std::string& why, Fault fault = Fault::kEndpoint);
  void endpoint_works();
  // It does what it is there for: the next trouble is the first.
  void endpoint_answers();
  void endpoint_fails(const Error& why);
  void link_ready(Instant now);
  api::ClientFrame& send_control(Instant now, uint64_t& id, Instant& sent_at);
  void open_or_ping(Instant now);
  void on_control_reply(Instant now, const api::Reply& reply);
  void lose_session(Instant now, const std::string& why);
  bool link_is_silent(Instant now) const;
  Duration silence_max() const;
  Duration ping_interval() const;
  Duration whole_lease() const;
  Duration lease() const;
  const std::string& endpoint() const { return options_.endpoints[rotation_.current()]; }

  // engine_feeds.cc: changes since a zxid
  void ask_feed(Instant now, const FeedEntry& feed);
  void forget_feed(Instant now, uint64_t id);
  void on_feed_part(Instant now, uint64_t id, const Result<api::Reply>& reply);
  void on_feed_batch(Instant now, const api::FeedBatch& batch);
  void on_progress(Zxid zxid);
  void deliver_changes(FeedEntry& feed, Changes changes);
  void resume_feeds(Instant now);
  void end_feeds(const Error& error);

  // engine_watches.cc
  void on_watch_reply(const Read& read, const api::Reply& reply);
  void on_watch_event(const api::WatchEvent& event);
  void resume_watches(Instant now);
  void on_resumed(uint64_t id, const Result<api::Reply>& reply);

  // engine_locks.cc
  uint64_t join(Instant now, api::Write operation, LockEntry entry, std::optional<Duration> wait);
  void on_joined(Instant now, uint64_t lock, const Result<api::Reply>& reply);
  void on_joined_many(Instant now, const LockEntry& joining, const api::Outcome& outcome);
  void on_changed(Instant now, uint64_t lock, const Result<api::Reply>& reply, const OnAcquired& on_changed,
                  std::function<void()> on_lost);
  void on_lost_place(const std::string& node);
  void place_gone(std::map<uint64_t, LockEntry>::iterator it);
  void give_back_failed(Instant now);
  void send_release(Instant now, const std::string& node, OnReply on_reply);
  void ask_places(Instant now);
  // The first that can take what is asked now.
  uint64_t next_link() const { return link_number_ + (link_ == Link::kIdle || link_ == Link::kPausing); }
  void ask_place(Instant now, uint64_t lock);
  void on_place(Instant now, uint64_t lock, const Result<api::Reply>& reply);
  void grant(std::map<uint64_t, LockEntry>::iterator it, Token token);
  void give_up_waiting(Instant now, std::map<uint64_t, LockEntry>::iterator it, bool cancelled);
  void leave_queue(Instant now, std::map<uint64_t, LockEntry>::iterator it, OnReply on_reply);
  void fail_locks(const Error& error);
  void answer_acquire(LockEntry& entry, Result<GrantedLock> result);
  void tell_lost(LockEntry& entry);

  const EngineOptions options_;
  Random random_;
  Rotation rotation_;
  // As they were told; none: not yet.
  std::vector<std::optional<bool>> endpoint_works_;
  RequestIds ids_;
  Sink sink_;
  bool drop_ = false;
  std::optional<size_t> connect_;

  Link link_ = Link::kIdle;
  uint64_t link_number_ = 0;  // of connections tried
  Instant link_deadline_ = kNever;
  Instant last_heard_{};
  Error trouble_{ErrorCode::kUnavailable, "no server was tried yet"};
  std::optional<Instant> no_quorum_at_;  // when a server last said so

  SessionState session_state_ = SessionState::kNone;
  SessionId session_;
  Duration timeout_;  // as negotiated
  Instant lease_until_ = kNever, session_until_ = kNever;
  std::string lost_why_;
  // The one control request of each kind that may be under way; 0: none.
  uint64_t open_id_ = 0, attach_id_ = 0, ping_id_ = 0;
  Instant open_sent_{}, attach_sent_{}, ping_sent_{};
  Instant control_again_{};  // a refused open is not repeated before
  size_t control_refusals_ = 0;

  WriteQueue writes_;
  std::map<uint64_t, Read> reads_;
  std::set<uint64_t> unsent_reads_;  // of these; the others are on their way
  std::map<uint64_t, WatchEntry> watches_;
  std::map<uint64_t, FeedEntry> feeds_;
  Instant probe_at_ = kNever;  // when a link that nobody asks anything is asked for a sign of life
  std::map<uint64_t, LockEntry> locks_;
  uint64_t last_lock_ = 0;
  bool group_failed_ = false;
};

}  // namespace quorate::client
