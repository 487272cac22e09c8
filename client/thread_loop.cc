#include "client/thread_loop.h"

#include <sys/timerfd.h>
#include <time.h>

#include <cerrno>
#include <csignal>
#include <system_error>
#include <utility>

#include <boost/asio/buffer.hpp>
#include <boost/asio/post.hpp>

#include "base/check.h"

namespace quorate::client {

namespace asio = boost::asio;
using boost::system::error_code;

Instant boot_time() {
  timespec now{};
  CHECK(clock_gettime(CLOCK_BOOTTIME, &now) == 0);
  return Instant(std::chrono::seconds(now.tv_sec) + Duration(now.tv_nsec));
}

namespace {

int make_timer() {
  const int fd = timerfd_create(CLOCK_BOOTTIME, TFD_NONBLOCK | TFD_CLOEXEC);
  if (fd < 0) throw std::system_error(errno, std::generic_category());
  return fd;
}

}  // namespace

// A question over a connection of its own: lives until it is answered.
struct ThreadLoop::Question {
  Question(asio::io_context& io, std::function<void(Result<api::Reply>)> on_done)
      : timer(io), done(std::move(on_done)) {}

  void finish(Result<api::Reply> result) {
    timer.cancel();
    if (connection) std::exchange(connection, nullptr)->close();
    if (auto call = std::exchange(done, nullptr)) call(std::move(result));
  }

  std::shared_ptr<Connection> connection;
  asio::steady_timer timer;
  bool connected = false;
  std::function<void(Result<api::Reply>)> done;
};

ThreadLoop::ThreadLoop(EngineOptions options, std::vector<HostPort> places, Resolve resolve)
    : places_(std::move(places)),
      attempts_(places_.size()),
      resolve_(resolve ? std::move(resolve) : resolve_by(lookups_)),
      work_(asio::make_work_guard(io_)),
      timer_(io_, make_timer()),
      engine_(std::move(options), boot_time()) {
  wait_for_timer();
  thread_ = std::thread([this] {
    runs_on_ = std::this_thread::get_id();
    // Signals are for the program's own threads.
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, nullptr);
    io_.run();
  });
}

ThreadLoop::~ThreadLoop() { ThreadLoop::stop(); }

void ThreadLoop::stop() {
  {
    const std::lock_guard lock(mutex_);
    if (std::exchange(stopped_, true)) return;
  }
  asio::post(io_, [this] {
    run_tasks();
    engine_.stop(boot_time());
    obey();
    for (const std::weak_ptr<Question>& each : questions_)
      if (const auto question = each.lock())
        question->finish(Error{ErrorCode::kShuttingDown, "the client was closed"});
    io_.stop();
  });
  if (thread_.joinable()) thread_.join();
}

bool ThreadLoop::post(Task task) {
  bool wake = false;
  {
    const std::lock_guard lock(mutex_);
    if (stopped_) return false;
    wake = tasks_.empty();
    tasks_.push_back(std::move(task));
  }
  if (wake) asio::post(io_, [this] { run_tasks(); });
  return true;
}

void ThreadLoop::run_tasks() {
  std::vector<Task> tasks;
  {
    const std::lock_guard lock(mutex_);
    tasks.swap(tasks_);
  }
  const Instant now = boot_time();
  for (Task& task : tasks) task(engine_, now);
  obey();
}

void ThreadLoop::obey() {
  Engine::Output out = engine_.take_output();
  publish(engine_);
  if (out.drop) drop();
  if (out.connect) connect(*out.connect);
  if (!out.frames.empty() && connection_) connection_->send(out.frames);
  for (auto& completion : out.completions) completion();
  arm_timer();
}

void ThreadLoop::drop() {
  if (connection_) std::exchange(connection_, nullptr)->close();
}

void ThreadLoop::connect(size_t endpoint) {
  drop();
  Connection::Handler handler;
  handler.connected = [this] {
    engine_.connected(boot_time());
    obey();
  };
  handler.received = [this](std::vector<api::ServerFrame> frames) {
    // Taken after the last byte was read, so that a pause before the read counts.
    const Instant now = boot_time();
    for (const api::ServerFrame& frame : frames) engine_.received(now, frame);
    obey();
  };
  handler.closed = [this](const std::string& reason) {
    connection_ = nullptr;
    engine_.disconnected(boot_time(), reason);
    obey();
  };
  connection_ = std::make_shared<Connection>(io_, std::move(handler), resolve_);
  // What did not work before would take up the time of this attempt, too.
  connection_->connect(places_[endpoint], attempts_[endpoint]++);
}

void ThreadLoop::arm_timer() {
  const Instant deadline = engine_.deadline();
  // A timer that fires early only looks again.
  if (deadline >= armed_) return;
  armed_ = deadline;
  // 0 would disarm it; the past fires at once.
  const int64_t ns = std::max<int64_t>(1, deadline.time_since_epoch().count());
  itimerspec when{};
  when.it_value.tv_sec = ns / 1'000'000'000;
  when.it_value.tv_nsec = ns % 1'000'000'000;
  CHECK(timerfd_settime(timer_.native_handle(), TFD_TIMER_ABSTIME, &when, nullptr) == 0);
}

void ThreadLoop::wait_for_timer() {
  timer_.async_read_some(asio::buffer(&timer_ticks_, sizeof(timer_ticks_)), [this](error_code error, size_t) {
    if (error == asio::error::operation_aborted) return;
    armed_ = kNever;
    engine_.tick(boot_time());
    obey();
    wait_for_timer();
  });
}

void ThreadLoop::ask(const HostPort& where, api::ClientFrame frame, Duration timeout,
                     std::function<void(Result<api::Reply>)> done) {
  auto question = std::make_shared<Question>(io_, std::move(done));
  std::erase_if(questions_, [](const auto& each) { return each.expired(); });
  questions_.push_back(question);
  const std::string name = where.host + ":" + where.port;
  frame.set_id(1);
  Connection::Handler handler;
  // The connection holds the question, and the question the connection, until finish(); that is posted,
  // because it must not end a handler that runs.
  handler.connected = [question] { question->connected = true; };
  handler.received = [this, question](const std::vector<api::ServerFrame>& frames) {
    for (const api::ServerFrame& each : frames) {
      if (!each.has_reply() || each.reply().id() != 1) continue;
      const Error error = error_of(each.reply());
      asio::post(io_,
                 [question, result = error.ok() ? Result<api::Reply>(each.reply())
                                                : Result<api::Reply>(error)] { question->finish(result); });
    }
  };
  handler.closed = [this, question, name](const std::string& reason) {
    asio::post(io_, [question, name, reason] {
      question->finish(Error{ErrorCode::kUnavailable, name + ": " + reason});
    });
  };
  question->connection = std::make_shared<Connection>(io_, std::move(handler), resolve_);
  question->timer.expires_after(timeout);
  question->timer.async_wait([question, name, timeout](error_code error) {
    if (error) return;
    question->finish(
        question->connected
            ? Error{ErrorCode::kTimeout, name + " did not answer in " + seconds_text(timeout)}
            : Error{ErrorCode::kUnavailable, name + ": no connection in " + seconds_text(timeout)});
  });
  question->connection->connect(where);
  question->connection->send({frame});
}

}  // namespace quorate::client
