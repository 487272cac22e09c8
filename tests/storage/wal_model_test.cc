// Random operations against the log and its slow twin, with a power loss, a killed process or an error at any
// step.
#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <ostream>

#include "base/random.h"
#include "tests/storage/wal_twin.h"

namespace quorate::storage_test {
namespace {

struct Op {
  enum Kind : uint8_t { kAppend, kReplace, kTerm, kVote, kSync, kIdle, kCut, kReset, kReopen };
  Kind kind = kSync;
  uint32_t a = 0;
  uint32_t b = 0;
};

std::ostream& operator<<(std::ostream& out, const Op& op) {
  static const char* const names[] = {"append", "replace", "term",  "vote",  "sync",
                                      "idle",   "cut",     "reset", "reopen"};
  return out << names[op.kind] << '(' << op.a << ',' << op.b << ')';
}

rc::Gen<Op> any_op() {
  const auto kind = rc::gen::weightedElement<Op::Kind>({{8, Op::kAppend},
                                                        {2, Op::kReplace},
                                                        {1, Op::kTerm},
                                                        {1, Op::kVote},
                                                        {8, Op::kSync},
                                                        {2, Op::kIdle},
                                                        {2, Op::kCut},
                                                        {1, Op::kReset},
                                                        {1, Op::kReopen}});
  return rc::gen::build<Op>(rc::gen::set(&Op::kind, kind),
                            rc::gen::set(&Op::a, rc::gen::inRange<uint32_t>(0, 1000)),
                            rc::gen::set(&Op::b, rc::gen::inRange<uint32_t>(0, 1000)));
}

// Drives one log and its twin; an error from the disk ends the run of the log, as it ends a server.
class Run {
 public:
  explicit Run(SimFileSystem& disk) : disk_(disk) {}

  bool start() {
    auto created = Wal::create(disk_, kDirectory, test_identity(), small_segments());
    if (!created.ok()) return false;
    wal_ = std::move(*created);
    return true;
  }

  // False when the log gave up.
  bool step(const Op& op) {
    const TwinState& log = twin_.wanted;
    const uint64_t entries = log.entries.size();
    switch (op.kind) {
      case Op::kAppend:
        return append(log.last().next(), op);
      case Op::kReplace:
        return append(log.snapshot_index.next() + (entries == 0 ? 0 : op.b % entries), op);
      case Op::kTerm:
        return hard_state({log.hard_state.term + (1 + op.a % 3), ServerId(op.b % 4)});
      case Op::kVote: {
        raft::HardState voted = log.hard_state;
        if (voted.vote.value() == 0) voted.vote = ServerId(1 + op.a % 3);
        return hard_state(voted);
      }
      case Op::kSync:
        return sync();
      case Op::kIdle:
        return wal_->idle().ok();
      case Op::kCut: {
        const Index index = log.snapshot_index + op.a % (entries + 1);
        return cut(index, log.term_at(index));
      }
      case Op::kReset:
        return cut(log.last() + (op.a % 50), log.hard_state.term + 1);
      case Op::kReopen:
        wal_.reset();
        disk_.process_restart();
        return reopen();
    }
    return false;
  }

  bool reopen() {
    wal_.reset();
    if (!Wal::exists(disk_, kDirectory)) {
      RC_ASSERT(!created_);
      return start();
    }
    auto opened = Wal::open(disk_, kDirectory, test_identity(), small_segments());
    if (!opened.ok()) {
      if (opened.code() == ErrorCode::kCorruption) RC_FAIL(opened.error().message);
      return false;
    }
    const TwinState found = TwinState::of(opened->recovered);
    if (const auto wrong = twin_.judge(found)) RC_FAIL(*wrong);
    twin_.restart_from(found);
    wal_ = std::move(opened->wal);
    created_ = true;
    return true;
  }

 private:
  bool append(Index first, const Op& op) {
    const uint64_t term = std::max<uint64_t>(1, twin_.wanted.hard_state.term.value());
    const size_t size = op.a % 20 == 0 ? op.b * 5 : op.b % 60;
    const auto entries = entries_of(term, first.value(), 1 + op.a % 7, size);
    twin_.append(entries);
    return wal_->append(std::nullopt, entries).ok();
  }
  bool hard_state(const raft::HardState& state) {
    twin_.set_hard_state(state);
    return wal_->append(state, {}).ok();
  }
  bool sync() {
    if (!wal_->sync().ok()) return false;
    created_ = true;
    twin_.synced();
    return true;
  }
  bool cut(Index index, Term term) {
    if (!sync()) return false;
    twin_.wanted.cut(index, term);
    if (!wal_->cut(index, term).ok()) return false;
    twin_.synced();
    return true;
  }

  SimFileSystem& disk_;
  std::unique_ptr<Wal> wal_;
  Twin twin_;
  bool created_ = false;
};

RC_GTEST_PROP(WalModel, NothingPromisedIsLostAtAPowerLossAtAnyStep, ()) {
  SimFileSystem disk;
  Random random(*rc::gen::arbitrary<uint64_t>());
  Run run(disk);
  const int lives = *rc::gen::inRange(1, 6);
  for (int life = 0; life < lives; ++life) {
    disk.crash_at_step(1 + random.below(60));
    if (run.reopen()) {
      for (const Op& op : *rc::gen::container<std::vector<Op>>(any_op())) {
        if (!run.step(op)) break;
      }
    }
    disk.power_loss(random);
    // A recovery that is itself interrupted.
    while (random.chance(0.3)) {
      disk.crash_at_step(1 + random.below(8));
      (void)run.reopen();
      disk.power_loss(random);
    }
  }
  RC_ASSERT(run.reopen());
}

}  // namespace
}  // namespace quorate::storage_test
