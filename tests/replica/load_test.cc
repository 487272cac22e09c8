// What a server tells of its load: the counter of hot paths against a slow twin and against the exact counts,
// the buckets of latencies, and who is told which paths.
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <map>

#include "server/replica_figures.h"
#include "server/replica_hot_paths.h"
#include "tests/replica/zookeeper_fixture.h"

namespace quorate::server::test {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// The same, with a linear search for everything.
class SlowHotPaths {
 public:
  void count(const std::string& path, Instant now) {
    advance(now);
    size_t at = 0;
    while (at < slots_.size() && slots_[at].path != path) ++at;
    if (at == slots_.size()) {
      at = 0;
      slots_[0] = {path, slots_[0].count, slots_[0].count};
    }
    size_t last = at;
    while (last + 1 < slots_.size() && slots_[last + 1].count == slots_[at].count) ++last;
    std::swap(slots_[at], slots_[last]);
    ++slots_[last].count;
  }
  std::vector<HotPaths::Hot> hottest(Instant now) {
    advance(now);
    std::vector<HotPaths::Hot> hot;
    for (size_t i = slots_.size(); i-- > 0 && slots_[i].count > 0;) hot.push_back(slots_[i]);
    return hot;
  }

 private:
  void advance(Instant now) {
    if (!std::exchange(begun_, true)) halved_ = now;
    for (; now - halved_ >= kHotPathsHalfTime; halved_ += kHotPathsHalfTime)
      for (HotPaths::Hot& slot : slots_) slot = {slot.path, slot.count / 2, slot.surplus / 2};
  }

