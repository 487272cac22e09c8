// Paths that cannot be, in every request that names one: the same error in every way in, and nothing changes.
#include <gtest/gtest.h>

#include "kv/path.h"
#include "tests/replica/zookeeper_fixture.h"

namespace quorate::server::test {
namespace {

struct BadPath {
  const char* name;
  std::string path;
  ErrorCode error = ErrorCode::kBadPath;
  bool sequential = false;  // it can be, for a create that adds a suffix
};

std::vector<BadPath> bad_paths() {
  return {{"empty", ""},
          {"relative", "a"},
          {"relative below", "a/b"},
          {"a dot", "/."},
          {"a dot within", "/a/./b"},
          {"two dots", "/a/.."},
          {"two dots within", "/a/../b"},
          {"two slashes at the front", "//a"},
          {"two slashes", "/a//b"},
          {"a slash at the end", "/a/", ErrorCode::kBadPath, true},
          {"two slashes at the end", "/a//"},
          {"a NUL", std::string("/a\0b", 4)},
          {"a NUL at the end", std::string("/a\0", 3)},
          {"a control character", "/a\x01"},
          {"no UTF-8", "/a\xff"},
          {"a cut character", "/a\xc3"},
          {"a character in too many bytes", "/a\xc0\xaf"},
          {"a surrogate", "/a\xed\xa0\x80"},
          {"too long", "/" + std::string(kv::kPathBytesMax, 'x'), ErrorCode::kTooLarge},
          {"below what is reserved", "/zookeeper/../a"},
          {"below the configuration", "/zookeeper/config//a"},
          {"below the quotas", "/zookeeper/quota/a/"}};
}

// ---- every request of a protocol with that path. One that is added to a variant does not compile before it
// is told here whether it names a path.

template <class... Types>
struct List {};
template <class Variant>
struct AlternativesOf;
template <class... Types>
struct AlternativesOf<std::variant<Types...>> {
  using List = test::List<Types...>;
};
template <class... Types>
List<Types...> list_of(const std::variant<Types...>&);

template <class T, class... Types>
constexpr bool kIsOneOf = (std::is_same_v<T, Types> || ...);

template <class Out, class Make, class... Types>
std::vector<Out> all_of(List<Types...>, const Make& make) {
  std::vector<Out> all;
  (
      [&] {
        for (Out& each : make(Types{})) all.push_back(std::move(each));
      }(),
      ...);
  return all;
}

const auto kParts = [](const std::string& path) {
  return [path](auto part) {
    part.path = path;
    return std::vector<kv::MultiOp::Part>{part};
  };
};

std::vector<kv::Operation> operations(const std::string& path) {
  return all_of<kv::Operation>(AlternativesOf<kv::Operation>::List(), [&path](auto op) {
    using Op = decltype(op);
    std::vector<kv::Operation> ways;
    if constexpr (std::is_same_v<Op, kv::MultiOp>) {
      for (auto& part : all_of<kv::MultiOp::Part>(AlternativesOf<kv::MultiOp::Part>::List(), kParts(path)))
        ways.push_back(kv::MultiOp{{kv::CreateOp{"/before"}, std::move(part)}});
    } else if constexpr (std::is_same_v<Op, kv::AcquireManyOp>) {
      op.locks = {kv::AcquireOp{"/before"}, kv::AcquireOp{path}};
      ways.push_back(op);
    } else if constexpr (requires { op.path; }) {
      op.path = path;
      ways.push_back(op);
    } else if constexpr (requires { op.node; }) {
      op.node = path;
      ways.push_back(op);
    } else {
      static_assert(kIsOneOf<Op, kv::CloseSessionOp, kv::AddCredentialOp>, "does it name a path?");
    }
    return ways;
  });
}

std::vector<RequestBody> requests(const std::string& path, uint64_t& number) {
  return all_of<RequestBody>(decltype(list_of(RequestBody()))(), [&](auto body) {
    using Body = decltype(body);
    std::vector<RequestBody> ways;
    if constexpr (std::is_same_v<Body, WriteRequest>) {
      for (kv::Operation& operation : operations(path))
        ways.push_back(WriteRequest{++number, number, std::move(operation)});
    } else if constexpr (std::is_same_v<Body, MultiReadRequest>) {
      ways.push_back(MultiReadRequest{{GetRequest{path}, ChildrenRequest{path}}});
    } else if constexpr (requires { body.path; }) {
      body.path = path;
      if constexpr (requires { body.watch; }) body.watch = 77;
      ways.push_back(body);
    } else if constexpr (requires { body.root; }) {
      body.root = path;
      ways.push_back(body);
    } else if constexpr (requires { body.node; }) {
      body.node = path;
      ways.push_back(body);
    } else {
      static_assert(kIsOneOf<Body, OpenSessionRequest, AttachSessionRequest, PingRequest, RemoveWatchRequest,
                             StatusRequest, TransferRequest, AddCredentialRequest, SnapshotPartRequest,
                             SyncRequest, SessionListRequest, EndSessionRequest, HotPathsRequest>,
                    "does it name a path?");
    }
    return ways;
  });
}

std::vector<zk::RequestBody> zookeeper_requests(const std::string& path) {
  return all_of<zk::RequestBody>(decltype(list_of(zk::RequestBody()))(), [&path](auto body) {
    using Body = decltype(body);
    std::vector<zk::RequestBody> ways;
    if constexpr (kIsOneOf<Body, zk::Multi, zk::MultiRead>) {
      for (auto& part : all_of<typename Body::Part>(typename AlternativesOf<typename Body::Part>::List(),
                                                    [&path](auto each) {
                                                      each.path = path;
                                                      if constexpr (requires { each.acl; }) each.acl = kOpen;
                                                      return std::vector<typename Body::Part>{each};
                                                    }))
        ways.push_back(Body{{std::move(part)}});
    } else if constexpr (requires { body.path; }) {
      body.path = path;
      if constexpr (requires { body.watch; }) body.watch = true;
      if constexpr (requires { body.acl; }) body.acl = kOpen;
      ways.push_back(body);
    } else {
      // A prefix need be no path; the lists of SetWatches have a test of their own.
      static_assert(kIsOneOf<Body, zk::Ping, zk::Reconfig, zk::Auth, zk::Sasl, zk::SetWatches,
                             zk::GetEphemerals, zk::WhoAmI, zk::CloseSession, zk::Unknown>,
                    "does it name a path?");
    }
    return ways;
  });
}

// ---- the tests

class BadPaths : public ReplicaZookeeper {
 protected:
  void prepare() {
    form(1);
    open(leader, kOne);
    ASSERT_EQ(cluster->open(leader, kTwo).code, ErrorCode::kOk);
    for (const char* path : {"/a", "/a/b"}) call(leader, kOne, create(path, "x"));
    before = tree();
  }
  // Every node, with all that a change of it would show.
  std::vector<std::tuple<std::string, kv::Stat, std::string>> tree() {
    std::vector<std::tuple<std::string, kv::Stat, std::string>> all;
    std::vector<std::string> paths = {"/"};
    while (!paths.empty()) {
      const std::string path = paths.back();
      paths.pop_back();
      const auto node = state().get(path);
      all.emplace_back(path, node->stat, std::string(node->data));
      const auto children = state().children(path);
      for (const kv::Child& child : *children) paths.push_back(kv::join_path(path, child.name));
    }
    return all;
  }
  const kv::StateMachine& state() { return cluster->replica(leader).state(); }
  void expect_nothing_changed() {
    EXPECT_EQ(tree(), before);
    EXPECT_EQ(cluster->replica(leader).status().watches, 0U);
    EXPECT_TRUE(state().quotas().empty());
  }
  static ErrorCode code_of(const ClientReply& reply) {
    const auto* many = std::get_if<MultiReadReply>(&reply.body);
    if (many == nullptr || !reply.error.ok()) return reply.error.code;
    EXPECT_EQ(many->results.at(0).error.code, many->results.at(1).error.code);
    return many->results.at(0).error.code;
  }
  static zk::ErrorCode code_of(const zk::Reply& reply) {
    const auto* many = std::get_if<zk::MultiReply>(&reply.body);
    return many == nullptr ? reply.error : many->results.at(0).error;
  }

