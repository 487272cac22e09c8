#include "tests/sim/library_client.h"

#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <map>
#include <utility>

#include "base/check.h"
#include "client/wire.h"
#include "server/shell/client_codec.h"

namespace quorate::sim {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

// A thread that is told something runs within this time.
constexpr Duration kWakeMax = microseconds(80);
constexpr double kKillChance = 0.4, kSilenceChance = 0.02;

std::string bytes_of(const server::OutputQueue& queue) {
  std::array<iovec, 8> pieces{};
  std::string bytes;
  server::OutputQueue rest = queue;
  while (!rest.empty()) {
    const size_t count = rest.gather(pieces);
    size_t taken = 0;
    for (size_t i = 0; i < count; ++i) {
      bytes.append(static_cast<const char*>(pieces[i].iov_base), pieces[i].iov_len);
      taken += pieces[i].iov_len;
    }
    rest.consume(taken);
  }
  return bytes;
}

}  // namespace

// A fiber that waits.
struct LibraryClient::Waiter {
  Fiber* fiber;
  std::mutex* mutex;
  const std::function<bool()>* ready;
  Instant until;
  bool resumed = false;  // or about to be

  bool is_ready() const {
    const std::lock_guard lock(*mutex);
    return (*ready)();
  }
};

// Runs the engine as client/thread_loop.cc does. Its steps are events of the scheduler: what it calls is on
// no fiber, as that of the real one is on no thread of the program's.
class LibraryClient::MachineLoop final : public client::Loop {
 public:
  MachineLoop(LibraryClient& machine, client::EngineOptions options)
      : machine_(machine), engine_(std::move(options), machine.local_now()) {
    publish(engine_);
    machine_.loop_ = this;
  }
  ~MachineLoop() override {
    MachineLoop::stop();
    if (machine_.loop_ == this) machine_.loop_ = nullptr;
  }

  bool post(Task task) override {
    if (stopped_) return false;
    tasks_.push_back(std::move(task));
    if (tasks_.size() == 1) later(machine_.random_.between(Duration(0), kWakeMax), [this] { run_tasks(); });
    return true;
  }

  void ask(const client::HostPort&, api::ClientFrame, Duration,
           std::function<void(Result<api::Reply>)>) override {
    CHECK_MSG(false, "no program of the simulator asks one server over a connection of its own");
  }

  void stop() override {
    if (std::exchange(stopped_, true)) return;
    run_tasks();
    engine_.stop(machine_.local_now());
    obey();
  }

  // The process ends, or its machine (`reset` is false): nobody hears of that.
  void kill(bool reset) {
    if (std::exchange(stopped_, true)) return;
    if (!reset) connection_ = ConnectionId();
    cut_off_ = true;
    run_tasks();
    engine_.stop(machine_.local_now());
    obey();
  }

  bool on_this_thread() const override { return stepping_; }

  bool is_asking() const { return !asked_.empty(); }
  const client::Engine& engine() const { return engine_; }

  // ---- what happens on connections

  void connected(ConnectionId id) {
    if (id != connection_ || stopped_) return;
    engine_.connected(machine_.local_now());
    obey();
  }

  void lost(ConnectionId id) {
    if (id != connection_ || stopped_) return;
    connection_ = ConnectionId();
    engine_.disconnected(machine_.local_now(), "the connection was closed");
    obey();
  }

  void received(const server::ClientMessage& message) {
    if (message.connection != connection_ || stopped_) return;
    if (const auto* reply = std::get_if<server::ClientReply>(&message.body)) hold_to_model(*reply);
    server::OutputQueue out;
    codec_.encode(message, out);
    const std::string bytes = bytes_of(out);
    client::FrameReader reader;
    reader.append(bytes.data(), bytes.size());
    while (true) {
      const auto frame = reader.next();
      CHECK_MSG(frame.ok(), "the library does not understand what a server sent");
      if (!*frame) break;
      engine_.received(machine_.local_now(), **frame);
    }
    obey();
  }

