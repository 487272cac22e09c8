#include "client/quorate/election.h"

#include "client/recipes/wait.h"

namespace quorate::client {
namespace {

Candidate candidate(const Contender& contender, bool leads) {
  return {contender.name, contender.token, contender.session, contender.node, leads};
}

Status check_value(std::string_view value) {
  if (!value.starts_with("quorate:")) return {};
  return Error{ErrorCode::kInvalidArgument,
               "the value of an election must not begin with quorate:, which says how locks are held"};
}

}  // namespace

Status Leadership::proclaim(std::string_view value) {
  if (Status status = check_value(value); !status.ok()) return status;
  Multi multi;
  multi.check_held(path(), token()).set(node(), value);
  const MultiResult done = client_->run(multi);
  return done.ok() ? Status() : Status(done.error);
}

Result<Leadership> Election::campaign(std::string_view value, std::optional<milliseconds> wait) {
  if (Status status = check_value(value); !status.ok()) return status.error();
  Result<Lock> lock = client_.acquire(path_, {.wait = wait, .data = std::string(value)});
  if (!lock.ok()) return lock.error();
  return Leadership(client_, std::move(*lock));
}

Result<std::optional<Candidate>> Election::leader() {
  const Result<LockInfo> lock = client_.lock_show(path_);
  if (lock.code() == ErrorCode::kNoNode) return std::optional<Candidate>();
  if (!lock.ok()) return lock.error();
  if (!lock->holder) return std::optional<Candidate>();
  return std::optional<Candidate>(candidate(*lock->holder, true));
}

Result<std::vector<Candidate>> Election::candidates() {
  const Result<LockInfo> lock = client_.lock_show(path_);
  std::vector<Candidate> all;
  if (lock.code() == ErrorCode::kNoNode) return all;
  if (!lock.ok()) return lock.error();
  if (lock->holder) all.push_back(candidate(*lock->holder, true));
  for (const Contender& waiter : lock->waiters) all.push_back(candidate(waiter, false));
  return all;
}

Result<std::optional<Candidate>> Election::next_leader(const std::optional<Candidate>& known,
                                                       std::optional<milliseconds> wait) {
  using Leader = std::optional<Candidate>;
  return wait_for<Leader>(client_, path_, wait, "the leader did not change in time",
                          [&]() -> Result<std::optional<Leader>> {
                            const Result<Leader> now = leader();
                            if (!now.ok()) return now.error();
                            return *now == known ? std::optional<Leader>() : std::optional<Leader>(*now);
                          });
}

}  // namespace quorate::client
