#include "tests/sim/operator_client.h"

#include <utility>
#include <vector>

#include "tests/sim/sim_server.h"

namespace quorate::sim {
namespace {

// Of its looks at the sessions: how many end one.
constexpr double kEndChance = 0.08;

std::string name_of(SessionId session) { return "session " + std::to_string(session.value()); }

}  // namespace

void OperatorClient::on_ready(bool fresh) {
  PeriodicClient::on_ready(fresh);
  if (!fresh) return;
  prove("digest", kSuperProof, [this](const kv::Outcome* outcome) {
    if (outcome == nullptr) return;
    if (outcome->code != ErrorCode::kOk)
      throw Violation(name() + ": its password was refused: " + outcome->message);
    super_ = session();
  });
}

void OperatorClient::act() {
  if (target_ && !asked_ && super_ == session()) {
    end(*target_);
  } else {
    look(!target_ && random_.chance(kEndChance));
  }
}

void OperatorClient::look(bool choose) {
  server::SessionListRequest request;
  request.paths = true;
  // What ends while the read is under way may be in it.
  read(request, [this, choose, over = over_](const server::ClientReply& reply) {
    const auto* list = std::get_if<server::SessionListReply>(&reply.body);
    if (list == nullptr) throw Violation(name() + ": the sessions were answered with " + reply.error.message);
    ++context_.statistics.reads_checked;
    std::vector<const server::SessionInfo*> others;
    for (const server::SessionInfo& info : list->sessions) {
      if (over.contains(info.id)) throw Violation(name() + ": " + name_of(info.id) + " is there again");
      if (info.id != session()) others.push_back(&info);
    }
    if (choose && !target_ && !others.empty()) target_ = *others[random_.below(others.size())];
  });
}

// Whoever does not lead refuses it, and the next server is asked.
void OperatorClient::end(const server::SessionInfo& target) {
  asked_ = true;
  context_.endings_asked.insert(target.id);
  context_.say(name(), [&] { return "asks to end " + name_of(target.id); });
  read(server::EndSessionRequest{target.id},
       [this, target, asked_by = session()](const server::ClientReply& reply) {
         asked_ = false;
         if (reply.error.ok()) return ended(target);
         if (reply.error.code != ErrorCode::kDenied)
           throw Violation(name() + ": an ending was answered with " + reply.error.message);
         // By a session that came after the asking, or one that is over itself.
         if (asked_by == session() && context_.model.state().session(asked_by))
           throw Violation(name() + ": was taken for somebody else");
       });
}

void OperatorClient::ended(const server::SessionInfo& target) {
  context_.say(name(), [&] { return "is told that " + name_of(target.id) + " is over"; });
  if (context_.model.state().session(target.id))
    throw Violation(name() + ": was told that " + name_of(target.id) +
                    " is over before its ending was committed");
  ++context_.statistics.sessions_ended_by_operators;
  over_.insert(target.id);
  context_.endings_answered.insert(target.id);
  target_.reset();
  for (const std::string& path : target.paths) {
    read(server::GetRequest{path, true, 0}, [this, path, id = target.id](const server::ClientReply& reply) {
      ++context_.statistics.reads_checked;
      const auto* node = std::get_if<server::NodeReply>(&reply.body);
      if (node != nullptr && node->stat.ephemeral_owner == id)
        throw Violation(name() + ": " + path + " has outlived " + name_of(id));
    });
  }
}

}  // namespace quorate::sim