 private:
  // In so much time by the machine's clock, if there still is this loop.
  void later(Duration local, std::function<void()> action) {
    machine_.in(local, [alive = std::weak_ptr(alive_), action = std::move(action)] {
      if (!alive.expired()) action();
    });
  }

  void run_tasks() {
    const bool before = std::exchange(stepping_, true);
    for (Task& task : std::exchange(tasks_, {})) task(engine_, machine_.local_now());
    stepping_ = before;
    obey();
  }

  void obey() {
    client::Engine::Output out = engine_.take_output();
    publish(engine_);
    if (out.drop) drop();
    if (out.connect && !cut_off_) connect(*out.connect);
    if (connection_.value() != 0 && !cut_off_) {
      for (const api::ClientFrame& frame : out.frames) send(frame);
    }
    const bool before = std::exchange(stepping_, true);
    for (auto& completion : out.completions) completion();
    stepping_ = before;
    arm_timer();
    machine_.look_at_waiters();
  }

  void drop() {
    if (connection_.value() != 0) machine_.connections_.client_close(std::exchange(connection_, {}));
    asked_.clear();
  }

  void connect(size_t endpoint) {
    drop();
    ++machine_.links_;
    connection_ = machine_.connect_to(machine_.endpoints_.at(endpoint));
  }

  void send(const api::ClientFrame& frame) {
    std::string bytes;
    client::append_frame(bytes, frame);
    uint64_t id = 0;
    Result<server::ClientRequest> request =
        codec_.decode(connection_, std::string_view(bytes).substr(sizeof(uint32_t)), id);
    CHECK_MSG(request.ok(),
              "a server does not understand what the library sends: " + request.error().message);
    asked_[request->id] = request->body;
    machine_.connections_.client_send(connection_, request->id, std::move(request->body));
  }

  void hold_to_model(const server::ClientReply& reply) {
    const auto asked = asked_.find(reply.id);
    if (asked == asked_.end()) return;
    const Model& model = machine_.context_.model;
    const auto* write = std::get_if<server::WriteRequest>(&asked->second);
    const auto* outcome = std::get_if<kv::Outcome>(&reply.body);
    const ErrorCode code = outcome != nullptr ? outcome->code : reply.error.code;
    if (write != nullptr && code == ErrorCode::kOverloaded) {
      if (machine_.context_.plan.duplication == 0)
        require(model.check_refused(engine_.session(), write->number));
    } else if (write != nullptr && (code == ErrorCode::kRequestGap || code == ErrorCode::kTooManyResults)) {
      // It is asked for again: nothing is decided yet.
    } else if (write != nullptr && outcome != nullptr) {
      require(model.check_outcome(engine_.session(), write->number, *outcome));
      ++machine_.context_.statistics.outcomes_checked;
      machine_.context_.acknowledged = std::max(machine_.context_.acknowledged, outcome->zxid);
    } else if (write == nullptr) {
      require(model.check_read(asked->second, reply));
    }
    asked_.erase(asked);
  }

  // One that fires early only looks again.
  void arm_timer() {
    const Instant deadline = engine_.deadline();
    if (stopped_ || deadline >= armed_) return;
    armed_ = deadline;
    later(std::max(Duration(0), deadline - machine_.local_now()), [this, deadline] {
      if (stopped_ || deadline != armed_) return;
      armed_ = kNever;
      engine_.tick(machine_.local_now());
      obey();
    });
  }

  LibraryClient& machine_;
  client::Engine engine_;
  server::ClientCodec codec_;
  ConnectionId connection_;
  std::map<uint64_t, server::RequestBody> asked_;  // over this connection, by id
  std::vector<Task> tasks_;
  Instant armed_ = kNever;
  bool stopped_ = false, cut_off_ = false, stepping_ = false;
  const std::shared_ptr<bool> alive_ = std::make_shared<bool>();
};

