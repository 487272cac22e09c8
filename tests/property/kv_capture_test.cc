// Captures of random histories: begun at any point, taken in slices of any size while the history goes on,
// written one over the other into one store, and loaded again.
#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include "base/random.h"
#include "tests/kv/checkpoints.h"
#include "tests/property/kv_history.h"

namespace quorate::kv {
namespace {

// So few that histories reach them, and changes are forgotten while they are captured.
Limits small_limits(uint64_t pick) {
  Limits limits;
  limits.results_max = 5;
  limits.history_bytes_max = pick % 3 == 0 ? 200 : pick % 3 == 1 ? 2'000 : 8 << 20;
  return limits;
}

// A state machine beside a store, as a server has it: captures go on between its entries, and at times it is
// lost and loaded again, with the entries behind the last whole capture applied once more.
class Server {
 public:
  Server(uint64_t seed, bool may_restart)
      : random_(seed), restarts_(may_restart), limits_(small_limits(seed)), state_(limits_) {}

  Applied apply(const std::string& payload) {
    log_.push_back(payload);
    Applied applied = state_.apply(state_.applied().next(), payload);
    work_on_capture();
    return applied;
  }
  const StateMachine& state() const { return state_; }
  const Limits& limits() const { return limits_; }

  // Goes on until the capture under way is through, or makes one.
  void finish_capture() {
    if (!capturing_) begin();
    while (capturing_) slice();
  }
  size_t captures = 0;
  size_t restarts = 0;

 private:
  void work_on_capture() {
    if (!capturing_ && random_.below(4) == 0) begin();
    for (uint64_t slices = random_.below(3); capturing_ && slices > 0; --slices) slice();
    if (restarts_ && captures > 0 && random_.below(12) == 0) restart();
  }

  void begin() {
    capturing_ = true;
    begun_at_ = state_.applied();
    expected_ = describe(state_);
    records_.clear();
    state_.begin_capture();
  }

  void slice() {
    if (!state_.capture(random_.below(3) == 0 ? 1 : random_.below(400), records_)) return;
    capturing_ = false;
    write(store_, records_);
    captured_ = begun_at_;
    ++captures;
    const Result<StateMachine> loaded = load(store_, limits_);
    if (!loaded.ok()) RC_FAIL(loaded.error().message);
    RC_ASSERT(loaded->check_consistency() == std::nullopt);
    RC_ASSERT(describe(*loaded) == expected_);
    RC_ASSERT(loaded->dirty_bytes() == 0U);
  }

  // With a capture under way or not: what was not written whole is lost.
  void restart() {
    const std::string before = describe(state_);
    Result<StateMachine> loaded = load(store_, limits_);
    RC_ASSERT(loaded.ok());
    state_ = std::move(*loaded);
    capturing_ = false;
    for (size_t i = captured_.value(); i < log_.size(); ++i)
      (void)state_.apply(state_.applied().next(), log_[i]);
    RC_ASSERT(describe(state_) == before);
    ++restarts;
  }

  Random random_;
  const bool restarts_;
  const Limits limits_;
  StateMachine state_;
  Store store_;
  std::vector<std::string> log_;
  bool capturing_ = false;
  Index begun_at_, captured_;
  std::string expected_;
  RecordList records_;
};

void compare(const Applied& a, const Applied& b) {
  RC_ASSERT(a.outcomes.size() == b.outcomes.size());
  for (size_t i = 0; i < a.outcomes.size(); ++i) {
    RC_ASSERT(a.outcomes[i].outcome == b.outcomes[i].outcome);
    RC_ASSERT(a.outcomes[i].repeated == b.outcomes[i].repeated);
  }
  RC_ASSERT(a.origin_outcomes.size() == b.origin_outcomes.size());
  for (size_t i = 0; i < a.origin_outcomes.size(); ++i)
    RC_ASSERT(a.origin_outcomes[i].outcome == b.origin_outcomes[i].outcome);
  RC_ASSERT(a.changes.size() == b.changes.size());
}

struct Counts {
  size_t captures = 0;
  size_t restarts = 0;
};

// Beside a twin that knows nothing of captures.
Counts run(const std::vector<Step>& steps, uint64_t seed, bool restarts) {
  Server server(seed, restarts);
  StateMachine twin(server.limits());
  History history(twin);
  for (const Step& step : steps) {
    const Command command = history.command(step);
    const std::string payload = payload_of(command, history.stamp(step));
    const Applied expected = twin.apply(twin.applied().next(), payload);
    compare(server.apply(payload), expected);
    RC_ASSERT(server.state().state_hash() == twin.state_hash());
    RC_ASSERT(server.state().check_consistency() == std::nullopt);
  }
  RC_ASSERT(describe(server.state()) == describe(twin));
  server.finish_capture();
  server.finish_capture();
  return {server.captures, server.restarts};
}

RC_GTEST_PROP(KvCapture, GivesTheStateAsItWasAtTheBeginning, (uint64_t seed)) {
  (void)run(*histories(), seed, false);
}

RC_GTEST_PROP(KvCapture, ARestartAnywhereGoesOnTheSame, (uint64_t seed)) {
  (void)run(*histories(), seed, true);
}

// Longer than RapidCheck draws them, and proof that captures and restarts do come.
TEST(KvCaptureLong, ManyCapturesOneOverTheOther) {
  Random random(77);
  Counts counts;
  for (uint64_t round = 0; round < 24; ++round) {
    std::vector<Step> steps(500);
    for (Step& step : steps) {
      for (uint8_t& byte : step) byte = static_cast<uint8_t>(random.below(255));
    }
    const Counts of_round = run(steps, round, round % 2 == 1);
    counts.captures += of_round.captures;
    counts.restarts += of_round.restarts;
  }
  EXPECT_GE(counts.captures, 500U);
  EXPECT_GE(counts.restarts, 100U);
}

// A scrub in slices of any size, while entries are applied: sound memory is never called damaged.
RC_GTEST_PROP(KvCaptureScrub, FindsNothingWhereNothingIs, (uint64_t seed)) {
  Random random(seed);
  StateMachine state(small_limits(seed));
  History history(state);
  const std::vector<Step> steps = *histories();
  for (const Step& step : steps) {
    const Command command = history.command(step);
    (void)state.apply(state.applied().next(), payload_of(command, history.stamp(step)));
    RC_ASSERT(state.scrub(random.below(8)).value_or(true));
  }
}

}  // namespace
}  // namespace quorate::kv
