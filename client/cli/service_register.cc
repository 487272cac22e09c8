// service register: an instance in the registry for as long as this runs, its command runs, and its check
// succeeds.
#include <nlohmann/json.hpp>

#include "client/cli/child.h"
#include "client/cli/command.h"
#include "client/cli/service_commands.h"
#include "client/cli/signals.h"

namespace quorate::cli {
namespace {

using client::Registration;
using client::Registry;

// A registration is tried again behind this, and the command's end is looked at.
constexpr int kLookEveryMs = 500;

// The instance in the registry, whatever becomes of sessions: one that is lost is replaced.
class Presence {
 public:
  // `beside`: standard output belongs to a command.
  Presence(const Globals& globals, const ServiceWish& wish, Signals& signals, bool beside)
      : globals_(globals), wish_(wish), signals_(signals), beside_(beside) {}
  ~Presence() { leave(); }

  bool there() const { return registration_.has_value() && !client_->session_lost(); }

  // Errors: those that trying again does not mend.
  Status come() {
    if (client_ && client_->session_lost()) leave();
    if (!client_) {
      client::Options options = globals_.client_options();
      options.on_session_lost = [this] { signals_.wake(); };
      client_ = std::make_unique<Client>(options);
    }
    Result<Registration> added = Registry(*client_, wish_.base).add(wish_.instance);
    if (added.ok()) {
      registration_.emplace(std::move(*added));
      said_ = false;
      tell_registered();
      return {};
    }
    switch (added.code()) {
      case ErrorCode::kNodeExists:
        say_once("an instance " + wish_.instance.id + " is there already; waiting until its session is over");
        return {};
      case ErrorCode::kNoQuorum:
      case ErrorCode::kUnavailable:
      case ErrorCode::kTimeout:
      case ErrorCode::kOverloaded:
      case ErrorCode::kOutcomeUnknown:
      case ErrorCode::kSessionExpired:
        say_once(added.error().message + "; trying again");
        client_.reset();
        return {};
      default:
        return added.error();
    }
  }

  void leave() {
    registration_.reset();
    client_.reset();
  }

 private:
  void tell_registered() const {
    if (!globals_.json) return print_line(registration_->node());
    const nlohmann::json value{
        {"name", wish_.instance.name}, {"id", wish_.instance.id}, {"node", registration_->node()}};
    beside_ ? print_json_beside(value) : print_json(value);
  }
  void say_once(const std::string& sentence) {
    if (!std::exchange(said_, true)) note(sentence);
  }

  const Globals& globals_;
  const ServiceWish& wish_;
  Signals& signals_;
  const bool beside_;
  std::unique_ptr<Client> client_;
  std::optional<Registration> registration_;
  bool said_ = false;
};

// Whoever looks for the service goes elsewhere first.
int end_command(Presence& presence, Child& child, Signals& signals, int signal) {
  presence.leave();
  child.signal_group(signal);
  while (true) {
    if (const std::optional<int> code = child.ended()) return *code;
    const int next = signals.next();
    if (ends_a_command(next)) child.signal_group(next);
  }
}

}  // namespace

int register_service(const Globals& globals, const ServiceWish& wish,
                     const std::vector<std::string>& command) {
  Guardian guardian;  // before any thread
  Signals signals;
  std::optional<TerminalLoan> loan;
  std::optional<Child> child;
  if (!command.empty()) {
    ChildStart start;
    start.command = command;
    start.environment = {"QUORATE_SERVICE=" + wish.instance.name, "QUORATE_INSTANCE=" + wish.instance.id};
    start.signal_mask = signals.original_mask();
    loan.emplace();
    Result<Child> started = Child::start(start, guardian);
    if (started.code() == ErrorCode::kNoNode)
      return fail(kExitNotFound, started.error().message + " (the command)");
    if (!started.ok()) return fail(kExitCannotRun, started.error().message + " (the command)");
    child.emplace(std::move(*started));
  }
  Presence presence(globals, wish, signals, child.has_value());
  const HealthChecker health(wish.check, signals.original_mask(), [&signals] { signals.wake(); });
  bool was_healthy = false, told_of_check = false;
  while (true) {
    const bool healthy = health.healthy();
    if (was_healthy && !healthy) note("the check fails, the instance is taken out: " + health.reason());
    // A check with a slip in it would never say so.
    if (!healthy && health.failing() && !std::exchange(told_of_check, true) && !was_healthy)
      note("the check fails, the instance is not registered yet: " + health.reason());
    told_of_check = told_of_check || healthy;
    was_healthy = healthy;
    if (!healthy) {
      presence.leave();
    } else if (!presence.there()) {
      if (Status status = presence.come(); !status.ok()) {
        if (child) end_command(presence, *child, signals, SIGTERM);
        return report(wish.instance.name, status.error());
      }
    }
    if (child) {
      if (const std::optional<int> code = child->ended()) {
        presence.leave();
        child->signal_group(SIGKILL);
        return *code;
      }
    }
    const int signal = signals.next(presence.there() ? -1 : kLookEveryMs);
    if (!ends_a_command(signal)) continue;
    if (child) return end_command(presence, *child, signals, signal);
    presence.leave();  // before a check that is under way has ended
    return kDone;
  }
}

}  // namespace quorate::cli
