#include "client/host.h"

#include <sys/random.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <system_error>
#include <thread>
#include <utility>

#include "base/check.h"
#include "client/client_impl.h"
#include "client/thread_loop.h"

namespace quorate::client {

namespace {

class RealHost final : public Host {
 public:
  Instant now() const override { return boot_time(); }

  int64_t wall_ms() const override { return to_ms(std::chrono::system_clock::now().time_since_epoch()); }

  std::string random_bytes(size_t size) override {
    std::string bytes(size, '\0');
    size_t have = 0;
    while (have < size) {
      const ssize_t got = getrandom(bytes.data() + have, size - have, 0);
      CHECK_MSG(got > 0 || errno == EINTR, "no random bytes from the system");
      if (got > 0) have += static_cast<size_t>(got);
    }
    return bytes;
  }

  bool wait(std::unique_lock<std::mutex>& lock, std::condition_variable& changed, Instant until,
            const std::function<bool()>& ready) override {
    if (until == kNever) {
      changed.wait(lock, ready);
      return true;
    }
    while (!ready()) {
      const Duration left = until - now();
      if (left <= Duration(0)) return false;
      changed.wait_for(lock, left);
    }
    return true;
  }

  Join start_thread(std::function<void()> run) override {
    return [thread = std::make_shared<std::thread>(std::move(run))] { thread->join(); };
  }

  Result<std::unique_ptr<Loop>> start_loop(EngineOptions options, std::vector<HostPort> places) override {
    try {
      return std::unique_ptr<Loop>(std::make_unique<ThreadLoop>(std::move(options), std::move(places)));
    } catch (const std::system_error& error) {
      return Error{ErrorCode::kLimitReached, "the client cannot start its thread (" + error.code().message() +
                                                 "): raise the limits of the process (ulimit -n, ulimit -u)"};
    }
  }
};

}  // namespace

Host& Host::real() {
  // Never destroyed: a Client may outlive main().
  static Host& host = *new RealHost;
  return host;
}

Host& Host::of(const Client& client) { return client.impl_->host; }

Client Host::make_client(Options options, Host& host) {
  return Client(std::make_shared<Client::Impl>(std::move(options), host));
}

uint64_t Host::random_number() {
  uint64_t number = 0;
  std::memcpy(&number, random_bytes(sizeof(number)).data(), sizeof(number));
  return number;
}

Instant Host::in(std::optional<milliseconds> wait) const {
  if (!wait || *wait >= kForEver) return kNever;
  return now() + std::max(*wait, milliseconds(0));
}

}  // namespace quorate::client
