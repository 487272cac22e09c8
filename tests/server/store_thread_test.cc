// The thread of the checkpoints, over a folder that does what it is told.
#include "server/shell/store_thread.h"

#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <vector>

#include "tests/server/loop_fixture.h"

namespace quorate::server {
namespace {

// What the folder was asked for and how it answers: shared, since the thread owns the folder.
struct Script {
  std::mutex mutex;
  std::vector<uint64_t> ran;       // ids, with repetitions
  std::vector<ErrorCode> answers;  // of the next runs; then kOk
  std::atomic<bool> blocks{false};
  std::promise<void> started, go_on;
};

class ScriptedFolder final : public StateFolder {
 public:
  explicit ScriptedFolder(std::shared_ptr<Script> script) : script_(std::move(script)) {}

  Result<StoreDone> run(StoreJob& job) override {
    if (script_->blocks.exchange(false)) {
      script_->started.set_value();
      script_->go_on.get_future().wait();
    }
    const std::lock_guard lock(script_->mutex);
    script_->ran.push_back(job.id);
    if (script_->answers.empty()) return StoreDone{job.id, {}, {}};
    const ErrorCode code = script_->answers.front();
    script_->answers.erase(script_->answers.begin());
    if (code == ErrorCode::kOk) return StoreDone{job.id, {}, {}};
    return {code, "the disk says so"};
  }
  uint64_t bytes_written() const override { return 0; }

 private:
  const std::shared_ptr<Script> script_;
};

class StoreThreadTest : public testing::Test {
 protected:
  void start() {
    store_ = std::make_unique<StoreThread>(
        loop_, std::make_unique<ScriptedFolder>(script_), std::chrono::milliseconds(1),
        StoreThread::Handlers{[this](StoreDone done) { done_.push_back(done.id); },
                              [this](const Error& error) { failed_.push_back(error); },
                              [this](const LogLine& line) { lines_.push_back(line.text); }});
  }
  void run(uint64_t id) { store_->run({id, CloseSnapshot{id}}); }
  std::vector<uint64_t> ran() {
    const std::lock_guard lock(script_->mutex);
    return script_->ran;
  }

  const std::shared_ptr<Script> script_ = std::make_shared<Script>();
  boost::asio::io_context loop_{1};
  std::unique_ptr<StoreThread> store_;
  std::vector<uint64_t> done_;
  std::vector<Error> failed_;
  std::vector<std::string> lines_;
};

TEST_F(StoreThreadTest, JobsAreRunAndAnsweredInTheirOrder) {
  start();
  std::vector<uint64_t> ids;
  for (uint64_t id = 1; id <= 50; ++id) {
    run(id);
    ids.push_back(id);
  }
  ASSERT_TRUE(run_until(loop_, [&] { return done_.size() == 50; }));
  EXPECT_EQ(done_, ids);
  EXPECT_EQ(ran(), ids);
}

TEST_F(StoreThreadTest, AFullDiskIsWaitedOutWithTheSameJob) {
  script_->answers = {ErrorCode::kOk, ErrorCode::kNoSpace, ErrorCode::kNoSpace, ErrorCode::kNoSpace};
  start();
  for (uint64_t id = 1; id <= 3; ++id) run(id);
  ASSERT_TRUE(run_until(loop_, [&] { return done_.size() == 3; }));
  EXPECT_EQ(ran(), (std::vector<uint64_t>{1, 2, 2, 2, 2, 3}));
  EXPECT_TRUE(failed_.empty());
  EXPECT_FALSE(store_->is_full());
  ASSERT_EQ(lines_.size(), 2U) << "told once, and once that it is over";
  EXPECT_NE(lines_[0].find("the disk says so"), std::string::npos);
}

TEST_F(StoreThreadTest, AFailureIsToldOnceAndNothingIsRunBehindIt) {
  script_->answers = {ErrorCode::kOk, ErrorCode::kIo};
  start();
  for (uint64_t id = 1; id <= 4; ++id) run(id);
  ASSERT_TRUE(run_until(loop_, [&] { return !failed_.empty(); }));
  run(5);
  store_.reset();
  loop_.restart();
  loop_.poll();
  EXPECT_EQ(done_, (std::vector<uint64_t>{1}));
  EXPECT_EQ(ran(), (std::vector<uint64_t>{1, 2}));
  ASSERT_EQ(failed_.size(), 1U);
  EXPECT_EQ(failed_[0].code, ErrorCode::kIo);
}

TEST_F(StoreThreadTest, TheEndWaitsForTheJobThatRunsAndDropsTheOthers) {
  script_->blocks = true;
  start();
  for (uint64_t id = 1; id <= 3; ++id) run(id);
  script_->started.get_future().wait();
  std::thread lets_go([this] { script_->go_on.set_value(); });
  store_.reset();
  lets_go.join();
  loop_.restart();
  loop_.poll();
  EXPECT_EQ(ran().front(), 1U);
  EXPECT_TRUE(done_.empty()) << "nobody is there to be told any more";
}

TEST_F(StoreThreadTest, TheEndDoesNotWaitForAFullDisk) {
  script_->answers.assign(1'000'000, ErrorCode::kNoSpace);
  start();
  run(1);
  ASSERT_TRUE(run_until(loop_, [&] { return !lines_.empty(); }));
  EXPECT_TRUE(store_->is_full());
  store_.reset();
  EXPECT_TRUE(done_.empty());
  EXPECT_TRUE(failed_.empty());
}

}  // namespace
}  // namespace quorate::server
