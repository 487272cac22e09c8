#include "tests/zookeeper/differential/compare.h"

#include <algorithm>
#include <set>

namespace quorate::differential {

using namespace zookeeper;

namespace {

std::string differ(const std::string& what, const std::string& left, const std::string& right) {
  return left == right ? "" : what + " is " + left + " and " + right;
}
std::string differ(const std::string& what, int64_t left, int64_t right) {
  return differ(what, std::to_string(left), std::to_string(right));
}

std::string joined(std::vector<std::string> names) {
  std::sort(names.begin(), names.end());
  std::string text = "[";
  for (const std::string& name : names) text += name + " ";
  return text + "]";
}

std::string text_of(const Acl& acl) {
  std::string text;
  for (const AclEntry& entry : acl)
    text += std::to_string(entry.permissions) + ":" + entry.scheme + ":" + entry.id + " ";
  return text;
}

}  // namespace

std::string Comparison::zxids(const char* what, int64_t left, int64_t right) {
  const auto [at, added] = zxids_.try_emplace(left, right);
  if (!added) return differ(std::string("by its equals, ") + what, at->second, right);
  const bool after = at == zxids_.begin() || std::prev(at)->second < right;
  const bool before = std::next(at) == zxids_.end() || std::next(at)->second > right;
  if (after && before) return "";
  return std::string(what) + " is not where it is in the order: " + std::to_string(left) + " and " +
         std::to_string(right);
}

std::string Comparison::stats(const Stat& left, const Stat& right) {
  const auto owner = sessions_.find(left.ephemeral_owner);
  const int64_t owned = owner == sessions_.end() ? left.ephemeral_owner : owner->second;
  for (std::string difference :
       {zxids("czxid", left.czxid, right.czxid), zxids("mzxid", left.mzxid, right.mzxid),
        zxids("pzxid", left.pzxid, right.pzxid), differ("version", left.version, right.version),
        differ("cversion", left.cversion, right.cversion), differ("aversion", left.aversion, right.aversion),
        differ("ephemeralOwner", owned, right.ephemeral_owner),
        differ("dataLength", left.data_length, right.data_length),
        differ("numChildren", left.num_children, right.num_children)}) {
    if (!difference.empty()) return difference;
  }
  return "";
}

namespace {

template <class Body>
std::string plain(const Body& left, const Body& right) {
  if constexpr (std::is_same_v<Body, CreateReply> || std::is_same_v<Body, PathReply>) {
    return differ("path", left.path, right.path);
  } else if constexpr (std::is_same_v<Body, DataReply>) {
    return differ("data", left.null_data ? "null" : "'" + left.data + "'",
                  right.null_data ? "null" : "'" + right.data + "'");
  } else if constexpr (std::is_same_v<Body, AclReply>) {
    return differ("acl", text_of(left.acl), text_of(right.acl));
  } else if constexpr (std::is_same_v<Body, ChildrenReply>) {
    return differ("children", joined(left.names), joined(right.names));
  } else if constexpr (std::is_same_v<Body, EphemeralsReply>) {
    return differ("ephemerals", joined(left.paths), joined(right.paths));
  } else if constexpr (std::is_same_v<Body, CountReply>) {
    return differ("count", left.count, right.count);
  } else if constexpr (std::is_same_v<Body, WhoAmIReply>) {
    std::vector<std::string> names[2];
    for (const auto& who : left.who) names[0].push_back(who.scheme + ":" + who.user);
    for (const auto& who : right.who) names[1].push_back(who.scheme + ":" + who.user);
    return differ("who", joined(names[0]), joined(names[1]));
  } else {
    return "";
  }
}

const Stat* stat_of(const CreateReply& body) { return body.stat ? &*body.stat : nullptr; }
const Stat* stat_of(const ChildrenReply& body) { return body.stat ? &*body.stat : nullptr; }
const Stat* stat_of(const StatReply& body) { return &body.stat; }
const Stat* stat_of(const DataReply& body) { return &body.stat; }
const Stat* stat_of(const AclReply& body) { return &body.stat; }
template <class Other>
const Stat* stat_of(const Other&) {
  return nullptr;
}

}  // namespace

std::string Comparison::replies(const Reply& left, const Reply& right) {
  if (left.error != right.error)
    return differ("error", static_cast<int64_t>(left.error), static_cast<int64_t>(right.error));
  const auto bodies = [this](const auto& a, const auto& b) -> std::string {
    if (a.index() != b.index()) return "the bodies are of different kinds";
    return std::visit(
        [&](const auto& one) -> std::string {
          const auto& other = std::get<std::decay_t<decltype(one)>>(b);
          if (std::string difference = plain(one, other); !difference.empty()) return difference;
          const Stat* first = stat_of(one);
          const Stat* second = stat_of(other);
          if ((first == nullptr) != (second == nullptr)) return "only one has a stat";
          return first == nullptr ? "" : stats(*first, *second);
        },
        a);
  };
  const auto* many = std::get_if<MultiReply>(&left.body);
  const auto* others = std::get_if<MultiReply>(&right.body);
  if (many == nullptr || others == nullptr) return bodies(left.body, right.body);
  if (many->results.size() != others->results.size()) return "the multis have results of different numbers";
  for (size_t i = 0; i < many->results.size(); ++i) {
    const MultiResult& one = many->results[i];
    const MultiResult& other = others->results[i];
    const std::string which = "result " + std::to_string(i + 1) + ": ";
    if (one.op != other.op || one.error != other.error) {
      return which + differ("operation and error",
                            std::to_string(static_cast<int>(one.op)) + "/" +
                                std::to_string(static_cast<int>(one.error)),
                            std::to_string(static_cast<int>(other.op)) + "/" +
                                std::to_string(static_cast<int>(other.error)));
    }
    if (std::string difference = bodies(one.body, other.body); !difference.empty()) return which + difference;
  }
  return "";
}

std::string describe(const Event& event) {
  return std::to_string(static_cast<int>(event.type)) + " " + event.path;
}

// What one entry fires at once has no order that a client could count on between different paths, so two
// lists are the same if they hold the same.
std::string Comparison::events(const std::vector<Event>& left, const std::vector<Event>& right) {
  std::vector<std::string> texts[2];
  for (const Event& event : left) texts[0].push_back(describe(event));
  for (const Event& event : right) texts[1].push_back(describe(event));
  return differ("the events", joined(texts[0]), joined(texts[1]));
}

bool Comparison::no_more_than(const std::vector<Event>& left, const std::vector<Event>& right) {
  std::multiset<std::string> told[2];
  for (const Event& event : left) told[0].insert(describe(event));
  for (const Event& event : right) told[1].insert(describe(event));
  return std::includes(told[0].begin(), told[0].end(), told[1].begin(), told[1].end());
}

bool Comparison::what_it_came_to(const std::vector<Event>& left, const std::vector<Event>& right) {
  std::set<std::string> told[2];
  std::set<std::string> paths[2];
  for (const Event& event : left) {
    told[0].insert(describe(event));
    paths[0].insert(event.path);
  }
  for (const Event& event : right) {
    told[1].insert(describe(event));
    paths[1].insert(event.path);
  }
  return paths[0] == paths[1] &&
         std::includes(told[0].begin(), told[0].end(), told[1].begin(), told[1].end());
}

const char* name_of(OpCode op) {
  switch (op) {
    case OpCode::kCreate:
      return "create";
    case OpCode::kDelete:
      return "delete";
    case OpCode::kExists:
      return "exists";
    case OpCode::kGetData:
      return "getData";
    case OpCode::kSetData:
      return "setData";
    case OpCode::kGetAcl:
      return "getACL";
    case OpCode::kSetAcl:
      return "setACL";
    case OpCode::kGetChildren:
      return "getChildren";
    case OpCode::kGetChildren2:
      return "getChildren2";
    case OpCode::kSync:
      return "sync";
    case OpCode::kCheck:
      return "check";
    case OpCode::kMulti:
      return "multi";
    case OpCode::kCreate2:
      return "create2";
    case OpCode::kReconfig:
      return "reconfig";
    case OpCode::kCheckWatches:
      return "checkWatches";
    case OpCode::kRemoveWatches:
      return "removeWatches";
    case OpCode::kCreateContainer:
      return "createContainer";
    case OpCode::kCreateTtl:
      return "createTTL";
    case OpCode::kMultiRead:
      return "multiRead";
    case OpCode::kAuth:
      return "auth";
    case OpCode::kSetWatches:
      return "setWatches";
    case OpCode::kSetWatches2:
      return "setWatches2";
    case OpCode::kGetEphemerals:
      return "getEphemerals";
    case OpCode::kGetAllChildrenNumber:
      return "getAllChildrenNumber";
    case OpCode::kAddWatch:
      return "addWatch";
    case OpCode::kWhoAmI:
      return "whoAmI";
    case OpCode::kPing:
      return "ping";
    case OpCode::kCloseSession:
      return "closeSession";
    default:
      return "other";
  }
}

std::string describe(const RequestBody& body) {
  std::string text = name_of(op_of(body));
  std::visit(
      [&text](const auto& each) {
        if constexpr (requires { each.path; }) text += " " + each.path;
        if constexpr (requires { each.version; }) text += " version " + std::to_string(each.version);
        if constexpr (requires { each.flags; }) text += " flags " + std::to_string(each.flags);
        if constexpr (requires { each.ttl_ms; }) text += " ttl " + std::to_string(each.ttl_ms);
        if constexpr (requires { each.acl; }) text += " acl " + text_of(each.acl);
        if constexpr (requires { each.type; }) text += " type " + std::to_string(each.type);
        if constexpr (requires { each.mode; }) text += " mode " + std::to_string(each.mode);
        if constexpr (requires { each.watch; }) text += each.watch ? " with a watch" : "";
        if constexpr (requires { each.prefix; }) text += " " + each.prefix;
        if constexpr (requires { each.null_data; }) text += each.null_data ? " null" : "";
      },
      body);
  if (const auto* multi = std::get_if<Multi>(&body)) {
    for (const Multi::Part& part : multi->parts)
      text += "; " + std::visit([](const auto& each) { return describe(RequestBody(each)); }, part);
  }
  return text;
}

}  // namespace quorate::differential
