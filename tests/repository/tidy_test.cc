// The repository keeps its rules, and each rule finds a violation that is planted for it.
#include "tests/repository/tidy.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <string>

namespace quorate::tidy {
namespace {

const std::string kRoot = std::filesystem::path(__FILE__).parent_path().parent_path().parent_path();

template <typename Check>
std::string broken_by_the_project(Check check) {
  const std::vector<SourceFile> files = read_sources(kRoot);
  EXPECT_GT(files.size(), 20U) << "the sources were not found";
  std::vector<Violation> all;
  for (const SourceFile& file : files) {
    for (Violation& v : check(file)) all.push_back(std::move(v));
  }
  return describe(all);
}

std::string includes_of(const std::string& path, const std::string& text) {
  return describe(check_includes({path, text}));
}

std::string purity_of(const std::string& path, const std::string& text) {
  return describe(check_purity({path, text}));
}

TEST(Repository, FoldersIncludeOnlyWhatTheyMay) { EXPECT_EQ(broken_by_the_project(check_includes), ""); }
TEST(Repository, WhatDecidesIsPure) { EXPECT_EQ(broken_by_the_project(check_purity), ""); }
TEST(Repository, FilesCanBeReadInOneSitting) { EXPECT_EQ(broken_by_the_project(check_length), ""); }
TEST(Repository, TestsNeitherSleepNorSkip) { EXPECT_EQ(broken_by_the_project(check_test_habits), ""); }

TEST(Repository, WhatClientsChooseIsHashedWithAKey) { EXPECT_EQ(broken_by_the_project(check_hashes), ""); }

TEST(Repository, PublicHeadersDefineNoMacro) {
  EXPECT_EQ(describe(check_public_headers(read_sources(kRoot))), "");
}

TEST(Includes, RaftAndKvNeverSeeEachOther) {
  EXPECT_EQ(includes_of("raft/a.cc", "#include \"kv/tree.h\"\n"),
            "raft/a.cc:1: raft/ must not include \"kv/tree.h\"\n");
  EXPECT_EQ(includes_of("kv/a.h", "\n# include  \"raft/log.h\"\n"),
            "kv/a.h:2: kv/ must not include \"raft/log.h\"\n");
}

TEST(Includes, EachFolderIsHeldToItsRow) {
  EXPECT_NE(includes_of("base/a.h", "#include \"raft/ids.h\"\n"), "");
  EXPECT_NE(includes_of("lock/a.h", "#include \"raft/log.h\"\n"), "");
  EXPECT_NE(includes_of("proto/a.cc", "#include \"kv/tree.h\"\n"), "");
  EXPECT_NE(includes_of("server/replica.cc", "#include \"server/storage/wal.h\"\n"), "");
  EXPECT_NE(includes_of("server/formation.h", "#include \"proto/peer.pb.h\"\n"), "");
  EXPECT_NE(includes_of("server/storage/wal.cc", "#include \"lock/service.h\"\n"), "");
  EXPECT_NE(includes_of("client/client.cc", "#include \"server/storage/wal.h\"\n"), "");
  EXPECT_NE(includes_of("client/client.cc", "#include \"raft/raft.h\"\n"), "");
  EXPECT_NE(includes_of("server/replica.h", "#include \"server/shell/driver.h\"\n"), "");
  EXPECT_NE(includes_of("kv/tree.h", "#include \"tests/kv/slow_tree.h\"\n"), "");
  EXPECT_EQ(includes_of("server/replica.h", "#include \"lock/queue.h\"\n#include \"raft/raft.h\"\n"), "");
  EXPECT_EQ(
      includes_of("server/shell/driver.cc", "#include \"server/replica.h\"\n#include <boost/asio.hpp>\n"),
      "");
  EXPECT_EQ(includes_of("tests/kv/a_test.cc", "#include \"raft/raft.h\"\n#include <thread>\n"), "");
}

TEST(Includes, PathsStartAtTheRoot) {
  EXPECT_EQ(includes_of("kv/a.cc", "#include \"tree.h\"\n"),
            "kv/a.cc:1: \"tree.h\" is not a path from the repository's root\n");
}

TEST(Includes, PureFoldersSeeOnlyTheStandardLibraryThatDecidesNothing) {
  for (const char* header :
       {"thread", "mutex", "condition_variable", "random", "fstream", "unistd.h", "sys/socket.h",
        "boost/asio.hpp", "leveldb/db.h", "google/protobuf/message.h", "xxhash.h"}) {
    for (const char* path : {"raft/a.h", "kv/a.h", "lock/a.h", "server/replica_a.h", "server/formation.cc"}) {
      EXPECT_NE(includes_of(path, "#include <" + std::string(header) + ">\n"), "") << path << " " << header;
    }
  }
  EXPECT_EQ(includes_of("raft/a.h", "#include <vector>\n#include <variant>\n"), "");
  EXPECT_EQ(includes_of("base/checksum.cc", "#include <xxhash.h>\n"), "");
}

TEST(Includes, ACommentIncludesNothing) {
  EXPECT_EQ(includes_of("raft/a.h", "// #include \"kv/tree.h\"\n/*\n#include \"kv/tree.h\"\n*/\n"), "");
}

TEST(Purity, EveryImpureNameIsFound) {
  for (const char* name : {"std::chrono::system_clock::now()", "std::chrono::steady_clock::now()",
                           "std::random_device{}()", "getenv(\"HOME\")", "clock_gettime(CLOCK_BOOTTIME, &t)",
                           "std::this_thread::yield()", "std::ifstream in", "std::mt19937 g"}) {
    EXPECT_NE(purity_of("server/replica.cc", "auto x = " + std::string(name) + ";\n"), "") << name;
    EXPECT_EQ(purity_of("server/shell/clock.cc", "auto x = " + std::string(name) + ";\n"), "") << name;
  }
}

TEST(Purity, CommentsAndLiteralsMayNameThem) {
  EXPECT_EQ(purity_of("kv/a.cc", "// no steady_clock here\n/* nor\n getenv */ int x = 1'000;\n"), "");
  EXPECT_EQ(
      purity_of("kv/a.cc", "auto s = \"a \\\" getenv\"; auto r = R\"x(getenv \" )x\"; char c = '\"';\n"), "");
}

TEST(Purity, CodeBehindALiteralIsStillSeen) {
  EXPECT_EQ(purity_of("kv/a.cc", "int x = 1'000;\nauto s = \"//\"; getenv(s);\n"),
            "kv/a.cc:2: getenv in code that must be a function of its inputs\n");
  EXPECT_NE(purity_of("kv/a.cc", "auto r = R\"x(\")x\"; char c = '\"'; getenv(r);\n"), "");
}

TEST(Purity, PartOfALongerNameIsNothing) {
  EXPECT_EQ(purity_of("kv/a.cc", "int my_getenv_count = 0;\n"), "");
}

TEST(Length, ALineTooManyIsFound) {
  const std::string limit(static_cast<size_t>(kFileLinesMax), '\n');
  EXPECT_EQ(describe(check_length({"kv/a.cc", limit})), "");
  EXPECT_EQ(describe(check_length({"kv/a.cc", limit + "\n"})), "kv/a.cc:601: longer than 600 lines\n");
}

TEST(Hashes, TablesOfTextNameTheirOwn) {
  for (const char* table :
       {"std::unordered_map<std::string_view, size_t> known;", "std::unordered_set<std::string> paths;",
        "std::unordered_map<std::string, std::vector<int>> hash_of;"}) {
    for (const char* path : {"kv/a.cc", "lock/a.h", "server/replica_a.cc", "server/storage/a.cc"})
      EXPECT_NE(describe(check_hashes({path, table})), "") << table;
    for (const char* path : {"server/shell/a.cc", "client/a.cc", "tests/kv/a_test.cc"})
      EXPECT_EQ(describe(check_hashes({path, table})), "") << table;
  }
  EXPECT_EQ(describe(check_hashes({"kv/a.h", "\nstd::unordered_map<std::string, int> a;\n"})),
            "kv/a.h:2: unordered_map<std::string: name a hash with a key, or use an ordered map\n");
  EXPECT_EQ(describe(check_hashes({"kv/a.h", "std::unordered_map<std::string, uint32_t, Hash> ids_;\n"})),
            "");
  EXPECT_EQ(describe(check_hashes({"kv/a.h", "std::unordered_map<Ref, std::string> a;\n"})), "");
}

TEST(PublicHeaders, MacrosAreFoundThroughIncludes) {
  const SourceFile client{"client/quorate/a.h", "#include \"base/a.h\"\n"};
  const SourceFile includes{"base/a.h", "#pragma once\n#include \"base/b.h\"\n"};
  const SourceFile defines{"base/b.h", "// #define A\n#define CHECK(x)\n"};
  EXPECT_EQ(describe(check_public_headers({client, includes, defines})),
            "base/b.h:2: a macro that every user of the library would get\n");
  EXPECT_EQ(describe(check_public_headers({includes, defines})), "");
}

TEST(PublicHeaders, OtherLibrariesAreOnlyForTheOneThatIsForThem) {
  const SourceFile asio{"client/quorate/asio.h", "#include <boost/asio/post.hpp>\n#include <memory>\n"};
  EXPECT_EQ(describe(check_public_headers({asio})), "");
  const SourceFile client{"client/quorate/a.h", "#include <memory>\n#include <google/protobuf/any.h>\n"};
  EXPECT_EQ(
      describe(check_public_headers({client})),
      "client/quorate/a.h:2: google/protobuf/any.h: another library that every user of ours would need\n");
  const SourceFile through{"client/quorate/b.h", "#include \"client/quorate/asio.h\"\n"};
  EXPECT_EQ(
      describe(check_public_headers({through, asio})),
      "client/quorate/b.h:1: client/quorate/asio.h: another library that every user of ours would need\n");
}

TEST(TestHabits, SleepingAndSkippingAreFound) {
  EXPECT_NE(describe(check_test_habits({"tests/kv/a_test.cc", "std::this_thread::sleep_for(1s);\n"})), "");
  EXPECT_NE(describe(check_test_habits({"tests/kv/a_test.cc", "GTEST_SKIP();\n"})), "");
  EXPECT_EQ(describe(check_test_habits({"server/shell/a.cc", "std::this_thread::sleep_for(1s);\n"})), "");
}

}  // namespace
}  // namespace quorate::tidy
