#include "tests/property/kv_history.h"

#include "kv/path.h"

namespace quorate::kv {
namespace {

constexpr SessionPassword kPassword = {7};

void collect(const StateMachine& state, const std::string& path, std::vector<std::string>& paths) {
  paths.push_back(path);
  const std::vector<Child> children = state.children(path).value();
  for (const Child& child : children) collect(state, join_path(path, child.name), paths);
}

}  // namespace

// Mostly one that lives.
SessionId History::session(uint8_t pick) const {
  const std::vector<SessionView> sessions = state_.sessions();
  if (sessions.empty() || pick > 245) return SessionId(pick);
  return sessions[pick % sessions.size()].id;
}

// From a small vocabulary, so that histories meet.
std::string History::path(uint8_t pick) const {
  static const std::vector<std::string> kPaths = {"/a",  "/b",   "/a/a",   "/a/b",      "/a/b/c",
                                                  "/l",  "/l/x", "/l/y/z", "/\xc3\xa4", "/",
                                                  "bad", "/a/",  "/a//b",  "/..",       ""};
  return kPaths[pick % kPaths.size()];
}

// Half of the time a node that is there.
std::string History::any_path(uint8_t pick) const {
  if (pick % 2 == 0) return path(pick / 2);
  const std::vector<std::string> paths = all_paths();
  return paths[pick / 2 % paths.size()];
}

std::vector<std::string> History::all_paths() const {
  std::vector<std::string> paths;
  collect(state_, "/", paths);
  return paths;
}

// Open in the end, most of them, or nothing could be done after a while.
Acl History::any_acl(uint8_t pick) {
  switch (pick % 8) {
    case 0:
      return {{pick % 34U, "world", "anyone"}};
    case 1:
      return {{kAllPermissions, "auth", ""}};
    case 2:
      return {{kAllPermissions, "digest", "alice:x"}, {kRead, "world", "anyone"}};
    case 3:
      return {{kAllPermissions & ~(1U << pick / 8 % 5), "world", "anyone"}};
    default:
      return open_acl();
  }
}

// Of every kind, and some that no node can be of.
CreateOp History::any_create(const Step& step) const {
  CreateOp op{step[5] % 2 == 0 ? path(step[4]) : any_path(step[4]), std::string(step[3] % 3, 'c')};
  op.ephemeral = step[5] % 7 == 0;
  op.sequential = step[5] % 5 == 0;
  op.parents = step[5] % 3 == 0;
  op.container = step[3] % 16 < 7;
  if (step[3] % 16 > 7) op.ttl_ms = int64_t{step[4]} % 40 - 1;
  if (step[5] % 4 == 0) op.acl = any_acl(step[4]);
  op.null_data = op.data.empty() && step[2] % 2 == 0;
  return op;
}

MultiOp::Part History::part(const Step& step) const {
  const int32_t version = step[2] % 3 == 0 ? step[2] / 3 % 3 : -1;
  const std::string at = any_path(step[1]);
  switch (step[0] % 12) {
    case 0:
    case 1:
    case 2:
      return CreateOp{path(step[1]), {}, step[2] % 3 == 0, false, step[2] % 2 == 0};
    case 3:
      return CreateOp{"/l/lock-", {}, step[2] % 4 != 0, true, true};
    case 4:
      return any_create(step);
    case 5:
    case 6:
      return SetOp{at, std::string(step[2] % 3, 's'), version, step[2] % 6 == 3};
    case 7:
      return DeleteOp{at, version, step[2] % 2 == 0};
    case 8:
      return SetAclOp{at, any_acl(step[2]), version};
    case 9:
      return CheckOp{at, version};
    case 10:
      return CheckAbsentOp{path(step[1])};
    default:
      break;
  }
  const std::optional<Child> holder = state_.first_queued("/l");
  return CheckHeldOp{"/l", Token(holder ? holder->czxid.value() + step[2] % 2 : step[2])};
}

// Up to six operations, drawn from the step again and again.
MultiOp History::multi(const Step& step) const {
  MultiOp multi;
  Step drawn = step;
  for (int i = step[5] % 7; i > 0; --i) {
    for (size_t j = 0; j < drawn.size(); ++j) {
      drawn[j] = static_cast<uint8_t>(drawn[j] * 5 + drawn[(j + 1) % drawn.size()] * 3 + 17);
    }
    multi.operations.push_back(part(drawn));
  }
  return multi;
}

// Mostly such that can meet in one queue.
PlaceMode History::any_mode(uint8_t pick) {
  const uint32_t delay_ms = pick % 5 == 0 ? pick % 60U : 0;
  switch (pick / 5 % 8) {
    case 0:
    case 1:
      return {Mode::kExclusive, 0, delay_ms};
    case 2:
    case 3:
    case 4:
      return {Mode::kShared, 0, delay_ms};
    case 5:
      return {Mode::kPermit, 3, delay_ms};
    default:
      return {Mode::kPermit, 2 - pick / 40 % 3U % 2, delay_ms};
  }
}

// What only native clients ask for.
Operation History::lock_operation(const Step& step) const {
  static const std::vector<std::string> kLocks = {"/l", "/b", "/a"};
  const std::string lock = kLocks[step[4] % kLocks.size()];
  const std::vector<Child> holders = state_.holders(lock);
  const std::string node = holders.empty() || step[2] % 8 == 0
                               ? any_path(static_cast<uint8_t>(step[4] | 1))
                               : join_path(lock, holders[step[5] % holders.size()].name);
  switch (step[3] % 8) {
    case 0:
    case 1:
      return AcquireOp{lock, step[5] % 3 == 0 ? "me" : "", any_mode(step[5])};
    case 2:
      return UpgradeOp{node};
    case 3:
      return DowngradeOp{node};
    case 4:
      return ReleaseOp{node};
    case 5:
      return BreakOp{lock, Token(holders.empty() ? step[5] : holders[0].czxid.value() + step[5] % 2)};
    default:
      break;
  }
  AcquireManyOp many;
  many.wait = step[5] % 3 == 0;
  for (int i = step[5] % 4; i > 0; --i)
    many.locks.push_back({kLocks[static_cast<size_t>(step[4] + i) % kLocks.size()], "", any_mode(step[5])});
  if (step[5] % 16 == 9) many.locks.push_back({path(step[4]), "", {}});
  return many;
}

Operation History::operation(const Step& step) const {
  static const std::vector<std::string> kQueued = {"/l/lock-",      "/l/lock-",     "/l/x__lock__",
                                                   "/a/_c_1-lock-", "/a/__READ__",  "/l/",
                                                   "/b/n-",         "/l/x__rlock__"};
  static const std::vector<std::string> kData = {
      "", "", "x", "yy", "quorate:shared:me", std::string(200, 'z')};
  const std::string data = kData[step[5] % kData.size()];
  const int32_t version = step[4] % 4 == 0 ? step[4] / 4 % 4 : -1;
  if (step[3] >= 225) return lock_operation(step);
  if (step[3] >= 200) return multi(step);
  if (step[3] >= 180) return any_create(step);
  if (step[3] >= 170) return DeleteOp{any_path(step[5]), version, true};
  if (step[3] >= 165) return SetAclOp{any_path(step[5]), any_acl(step[4]), version};
  if (step[3] >= 160)
    return AddCredentialOp{{"digest", step[4] % 2 == 0 ? "alice:x" : "bob:x"}, step[4] % 8 == 0};
  if (step[3] >= 156) {
    return SetQuotaOp{any_path(step[5]), {step[4] % 3 - 1, step[4] % 11 - 1, -1, step[4] % 13 - 1}};
  }
  switch (step[3] % 16) {
    case 0:
    case 1:
    case 2:
      return CreateOp{path(step[4]), data, (step[5] & 16) != 0, false, (step[5] & 32) != 0};
    case 3:
      return CreateOp{any_path(step[4]), data, (step[5] & 16) != 0, (step[5] & 64) != 0, (step[5] & 32) != 0};
    case 4:
      return CreateOp{kQueued[step[4] % kQueued.size()], data, step[5] % 4 != 0, true, (step[5] & 32) != 0};
    case 5:
    case 6:
      return SetOp{any_path(step[5]), data, version, data.empty() && step[4] % 3 == 0};
    case 7:
    case 8:
    case 9:
      return DeleteOp{any_path(step[5]), version};
    case 10:
    case 11:
      return AcquireOp{step[4] % 2 == 0 ? "/l" : path(step[4] / 2), data};
    case 12:
      return AcquireOp{any_path(step[4]), data};
    case 13:
    case 14:
      return ReleaseOp{any_path(static_cast<uint8_t>(step[4] | 1))};
    default:
      break;
  }
  if (step[4] % 4 == 0) return CloseSessionOp{};
  return ReleaseOp{any_path(step[4])};
}

Command History::request(const Step& step) {
  // A request that was sent before, as it was then or with its session's present epoch.
  if (step[2] < 30 && !sent_.empty()) {
    SessionRequest again = sent_[step[3] % sent_.size()];
    const auto view = state_.session(again.session);
    if (view && step[2] < 20) again.epoch = view->epoch;
    return again;
  }
  SessionRequest request{session(step[1]), 1, 1, 0, operation(step)};
  if (const auto view = state_.session(request.session)) {
    request.epoch = view->epoch;
    request.number = view->next_number;
    request.acked_below = step[2] % 4 == 0 ? 0 : view->next_number - step[2] % 3 % view->next_number;
  }
  if (step[2] > 250) request.number += step[2] - 250;
  if (step[2] == 250) request.number = 0;
  if (step[2] == 249) request.acked_below = request.number + 1;
  if (step[2] == 248) ++request.epoch;
  sent_.push_back(request);
  return request;
}

Origin History::origin(uint8_t pick) {
  if (pick % 2 == 0) return {};
  return {ServerId(1), BootNonce(9), uint64_t{pick} % 16};
}

Command History::command(const Step& step) {
  if (state_.session_count() == 0 || step[0] < 12)
    return OpenSession{origin(step[2]), step[1] * 400U, kPassword};
  if (step[0] < 24) {
    return AttachSession{
        origin(step[2]), session(step[1]), step[3] < 230 ? kPassword : SessionPassword{}, {}, step[4] % 4U};
  }
  if (step[0] < 50 && step[0] >= 34) return ReapNodes{all_paths()};
  if (step[0] < 34) {
    ExpireSessions expire;
    for (int i = 0; i < step[3] % 4; ++i)
      expire.sessions.push_back(session(static_cast<uint8_t>(step[1] + i * 100)));
    return expire;
  }
  return request(step);
}

// Usually on, at times back.
Stamp History::stamp(const Step& step) {
  stamp_.wall_ms += step[5] > 240 ? -50 : step[5];
  stamp_.cluster_ms += step[4] % 16;
  return stamp_;
}

}  // namespace quorate::kv
