#include "kv/sessions.h"

#include <algorithm>
#include <cstring>

#include "base/check.h"
#include "base/checksum.h"

namespace quorate::kv {
namespace {

template <size_t kCount>
uint64_t hash_words(const uint64_t (&words)[kCount]) {
  return checksum64({reinterpret_cast<const char*>(words), sizeof(words)});
}

}  // namespace

// ---- hashing

uint64_t Sessions::hash_of(const Session& s) {
  return hash_words({s.id.value(), uint64_t{s.epoch} << 32 | s.timeout_ms, s.floor, s.next,
                     s.credentials_hash, s.attachment_hash});
}

void Sessions::rehash_attachment(Session& s) {
  uint64_t password[2];
  static_assert(sizeof(password) == sizeof(s.password));
  std::memcpy(password, s.password.data(), sizeof(password));
  s.attachment_hash =
      hash_words({password[0], password[1], s.attached_by.server.value(), s.attached_by.boot.value(),
                  s.attached_by.counter, s.attached_at.value(), s.attempt});
}

uint64_t Sessions::hash_of_result(const Session& session, uint64_t number, std::string_view bytes) {
  return hash_words({session.id.value(), number, checksum64(bytes)});
}

// The sum over the first `count` kept outcomes, and how many bytes they have.
uint64_t Sessions::hash_of_results(const Session& session, size_t count, size_t& bytes) {
  uint64_t sum = 0;
  bytes = 0;
  for (size_t i = 0; i < count; ++i) {
    const std::string_view result = std::string_view(session.results).substr(bytes, session.result_sizes[i]);
    sum += hash_of_result(session, session.floor + i, result);
    bytes += result.size();
  }
  return sum;
}

// ---- sessions

size_t Sessions::OriginHash::operator()(const Origin& origin) const noexcept {
  return hash_words({origin.server.value(), origin.boot.value(), origin.counter});
}

// The session's own hash is its caller's to take out and put back.
void Sessions::note_origin(Session& session, const Origin& origin, Zxid zxid) {
  if (const auto known = origins_.find(origin); known != origins_.end() && known->second != session.id) {
    Session& earlier = *find(known->second);
    touch(earlier);
    hash_ -= hash_of(earlier);
    earlier.attached_by = {};
    rehash_attachment(earlier);
    hash_ += hash_of(earlier);
  }
  if (session.attached_by.server.value() != 0) origins_.erase(session.attached_by);
  session.attached_by = origin.server.value() != 0 ? origin : Origin{};
  session.attached_at = zxid;
  rehash_attachment(session);
  if (origin.server.value() != 0) origins_[origin] = session.id;
}

Sessions::Attached Sessions::open(const OpenSession& open, Zxid zxid) {
  if (const auto known = origins_.find(open.origin); known != origins_.end())
    return {find(known->second), true};
  const SessionId id(zxid.value());
  const auto [at, inserted] = sessions_.try_emplace(id);
  CHECK(inserted);
  Session& session = at->second;
  session.id = id;
  touch(session);
  session.epoch = 1;
  session.timeout_ms = std::max(open.timeout_ms, kSessionTimeoutMinMs);
  session.password = open.password;
  set_address(session, open.address);
  note_origin(session, open.origin, zxid);
  hash_ += hash_of(session);
  return {&session, false};
}

Result<Sessions::Attached> Sessions::attach(const AttachSession& attach, Zxid zxid) {
  Session* session = find(attach.session);
  if (session == nullptr) {
    return {ErrorCode::kSessionExpired, "there is no such session any more; open a new one"};
  }
  if (!has_password(*session, attach.password)) {
    return {ErrorCode::kBadCredentials, "the password is not this session's; open a new one"};
  }
  const bool named = attach.origin.server.value() != 0;
  if (named && session->attached_by == attach.origin) return Attached{session, true};
  if (attach.attempt != 0 && attach.attempt < session->attempt) {
    return {ErrorCode::kSessionMoved, "a later connection has attached to this session already"};
  }
  touch(*session);
  hash_ -= hash_of(*session);
  ++session->epoch;
  session->attempt = std::max(session->attempt, attach.attempt);
  set_address(*session, attach.address);
  note_origin(*session, attach.origin, zxid);
  hash_ += hash_of(*session);
  return Attached{session, false};
}

void Sessions::rehash_credentials(Session& session) {
  std::string bytes;
  append_credentials(bytes, session.credentials);
  session.credentials_hash = session.credentials.empty() ? 0 : checksum64(bytes);
}

void Sessions::set_address(Session& session, const std::string& address) {
  std::erase_if(session.credentials, [](const Credential& c) { return c.scheme == kAddressScheme; });
  if (!address.empty()) session.credentials.push_back({std::string(kAddressScheme), address});
  rehash_credentials(session);
}

Status Sessions::add_credentials(Session& session, const Credentials& added) {
  Credentials all = session.credentials;
  for (const Credential& credential : added) {
    if (std::find(all.begin(), all.end(), credential) == all.end()) all.push_back(credential);
  }
  if (all.size() > kCredentialsMax) {
    return {ErrorCode::kLimitReached, "the session has " + std::to_string(session.credentials.size()) +
                                          " credentials; at most " + std::to_string(kCredentialsMax) +
                                          " are allowed, so open another session"};
  }
  touch(session);
  hash_ -= hash_of(session);
  session.credentials = std::move(all);
  rehash_credentials(session);
  hash_ += hash_of(session);
  return {};
}

void Sessions::end(SessionId id) {
  const auto at = sessions_.find(id);
  CHECK(at != sessions_.end());
  forget_dirty(at->second);
  size_t bytes = 0;
  hash_ -= hash_of(at->second) + hash_of_results(at->second, at->second.result_sizes.size(), bytes);
  if (at->second.attached_by.server.value() != 0) origins_.erase(at->second.attached_by);
  sessions_.erase(at);
}

bool Sessions::has_password(const Session& session, const SessionPassword& password) {
  uint8_t difference = 0;
  for (size_t i = 0; i < password.size(); ++i)
    difference = static_cast<uint8_t>(difference | (session.password[i] ^ password[i]));
  return difference == 0;
}

const Session* Sessions::find(SessionId id) const {
  const auto at = sessions_.find(id);
  return at == sessions_.end() ? nullptr : &at->second;
}

Session* Sessions::find(SessionId id) {
  const auto at = sessions_.find(id);
  return at == sessions_.end() ? nullptr : &at->second;
}

std::vector<SessionId> Sessions::ids(SessionId after, size_t max) const {
  std::vector<SessionId> ids;
  ids.reserve(sessions_.size());
  for (const auto& [id, session] : sessions_)
    if (id > after) ids.push_back(id);
  if (ids.size() > max) {
    std::nth_element(ids.begin(), ids.begin() + static_cast<std::ptrdiff_t>(max), ids.end());
    ids.resize(max);
  }
  std::sort(ids.begin(), ids.end());
  return ids;
}

// ---- numbers

void Sessions::acknowledge(Session& session, uint64_t below) {
  const uint64_t floor = std::min(below, session.next);
  if (floor <= session.floor) return;
  const auto count = static_cast<size_t>(floor - session.floor);
  touch(session);
  size_t bytes = 0;
  hash_ -= hash_of(session) + hash_of_results(session, count, bytes);
  session.results.erase(0, bytes);
  session.result_sizes.erase(session.result_sizes.begin(),
                             session.result_sizes.begin() + static_cast<std::ptrdiff_t>(count));
  session.floor = floor;
  dirty_bytes_ -= static_cast<int64_t>(bytes);
  hash_ += hash_of(session);
}

Outcome Sessions::kept(const Session& session, uint64_t number) const {
  CHECK(number >= session.floor);
  CHECK(number < session.next);
  size_t begin = 0;
  const auto at = static_cast<size_t>(number - session.floor);
  for (size_t i = 0; i < at; ++i) begin += session.result_sizes[i];
  return decode_outcome(std::string_view(session.results).substr(begin, session.result_sizes[at])).value();
}

bool Sessions::has_room(const Session& session) const {
  return session.result_sizes.size() < limits_.results_max &&
         session.results.size() < limits_.results_bytes_max;
}

void Sessions::keep(Session& session, const Outcome& outcome) {
  CHECK(has_room(session));
  scratch_.clear();
  append_outcome(scratch_, outcome);
  if (scratch_.size() > kKeptOutcomeBytesMax) {
    Outcome done = outcome;
    done.path.clear();
    done.results.clear();
    done.message = "this was done before; its outcome was too long to be kept in full";
    scratch_.clear();
    append_outcome(scratch_, done);
  }
  touch(session);
  dirty_bytes_ += static_cast<int64_t>(scratch_.size());
  hash_ -= hash_of(session);
  session.results.append(scratch_);
  session.result_sizes.push_back(static_cast<uint32_t>(scratch_.size()));
  hash_ += hash_of_result(session, session.next, scratch_);
  ++session.next;
  hash_ += hash_of(session);
}

std::optional<std::string> Sessions::check() const {
  uint64_t hash = 0;
  size_t origins = 0;
  for (const auto& [id, session] : sessions_) {
    const std::string name = "session " + std::to_string(id.value());
    if (session.id != id) return name + " stands under another's id";
    const bool named = session.attached_by.server.value() != 0;
    if (named) ++origins;
    const auto origin = origins_.find(session.attached_by);
    if (named && (origin == origins_.end() || origin->second != id))
      return name + " cannot be found by its origin";
    Session recomputed = session;
    rehash_credentials(recomputed);
    rehash_attachment(recomputed);
    if (recomputed.credentials_hash != session.credentials_hash)
      return name + " has credentials of another hash";
    if (recomputed.attachment_hash != session.attachment_hash)
      return name + " has an attachment of another hash";
    if (!named && session.attached_by != Origin{}) return name + " has an origin that names no server";
    if (session.floor > session.next) return name + " has a floor above its next number";
    if (session.result_sizes.size() != session.next - session.floor)
      return name + " does not keep each outcome";
    size_t bytes = 0;
    hash += hash_of(session) + hash_of_results(session, session.result_sizes.size(), bytes);
    if (bytes != session.results.size()) return name + " keeps bytes that belong to no outcome";
    for (uint64_t number = session.floor; number < session.next; ++number) {
      size_t begin = 0;
      for (uint64_t i = session.floor; i < number; ++i) begin += session.result_sizes[i - session.floor];
      const uint32_t size = session.result_sizes[number - session.floor];
      if (!decode_outcome(std::string_view(session.results).substr(begin, size)).ok()) {
        return name + " keeps an outcome that does not parse";
      }
    }
  }
  if (origins != origins_.size()) return "an origin is kept that no session was attached by";
  if (hash != hash_) return "the sessions' hash is not that of the sessions";
  return std::nullopt;
}

}  // namespace quorate::kv
