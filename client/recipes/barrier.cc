#include "client/quorate/barrier.h"

#include "client/recipes/wait.h"

namespace quorate::client {

// ---- one node

Result<bool> Barrier::close() {
  const Result<Created> made = client_.create(path_, {}, {.parents = true});
  if (made.code() == ErrorCode::kNodeExists) return false;
  if (!made.ok()) return made.error();
  return true;
}

Result<bool> Barrier::open() {
  const Status removed = client_.remove(path_);
  if (removed.code() == ErrorCode::kNoNode) return false;
  if (!removed.ok()) return removed.error();
  return true;
}

Status Barrier::wait(std::optional<milliseconds> wait) {
  const Result<bool> opened = wait_for<bool>(
      client_, path_, wait, "the barrier was not opened in time", [&]() -> Result<std::optional<bool>> {
        const Result<std::optional<Stat>> there = client_.exists(path_);
        if (!there.ok()) return there.error();
        return *there ? std::optional<bool>() : std::optional<bool>(true);
      });
  return opened.ok() ? Status() : Status(opened.error());
}

// ---- two steps

namespace {
std::string members(const std::string& path) { return path + "/members"; }
std::string ready(const std::string& path) { return path + "/ready"; }
}  // namespace

// The last one of a round takes the mark away, or, where all of them died, whoever comes next. Whether there
// is a round that goes on.
Result<bool> DoubleBarrier::forget_finished_round() {
  const Result<std::optional<Stat>> there = client_.exists(members(path_));
  if (!there.ok()) return there.error();
  if (*there && (*there)->children > 0) return true;
  // Others may have taken it away meanwhile, and the next round have begun: then somebody came, which changes
  // the version.
  Multi multi;
  if (*there) multi.check(members(path_), (*there)->version);
  multi.remove(ready(path_));
  const MultiResult removed = client_.run(multi);
  if (removed.ok() || removed.error.code == ErrorCode::kNoNode) return false;
  if (removed.error.code == ErrorCode::kBadVersion) return true;
  return removed.error;
}

Result<std::optional<bool>> DoubleBarrier::come() {
  Multi multi;
  // By a name that is known before the answer, so that it can leave also without one.
  const std::string node = members(path_) + "/m-" + std::to_string(Host::of(client_).random_number());
  multi.check_absent(ready(path_)).set(members(path_), {}).create(node, {}, {.ephemeral = true});
  const MultiResult come = client_.run(multi);
  if (come.ok() || come.error.code == ErrorCode::kOutcomeUnknown) mine_ = node;
  if (come.ok()) return std::optional<bool>(true);
  if (come.error.code == ErrorCode::kNoNode) {
    const Result<Created> made = client_.create(members(path_), {}, {.parents = true});
    if (!made.ok() && made.code() != ErrorCode::kNodeExists) return made.error();
    return this->come();
  }
  if (come.error.code != ErrorCode::kNodeExists) return come.error;
  const Result<bool> busy = forget_finished_round();
  if (!busy.ok()) return busy.error();
  if (*busy) return std::optional<bool>();
  return this->come();
}

Result<std::optional<bool>> DoubleBarrier::look_for_ready() {
  const Result<std::vector<std::string>> there = client_.children(members(path_));
  if (!there.ok()) return there.error();
  if (there->size() >= count_) {
    const Result<Created> made = client_.create(ready(path_));
    if (!made.ok() && made.code() != ErrorCode::kNodeExists) return made.error();
    return std::optional<bool>(true);
  }
  const Result<std::optional<Stat>> marked = client_.exists(ready(path_));
  if (!marked.ok()) return marked.error();
  return *marked ? std::optional<bool>(true) : std::optional<bool>();
}

Status DoubleBarrier::enter(std::optional<milliseconds> wait) {
  if (!mine_.empty())
    return Error{ErrorCode::kInvalidArgument, "it has entered this barrier already: leave it"};
  const Instant until = Host::of(client_).in(wait);
  constexpr const char* kLate = "not enough came to the barrier in time";
  const Result<bool> came = wait_until<bool>(client_, path_, until, kLate, [this] { return come(); });
  if (!came.ok()) return came.error();
  const Result<bool> begun =
      wait_until<bool>(client_, path_, until, kLate, [this] { return look_for_ready(); });
  if (begun.ok()) return {};
  // Unless enough came in the last moment, it is not among them.
  Multi multi;
  multi.check_absent(ready(path_)).remove(mine_);
  const MultiResult gone = client_.run(multi);
  switch (gone.error.code) {
    case ErrorCode::kNodeExists:
      return {};
    case ErrorCode::kOk:
    case ErrorCode::kNoNode:
    case ErrorCode::kSessionExpired:
      mine_.clear();
      return begun.error();
    default:
      return Error{ErrorCode::kOutcomeUnknown,
                   "not enough came to the barrier, and it may still be among them: leave it (" +
                       gone.error.message + ")"};
  }
}

namespace {

// kTimeout is told of who has left.
Error not_left(const Error& error) {
  return error.code == ErrorCode::kTimeout ? Error{ErrorCode::kUnavailable, error.message} : error;
}

}  // namespace

Status DoubleBarrier::leave(std::optional<milliseconds> wait) {
  if (mine_.empty()) return Error{ErrorCode::kInvalidArgument, "it has not entered this barrier"};
  // The mark is that of our round for as long as we are there.
  const Result<std::optional<Stat>> round = client_.exists(ready(path_));
  if (!round.ok()) return not_left(round.error());
  const Status removed = client_.remove(mine_);
  if (!removed.ok() && removed.code() != ErrorCode::kNoNode) return not_left(removed.error());
  mine_.clear();
  if (!*round) return {};
  const Result<bool> left = wait_for<bool>(client_, path_, wait, "not all have left the barrier in time",
                                           [&]() -> Result<std::optional<bool>> {
                                             const auto marked = client_.exists(ready(path_));
                                             if (!marked.ok()) return marked.error();
                                             // Others may be in the next round already.
                                             if (!*marked || (*marked)->czxid != (*round)->czxid)
                                               return std::optional<bool>(true);
                                             const Result<bool> busy = forget_finished_round();
                                             if (!busy.ok()) return busy.error();
                                             return *busy ? std::optional<bool>() : std::optional<bool>(true);
                                           });
  return left.ok() ? Status() : Status(left.error());
}

}  // namespace quorate::client
