// An engine with a hand-turned clock and a server that says what the test tells it to say.
#pragma once

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "client/engine.h"

namespace quorate::client {

using std::chrono::milliseconds;
using std::chrono::seconds;

inline EngineOptions test_options(size_t endpoints = 1) {
  EngineOptions options;
  for (size_t i = 0; i < endpoints; ++i) options.endpoints.push_back("server" + std::to_string(i) + ":2181");
  options.password = std::string(16, 'p');
  options.seed = 7;
  return options;
}

// What a server says when it grants a lock that was waited for.
inline api::ServerFrame granted(const std::string& node, uint64_t token) {
  api::ServerFrame frame;
  frame.mutable_granted()->set_node(node);
  frame.mutable_granted()->set_token(token);
  return frame;
}
inline api::ServerFrame lost(const std::string& node) {
  api::ServerFrame frame;
  frame.mutable_lost()->set_node(node);
  return frame;
}

class EngineHarness {
 public:
  explicit EngineHarness(EngineOptions options = test_options()) : engine(std::move(options), now) {}

  // ---- time

  // Turns the clock, and lets the engine do what falls due on the way.
  void advance(Duration by) {
    const Instant target = now + by;
    obey();
    while (engine.deadline() <= target) {
      now = std::max(now, engine.deadline());
      engine.tick(now);
      obey();
    }
    now = target;
    engine.tick(now);
    obey();
  }
  // Turns it while the program stands still.
  void pause(Duration by) { now += by; }

  // ---- what the engine did

  void obey() {
    Engine::Output out = engine.take_output();
    if (out.drop) {
      connected = false;
      connecting.reset();
      frames.clear();
    }
    if (out.connect) {
      EXPECT_FALSE(connected) << "a second connection beside the first";
      connecting = out.connect;
      attempts.push_back(*out.connect);
      frames.clear();
    }
    for (api::ClientFrame& frame : out.frames) {
      EXPECT_TRUE(connected) << "a frame without a connection";
      frames.push_back(std::move(frame));
    }
    for (auto& completion : out.completions) completion();
  }

  // ---- what the server does

  void accept() {
    obey();
    ASSERT_TRUE(connecting.has_value()) << "the engine does not want to connect";
    connecting.reset();
    connected = true;
    engine.connected(now);
    obey();
  }
  void refuse() {
    obey();
    ASSERT_TRUE(connecting.has_value());
    connecting.reset();
    engine.disconnected(now, "connection refused");
    obey();
  }
  void reset() {
    ASSERT_TRUE(connected);
    connected = false;
    frames.clear();
    engine.disconnected(now, "connection reset");
    obey();
  }
  void receive(const api::ServerFrame& frame) {
    engine.received(now, frame);
    obey();
  }

  // The oldest frame of this kind that was not taken yet.
  std::optional<api::ClientFrame> take(api::ClientFrame::BodyCase kind) {
    obey();
    for (auto it = frames.begin(); it != frames.end(); ++it) {
      if (it->body_case() != kind) continue;
      api::ClientFrame frame = *it;
      frames.erase(it);
      return frame;
    }
    return std::nullopt;
  }
  api::ClientFrame expect(api::ClientFrame::BodyCase kind) {
    std::optional<api::ClientFrame> frame = take(kind);
    EXPECT_TRUE(frame.has_value()) << "no frame of kind " << kind;
    return frame.value_or(api::ClientFrame());
  }

  static api::ServerFrame reply_to(const api::ClientFrame& frame, ErrorCode code = ErrorCode::kOk) {
    api::ServerFrame out;
    out.mutable_reply()->set_id(frame.id());
    out.mutable_reply()->set_code(static_cast<uint32_t>(code));
    if (code != ErrorCode::kOk) out.mutable_reply()->set_message(std::string(error_name(code)));
    return out;
  }
  void answer(const api::ClientFrame& frame, ErrorCode code = ErrorCode::kOk) {
    receive(reply_to(frame, code));
  }
  void answer_outcome(const api::ClientFrame& frame, const std::string& path) {
    api::ServerFrame out = reply_to(frame);
    out.mutable_reply()->mutable_outcome()->set_path(path);
    receive(out);
  }

  // Connects and opens a session for a write that waits for one.
  void open_session(uint32_t timeout_ms = 10'000) {
    accept();
    const api::ClientFrame open = expect(api::ClientFrame::kOpenSession);
    api::ServerFrame out = reply_to(open);
    out.mutable_reply()->mutable_outcome()->set_session(77);
    out.mutable_reply()->mutable_outcome()->set_timeout_ms(timeout_ms);
    receive(out);
  }
  // The connection is lost, and there is another one.
  void reconnect() {
    reset();
    advance(kBackOffMin);
    attach();
  }
  // Connects again and attaches to the session.
  void attach() {
    accept();
    const api::ClientFrame frame = expect(api::ClientFrame::kAttachSession);
    EXPECT_EQ(frame.attach_session().session(), 77U);
    answer(frame);
  }

  // ---- what callers do

  struct Pending {
    std::optional<Result<api::Reply>> reply;
    int calls = 0;
    ErrorCode code() const { return reply ? reply->code() : ErrorCode::kInvalidArgument; }
  };
  std::shared_ptr<Pending> write(const std::string& path) {
    api::Write operation;
    operation.mutable_set()->set_path(path);
    return write(std::move(operation));
  }
  std::shared_ptr<Pending> write(api::Write operation) {
    auto pending = std::make_shared<Pending>();
    engine.write(now, std::move(operation), record(pending));
    obey();
    return pending;
  }
  std::shared_ptr<Pending> get(const std::string& path, uint64_t watch = 0,
                               Engine::OnEvent on_event = nullptr) {
    auto pending = std::make_shared<Pending>();
    api::ClientFrame frame;
    frame.mutable_get()->set_path(path);
    frame.mutable_get()->set_watch(watch);
    engine.read(now, frame, record(pending), std::move(on_event));
    obey();
    return pending;
  }
  struct PendingLock {
    std::optional<Result<GrantedLock>> result;
    bool lost = false;
    uint64_t id = 0;
  };
  std::shared_ptr<PendingLock> acquire(const std::string& path, std::optional<Duration> wait = std::nullopt) {
    auto pending = std::make_shared<PendingLock>();
    api::Acquire request;
    request.set_path(path);
    request.set_data("test");
    pending->id = engine.acquire(
        now, request, wait, [pending](Result<GrantedLock> result) { pending->result = std::move(result); },
        [pending] { pending->lost = true; });
    obey();
    return pending;
  }
  void answer_acquire(const api::ClientFrame& frame, const std::string& node, bool held, uint64_t token) {
    ASSERT_TRUE(frame.write().has_acquire());
    api::ServerFrame out = reply_to(frame);
    out.mutable_reply()->mutable_outcome()->set_path(node);
    out.mutable_reply()->mutable_outcome()->set_held(held);
    out.mutable_reply()->mutable_outcome()->set_token(token);
    receive(out);
  }

  Instant now{std::chrono::hours(1)};
  Engine engine;
  bool connected = false;
  std::optional<size_t> connecting;
  std::vector<size_t> attempts;
  std::vector<api::ClientFrame> frames;  // on the current connection, not taken yet

 private:
  static OnReply record(const std::shared_ptr<Pending>& pending) {
    return [pending](Instant, Result<api::Reply> reply) {
      ++pending->calls;
      pending->reply = std::move(reply);
    };
  }
};

}  // namespace quorate::client
