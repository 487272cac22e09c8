#include "kv/quotas.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "kv/path.h"

namespace quorate::kv {
namespace {

// What a tree would be asked: a map from path to the size of its data.
using Nodes = std::map<std::string, size_t>;

QuotaUse use_of(const Nodes& nodes, std::string_view root) {
  QuotaUse use;
  const std::string below = root == "/" ? "/" : std::string(root) + "/";
  for (const auto& [path, bytes] : nodes) {
    if (path != root && !path.starts_with(below)) continue;
    ++use.count;
    use.bytes += bytes;
  }
  return use;
}

class QuotasTest : public testing::Test {
 protected:
  ErrorCode create(std::string_view path, std::string_view existing, size_t bytes = 0) {
    return quotas.check_create(path, existing, bytes, warnings).code();
  }
  ErrorCode set(std::string_view path, int64_t more) { return quotas.check_set(path, more, warnings).code(); }

  Quotas quotas;
  std::vector<std::string> warnings;
};

TEST_F(QuotasTest, AllowEverythingWhereThereAreNone) {
  EXPECT_EQ(create("/a/b", "/", 1 << 20), ErrorCode::kOk);
  EXPECT_EQ(set("/a/b", 1 << 20), ErrorCode::kOk);
  quotas.note("/a/b", 1, 5);
  EXPECT_EQ(quotas.hash(), 0U);
}

TEST_F(QuotasTest, RefuseBeyondAHardLimitAndNameIt) {
  quotas.set("/a", {-1, 2, -1, 10}, {1, 0});
  EXPECT_EQ(create("/a/b", "/a", 10), ErrorCode::kOk);
  EXPECT_EQ(create("/a/b", "/a", 11), ErrorCode::kQuotaExceeded);
  EXPECT_EQ(create("/a/b/c", "/a", 0), ErrorCode::kQuotaExceeded);  // makes two
  EXPECT_EQ(create("/ab/c", "/", 11), ErrorCode::kOk);              // beside it
  EXPECT_EQ(set("/a/b", 10), ErrorCode::kOk);
  EXPECT_EQ(set("/a/b", 11), ErrorCode::kQuotaExceeded);
  EXPECT_NE(quotas.check_set("/a/b", 11, warnings).error().message.find("\"/a\""), std::string::npos);
  EXPECT_TRUE(warnings.empty());
}

TEST_F(QuotasTest, CountOnlyWhatIsMadeBelowThem) {
  quotas.set("/a/b/c", {-1, 1, -1, -1}, {});
  EXPECT_EQ(create("/a/b/c", "/", 0), ErrorCode::kOk);  // three are made, one of them there
  EXPECT_EQ(create("/a/b/c/d", "/", 0), ErrorCode::kQuotaExceeded);
}

TEST_F(QuotasTest, WarnBeyondASoftLimitAndLetItBe) {
  quotas.set("/a", {1, -1, 10, -1}, {1, 0});
  EXPECT_EQ(create("/a/b", "/a", 0), ErrorCode::kOk);
  EXPECT_EQ(warnings, std::vector<std::string>{"/a"});
  EXPECT_EQ(set("/a", 11), ErrorCode::kOk);
  EXPECT_EQ(warnings.size(), 2U);
  EXPECT_EQ(set("/a", 10), ErrorCode::kOk);
  EXPECT_EQ(warnings.size(), 2U);
}

TEST_F(QuotasTest, CheckEachThatNests) {
  quotas.set("/", {-1, 5, -1, -1}, {5, 0});
  quotas.set("/a", {1, 100, -1, -1}, {1, 0});
  EXPECT_EQ(create("/a/b", "/a", 0), ErrorCode::kQuotaExceeded);
  EXPECT_TRUE(warnings.empty()) << "a refusal warns of nothing";
  quotas.set("/", {-1, 6, -1, -1}, {});
  EXPECT_EQ(create("/a/b", "/a", 0), ErrorCode::kOk);
  EXPECT_EQ(warnings.size(), 1U);
}

TEST_F(QuotasTest, RefuseOnlyWhatGrows) {
  quotas.set("/a", {-1, 0, -1, 0}, {3, 30});
  EXPECT_EQ(set("/a", 0), ErrorCode::kOk);
  EXPECT_EQ(set("/a", -5), ErrorCode::kOk);
  EXPECT_EQ(set("/a", 1), ErrorCode::kQuotaExceeded);
}

TEST_F(QuotasTest, KeepTheirUseWhenLimitsChange) {
  quotas.set("/a", {-1, 10, -1, -1}, {2, 20});
  quotas.note("/a/b", 1, 7);
  quotas.set("/a", {-1, 11, -1, -1}, {});
  EXPECT_EQ(*quotas.find("/a"), (Quota{{-1, 11, -1, -1}, {3, 27}}));
  quotas.set("/a", {}, {});
  EXPECT_EQ(quotas.find("/a"), nullptr);
  EXPECT_EQ(quotas.hash(), 0U);
}

TEST(ValidateQuota, RefusesLimitsBelowNone) {
  EXPECT_TRUE(validate_quota({}).ok());
  EXPECT_TRUE(validate_quota({0, 1, 2, 3}).ok());
  for (const QuotaLimits& limits : {QuotaLimits{-2, -1, -1, -1}, QuotaLimits{-1, -2, -1, -1},
                                    QuotaLimits{-1, -1, -2, -1}, QuotaLimits{-1, -1, -1, -2}}) {
    EXPECT_EQ(validate_quota(limits).code(), ErrorCode::kInvalidArgument);
  }
}

TEST(QuotaBytes, AreReadAsTheyWereWritten) {
  const QuotaLimits limits{1, -1, 2'000'000'000'000, 0};
  std::string bytes;
  append_quota(bytes, limits);
  ByteReader in(bytes);
  EXPECT_EQ(read_quota(in), limits);
  EXPECT_TRUE(in.done());
}

RC_GTEST_PROP(Quotas, UseIsWhatARecountGives, ()) {
  const std::vector<std::string> all = {"/", "/a", "/a/b", "/a/b/c", "/ab", "/a/bb"};
  Nodes nodes = {{"/", 0}};
  Quotas quotas;
  for (int step = *rc::gen::inRange(0, 80); step > 0; --step) {
    const std::string path = *rc::gen::elementOf(all);
    const auto bytes = *rc::gen::inRange<size_t>(0, 20);
    switch (*rc::gen::inRange(0, 4)) {
      case 0:
        quotas.set(path, {*rc::gen::inRange(-1, 2), -1, -1, -1}, use_of(nodes, path));
        break;
      case 1:
        if (nodes.emplace(path, bytes).second) quotas.note(path, 1, static_cast<int64_t>(bytes));
        break;
      case 2:
        if (path != "/" && nodes.contains(path)) {
          quotas.note(path, -1, -static_cast<int64_t>(nodes[path]));
          nodes.erase(path);
        }
        break;
      default:
        if (nodes.contains(path)) {
          quotas.note(path, 0, static_cast<int64_t>(bytes) - static_cast<int64_t>(nodes[path]));
          nodes[path] = bytes;
        }
    }
    const auto wrong = quotas.check([&](std::string_view root) { return use_of(nodes, root); });
    RC_ASSERT(wrong == std::nullopt);
  }
}

}  // namespace
}  // namespace quorate::kv