  std::vector<HotPaths::Hot> slots_ = std::vector<HotPaths::Hot>(kHotPathsMax);  // by ascending count
  Instant halved_{};
  bool begun_ = false;
};

std::string text_of(const std::vector<HotPaths::Hot>& all) {
  std::string text;
  for (const HotPaths::Hot& hot : all)
    text += hot.path + " " + std::to_string(hot.count) + " " + std::to_string(hot.surplus) + "\n";
  return text;
}

RC_GTEST_PROP(HotPaths, CountAsTheSlowTwinDoes, ()) {
  // Few and many different paths, so that slots are taken over again and again.
  const int different = *rc::gen::element(5, 130, 200, 2000);
  const auto steps = *rc::gen::container<std::vector<int>>(
      1500, rc::gen::map(rc::gen::pair(rc::gen::inRange(0, different), rc::gen::inRange(0, different)),
                         [](const std::pair<int, int>& two) { return std::min(two.first, two.second); }));
  const auto step = milliseconds(*rc::gen::inRange(0, 60));
  HotPaths quick;
  SlowHotPaths slow;
  Instant now{seconds(1)};
  for (const int each : steps) {
    now += step;
    const std::string path = "/" + std::to_string(each);
    quick.count(path, now);
    slow.count(path, now);
  }
  RC_ASSERT(text_of(quick.hottest(now)) == text_of(slow.hottest(now)));
  now += seconds(*rc::gen::inRange(0, 100));
  RC_ASSERT(text_of(quick.hottest(now)) == text_of(slow.hottest(now)));
}

RC_GTEST_PROP(HotPaths, KeepWhatTheyPromise, ()) {
  const auto steps = *rc::gen::container<std::vector<int>>(2000, rc::gen::inRange(0, 400));
  HotPaths quick;
  std::map<std::string, uint64_t> exact;
  for (const int each : steps) {
    const std::string path = "/" + std::to_string(each * each / 400);
    quick.count(path, Instant{});
    ++exact[path];
  }
  uint64_t sum = 0;
  std::map<std::string, uint64_t> told;
  for (const HotPaths::Hot& hot : quick.hottest(Instant{})) {
    RC_ASSERT(hot.count - hot.surplus <= exact[hot.path]);
    RC_ASSERT(exact[hot.path] <= hot.count);
    told[hot.path] = hot.count;
    sum += hot.count;
  }
  RC_ASSERT(sum == steps.size());
  for (const auto& [path, count] : exact)
    RC_ASSERT(count <= steps.size() / kHotPathsMax || told.contains(path));
}

TEST(HotPaths, TellWhatWasOfLate) {
  HotPaths hot;
  const Instant begin{seconds(5)};
  for (int i = 0; i < 1000; ++i) hot.count("/a", begin + milliseconds(100 * i));  // ten a second
  const Instant end = begin + seconds(100);
  const auto told = hot.hottest(end);
  ASSERT_EQ(told.size(), 1U);
  const double rate =
      static_cast<double>(told[0].count) / std::chrono::duration<double>(hot.window(end)).count();
  EXPECT_NEAR(rate, 10, 0.5);
  EXPECT_TRUE(hot.hottest(end + seconds(1000)).empty()) << "long ago";
  hot.count("/b", end + std::chrono::hours(24 * 365));
  EXPECT_EQ(hot.hottest(end + std::chrono::hours(24 * 365)).size(), 1U);
}

TEST(HotPaths, DoNotCountWhatIsTooLong) {
  HotPaths hot;
  hot.count(std::string(kHotPathBytesMax + 1, 'a'), Instant{});
  hot.count("", Instant{});
  EXPECT_TRUE(hot.hottest(Instant{}).empty());
  hot.count(std::string(kHotPathBytesMax, 'a'), Instant{});
  EXPECT_EQ(hot.hottest(Instant{}).size(), 1U);
}

RC_GTEST_PROP(LatencyBuckets, HoldWhatTheyAreSaidToHold, ()) {
  const auto us = *rc::gen::inRange<uint64_t>(0, uint64_t{1} << *rc::gen::inRange(1, 28));
  const size_t bucket = LatencyBuckets::bucket_of(us);
  RC_ASSERT(bucket < LatencyBuckets::kBuckets);
  RC_ASSERT(us <= LatencyBuckets::last_of(bucket));
  if (bucket > 0) RC_ASSERT(us > LatencyBuckets::last_of(bucket - 1));
  RC_ASSERT(LatencyBuckets::last_of(bucket) - us <= us / 4);
}

TEST(LatencyBuckets, TakeWhateverComes) {
  LatencyBuckets buckets;
  buckets.add(milliseconds(-5));
  buckets.add(Duration(999));
  buckets.add(std::chrono::hours(1000));
  EXPECT_EQ(buckets.filled(), (std::vector<LatencyBuckets::Bucket>{{0, 2}, {LatencyBuckets::kMaxUs, 1}}));
}

// ---- a server

const ServerId kServer(1);
const ConnectionId kRoot(1), kOther(2), kStranger(3);

class LoadTest : public testing::Test {
 protected:
  LoadTest() : cluster(1, with_super()) {
    EXPECT_EQ(cluster.elect(), kServer);
    EXPECT_EQ(cluster.open(kServer, kRoot).code, ErrorCode::kOk);
    EXPECT_EQ(cluster.open(kServer, kOther).code, ErrorCode::kOk);
  }
  static ReplicaOptions with_super() {
    ReplicaOptions options;
    options.super_digest = kv::digest_id("super:test").value();
    return options;
  }
  ErrorCode write(ConnectionId who, kv::Operation operation) {
    const uint64_t number = ++numbers[who];
    return cluster.call(kServer, who, WriteRequest{number, number, std::move(operation)}).error.code;
  }
  ErrorCode prove(ConnectionId who, std::string proof) {
    const uint64_t number = ++numbers[who];
    return cluster.call(kServer, who, AddCredentialRequest{number, number, "digest", std::move(proof)})
        .error.code;
  }
  HotPathsReply hot(ConnectionId who, size_t max = 20) {
    return std::get<HotPathsReply>(cluster.call(kServer, who, HotPathsRequest{max}).body);
  }
  std::vector<std::string> paths(ConnectionId who) {
    std::vector<std::string> all;
    for (const auto& each : hot(who).paths) all.push_back(each.path);
    return all;
  }

