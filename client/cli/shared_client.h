// The client that all lines of a shell share: one connection and one session, replaced by another when that
// session is lost.
//
// Thread safety: none, but the callback runs on the client's own thread.
#pragma once

#include <atomic>
#include <functional>
#include <memory>

#include "client/quorate/client.h"

namespace quorate::cli {

class Endpoints;
struct Globals;

class SharedClient {
 public:
  // Its thread takes no signal: they are for the shell's own.
  SharedClient(const Globals& globals, std::function<void()> on_session_lost);
  SharedClient(const SharedClient&) = delete;
  SharedClient& operator=(const SharedClient&) = delete;

  client::Client& get() { return *client_; }
  // What it tells of them is said by whoever uses it, when that does not disturb the prompt.
  const std::shared_ptr<Endpoints>& endpoints() const { return endpoints_; }
  // True once for each session that was lost: another client is there by then, whose session is opened by the
  // next write.
  bool replaced();

 private:
  void start();

  const std::shared_ptr<Endpoints> endpoints_;
  client::Options options_;
  std::atomic<bool> lost_ = false;
  std::unique_ptr<client::Client> client_;  // last: its thread sets lost_
};

}  // namespace quorate::cli
