#include "tests/sim/network.h"

#include <string>

#include "tests/sim/describe.h"

namespace quorate::sim {

void Network::send(const server::PeerMessage& message) {
  const Node from = message.from.value(), to = message.to.value();
  ++context_.statistics.messages;
  const bool lost = !passes(from, to) || context_.random.chance(context_.plan.loss);
  if (lost) {
    ++context_.statistics.messages_lost;
    context_.say("network", [&] {
      return "loses " + std::to_string(from) + " to " + std::to_string(to) + ": " + describe(message.body);
    });
    return;
  }
  deliver_after(delay(from, to), message);
  if (context_.plan.duplication > 0 && context_.random.chance(context_.plan.duplication)) {
    ++context_.statistics.messages_duplicated;
    deliver_after(delay(from, to), message);
  }
}

Duration Network::delay(Node from, Node to) {
  const Plan& plan = context_.plan;
  Duration delay = context_.random.between(plan.delay_min, plan.delay_max);
  if (plan.slow > 0 && context_.random.chance(plan.slow))
    delay += context_.random.between(Duration(0), plan.slow_max);
  if (!clogged_.empty()) {
    if (const auto found = clogged_.find({from, to});
        found != clogged_.end() && found->second > context_.now()) {
      delay += found->second - context_.now();
    }
  }
  return delay;
}

void Network::deliver_after(Duration delay, const server::PeerMessage& message) {
  context_.scheduler.after(delay, [this, message] { deliver_(message); });
}

}  // namespace quorate::sim
