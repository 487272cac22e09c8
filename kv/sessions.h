// The sessions and what makes their requests apply once: epochs, numbers, and the outcomes kept until their
// client says that it has them. What a session owns in the tree is the tree's to know.
//
// What changed since the last capture is tracked as the tree does it (tree.h), by id.
//
// Thread safety: none.
//
// Invariants: floor <= next; exactly the outcomes of floor .. next-1 are kept; hash() is the sum of the
// hashes of all sessions and outcomes.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "kv/acl.h"
#include "kv/command.h"
#include "kv/record_list.h"
#include "kv/state_machine.h"

namespace quorate::kv {

class Slice;

// An outcome with more bytes than this is kept without its path, message and results: a repeated request then
// learns that it was done, and with what code, but not where.
inline constexpr size_t kKeptOutcomeBytesMax = 4096;

struct Session {
  SessionId id;
  uint32_t epoch = 0;
  uint32_t timeout_ms = 0;
  SessionPassword password{};
  Origin attached_by;    // the last to open or attach it, unless it attached another since or names no server
  Zxid attached_at;      // and the entry that did
  uint64_t attempt = 0;  // the highest of its attaches
  uint64_t floor = 1;    // outcomes of lower numbers have arrived
  uint64_t next = 1;     // the lowest number not applied yet
  // The kept outcomes, one behind the other, and the size of each.
  std::string results;
  std::vector<uint32_t> result_sizes;
  // What ACLs are matched against, in the order in which it was proved; the address comes anew with each
  // attach.
  Credentials credentials;
  uint64_t credentials_hash = 0;  // of their canonical bytes; 0 without any
  uint64_t attachment_hash = 0;   // of what only an attach changes: the password and who attached it, when

  uint8_t mark = 0;  // which list of what changed it stands in; no part of the state
};

class Sessions {
 public:
  explicit Sessions(const Limits& limits) : limits_(limits) {}

  // What an open or an attach came to.
  struct Attached {
    const Session* session = nullptr;
    // The same origin had attached it before, and nobody since: nothing was changed.
    bool repeated = false;
  };

  // The session's id is the entry's zxid; the time-out is clamped to the limits.
  Attached open(const OpenSession& open, Zxid zxid);
  // Raises the epoch. Errors: kSessionExpired, kBadCredentials, kSessionMoved for an attempt that comes late.
  Result<Attached> attach(const AttachSession& attach, Zxid zxid);
  void end(SessionId id);
  // All or none; one that is there already is not added again. Errors: kLimitReached (kCredentialsMax).
  Status add_credentials(Session& session, const Credentials& added);

  // Takes the same time wherever they differ.
  static bool has_password(const Session& session, const SessionPassword& password);
  // nullptr where there is none.
  const Session* find(SessionId id) const;
  Session* find(SessionId id);

  // ---- a request's number, in this order; REQUIRES: the session is there

  // Drops the outcomes of lower numbers.
  void acknowledge(Session& session, uint64_t below);
  // REQUIRES: floor <= number < next.
  Outcome kept(const Session& session, uint64_t number) const;
  // Whether one more outcome may be kept.
  bool has_room(const Session& session) const;
  // Keeps the outcome of session.next and moves on. REQUIRES: has_room().
  void keep(Session& session, const Outcome& outcome);

  // In ascending order of id: the first `max` of those above `after`. Looks at all.
  std::vector<SessionId> ids(SessionId after = {}, size_t max = SIZE_MAX) const;
  size_t size() const { return sessions_.size(); }
  uint64_t hash() const { return hash_; }

  // ---- checkpoints, as StateMachine has them (sessions_capture.cc)

  size_t dirty_bytes() const { return dirty_bytes_ > 0 ? static_cast<size_t>(dirty_bytes_) : 0; }
  // `now`: the zxid of the last applied entry. REQUIRES: no capture is under way.
  void begin_capture(Zxid now);
  void capture_early(Slice& slice);
  // True when nothing is left. REQUIRES of the early ones and the sessions: the erasures are through.
  bool capture_erasures(Slice& slice);
  bool capture_sessions(Slice& slice);
  // As if everything had changed. REQUIRES: no capture is under way.
  void mark_all_dirty();
  // Puts a captured one back; it counts as captured. Errors: kCorruption if it cannot be beside the others.
  Status load(Session session);
  void finish_load(Zxid now) { captured_through_ = now; }

  // What is wrong, in a sentence.
  std::optional<std::string> check() const;

 private:
  struct OriginHash {
    size_t operator()(const Origin& origin) const noexcept;
  };

  // The session's own hash is its caller's to take out and put back.
  static void set_address(Session& session, const std::string& address);
  static void rehash_credentials(Session& session);
  static void rehash_attachment(Session& session);
  void note_origin(Session& session, const Origin& origin, Zxid zxid);

  // Before any change to a session.
  void touch(Session& session) {
    if (session.mark != dirty_mark_) mark_dirty(session);
  }
  void mark_dirty(Session& session);
  // Before its end.
  void forget_dirty(const Session& session);

  static uint64_t hash_of(const Session& session);
  static uint64_t hash_of_result(const Session& session, uint64_t number, std::string_view bytes);
  static uint64_t hash_of_results(const Session& session, size_t count, size_t& bytes);

  Limits limits_;
  std::unordered_map<SessionId, Session> sessions_;
  // Only origins that name a server: each is the attached_by of one session, the last that it attached.
  std::unordered_map<Origin, SessionId, OriginHash> origins_;
  std::string scratch_;
  uint64_t hash_ = 0;

  // A session has the mark of the list that it stands in, 0 in none; dirty_mark_ alternates between 1 and 2.
  uint8_t dirty_mark_ = 1;
  std::vector<SessionId> dirty_;
  std::vector<SessionId> erased_;
  int64_t dirty_bytes_ = 0;
  Zxid captured_through_;
  std::vector<SessionId> frozen_;  // of the capture under way: still to be captured
  std::vector<SessionId> frozen_erased_;
  RecordList early_;
};

}  // namespace quorate::kv
