// quorate bench: what a cluster gives to clients that stand where this one does.
#include <algorithm>
#include <atomic>
#include <thread>
#include <utility>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "client/bench/figures.h"
#include "client/bench/keys.h"
#include "client/bench/native_conversation.h"
#include "client/bench/zookeeper_conversation.h"
#include "client/cli/command.h"
#include "client/cli/number.h"
#include "client/cli/progress.h"
#include "client/cli/signals.h"
#include "client/endpoint.h"

namespace quorate::cli {

namespace {

using bench::Work;

constexpr Work kWorks[] = {Work::kSet, Work::kGet, Work::kMixed, Work::kLock};
constexpr Duration kWarmUp = std::chrono::seconds(1);
constexpr uint32_t kClientsMax = 4096;
constexpr double kSecondsMin = 0.1, kSecondsMax = 3600;
constexpr int kPollMs = 100;

struct BenchArguments {
  std::vector<std::string> only;
  std::vector<uint32_t> clients{1, 16, 64};
  double seconds = 5;
  std::string protocol = "native";
};

// All folders that a load makes; gone when this is.
class BenchFolder {
 public:
  explicit BenchFolder(const CommandClient& client) : client_(client) {}
  ~BenchFolder() {
    if (!made_) return;
    const Status removed = client_->remove_all(bench::kBenchFolder);
    if (!removed.ok() && removed.code() != ErrorCode::kNoNode) report(bench::kBenchFolder, removed.error());
  }
  BenchFolder(const BenchFolder&) = delete;
  BenchFolder& operator=(const BenchFolder&) = delete;

  Status make() {
    auto made = client_->create(bench::kBenchFolder);
    made_ = made.ok();
    return made_ ? Status() : Status(made.error());
  }

 private:
  const CommandClient& client_;
  bool made_ = false;
};

class BenchRun {
 public:
  BenchRun(const Globals& globals, const BenchArguments& args) : globals_(globals), args_(args) {
    for (const std::string& endpoint : globals.endpoints) places_.push_back(client::parse_endpoint(endpoint));
  }

  int run();

 private:
  // Nothing: a signal came.
  std::optional<Result<bench::LoadResult>> load(Work work, bench::Shape shape, const std::string& told);
  int measure(const CommandClient& client);
  void print() const;

  struct Row {
    Work work;
    uint32_t clients;
    bench::Figures figures;
  };