class LibraryClient::MachineHost final : public client::Host {
 public:
  explicit MachineHost(LibraryClient& machine) : machine_(machine) {}

  Instant now() const override { return machine_.local_now(); }
  int64_t wall_ms() const override { return machine_.clock().sample(machine_.context_.now()).wall_ms; }

  std::string random_bytes(size_t size) override {
    std::string bytes(size, '\0');
    for (char& byte : bytes) byte = static_cast<char>(machine_.random_.below(256));
    return bytes;
  }

  bool wait(std::unique_lock<std::mutex>& lock, std::condition_variable&, Instant until,
            const std::function<bool()>& ready) override {
    Fiber* const fiber = Fiber::current();
    CHECK_MSG(fiber != nullptr, "something waits on the thread of the client's loop");
    Waiter waiter{fiber, lock.mutex(), &ready, until};
    while (!ready() && machine_.local_now() < until) {
      waiter.resumed = false;
      lock.unlock();
      machine_.waiters_.push_back(&waiter);
      if (until != kNever) machine_.look_again_at(until);
      fiber->pause();
      std::erase(machine_.waiters_, &waiter);
      lock.lock();
    }
    return ready();
  }

  Join start_thread(std::function<void()> run) override {
    auto fiber = std::make_shared<Fiber>(std::move(run));
    machine_.start_fiber(fiber);
    return [this, fiber] {
      std::mutex mutex;
      std::condition_variable changed;
      std::unique_lock lock(mutex);
      wait(lock, changed, kNever, [&] { return fiber->ended(); });
    };
  }

  Result<std::unique_ptr<client::Loop>> start_loop(client::EngineOptions options,
                                                   std::vector<client::HostPort>) override {
    return std::unique_ptr<client::Loop>(std::make_unique<MachineLoop>(machine_, std::move(options)));
  }

 private:
  LibraryClient& machine_;
};

LibraryClient::LibraryClient(Context& context, Connections& connections, uint32_t number, uint32_t servers)
    : ClientMachine(context, connections, number, servers),
      host_(std::make_unique<MachineHost>(*this)),
      timeout_ms_(static_cast<uint32_t>(random_.between(int64_t{1500}, int64_t{8000}))) {
  const uint64_t first = random_.below(servers);
  for (uint32_t i = 0; i < servers; ++i)
    endpoints_.emplace_back(static_cast<uint32_t>(1 + (first + i) % servers));
}

LibraryClient::~LibraryClient() = default;

SessionId LibraryClient::session() const {
  return loop_ == nullptr || loop_->engine().session_lost() ? SessionId() : loop_->engine().session();
}

bool LibraryClient::lease_valid() const {
  return session().value() != 0 && local_now() < loop_->engine().session_until();
}

bool LibraryClient::has_requests_in_flight() const { return loop_ != nullptr && loop_->is_asking(); }

client::Host& LibraryClient::host() { return *host_; }

// ---- the machine

void LibraryClient::start() {
  ended_ = false;
  in(random_.between(milliseconds(0), milliseconds(500)),
     [this] { start_fiber(std::make_shared<Fiber>([this] { run(); })); });
}

void LibraryClient::connected(ConnectionId id) {
  when_awake([this, id] {
    if (loop_ != nullptr) loop_->connected(id);
  });
}

void LibraryClient::received(const server::ClientMessage& message) {
  when_awake([this, message] {
    if (loop_ != nullptr) loop_->received(message);
  });
}

void LibraryClient::lost(ConnectionId id) {
  when_awake([this, id] {
    if (loop_ != nullptr) loop_->lost(id);
  });
}

void LibraryClient::start_fiber(std::shared_ptr<Fiber> fiber) {
  fibers_.push_back(fiber);
  in(random_.between(Duration(0), kWakeMax), [this, fiber] { resume(*fiber); });
}

