#include "client/cli/shared_client.h"

#include <csignal>
#include <utility>

#include "client/cli/command.h"
#include "client/cli/signals.h"

namespace quorate::cli {

SharedClient::SharedClient(client::Options options, std::function<void()> on_session_lost)
    : options_(std::move(options)) {
  options_.on_session_lost = [this, told = std::move(on_session_lost)] {
    lost_ = true;
    told();
  };
  start();
}

void SharedClient::start() {
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);  // a thread begins with the mask of who starts it
  client_ = std::make_unique<client::Client>(options_);
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

bool SharedClient::replaced() {
  if (!lost_) return false;
  client_.reset();
  lost_ = false;
  start();
  return true;
}

// ---- of one command

CommandClient::CommandClient(const Globals& globals, std::function<void()> on_session_lost) {
  if (globals.shared != nullptr) {
    client_ = &globals.shared->get();
    return;
  }
  client::Options options = globals.client_options();
  options.on_session_lost = std::move(on_session_lost);
  own_ = std::make_unique<Client>(options);
  client_ = own_.get();
}

CommandClient::~CommandClient() = default;

Client& CommandClient::operator*() const {
  throw_if_interrupted();
  return *client_;
}

}  // namespace quorate::cli