  const Globals& globals_;
  const BenchArguments& args_;
  std::vector<Result<client::HostPort>> places_;
  Signals signals_;  // before any thread
  std::vector<Row> rows_;
  int interrupted_ = 0;  // by that signal
};

std::optional<Result<bench::LoadResult>> BenchRun::load(Work work, bench::Shape shape,
                                                        const std::string& told) {
  std::atomic<bool> stop{false};
  bench::LoadOptions options;
  options.connect = [this](uint32_t number) -> Result<bench::Fd> {
    const auto& place = places_[number % places_.size()];
    if (!place.ok()) return place.error();
    return bench::connect_to(place->host, place->port, static_cast<int>(globals_.request_timeout.count()));
  };
  options.conversation = [this](uint32_t number) -> std::unique_ptr<bench::Conversation> {
    if (args_.protocol == "zookeeper") return std::make_unique<bench::ZookeeperConversation>();
    return std::make_unique<bench::NativeConversation>(number);
  };
  options.shape = shape;
  options.work = work;
  options.warm_up = kWarmUp;
  options.measure = std::chrono::duration_cast<Duration>(std::chrono::duration<double>(args_.seconds));
  options.stop = &stop;
  std::optional<Result<bench::LoadResult>> result;
  std::atomic<bool> over{false};
  std::thread runner([&] {
    result = bench::run_load(options);
    over = true;
    signals_.wake();
  });
  Progress progress;
  while (!over) {
    progress.show([&] { return told; });
    if (const int signal = signals_.next(kPollMs); signal != 0 && signal != SIGCHLD) {
      interrupted_ = signal;
      stop = true;
    }
  }
  runner.join();
  if (stop) return std::nullopt;
  return result;
}

int BenchRun::measure(const CommandClient& client) {
  BenchFolder folder(client);
  if (const Status made = folder.make(); !made.ok()) {
    if (made.code() != ErrorCode::kNodeExists) return report(bench::kBenchFolder, made.error());
    return fail(
        kAnswerIsNo,
        std::string(bench::kBenchFolder) +
            " exists: another benchmark runs, or one was cut off (then delete it first: quorate deleteall " +
            bench::kBenchFolder + ")");
  }
  const auto prepared = load(Work::kPrepare, {1, 1}, "making the nodes");
  if (!prepared) return fail(kExitSignal + interrupted_, "interrupted");
  if (!prepared->ok()) return report("bench", prepared->error());
  for (const Work work : kWorks) {
    const std::string name(bench::work_name(work));
    if (!args_.only.empty() && std::find(args_.only.begin(), args_.only.end(), name) == args_.only.end())
      continue;
    for (const uint32_t clients : args_.clients) {
      const auto found = load(work, bench::shape_of(clients),
                              "measuring " + name + " with " + std::to_string(clients) + " clients");
      if (!found) return fail(kExitSignal + interrupted_, "interrupted");
      if (!found->ok()) return report("bench: " + name, found->error());
      rows_.push_back({work, clients, bench::figures_of(**found)});
    }
  }
  return kDone;
}

void BenchRun::print() const {
  if (globals_.json) {
    nlohmann::json all = nlohmann::json::array();
    for (const Row& row : rows_) {
      all.push_back({{"work", bench::work_name(row.work)},
                     {"clients", row.clients},
                     {"ops_per_s", row.figures.rate},
                     {"p50_us", row.figures.p50_us},
                     {"p99_us", row.figures.p99_us},
                     {"p999_us", row.figures.p999_us}});
    }
    return print_json(all);
  }
  std::vector<std::vector<std::string>> table{{"WORK", "CLIENTS", "OPS/S", "P50", "P99", "P99.9"}};
  for (const Row& row : rows_) {
    table.push_back({std::string(bench::work_name(row.work)), bench::with_commas(row.clients),
                     bench::with_commas(row.figures.rate), bench::time_text(row.figures.p50_us),
                     bench::time_text(row.figures.p99_us), bench::time_text(row.figures.p999_us)});
  }
  print_table(table);
}

int BenchRun::run() {
  const CommandClient client(globals_);
  const int done = measure(client);
  // What was measured before a signal came is worth its time.
  if (!rows_.empty()) print();
  return done;
}

}  // namespace

void add_bench_command(CLI::App& app, const Globals& globals, Action& action) {
  const auto args = std::make_shared<BenchArguments>();
  CLI::App* command = app.add_subcommand("bench",
                                         "measure the cluster from here: a closed loop of small requests, "
                                         "which it will feel, on nodes of its own");
  command->add_option("--only", args->only, "kinds of work, a list; without it all")
      ->delimiter(',')
      ->check(CLI::IsMember({"set", "get", "mixed", "lock"}));
  command
      ->add_option("--clients", args->clients,
                   "how many at once, a list; above 256 they share 64 connections")
      ->delimiter(',')
      ->transform(decimal<uint32_t>())
      ->check(CLI::Range(1U, kClientsMax))
      ->capture_default_str();
  command->add_option("--seconds", args->seconds, "how long each is measured, after 1 s of warm-up")
      ->check(CLI::Range(kSecondsMin, kSecondsMax))
      ->capture_default_str();
  command->add_option("--protocol", args->protocol, "which one the clients speak")
      ->check(CLI::IsMember({"native", "zookeeper"}))
      ->capture_default_str();
  command->callback(
      [&globals, &action, args] { action = [&globals, args] { return BenchRun(globals, *args).run(); }; });
}

}  // namespace quorate::cli