  Cluster cluster;
  std::map<ConnectionId, uint64_t> numbers;
};

uint64_t sum(const LatencyBuckets& buckets) {
  uint64_t count = 0;
  for (const auto& bucket : buckets.filled()) count += bucket.count;
  return count;
}

TEST_F(LoadTest, ReadsAndWritesAreCountedAndSignsOfLifeAreNot) {
  const auto figures = [&] {
    return *std::get<ServerStatus>(cluster.call(kServer, kStranger, StatusRequest{}).body).served;
  };
  const RequestFigures before = figures();
  EXPECT_EQ(write(kRoot, kv::CreateOp{"/a"}), ErrorCode::kOk);
  EXPECT_EQ(write(kRoot, kv::CreateOp{"/a"}), ErrorCode::kNodeExists) << "an answer, too";
  for (int i = 0; i < 3; ++i) cluster.call(kServer, kStranger, GetRequest{"/a"});
  cluster.call(kServer, kRoot, PingRequest{});
  const RequestFigures after = figures();
  EXPECT_EQ(sum(after.writes) - sum(before.writes), 2U);
  EXPECT_EQ(sum(after.reads) - sum(before.reads), 3U);
  EXPECT_GE(after.at, before.at);
}

TEST_F(LoadTest, TheHottestPathComesFirst) {
  for (const char* path : {"/a", "/b"}) EXPECT_EQ(write(kRoot, kv::CreateOp{path}), ErrorCode::kOk);
  for (int i = 0; i < 5; ++i) cluster.call(kServer, kStranger, GetRequest{"/b"});
  cluster.call(kServer, kStranger, MultiReadRequest{{GetRequest{"/b"}, ChildrenRequest{"/c"}}});
  const HotPathsReply told = hot(kStranger);
  ASSERT_EQ(told.paths.size(), 3U);
  EXPECT_EQ(told.paths[0].path, "/b");
  EXPECT_EQ(told.paths[0].count, 7U);
  EXPECT_EQ(told.paths[0].surplus, 0U);
  EXPECT_EQ(told.hidden, 0U);
  EXPECT_EQ(hot(kStranger, 1).paths.size(), 1U);
}

TEST_F(LoadTest, AReleaseCountsForItsLock) {
  EXPECT_EQ(write(kRoot, kv::AcquireOp{"/l"}), ErrorCode::kOk);
  const auto children = cluster.replica(kServer).state().children("/l");
  ASSERT_EQ(children->size(), 1U);
  EXPECT_EQ(write(kRoot, kv::ReleaseOp{"/l/" + std::string(children->front().name)}), ErrorCode::kOk);
  ASSERT_EQ(hot(kRoot).paths.size(), 1U);
  EXPECT_EQ(hot(kRoot).paths[0].path, "/l");
  EXPECT_EQ(hot(kRoot).paths[0].count, 2U);
}

// Who may not read a node is not told what it is called, nor what was below it.
TEST_F(LoadTest, PathsThatOneMayNotReadAreHidden) {
  EXPECT_EQ(prove(kRoot, "alice:secret"), ErrorCode::kOk);
  kv::CreateOp secret{"/secret"};
  secret.acl = {{kv::kAllPermissions, "auth", ""}};
  EXPECT_EQ(write(kRoot, secret), ErrorCode::kOk);
  EXPECT_EQ(write(kRoot, kv::CreateOp{"/open"}), ErrorCode::kOk);
  cluster.call(kServer, kRoot, GetRequest{"/secret/gone"});
  cluster.call(kServer, kOther, GetRequest{"no path"});
  using Paths = std::vector<std::string>;
  EXPECT_EQ(paths(kOther), Paths{"/open"});
  EXPECT_EQ(paths(kStranger), Paths{"/open"}) << "without a session";
  EXPECT_EQ(hot(kStranger).hidden, 3U);
  EXPECT_EQ(paths(kRoot).size(), 3U);
  EXPECT_EQ(prove(kOther, "super:test"), ErrorCode::kOk);
  EXPECT_EQ(paths(kOther).size(), 3U) << "a super user";
}

class ZookeeperLoad : public ReplicaZookeeper {};

TEST_F(ZookeeperLoad, ItsRequestsCountAsOthersDo) {
  form();
  open(follower, kOne);
  call(follower, kOne, create("/a"));
  for (int i = 0; i < 3; ++i) call(follower, kOne, zookeeper::GetData{"/a", false});
  const ConnectionId asker(9);
  const auto status = std::get<ServerStatus>(cluster->call(follower, asker, StatusRequest{}).body);
  EXPECT_EQ(sum(status.served->writes), 1U);
  EXPECT_EQ(sum(status.served->reads), 3U);
  const auto told = std::get<HotPathsReply>(cluster->call(follower, asker, HotPathsRequest{}).body);
  ASSERT_EQ(told.paths.size(), 1U);
  EXPECT_EQ(told.paths[0].path, "/a");
  EXPECT_EQ(told.paths[0].count, 4U);
}

}  // namespace
}  // namespace quorate::server::test
