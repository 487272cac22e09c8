#include "tests/raft/cluster.h"

#include <algorithm>
#include <sstream>
#include <stdexcept>

#include "tests/raft/describe.h"

namespace quorate::raft::testing {

Configuration make_configuration(size_t voters, size_t learners) {
  Configuration configuration;
  configuration.cluster_id = ClusterId(77);
  for (uint32_t id = 1; id <= voters + learners; ++id) {
    configuration.members.push_back({ServerId(id), Incarnation(100 + id),
                                     id <= voters ? MemberRole::kVoter : MemberRole::kLearner,
                                     "server" + std::to_string(id) + ":7000"});
  }
  return configuration;
}

Entry make_entry(uint64_t term, uint64_t index, std::string_view payload, EntryKind kind) {
  const Proposal proposal{kind, payload};
  return encode_entries(Term(term), Index(index), {&proposal, 1}).front();
}

Entry make_configuration_entry(const Configuration& configuration) {
  return make_entry(1, 1, encode_configuration(configuration), EntryKind::kConfiguration);
}

Message make_message(uint32_t from, uint32_t to, uint64_t term, Body body) {
  return Message{ServerId(from), ServerId(to), Term(term), BootNonce(1000 + from), true, std::move(body)};
}

Cluster::Cluster() : Cluster(Setup{}) {}

// So that a test can tell which server and which step it was.
[[noreturn]] void throw_failed_check(const std::string& what) { throw std::runtime_error(what); }

Cluster::Cluster(Setup setup)
    : setup_(std::move(setup)), configuration_(make_configuration(setup_.voters, setup_.learners)) {
  set_check_failure_hook(throw_failed_check);
  for (const Member& member : configuration_.members) {
    Server& server = servers_[member.id.value()];
    server.options.id = member.id;
    server.options.incarnation = member.incarnation;
    // Every heartbeat asks for an answer, so that a test need not count them.
    server.options.heartbeats_per_round = 1;
    if (setup_.tune) setup_.tune(server.options);
    server.disk.hard_state = HardState{Term(1), {}};
    server.disk.entries = {make_configuration_entry(configuration_)};
    start(member.id.value());
  }
}

void Cluster::start(uint32_t id) {
  Server& server = servers_.at(id);
  server.options.boot = BootNonce(next_boot_++);
  server.writes.clear();
  server.state_needed = Index{};
  say("  " + std::to_string(id) + " starts");
  server.raft = std::make_unique<Raft>(server.options, server.disk,
                                       setup_.seed * 1000 + server.options.boot.value(), now_);
  take(id, facts(*server.raft));
}

std::vector<uint32_t> Cluster::ids() const {
  std::vector<uint32_t> all;
  for (const auto& [id, server] : servers_) all.push_back(id);
  return all;
}

const Raft& Cluster::at(uint32_t id) const {
  const Server& server = servers_.at(id);
  if (server.raft == nullptr) throw std::logic_error("server " + std::to_string(id) + " is down");
  return *server.raft;
}

uint32_t Cluster::leader() const {
  uint32_t found = 0;
  for (const auto& [id, server] : servers_) {
    if (server.raft == nullptr || !server.raft->is_leader()) continue;
    if (found == 0 || server.raft->term() > at(found).term()) found = id;
  }
  return found;
}

template <class Input>
auto Cluster::step(uint32_t id, Input input) {
  Server& server = servers_.at(id);
  if (server.raft == nullptr) throw std::logic_error("server " + std::to_string(id) + " is down");
  const StepFacts before = facts(*server.raft);
  if constexpr (std::is_void_v<decltype(input(*server.raft))>) {
    input(*server.raft);
    take(id, before);
  } else {
    auto result = input(*server.raft);
    take(id, before);
    return result;
  }
}

void Cluster::check(const std::optional<std::string>& wrong) const {
  if (wrong) throw std::runtime_error("invariant broken: " + *wrong);
}

void Cluster::say(const std::string& line) {
  if (setup_.trace != nullptr) *setup_.trace << line << "\n";
}

void Cluster::take(uint32_t id, const StepFacts& before) {
  Server& server = servers_.at(id);
  Raft& raft = *server.raft;
  check(check_state(raft));
  Output output = raft.take_output();
  const std::string who = "  " + std::to_string(id) + " ";
  for (RoleChange& change : output.changes) {
    say(who + "is " + describe(change));
    server.seen.changes.push_back(std::move(change));
  }
  if (output.ticket != Ticket{}) {
    std::ostringstream line;
    line << who << "writes";
    if (output.hard_state) line << " term " << output.hard_state->term << " vote " << output.hard_state->vote;
    for (const Entry& entry : output.entries) line << " " << entry.index << "^" << entry.term;
    say(line.str());
    const Instant begin = server.writes.empty() ? now_ : std::max(now_, server.writes.back().due);
    server.writes.push_back({output.ticket, output.hard_state, output.entries, begin + setup_.disk_time});
  }
  for (Message& message : output.messages) {
    const auto path = std::make_pair(message.from.value(), message.to.value());
    say("  " + describe(message) + (cut_.contains(path) ? " (lost)" : ""));
    if (!cut_.contains(path)) links_[path].push_back(std::move(message));
  }
  for (const ReadReady& read : output.reads_ready) {
    say(who + "may serve read " + std::to_string(read.context) + " at " + std::to_string(read.index.value()));
    server.seen.reads_ready.push_back(read);
  }
  for (const uint64_t read : output.reads_failed) {
    say(who + "fails read " + std::to_string(read));
    server.seen.reads_failed.push_back(read);
  }
  if (output.state_needed != Index{}) server.state_needed = output.state_needed;
  if (output.committed > before.committed)
    say(who + "has committed " + std::to_string(output.committed.value()));
  raft.applied(output.committed);
  check(check_state(raft));
  check(check_step(before, raft));
  check(invariants_.observe(raft));
}

void Cluster::tick(uint32_t id, Duration by) {
  now_ += by;
  step(id, [this](Raft& raft) { raft.tick(now_); });
}

void Cluster::time_out(uint32_t id) {
  now_ = std::max(now_, at(id).deadline());
  tick(id);
}

void Cluster::wait(Duration by) {
  const Instant end = now_ + by;
  settle();
  while (true) {
    Instant next = kNever;
    for (const auto& [id, server] : servers_) {
      if (server.raft == nullptr) continue;
      next = std::min(next, server.raft->deadline());
      if (!server.stalled && !server.writes.empty()) next = std::min(next, server.writes.front().due);
    }
    if (next > end) break;
    now_ = std::max(now_, next);
    for (const uint32_t id : ids()) {
      if (up(id) && at(id).deadline() <= now_) tick(id);
    }
    settle();
  }
  now_ = end;
}

size_t Cluster::deliver(uint32_t from, uint32_t to, size_t count) {
  std::deque<Message>& queue = links_[{from, to}];
  count = std::min(count, queue.size());
  for (size_t i = 0; i < count; ++i) {
    Message message = std::move(queue.front());
    queue.pop_front();
    if (up(to)) inject(std::move(message));
  }
  return count;
}

void Cluster::inject(Message message) {
  step(message.to.value(), [this, &message](Raft& raft) { raft.receive(now_, std::move(message)); });
}

size_t Cluster::drop(uint32_t from, uint32_t to) {
  std::deque<Message>& queue = links_[{from, to}];
  const size_t count = queue.size();
  queue.clear();
  return count;
}

void Cluster::duplicate(uint32_t from, uint32_t to) {
  std::deque<Message>& queue = links_[{from, to}];
  const std::deque<Message> copy = queue;
  queue.insert(queue.end(), copy.begin(), copy.end());
}

void Cluster::shuffle(uint32_t from, uint32_t to, Random& random) {
  std::deque<Message>& queue = links_[{from, to}];
  for (size_t i = queue.size(); i > 1; --i) std::swap(queue[i - 1], queue[random.below(i)]);
}

void Cluster::isolate(uint32_t id) {
  for (const uint32_t other : ids()) {
    if (other == id) continue;
    cut_.insert({id, other});
    cut_.insert({other, id});
    drop(id, other);
    drop(other, id);
  }
}

void Cluster::write_to(Recovered& disk, const Write& write) {
  if (write.hard_state) disk.hard_state = *write.hard_state;
  for (const Entry& entry : write.entries) {
    while (!disk.entries.empty() && disk.entries.back().index >= entry.index) disk.entries.pop_back();
    disk.entries.push_back(entry);
  }
}

size_t Cluster::persist(uint32_t id, size_t count) {
  Server& server = servers_.at(id);
  size_t done = 0;
  while (done < count && up(id) && !server.writes.empty()) {
    write_to(server.disk, server.writes.front());
    const Ticket ticket = server.writes.front().ticket;
    server.writes.pop_front();
    ++done;
    step(id, [this, ticket](Raft& raft) { raft.persisted(now_, ticket); });
  }
  return done;
}

void Cluster::settle() {
  bool moved = true;
  for (size_t rounds = 0; moved; ++rounds) {
    if (rounds > 10'000) throw std::runtime_error("the cluster does not come to rest");
    moved = false;
    for (const uint32_t id : ids()) {
      const Server& server = servers_.at(id);
      const auto due = [this](const Write& write) { return write.due <= now_; };
      const auto count = std::count_if(server.writes.begin(), server.writes.end(), due);
      if (!server.stalled && persist(id, static_cast<size_t>(count)) > 0) moved = true;
    }
    for (const uint32_t from : ids()) {
      for (const uint32_t to : ids()) {
        if (from != to && deliver(from, to) > 0) moved = true;
      }
    }
  }
}

void Cluster::crash(uint32_t id) {
  if (up(id)) say("  " + std::to_string(id) + " crashes");
  servers_.at(id).raft.reset();
  servers_.at(id).writes.clear();
}

void Cluster::restart(uint32_t id) {
  crash(id);
  start(id);
}

void Cluster::wipe(uint32_t id) {
  Server& server = servers_.at(id);
  server.options.incarnation = Incarnation(server.options.incarnation.value() + 1000);
  set_disk(id, HardState{Term(1), {}}, {make_configuration_entry(configuration_)});
  restart(id);
}

void Cluster::set_disk(uint32_t id, HardState hard_state, std::vector<Entry> entries) {
  Recovered& disk = servers_.at(id).disk;
  disk = Recovered{};
  disk.hard_state = hard_state;
  disk.entries = std::move(entries);
}

void Cluster::elect(uint32_t id) {
  const uint32_t old = leader();
  if (old != 0 && old != id) now_ += servers_.at(old).options.election_timeout_max * 2;
  time_out(id);
  settle();
  if (!at(id).is_leader()) throw std::runtime_error("server " + std::to_string(id) + " was not elected");
}

Result<Index> Cluster::propose(uint32_t id, std::string_view payload) {
  const Proposal proposal{EntryKind::kCommand, payload};
  return step(id, [this, &proposal](Raft& raft) { return raft.propose(now_, {&proposal, 1}); });
}

Status Cluster::read(uint32_t id, uint64_t context) {
  return step(id, [this, context](Raft& raft) { return raft.read_index(now_, context); });
}

Status Cluster::transfer(uint32_t id, uint32_t target) {
  return step(id, [this, target](Raft& raft) { return raft.transfer_leadership(now_, ServerId(target)); });
}

void Cluster::unreachable(uint32_t id, uint32_t peer) {
  step(id, [this, peer](Raft& raft) { raft.peer_unreachable(now_, ServerId(peer)); });
}

void Cluster::compact(uint32_t id, uint64_t index) {
  say("  " + std::to_string(id) + " compacts its log up to " + std::to_string(index));
  step(id, [index](Raft& raft) { raft.compact(Index(index)); });
  Recovered& disk = servers_.at(id).disk;
  disk.snapshot_index = Index(index);
  disk.snapshot_term = at(id).log().snapshot_term();
  if (disk.applied < Index(index)) set_state(id, index, disk.snapshot_term.value());
  std::erase_if(disk.entries, [index](const Entry& entry) { return entry.index <= Index(index); });
}

std::optional<Index> Cluster::state_needed(uint32_t id) const {
  const Index needed = servers_.at(id).state_needed;
  if (!up(id) || needed <= at(id).committed()) return std::nullopt;
  return needed;
}

void Cluster::install(uint32_t id, uint32_t donor, uint64_t index) {
  const Term term = at(donor).log().term_at(Index(index)).value();
  say("  " + std::to_string(id) + " has the snapshot " + std::to_string(index));
  step(id, [this, donor](Raft& raft) { raft.observe_term(now_, at(donor).term()); });
  persist(id);
  step(id,
       [this, index, term](Raft& raft) { raft.install_snapshot(now_, Index(index), term, configuration_); });
  set_state(id, index, term.value());
  if (at(id).log().snapshot_index() != Index(index)) return;
  // The log was forgotten, on disk too; what was handed out before belongs to the log before.
  Recovered& disk = servers_.at(id).disk;
  disk.snapshot_index = Index(index);
  disk.snapshot_term = term;
  disk.entries.clear();
  for (Write& write : servers_.at(id).writes) write.entries.clear();
}

void Cluster::set_state(uint32_t id, uint64_t index, uint64_t term) {
  Recovered& disk = servers_.at(id).disk;
  disk.applied = Index(index);
  disk.applied_term = Term(term);
  disk.snapshot_configuration = configuration_;
}

void Cluster::may_lead(uint32_t id, bool may) {
  step(id, [may](Raft& raft) { raft.set_may_lead(may); });
}

void Cluster::declines(uint32_t id, bool declines) {
  step(id, [declines](Raft& raft) { raft.set_declines(declines); });
}

std::string Cluster::log_of(uint32_t id) const {
  std::ostringstream out;
  const Log& log = at(id).log();
  for (Index index = log.first_index(); index <= log.last_index(); index = index.next()) {
    if (index > log.first_index()) out << " ";
    out << index << "^" << log.at(index).term;
  }
  return out.str();
}

}  // namespace quorate::raft::testing
