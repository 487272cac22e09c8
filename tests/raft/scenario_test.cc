// Every file of scenarios/ against its golden text. With QUORATE_UPDATE_GOLDEN=1 in the environment the files
// are written anew instead; look at the difference before keeping it.
#include "tests/raft/scenario.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace quorate::raft::testing {
namespace {

std::vector<std::filesystem::path> scenario_files() {
  std::vector<std::filesystem::path> files;
  for (const auto& entry :
       std::filesystem::directory_iterator(std::filesystem::path(__FILE__).parent_path() / "scenarios")) {
    if (entry.path().extension() == ".txt") files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  return files;
}

std::string read_file(const std::filesystem::path& path) {
  std::ifstream in(path);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

class Scenario : public ::testing::TestWithParam<std::filesystem::path> {};

TEST_P(Scenario, LeavesItsGoldenTrace) {
  const std::string golden = read_file(GetParam());
  const std::string actual = run_scenario(golden);
  if (std::getenv("QUORATE_UPDATE_GOLDEN") != nullptr) {
    std::ofstream(GetParam()) << actual;
    return;
  }
  EXPECT_EQ(actual, golden);
}

INSTANTIATE_TEST_SUITE_P(Files, Scenario, ::testing::ValuesIn(scenario_files()),
                         [](const auto& file) { return file.param.stem().string(); });

TEST(ScenarioRunner, RefusesWhatItDoesNotKnow) {
  EXPECT_THROW((void)run_scenario("> dance\n"), std::runtime_error);
  EXPECT_THROW((void)run_scenario("> tick 1\n"), std::runtime_error) << "no cluster";
  EXPECT_THROW((void)run_scenario("> cluster 3\n> tick 9\n"), std::runtime_error);
  EXPECT_THROW((void)run_scenario("> cluster 3\n> tick 1 5\n"), std::runtime_error) << "no unit";
}

}  // namespace
}  // namespace quorate::raft::testing
