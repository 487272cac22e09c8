// Parts of a state over a network that loses, doubles and reorders them, from a sender that forgets what it
// was sending: what is put together in the end is always a state.
#include <gtest/gtest.h>

#include <variant>
#include <vector>

#include "base/checksum.h"
#include "base/random.h"
#include "raft/configuration.h"
#include "server/replica_snapshots.h"
#include "tests/kv/machine.h"
#include "tests/replica/fake_store.h"

namespace quorate::server {
namespace {

using std::chrono::milliseconds;

constexpr ServerId kSender(1);
constexpr ServerId kReceiver(2);
constexpr size_t kPartBytes = 150;

class Delivery {
 public:
  explicit Delivery(uint64_t seed) : random_(seed), session_(machine_.open()) {
    for (int i = 0; i < 30; ++i) machine_.run(session_, kv::create("/n" + std::to_string(i), "data"));
    checkpoint();
    at_.needed = true;
    at_.at_least = Index(1);
    at_.leader = kSender;
    at_.cluster = ClusterId(9);
    at_.durable_term = Term(1);
    begin_sender();
  }

  // True when a state was received.
  bool step() {
    at_.now = at_.now + milliseconds(random_.below(20));
    receiver_.advance(at_);
    sender_->tick(at_.now);
    if (random_.chance(0.03)) begin_sender();
    if (random_.chance(0.03)) checkpoint();
    run_jobs(sender_jobs_, sender_store_, [this](StoreDone& done) { (void)sender_->done(done, Term(1)); });
    run_jobs(receiver_jobs_, receiver_store_, [this](StoreDone& done) {
      EXPECT_TRUE(done.error.ok()) << done.error.message;
      (void)receiver_.done(done, at_.now);
    });
    for (auto& [to, fetch] : receiver_.take_messages()) wire_.emplace_back(std::move(fetch));
    for (auto& [to, chunk] : sender_->take_messages()) wire_.emplace_back(std::move(chunk));
    if (!wire_.empty()) deliver(random_.below(wire_.size()));
    return receiver_.take_received().has_value();
  }

 private:
  void checkpoint() {
    machine_.run(session_,
                 kv::SetOp{"/n" + std::to_string(random_.below(30)), std::to_string(random_.next())});
    WriteCheckpoint job;
    job.name = {at_.cluster == ClusterId() ? ClusterId(9) : at_.cluster, machine_.state.applied(), Term(1),
                Bytes(raft::encode_configuration({})), machine_.state.state_hash()};
    machine_.state.begin_capture();
    while (!machine_.state.capture(1 << 20, job.records)) {
    }
    (void)sender_store_.run(StoreJob{1, std::move(job)});
  }

  // In a new life it knows of no snapshot.
  void begin_sender() {
    (void)sender_jobs_.take();
    sender_store_.restart();
    sender_.emplace(sender_jobs_, random_.next(), kPartBytes);
  }

  template <class Answer>
  void run_jobs(StoreJobs& jobs, test::FakeStore& store, const Answer& answer) {
    for (const StoreJob& job : jobs.take()) {
      StoreDone done = store.run(job);
      answer(done);
    }
  }

  void deliver(size_t which) {
    auto message = wire_[which];
    if (!random_.chance(0.3)) wire_.erase(wire_.begin() + static_cast<std::ptrdiff_t>(which));
    if (wire_.size() > 30) wire_.erase(wire_.begin());
    if (random_.chance(0.1)) return;  // lost
    if (auto* fetch = std::get_if<SnapshotFetch>(&message)) {
      sender_->fetch(kReceiver, *fetch, sender_store_.name()->index, at_.now);
    } else {
      (void)receiver_.take(kSender, std::get<SnapshotChunk>(message), at_);
    }
  }

