// What changed in the sessions since the last capture, the captures themselves, and loading.
#include "base/check.h"
#include "kv/checkpoint.h"
#include "kv/sessions.h"

namespace quorate::kv {
namespace {

// What a record takes beside the kept outcomes, about.
constexpr size_t kSessionRecordBytes = 64;
constexpr size_t kErasureBytes = 9;
constexpr uint8_t kBothMarks = 3;

size_t record_bytes(const Session& session) { return kSessionRecordBytes + session.results.size(); }

Record record_of(const Session& session) { return {session_key(session.id), encode_session(session)}; }

}  // namespace

void Sessions::mark_dirty(Session& session) {
  if (session.mark != 0) early_.push_back(record_of(session));
  session.mark = dirty_mark_;
  dirty_.push_back(session.id);
  dirty_bytes_ += static_cast<int64_t>(record_bytes(session));
}

void Sessions::forget_dirty(const Session& session) {
  if (session.mark == dirty_mark_) {
    dirty_bytes_ -= static_cast<int64_t>(record_bytes(session));
  } else if (session.mark != 0) {
    early_.push_back(record_of(session));
  }
  // A session's id is the zxid of its opening: one that came after the last capture began is in none.
  if (session.id.value() > captured_through_.value()) return;
  erased_.push_back(session.id);
  dirty_bytes_ += kErasureBytes;
}

void Sessions::begin_capture(Zxid now) {
  CHECK(frozen_.empty());
  CHECK(frozen_erased_.empty());
  CHECK(early_.empty());
  frozen_.swap(dirty_);
  frozen_erased_.swap(erased_);
  dirty_mark_ ^= kBothMarks;
  dirty_bytes_ = 0;
  captured_through_ = now;
}

void Sessions::capture_early(Slice& slice) { slice.put_all(early_); }

bool Sessions::capture_erasures(Slice& slice) {
  for (; !frozen_erased_.empty(); frozen_erased_.pop_back()) {
    if (slice.full()) return false;
    slice.put({session_key(frozen_erased_.back()), std::nullopt});
  }
  return true;
}

bool Sessions::capture_sessions(Slice& slice) {
  const uint8_t frozen_mark = dirty_mark_ ^ kBothMarks;
  for (; !frozen_.empty(); frozen_.pop_back()) {
    Session* const session = find(frozen_.back());
    // Those that changed or ended since were copied before.
    if (session == nullptr || session->mark != frozen_mark) continue;
    if (slice.full()) return false;
    slice.put(record_of(*session));
    session->mark = 0;
  }
  return true;
}

void Sessions::mark_all_dirty() {
  CHECK(frozen_.empty());
  for (const SessionId id : ids()) touch(*find(id));
}

Status Sessions::load(Session session) {
  const SessionId id = session.id;
  const auto refuse = [&](const char* why) {
    return Status(ErrorCode::kCorruption, "the record of session " + std::to_string(id.value()) + " " + why);
  };
  if (id.value() == 0) return refuse("has an id that none can have");
  if (session.floor == 0 || session.epoch == 0) return refuse("has numbers that none can have");
  if (session.attached_by.server.value() != 0 && !origins_.try_emplace(session.attached_by, id).second) {
    return refuse("was attached by an origin that attached another");
  }
  rehash_credentials(session);
  rehash_attachment(session);
  session.mark = 0;
  size_t bytes = 0;
  hash_ += hash_of(session) + hash_of_results(session, session.result_sizes.size(), bytes);
  if (!sessions_.try_emplace(id, std::move(session)).second) return refuse("is there twice");
  return {};
}

}  // namespace quorate::kv