  std::vector<std::tuple<std::string, kv::Stat, std::string>> before;
};

TEST_F(BadPaths, AreRefusedAlikeByEveryRequestThatNamesOne) {
  prepare();
  uint64_t number = 0;
  size_t asked = 0;
  for (const BadPath& bad : bad_paths()) {
    for (const RequestBody& body : requests(bad.path, number)) {
      const auto* write = std::get_if<WriteRequest>(&body);
      SCOPED_TRACE(std::string(bad.name) + ", request " + std::to_string(body.index()) + ", operation " +
                   std::to_string(write == nullptr ? 0 : write->operation.index()));
      EXPECT_EQ(code_of(cluster->call(leader, kTwo, body)), bad.error);
      ++asked;
    }
    SCOPED_TRACE(bad.name);
    expect_nothing_changed();
  }
  EXPECT_GE(asked, bad_paths().size() * 30);
}

TEST_F(BadPaths, AreRefusedAlikeByEveryRequestOfZooKeepers) {
  prepare();
  for (const BadPath& bad : bad_paths()) {
    for (const zk::RequestBody& body : zookeeper_requests(bad.path)) {
      SCOPED_TRACE(std::string(bad.name) + ", operation " +
                   std::to_string(static_cast<int>(zk::op_of(body))));
      // As ZooKeeper: a sync looks at no node, nobody watches what cannot be, and a check alone is none.
      const auto expected =
          std::holds_alternative<zk::Sync>(body)    ? zk::ErrorCode::kOk
          : std::holds_alternative<zk::Check>(body) ? zk::ErrorCode::kUnimplemented
          : std::holds_alternative<zk::CheckWatches>(body) || std::holds_alternative<zk::RemoveWatches>(body)
              ? zk::ErrorCode::kNoWatcher
              : zk::ErrorCode::kBadArguments;
      EXPECT_EQ(code_of(call(leader, kOne, body)), expected);
    }
    SCOPED_TRACE(bad.name);
    expect_nothing_changed();
  }
}

// A client that comes back with such a path among others has the others.
TEST_F(BadPaths, AreLeftOutOfWatchesThatAreSetAgain) {
  prepare();
  zk::SetWatches again;
  again.second = true;
  again.relative_zxid = replies(leader, kOne).back().zxid;
  for (const BadPath& bad : bad_paths()) {
    for (auto* paths : {&again.data, &again.exists, &again.children, &again.persistent, &again.recursive})
      paths->push_back(bad.path);
  }
  EXPECT_EQ(call(leader, kOne, again).error, zk::ErrorCode::kOk);
  expect_nothing_changed();
  EXPECT_TRUE(cluster->events<kv::WatchEvent>(leader, kOne).empty());
}

TEST_F(BadPaths, OfSequentialCreatesMayEndInASlashAndMustHaveRoomForTheSuffix) {
  prepare();
  uint64_t number = 0;
  for (const BadPath& bad : bad_paths()) {
    if (bad.sequential) continue;
    kv::CreateOp op{bad.path};
    op.sequential = true;
    const ClientReply reply = cluster->call(leader, kTwo, WriteRequest{++number, number, op});
    // With the slash at its end it can be; it is the node's parent that is not there.
    const ErrorCode expected = bad.path == "/zookeeper/quota/a/" ? ErrorCode::kNoNode : bad.error;
    EXPECT_EQ(reply.error.code, expected) << bad.name;
  }
  kv::CreateOp op{"/" + std::string(kv::kPathBytesMax - 1, 'x')};
  op.sequential = true;
  EXPECT_EQ(cluster->call(leader, kTwo, WriteRequest{++number, number, op}).error.code, ErrorCode::kTooLarge);
  expect_nothing_changed();
}

}  // namespace
}  // namespace quorate::server::test