  Random random_;
  kv::Machine machine_;
  SessionId session_;
  SnapshotReceiver::Situation at_;
  StoreJobs sender_jobs_, receiver_jobs_;
  test::FakeStore sender_store_, receiver_store_;
  std::optional<SnapshotSender> sender_;
  SnapshotReceiver receiver_{{kReceiver, BootNonce(5), milliseconds(50)}, receiver_jobs_};
  std::vector<std::variant<SnapshotFetch, SnapshotChunk>> wire_;
};

TEST(SnapshotDelivery, WhateverTheNetworkDoesAStateIsPutTogetherRightly) {
  constexpr int kStepsMax = 20'000;
  for (uint64_t seed = 1; seed <= 200; ++seed) {
    Delivery delivery(seed);
    int steps = 0;
    while (steps < kStepsMax && !delivery.step()) ++steps;
    EXPECT_LT(steps, kStepsMax) << "seed " << seed << ": it never arrives";
    if (testing::Test::HasFailure()) FAIL() << "seed " << seed;
  }
}

// A receiver that has got the first part, and has asked for the next.
class SnapshotParts : public testing::Test {
 protected:
  SnapshotParts() {
    at_.needed = true;
    at_.at_least = Index(500);
    at_.of_use = Index(491);
    at_.leader = kSender;
    at_.cluster = ClusterId(9);
    at_.durable_term = Term(1);
    receiver_.advance(at_);
    EXPECT_EQ(receiver_.take_messages().size(), 1U);
    EXPECT_TRUE(receiver_.take(kSender, part("", "k"), at_));
    receiver_.advance(at_);
    EXPECT_EQ(receiver_.take_messages().size(), 1U);
  }
  SnapshotChunk part(const std::string& after, const std::string& last) const {
    SnapshotChunk chunk;
    chunk.asker = BootNonce(5);
    chunk.term = Term(1);
    chunk.snapshot = 7;
    chunk.after = after;
    chunk.name = Bytes(
        encode_state_name({at_.cluster, Index(510), Term(1), Bytes(raft::encode_configuration({})), 1}));
    chunk.records = Bytes(std::string("records"));
    chunk.checksum = checksum64(chunk.records.view());
    chunk.last_key = last;
    return chunk;
  }

  SnapshotReceiver::Situation at_;
  StoreJobs jobs_;
  SnapshotReceiver receiver_{{kReceiver, BootNonce(5), milliseconds(50)}, jobs_};
};

// Who begins anew has asked for the first part: one from the middle that is late would leave a gap before it.
TEST_F(SnapshotParts, ALateOneOfWhatWasGivenUpIsNotTheBeginningOfTheNext) {
  SnapshotChunk refusal = part("k", "");
  refusal.error = Error{ErrorCode::kCorruption, "a block is damaged"};
  EXPECT_FALSE(receiver_.take(kSender, refusal, at_));
  at_.now = at_.now + milliseconds(60);
  receiver_.advance(at_);
  ASSERT_EQ(receiver_.take_messages().size(), 1U) << "for the first part";
  EXPECT_FALSE(receiver_.take(kSender, part("k", "p"), at_));
  EXPECT_TRUE(receiver_.take(kSender, part("", "k"), at_));
}

// The log went on, from a leader whose log reached further back than that of the sender: a state that ends
// before what was applied meanwhile must not take its place.
TEST_F(SnapshotParts, OfAStateThatTheLogHasOvertakenAnotherIsAskedFor) {
  // Older than what the log begins with by now it may be; older than what is applied it may not.
  at_.at_least = Index(2000);
  at_.of_use = Index(511);
  SnapshotChunk last = part("k", "l");
  last.complete = true;
  ASSERT_TRUE(receiver_.take(kSender, last, at_));
  receiver_.advance(at_);
  EXPECT_FALSE(receiver_.finishing());
  const auto asked = receiver_.take_messages();
  ASSERT_EQ(asked.size(), 1U);
  EXPECT_EQ(asked.front().second.snapshot, 0U);
  EXPECT_EQ(asked.front().second.at_least, Index(2000));
}

}  // namespace
}  // namespace quorate::server