void LibraryClient::resume(Fiber& fiber) {
  fiber.resume();
  if (fiber.ended()) std::erase_if(fibers_, [&](const auto& each) { return each.get() == &fiber; });
  look_at_waiters();
}

void LibraryClient::look_at_waiters() {
  for (Waiter* const waiter : waiters_) {
    if (waiter->resumed || (local_now() < waiter->until && !waiter->is_ready())) continue;
    waiter->resumed = true;
    in(random_.between(Duration(0), kWakeMax), [this, fiber = waiter->fiber] { resume(*fiber); });
  }
}

// The clock may be slower by then.
void LibraryClient::look_again_at(Instant until) {
  in(until - local_now(), [this, until] { local_now() < until ? look_again_at(until) : look_at_waiters(); });
}

// ---- the program

void LibraryClient::plan_kill() {
  killed_ = false;
  if (context_.healed || !random_.chance(kKillChance)) return;
  in(random_.between(milliseconds(500), seconds(30)), [this, life = life_] {
    if (context_.healed || life != life_ || loop_ == nullptr) return;
    const bool reset = random_.chance(0.5);
    context_.say(name(), [&] { return std::string(reset ? "is killed" : "loses its power"); });
    ++context_.statistics.programs_killed;
    killed_ = true;
    loop_->kill(reset);
  });
}

void LibraryClient::run() {
  while (!winding_down()) {
    ++life_;
    plan_kill();
    client::Options options;
    options.endpoints.clear();
    for (const ServerId server : endpoints_)
      options.endpoints.push_back("server-" + std::to_string(server.value()) + ":2181");
    options.session_timeout = milliseconds(timeout_ms_);
    options.request_timeout = milliseconds(random_.between(int64_t{1000}, int64_t{5000}));
    if (random_.chance(0.3)) options.lost_margin = options.session_timeout / 4;
    options.name = name();
    ++context_.statistics.programs_started;
    {
      client::Client client = client::Host::make_client(std::move(options), *host_);
      live(client);
      if (client.session_lost()) ++context_.statistics.library_sessions_lost;
      context_.say(name(), [] { return std::string("its program ends"); });
    }
    sleep(random_.between(milliseconds(10), milliseconds(500)));
  }
  ended_ = true;
}

bool LibraryClient::goes_on(const client::Client& client) const {
  return !winding_down() && !killed_ && !client.session_lost();
}

void LibraryClient::sleep(Duration local) {
  std::mutex mutex;
  std::condition_variable changed;
  std::unique_lock lock(mutex);
  host_->wait(lock, changed, local_now() + local,
              [this, life = life_, dead = killed_] { return killed_ != dead || life_ != life; });
}

void LibraryClient::think() {
  if (!context_.healed && random_.chance(kSilenceChance)) {
    // All of the machine, its engine too.
    ++context_.statistics.client_pauses;
    pause(milliseconds(timeout_ms_) * random_.between(int64_t{9}, int64_t{20}) / 10);
  }
  sleep(random_.between(milliseconds(1), context_.plan.think_max));
}

// What a program learns after its end is nobody's.
void LibraryClient::check(const Verdict& verdict) const {
  if (verdict) Fiber::current()->fail(name() + ": " + *verdict);
}

bool LibraryClient::served(const Error& error) {
  switch (error.code) {
    case ErrorCode::kOk:
      ++context_.statistics.operations_ok;
      done_one();
      return true;
    case ErrorCode::kOutcomeUnknown:
      ++context_.statistics.operations_unknown;
      return false;
    case ErrorCode::kUnavailable:
    case ErrorCode::kNoQuorum:
    case ErrorCode::kTimeout:
    case ErrorCode::kSessionExpired:
    case ErrorCode::kShuttingDown:
      ++context_.statistics.operations_refused;
      return false;
    default:
      check(std::string("was answered with ") + std::string(error_name(error.code)) + ": " + error.message);
      return false;
  }
}

}  // namespace quorate::sim
