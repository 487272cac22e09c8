#include "tests/zookeeper/differential/run.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <optional>

namespace quorate::differential {

using namespace zookeeper;

namespace {

const Auth kProof{0, "digest", "anna:secret"};
const Auth kSuperProof{0, "digest", "super:secret"};
const std::string kQuotas = "/zookeeper/quota";
const Acl kOpen = {{31, "world", "anyone"}};
constexpr uint32_t kTimeoutMs = 30'000;
constexpr uint64_t kChapter = 1'000;
// Requests between two looks at the events of all sessions.
constexpr uint64_t kEventsEvery = 5;
constexpr size_t kDifferencesToldMax = 40;
constexpr size_t kRequestsTold = 12;
constexpr size_t kSeenKept = 20;
// One in so many steps is ...
constexpr uint64_t kRareOnes = 2;  // a request that brought an answer that is rare
constexpr uint64_t kNewSessions = 400;
constexpr uint64_t kReconnects = 150;
constexpr uint64_t kIntruders = 400;
constexpr uint64_t kQuotaChanges = 20;

bool is_bad(const std::string& path) {
  if (path.empty() || path[0] != '/' || path.find("//") != std::string::npos) return true;
  if (path.size() > 1 && path.back() == '/') return true;
  if (path.find("/./") != std::string::npos || path.find("/../") != std::string::npos) return true;
  return path.find_first_of("\x01\x7f") != std::string::npos;
}

// docs/zookeeper.md has the differences that are meant: where more than one thing is wrong with a create, a
// path that cannot be is what it is refused for, and ZooKeeper looks at permissions first.
bool refused_for_more(const RequestBody& body, const Reply& left, const Reply& right) {
  const auto* create = std::get_if<Create>(&body);
  if (create != nullptr && is_bad(create->path))
    return left.error != zookeeper::ErrorCode::kOk && right.error != zookeeper::ErrorCode::kOk;
  const auto* multi = std::get_if<Multi>(&body);
  if (multi == nullptr) return false;
  bool bad = false;
  for (const Multi::Part& part : multi->parts) {
    const auto* one = std::get_if<Create>(&part);
    bad = bad || (one != nullptr && is_bad(one->path));
  }
  const auto refused = [](const Reply& reply) {
    const auto* results = std::get_if<MultiReply>(&reply.body);
    return results == nullptr || (!results->results.empty() && results->results.front().op == OpCode::kError);
  };
  return bad && refused(left) && refused(right);
}

// Whether it changed something: then the answer's header has the change's zxid.
bool changed(const RequestBody& body, const Reply& reply) {
  if (reply.error != zookeeper::ErrorCode::kOk) return false;
  if (const auto* multi = std::get_if<MultiReply>(&reply.body)) {
    return std::holds_alternative<Multi>(body) && !multi->results.empty() &&
           multi->results.front().op != OpCode::kError;
  }
  return std::holds_alternative<Create>(body) || std::holds_alternative<Delete>(body) ||
         std::holds_alternative<SetData>(body) || std::holds_alternative<SetAcl>(body);
}

// Those of the nodes that the request made or changed, by the names that these have.
template <class Each>
void for_each_acl(const RequestBody& body, const Reply& reply, const Each& each) {
  if (!changed(body, reply)) return;
  const auto name = [](const auto& made) { return std::get<CreateReply>(made).path; };
  if (const auto* create = std::get_if<Create>(&body)) each(name(reply.body), create->acl);
  if (const auto* set = std::get_if<SetAcl>(&body)) each(set->path, set->acl);
  if (const auto* multi = std::get_if<Multi>(&body)) {
    const auto& results = std::get<MultiReply>(reply.body).results;
    for (size_t i = 0; i < multi->parts.size(); ++i) {
      if (const auto* create = std::get_if<Create>(&multi->parts[i]))
        each(name(results[i].body), create->acl);
    }
  }
}

}  // namespace

// ---- chapters

size_t Run::operator()(uint64_t operations, size_t often) {
  uint64_t done = 0;
  while (done < operations || (answers_.rare(often) > 0 && done < 2 * operations)) {
    begin_chapter();
    for (uint64_t i = 1; i <= kChapter; ++i, ++done) {
      step(often);
      if (i % kEventsEvery == 0) look_at_events();
    }
    end_chapter();
  }
  std::printf("%llu operations\n", static_cast<unsigned long long>(done));
  return differences_;
}

void Run::begin_chapter() {
  history_.set_theme({chapter_ % 2 == 1, chapter_ / 2 % 2 == 1, chapter_ % 5 == 0});
  ++chapter_;
  missed_ = {};
  seen_.clear();
  keeper_ = fresh(kSessions);
  keeper_->left.ask(kSuperProof);
  keeper_->right.ask(kSuperProof);
  if (history_.theme().persistent_watches) ask(*keeper_, AddWatch{"/", 1});
  for (size_t i = 0; i < kSessions; ++i) sessions_.push_back(fresh(i));
}

void Run::end_chapter() {
  for (auto& pair : sessions_) end(*pair);
  while (!quotas_.empty()) remove_quota(*quotas_.begin());
  remove_below("/");
  ask(*keeper_, SetAcl{"/", kOpen, -1});
  look_at_events(*keeper_);
  end(*keeper_);
  sessions_.clear();
  keeper_.reset();
  last_asked_ = nullptr;
}

void Run::remove_below(const std::string& path) {
  const Reply listed = ask(*keeper_, GetChildren{path, false, true}).first;
  const auto* children = std::get_if<ChildrenReply>(&listed.body);
  if (children == nullptr) return;
  for (const std::string& name : children->names) {
    const std::string child = path == "/" ? path + name : path + "/" + name;
    if (child == "/zookeeper") continue;
    remove_below(child);
    ask(*keeper_, Delete{child, -1});
  }
}

std::unique_ptr<Run::Pair> Run::fresh(size_t number) {
  std::unique_ptr<Pair> pair(new Pair{{left_, history_.below(left_.size()), kTimeoutMs},
                                      {right_, history_.below(right_.size()), kTimeoutMs}});
  pair->number = number;
  comparison_.same_session(pair->left.session(), pair->right.session());
  return pair;
}

// Nobody is given a session that is over.
void Run::end(Pair& pair) {
  ask(pair, CloseSession{});
  const bool left = pair.left.gives_to_another(true), right = pair.right.gives_to_another(true);
  if (left || right) tell("a session that was closed is given to somebody");
  answers_.add("connect, session closed", zookeeper::ErrorCode::kSessionExpired, nullptr);
}

// ---- steps

void Run::note(const Pair& pair, const std::string& what) {
  recent_.push_back(std::to_string(pair.number) + ": " + what);
  if (recent_.size() > kRequestsTold) recent_.pop_front();
}

void Run::tell(const std::string& difference) {
  if (++differences_ > kDifferencesToldMax) return;
  std::printf("DIFFERENT: %s\n", difference.c_str());
  for (const std::string& request : recent_) std::printf("    %s\n", request.c_str());
}

Run::Replies Run::ask(Pair& pair, const RequestBody& body) {
  if (last_asked_ != &pair) catch_up(pair);
  last_asked_ = &pair;
  note(pair, describe(body));
  Replies replies{pair.left.ask(body), pair.right.ask(body)};
  const auto& [left, right] = replies;
  tell_own(pair);
  pair.own.answered(body, right);
  for_each_acl(body, right, [&](const std::string& path, const Acl& acl) {
    if (acl != kOpen) missed_.hide(path);
  });
  std::string difference = comparison_.replies(left, right);
  if (difference.empty() && changed(body, left)) difference = comparison_.changes(left, right);
  if (difference.empty()) return replies;
  if (is_meant(pair, body, replies)) {
    ++explained_;
  } else {
    tell(difference);
  }
  return replies;
}

bool Run::is_meant(Pair& pair, const RequestBody& body, const Replies& replies) {
  const auto& [left, right] = replies;
  if (refused_for_more(body, left, right)) return true;
  // A watch that saw what it may not tell is used up on the left, and there on the right.
  const auto* remove = std::get_if<RemoveWatches>(&body);
  if (remove != nullptr && missed_.hidden(remove->path) && right.error == zookeeper::ErrorCode::kOk)
    return true;
  if (const auto* check = std::get_if<CheckWatches>(&body)) {
    if (right.error == zookeeper::ErrorCode::kOk) return missed_.hidden(check->path);
    // ZooKeeper 3.8 says yes where anybody watches the path.
    return left.error == zookeeper::ErrorCode::kOk && right.error == zookeeper::ErrorCode::kNoWatcher &&
           !pair.own.has(check->path, check->type);
  }
  // It lists also what may not be read.
  const auto* paths = std::get_if<EphemeralsReply>(&left.body);
  const auto* others = std::get_if<EphemeralsReply>(&right.body);
  if (paths == nullptr || others == nullptr) return false;
  std::multiset<std::string> more(paths->paths.begin(), paths->paths.end());
  for (const std::string& path : others->paths) {
    const auto listed = more.find(path);
    if (listed == more.end()) return false;
    more.erase(listed);
  }
  return std::all_of(more.begin(), more.end(), [&](const std::string& path) { return denied(pair, path); });
}

bool Run::denied(Pair& pair, const std::string& path) {
  return pair.right.ask(GetData{path, false}).error == zookeeper::ErrorCode::kNoAuth;
}

// Another server may be behind what the last one was asked.
void Run::catch_up(Pair& pair) {
  if (right_.size() > 1 && !linearizable_) pair.right.ask(Sync{"/"});
}

void Run::tell_own(Pair& pair) {
  const std::vector<Event>& events = pair.right.events();
  for (; pair.own_events < events.size(); ++pair.own_events) pair.own.told(events[pair.own_events]);
}

void Run::step(size_t often) {
  if (history_.theme().quotas && history_.one_in(kQuotaChanges)) return change_quota();
  Answers::Asked asked;
  asked.session = history_.below(kSessions);
  std::unique_ptr<Pair>& drawn = sessions_[asked.session];
  if (history_.one_in(kNewSessions)) {
    end(*drawn);
    answers_.add(name_of(OpCode::kCloseSession), zookeeper::ErrorCode::kOk, nullptr);
    drawn = fresh(asked.session);
    last_asked_ = nullptr;
    return;
  }
  if (history_.one_in(kReconnects)) return come_back(*drawn);
  if (history_.one_in(kIntruders)) return intrude(*drawn);
  auto rare = history_.one_in(kRareOnes) ? answers_.of_a_rare_one(history_.random(), often) : std::nullopt;
  if (rare && !history_.suits(rare->body)) rare.reset();
  if (rare) {
    asked = std::move(*rare);
  } else {
    asked.body = history_.next();
  }
  Pair& pair = *sessions_[asked.session];
  const auto [left, right] = ask(pair, asked.body);
  answers_.add(asked, left);
  if (std::holds_alternative<Auth>(asked.body))
    pair.authenticated = pair.authenticated || left.error == zookeeper::ErrorCode::kOk;
  keep_watch(pair, asked.body, left);
  seen_.emplace_back(pair.left.last_zxid(), pair.right.last_zxid());
  if (seen_.size() > kSeenKept) seen_.pop_front();
  if (left.error == zookeeper::ErrorCode::kAuthFailed || pair.left.closed() || pair.right.closed())
    come_back(pair);
}

// ZooKeeper ends the session's own connection because of it.
void Run::intrude(Pair& pair) {
  look_at_events();
  const bool left = pair.left.gives_to_another(false), right = pair.right.gives_to_another(false);
  if (left || right) tell("a session is given to somebody who does not know its password");
  answers_.add("connect, wrong password", zookeeper::ErrorCode::kSessionExpired, nullptr);
  come_back(pair);
}

// ---- watches

void Run::keep_watch(Pair& pair, const RequestBody& body, const Reply& reply) {
  if (!history_.theme().persistent_watches || reply.error != zookeeper::ErrorCode::kOk) return;
  if (const auto* add = std::get_if<AddWatch>(&body)) pair.watches[add->path] = add->mode == 1;
  if (const auto* remove = std::get_if<RemoveWatches>(&body)) pair.watches.erase(remove->path);
}

void Run::come_back(Pair& pair) {
  look_at_events();
  SetWatches again;
  if (history_.theme().persistent_watches) {
    again.second = true;
    for (const auto& [path, recursive] : pair.watches)
      (recursive ? again.recursive : again.persistent).push_back(path);
  } else {
    again = history_.watches_again();
    again.second = history_.one_in(2);
  }
  note(pair, "a new connection, with watches again");
  pair.left.reconnect(history_.below(left_.size()));
  pair.right.reconnect(history_.below(right_.size()));
  last_asked_ = nullptr;
  // As clients do: who they are comes first.
  if (pair.authenticated) ask(pair, kProof);
  catch_up(pair);
  const auto seen = seen_.empty() ? std::pair(pair.left.last_zxid(), pair.right.last_zxid()) : seen_.front();
  again.relative_zxid = seen.first;
  const Reply left = pair.left.ask(again);
  again.relative_zxid = seen.second;
  const Reply right = pair.right.ask(again);
  pair.own.again(again);
  tell_own(pair);
  answers_.add(name_of(op_of(RequestBody(again))), left.error, nullptr);
  if (const std::string wrong = comparison_.replies(left, right); !wrong.empty()) tell(wrong);
  hear_missed(pair, seen.second);
}

void Run::hear_missed(Pair& pair, int64_t seen) {
  const std::vector<Event> told = pair.left.take_events();
  const std::vector<Event> others = pair.right.take_events();
  pair.own_events = 0;
  const std::string who = "session " + std::to_string(pair.number) + ": ";
  if (history_.theme().persistent_watches) {
    // ZooKeeper replays nothing.
    if (!told.empty()) tell(who + "ZooKeeper tells a persistent watch what was missed");
    const auto stat_of = [this](const std::string& path) -> std::optional<Stat> {
      const Reply reply = ask(*keeper_, Exists{path, false}).second;
      const auto* stat = std::get_if<StatReply>(&reply.body);
      return stat == nullptr ? std::nullopt : std::optional(stat->stat);
    };
    const auto hidden_from = [&pair](const std::string& path) { return denied(pair, path); };
    if (const std::string wrong = missed_.wrong(pair.watches, seen, others, stat_of, hidden_from);
        !wrong.empty())
      tell(who + wrong);
    return;
  }
  const std::string difference = Comparison::events(told, others);
  if (difference.empty()) return;
  // ZooKeeper tells of nodes that the session may not read; those are what must be missing on the right.
  std::vector<Event> may_know = told;
  std::erase_if(may_know, [&pair](const Event& event) { return denied(pair, event.path); });
  if (Comparison::events(may_know, others).empty()) {
    ++explained_;
  } else {
    tell(who + difference);
  }
}

void Run::look_at_events() {
  for (auto& pair : sessions_) look_at_events(*pair);
  look_at_events(*keeper_);
}

void Run::look_at_events(Pair& pair) {
  if (!pair.left.closed()) pair.left.ask(Sync{"/"});
  if (!pair.right.closed()) pair.right.ask(Sync{"/"});
  tell_own(pair);
  pair.own_events = 0;
  std::vector<Event> left = pair.left.take_events();
  const std::vector<Event> right = pair.right.take_events();
  // Where a quota is kept is no node here that could be watched.
  std::erase_if(left, [](const Event& event) { return event.path.starts_with(kQuotas); });
  if (&pair == keeper_.get()) missed_.add(right);
  const std::string difference = Comparison::events(left, right);
  if (difference.empty()) return;
  // Of a change that the session may not see ZooKeeper uses a watch up without telling; here it watches on.
  const auto hidden = [this](const Event& event) { return missed_.hidden(event.path); };
  std::vector<Event> seen = left, told = right;
  std::erase_if(seen, hidden);
  std::erase_if(told, hidden);
  if (history_.theme().persistent_watches && Comparison::what_it_came_to(left, right)) {
    ++explained_;
  } else if (Comparison::no_more_than(right, left) && Comparison::events(seen, told).empty()) {
    ++explained_;
  } else {
    tell("session " + std::to_string(pair.number) + ": " + difference);
  }
}

// ---- quotas

void Run::ask_of_quota(const RequestBody& body) {
  note(*keeper_, describe(body));
  const Reply left = keeper_->left.ask(body), right = keeper_->right.ask(body);
  if (left.error != right.error) tell("what is asked of a quota is answered in another way");
}

uint64_t Run::bytes_used(const std::string& path) {
  catch_up(*keeper_);
  const Reply stats = keeper_->left.ask(GetData{kQuotas + path + "/zookeeper_stats", false});
  const Reply others = keeper_->right.ask(GetData{kQuotas + path + "/zookeeper_stats", false});
  const auto* used = std::get_if<DataReply>(&stats.body);
  const auto* other = std::get_if<DataReply>(&others.body);
  if (used == nullptr || other == nullptr) {
    tell("what the quota of " + path + " counts is not shown");
    return 0;
  }
  if (used->data != other->data)
    tell("the quota of " + path + " counts " + used->data + " and " + other->data);
  const size_t bytes = used->data.find("bytes=");
  return bytes == std::string::npos ? 0 : std::strtoull(used->data.c_str() + bytes + 6, nullptr, 10);
}

void Run::change_quota() {
  const std::string path = history_.quota_path();
  const bool has = quotas_.contains(path);
  if (has && history_.one_in(3)) return remove_quota(path);
  if (!has) {
    if (ask(*keeper_, Exists{path, false}).first.error != zookeeper::ErrorCode::kOk) return;
    // Here the place of a node's quota is there already.
    keeper_->left.ask(Create{OpCode::kCreate, kQuotas + path, "", kOpen, 0, 0});
    const std::string none = "count=7,bytes=-1=;byteHardLimit=-1;countHardLimit=-1";
    ask_of_quota(Create{OpCode::kCreate, kQuotas + path + "/zookeeper_limits", none, kOpen, 0, 0});
    ask_of_quota(
        Create{OpCode::kCreate, kQuotas + path + "/zookeeper_stats", "count=0,bytes=0", kOpen, 0, 0});
    quotas_.insert(path);
  }
  const std::string limits = history_.quota_limits(bytes_used(path));
  note(*keeper_, limits);
  ask_of_quota(SetData{kQuotas + path + "/zookeeper_limits", limits, -1});
}

void Run::remove_quota(const std::string& path) {
  bytes_used(path);
  ask_of_quota(Delete{kQuotas + path + "/zookeeper_limits", -1});
  ask_of_quota(Delete{kQuotas + path + "/zookeeper_stats", -1});
  keeper_->left.ask(Delete{kQuotas + path, -1});
  quotas_.erase(path);
}

}  // namespace quorate::differential
