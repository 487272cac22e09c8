#include "tests/zookeeper/differential/history.h"

#include <algorithm>

namespace quorate::differential {

using namespace zookeeper;

std::string History::path() {
  constexpr const char* kNames[] = {"a", "b", "c"};
  std::string path;
  const uint64_t depth = 1 + below(3);
  for (uint64_t i = 0; i < depth; ++i) path += std::string("/") + kNames[below(3)];
  if (one_in(60)) return "/";
  if (one_in(60)) return path + "/q-000000000" + std::to_string(below(3));
  return path;
}

void History::draw_data(std::string& data, bool& null_data) {
  data = std::string(one_in(10) ? 40 : below(4) * 3, static_cast<char>('a' + below(26)));
  null_data = data.empty() && one_in(2);
}

SetData History::set() {
  SetData set;
  set.path = path();
  draw_data(set.data, set.null_data);
  set.version = version();
  return set;
}

int32_t History::version() {
  if (one_in(2)) return -1;
  return static_cast<int32_t>(below(3));
}

// The lists that clients write, some that nobody may, and some that are refused.
Acl History::acl() {
  constexpr const char* kAnna = "anna:Wap/fLaD11BLJBT+7fkDcVxaT7c=";
  switch (theme_.all_open ? 24 : below(24)) {
    case 0:
      return {{1, "world", "anyone"}};
    case 1:
      return {{31, "auth", ""}};
    case 2:
      return {{31, "digest", kAnna}, {1, "world", "anyone"}};
    case 3:
      return {{31, "ip", "127.0.0.1"}};
    case 4:
      return {{15, "ip", "10.0.0.0/8"}, {1, "ip", "127.0.0.0/8"}};
    case 5:
      return {};
    case 6:
      return {{31, "nobody", "x"}};
    case 7:
      return {{31, "digest", "nocolon"}};
    case 8:
      return {{31, "world", "someone"}};
    case 9:
      return {{31, "world", "anyone"}, {31, "world", "anyone"}};
    case 10:
      return {{29, "world", "anyone"}};
    case 11:
      return {{30, "world", "anyone"}};
    case 12:
      return {{31, "digest", kAnna}};
    default:
      return {{31, "world", "anyone"}};
  }
}

namespace {

bool is_open(const RequestBody& body) {
  const Acl open = {{31, "world", "anyone"}};
  if (const auto* create = std::get_if<Create>(&body)) return create->acl == open;
  if (const auto* set = std::get_if<SetAcl>(&body)) return set->acl == open;
  const auto* multi = std::get_if<Multi>(&body);
  if (multi == nullptr) return true;
  return std::all_of(multi->parts.begin(), multi->parts.end(), [&open](const Multi::Part& part) {
    const auto* create = std::get_if<Create>(&part);
    return create == nullptr || create->acl == open;
  });
}

}  // namespace

Create History::create() {
  Create create;
  create.path = path();
  draw_data(create.data, create.null_data);
  create.acl = acl();
  create.op = one_in(2) ? OpCode::kCreate : OpCode::kCreate2;
  create.flags = one_in(3) ? 0 : static_cast<int32_t>(below(4));
  if ((create.flags & 2) != 0) create.path += "/q-";
  if (create.path.starts_with("//")) create.path = "/q-";
  if (one_in(40)) create.flags = 7 + static_cast<int32_t>(below(3));
  if (one_in(30)) {
    create.op = OpCode::kCreateTtl;
    create.flags = one_in(4) ? 0 : 5 + static_cast<int32_t>(below(2));
    create.ttl_ms = one_in(3) ? static_cast<int64_t>(below(2)) - 1 : 1'000'000'000;
    if (create.flags == 6) create.path += "-q-";
    // A plain node with a time to live below 0 ends ZooKeeper 3.8.
    if (create.flags == 0) create.ttl_ms = std::max<int64_t>(create.ttl_ms, 0);
  } else if (one_in(25)) {
    create.op = OpCode::kCreateContainer;
    create.flags = 4;
    // A name of its own, so that it has no children: the two servers remove emptied ones at different times.
    create.path += "-k";
  }
  constexpr const char* kBad[] = {"", "a", "/a/", "//a", "/a//b", "/a/./b", "/a/../b", "/a\x01", "/\x7f"};
  if (one_in(80)) create.path = kBad[below(9)];
  return create;
}

Multi History::multi() {
  Multi multi;
  bool changes = false;
  for (uint64_t i = one_in(3) ? 1 : 1 + below(4); i > 0; --i) {
    const uint64_t kind = theme_.quotas && changes ? 4 : below(5);
    changes = changes || kind < 4;
    switch (kind) {
      case 0:
      case 1:
        multi.parts.emplace_back(create());
        break;
      case 2:
        multi.parts.emplace_back(Delete{path(), version()});
        break;
      case 3:
        multi.parts.emplace_back(set());
        break;
      default:
        multi.parts.emplace_back(Check{path(), version()});
    }
  }
  if (one_in(40)) multi.parts.clear();
  return multi;
}

MultiRead History::many() {
  MultiRead many;
  for (uint64_t i = 1 + below(4); i > 0; --i) {
    if (one_in(2)) {
      many.parts.emplace_back(GetData{path(), false});
    } else {
      many.parts.emplace_back(GetChildren{path(), false, false});
    }
  }
  return many;
}

// A path has persistent watches of one mode only, for the reason that history.h gives.
RequestBody History::watch_request() {
  const std::string watched = path();
  const auto type = theme_.persistent_watches ? 3 : 1 + static_cast<int32_t>(below(3));
  switch (below(4)) {
    case 0:
      return RemoveWatches{watched, type};
    case 1:
      return CheckWatches{watched, 1 + static_cast<int32_t>(below(3))};
    default:
      if (!theme_.persistent_watches) return Exists{watched, true};
      return AddWatch{watched, watched.size() > 2 ? 0 : 1};
  }
}

SetWatches History::watches_again() {
  SetWatches again;
  const auto fill = [this](std::vector<std::string>& paths) {
    for (uint64_t i = below(4); i > 0; --i) paths.push_back(path());
  };
  fill(again.data);
  fill(again.exists);
  fill(again.children);
  return again;
}

RequestBody History::next() {
  const bool watch = one_in(4) && !theme_.persistent_watches;
  switch (below(40)) {
    case 0:
    case 1:
    case 2:
    case 3:
    case 4:
    case 5:
    case 6:
    case 7:
      return create();
    case 8:
    case 9:
    case 10:
    case 11:
    case 12:
      return Delete{path(), version()};
    case 13:
    case 14:
    case 15:
      return Exists{path(), watch};
    case 16:
    case 17:
      return GetData{path(), watch};
    case 18:
    case 19:
    case 20:
      return set();
    case 21:
    case 22:
      return GetAcl{path()};
    case 23:
    case 24:
      return SetAcl{path(), acl(), version()};
    case 25:
    case 26:
      return GetChildren{path(), watch, one_in(2)};
    case 27:
      return Sync{path()};
    case 28:
    case 29:
    case 30:
    case 31:
      return multi();
    case 32:
      return many();
    case 33:
    case 34:
      return watch_request();
    case 35:
    case 36:
      return one_in(2) ? RequestBody(GetEphemerals{one_in(2) ? std::string("/") : path()}) : seldom();
    case 37:
      return WhoAmI{};
    case 38:
      return seldom();
    default:
      return GetData{path(), watch};
  }
}

bool History::suits(const RequestBody& body) const {
  if (theme_.all_open && !is_open(body)) return false;
  if (theme_.quotas) {
    const auto is_check = [](const Multi::Part& part) { return std::holds_alternative<Check>(part); };
    const auto* multi = std::get_if<Multi>(&body);
    if (multi != nullptr &&
        std::count_if(multi->parts.begin(), multi->parts.end(), is_check) + 1 < std::ssize(multi->parts))
      return false;
    const auto* count = std::get_if<GetAllChildrenNumber>(&body);
    if (count != nullptr && count->path == "/") return false;
  }
  if (theme_.persistent_watches) {
    if (const auto* remove = std::get_if<RemoveWatches>(&body)) return remove->type == 3;
    return !std::visit(
        [](const auto& each) {
          if constexpr (requires { each.watch; }) return each.watch;
          return false;
        },
        body);
  }
  return !std::holds_alternative<AddWatch>(body);
}

RequestBody History::seldom() {
  switch (below(12)) {
    case 0:
      return Auth{0, one_in(3) ? "nobody" : "digest", "anna:secret"};
    case 1:
      return Reconfig{};
    case 2:
      return Ping{};
    case 3:
      return Sync{path()};
    default:
      break;
  }
  GetAllChildrenNumber count{path()};
  // What a quota is kept in counts below the root.
  if (theme_.quotas && count.path == "/") count.path = "/a";
  return count;
}

std::string History::quota_path() { return std::string("/") + static_cast<char>('a' + below(3)); }

std::string History::quota_limits(uint64_t bytes_used) {
  const auto limit = [this](uint64_t at_least, uint64_t bound) {
    return one_in(6) ? std::string("-1") : std::to_string(at_least + below(bound));
  };
  return "count=" + std::to_string(below(8)) + ",bytes=" + limit(0, 40) +
         "=;byteHardLimit=" + limit(bytes_used, 10) + ";countHardLimit=" + limit(0, 4);
}

}  // namespace quorate::differential
