#include "client/cli/shared_client.h"

#include <csignal>
#include <utility>

#include "client/cli/command.h"
#include "client/cli/endpoints.h"
#include "client/cli/progress.h"
#include "client/cli/signals.h"

namespace quorate::cli {

SharedClient::SharedClient(const Globals& globals, std::function<void()> on_session_lost)
    : endpoints_(std::make_shared<Endpoints>(globals.endpoints.size(), Endpoints::Tell::kWhenAsked)),
      options_(globals.client_options(endpoints_)) {
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
    endpoints_ = globals.shared->endpoints();
  } else {
    endpoints_ = std::make_shared<Endpoints>(globals.endpoints.size(), Endpoints::Tell::kAtOnce);
    client::Options options = globals.client_options(globals.quiet ? nullptr : endpoints_);
    options.on_session_lost = std::move(on_session_lost);
    own_ = std::make_unique<Client>(options);
    client_ = own_.get();
  }
  if (!globals.quiet)
    progress_ = std::make_unique<Progress>(std::chrono::seconds(1),
                                           [this](const std::string& told) { return waiting_text(told); });
}

CommandClient::~CommandClient() = default;

Client& CommandClient::operator*() const {
  throw_if_interrupted();
  return *client_;
}

CommandClient::Call::Call(const CommandClient& of) : of_(of) {
  throw_if_interrupted();
  ++of_.calls_;
}

CommandClient::Call::~Call() {
  --of_.calls_;
  of_.endpoints_->tell();
}

void CommandClient::show(const std::function<std::string()>& text) const {
  if (progress_) progress_->show(text);
}

std::string CommandClient::waiting_text(const std::string& told) const {
  if (calls_ > 0 && endpoints_->none_answers()) return "waiting for a server that answers";
  if (!told.empty()) return told;
  return calls_ > 0 ? "waiting for the answer" : "";
}

}  // namespace quorate::cli
