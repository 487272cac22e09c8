#include "tests/bench/disturbance.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <thread>

#include "client/bench/load.h"
#include "client/bench/native_conversation.h"
#include "tests/bench/quorate_cluster.h"

namespace quorate::bench {
namespace {

constexpr useconds_t kLookEveryUs = 10'000;
constexpr uint64_t kSettleNs = 200'000'000;      // behind anything else that went on
constexpr uint64_t kPlainMinNs = 600'000'000;    // of a pair
constexpr uint64_t kPlainMaxNs = 2'000'000'000;  // the latest of it counts
constexpr uint64_t kDuringMinSamples = 1'000;
constexpr uint64_t kLagMaxNs = 120'000'000'000U;
constexpr int kRunsMax = 4;
constexpr Shape kHalfShape{64, 16};

// All of them, and some more than once, have changed when the log makes a checkpoint due: so there is time in
// which none is made, by any server.
constexpr uint32_t kCheckpointNodes = 110'000;
constexpr uint32_t kSnapshotNodes = 300'000;
constexpr uint64_t kBehindEntries = 30'000;
// A server keeps the log behind a snapshot for 30 s from the last part that was asked for
// (server/replica_snapshots.h): only then is it cut, with the next checkpoint.
constexpr uint64_t kSnapshotHeldNs = 31'000'000'000;

// What went on from `from_ns` to `to_ns`, between two looks at the servers.
enum class Going : uint8_t { kNothing, kMeasured, kOther };
struct Span {
  uint64_t from_ns = 0, to_ns = 0;
  Going going = Going::kNothing;
};

double median(std::vector<double> values) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  const size_t half = values.size() / 2;
  return values.size() % 2 == 1 ? values[half] : (values[half - 1] + values[half]) / 2;
}

// ---- from samples and what went on to pairs

class Pairs {
 public:
  Pairs(std::vector<Sample> samples, const std::vector<Span>& spans)
      : samples_(std::move(samples)), spans_(spans) {
    std::sort(samples_.begin(), samples_.end(),
              [](const Sample& a, const Sample& b) { return a.started_ns < b.started_ns; });
  }

  std::vector<DisturbedPair> all() const {
    std::vector<DisturbedPair> pairs;
    for (size_t i = 0; i < spans_.size();) {
      if (spans_[i].going != Going::kMeasured) {
        ++i;
        continue;
      }
      size_t end = i;
      while (end < spans_.size() && spans_[end].going == Going::kMeasured) ++end;
      // One that was cut by the end of the run is none.
      if (end < spans_.size()) add_pair(i, end, pairs);
      i = end;
    }
    return pairs;
  }

 private:
  void add_pair(size_t begin, size_t end, std::vector<DisturbedPair>& pairs) const {
    const std::vector<Span> plain = plain_before(begin);
    uint64_t plain_ns = 0;
    for (const Span& span : plain) plain_ns += span.to_ns - span.from_ns;
    if (plain_ns < kPlainMinNs) return;
    std::vector<uint64_t> first, second, both, during;
    for (size_t i = 0; i < plain.size(); ++i) {
      take(plain[i], both);
      take(plain[i], i < plain.size() / 2 ? first : second);
    }
    for (size_t i = begin; i < end; ++i) take(spans_[i], during);
    if (std::min({during.size(), first.size(), second.size()}) < kDuringMinSamples) return;
    const double one = p99_us(first), other = p99_us(second);
    pairs.push_back({p99_us(both), p99_us(during), std::max(one, other) / std::max(1.0, std::min(one, other)),
                     static_cast<double>(spans_[end - 1].to_ns - spans_[begin].from_ns) * 1e-6});
  }

  // The spans before `begin` in which nothing went on, and nothing had for a while.
  std::vector<Span> plain_before(size_t begin) const {
    std::vector<Span> plain;
    uint64_t taken = 0;
    for (size_t i = begin; i > 0 && taken < kPlainMaxNs; --i) {
      const Span& span = spans_[i - 1];
      if (span.going == Going::kMeasured) break;
      if (span.going != Going::kNothing || !settled(i - 1)) continue;
      taken += span.to_ns - span.from_ns;
      plain.push_back(span);
    }
    return plain;
  }
  bool settled(size_t at) const {
    for (size_t i = at; i > 0 && spans_[at].from_ns - spans_[i - 1].to_ns < kSettleNs; --i) {
      if (spans_[i - 1].going != Going::kNothing) return false;
    }
    return true;
  }

  void take(const Span& span, std::vector<uint64_t>& times) const {
    auto at = std::lower_bound(samples_.begin(), samples_.end(), span.from_ns,
                               [](const Sample& sample, uint64_t ns) { return sample.started_ns < ns; });
    for (; at != samples_.end() && at->started_ns < span.to_ns; ++at) times.push_back(at->took_ns);
  }
  static double p99_us(std::vector<uint64_t>& times) {
    const auto at = times.begin() + static_cast<std::ptrdiff_t>(times.size() * 99 / 100);
    std::nth_element(times.begin(), at, times.end());
    return static_cast<double>(*at) / 1'000;
  }

  std::vector<Sample> samples_;
  const std::vector<Span>& spans_;
};

// ---- servers under half load

class Scene {
 public:
  Scene(QuorateCluster cluster, const Progress& progress)
      : cluster_(std::move(cluster)), progress_(progress) {}

  // Makes the nodes, and finds what half load is.
  Status prepare(uint32_t nodes) {
    progress_("making " + std::to_string(nodes) + " nodes");
    if (Status found = find_leader(); !found.ok()) return found;
    figures_.nodes = nodes;
    LoadOptions load = options(Work::kPrepare, kHalfShape);
    if (auto made = run_load(load); !made.ok()) return made.error();
    if (Status found = find_leader(); !found.ok()) return found;
    load = options(Work::kSweep, shape_of(256));
    load.warm_up = std::chrono::seconds(1);
    load.measure = std::chrono::seconds(4);
    auto full = run_load(load);
    if (!full.ok()) return full.error();
    figures_.rate = full->rate() / 2;
    progress_("half load: " + std::to_string(static_cast<uint64_t>(figures_.rate)) + " writes/s");
    return {};
  }

  // Half load while `play` looks on and does what it does; what it found is added to the figures.
  template <class Play>
  Status run(Play play) {
    if (Status found = find_leader(); !found.ok()) return found;
    LoadOptions load = options(Work::kSweep, kHalfShape);
    std::atomic<bool> stop = false;
    load.rate = figures_.rate;
    load.warm_up = std::chrono::seconds(1);
    load.measure = std::chrono::hours(1);
    load.stop = &stop;
    load.keeps_samples = true;
    Result<LoadResult> result = LoadResult();
    std::thread writer([&] { result = run_load(load); });
    spans_.clear();
    last_look_ns_ = 0;
    const Status played = play();
    stop = true;
    writer.join();
    if (!played.ok()) return played;
    if (!result.ok()) return result.error();
    for (const DisturbedPair& pair : Pairs(std::move(result->samples), spans_).all()) take(pair);
    return {};
  }

  bool complete() const { return figures_.pairs.size() >= kDisturbancePairs; }
  size_t missing() const { return kDisturbancePairs - std::min(kDisturbancePairs, figures_.pairs.size()); }

  // One look at all servers, a little after the one before. `measured` and `other` say what goes on.
  template <class Measured, class Other>
  void look(Measured measured, Other other) {
    ::usleep(kLookEveryUs);
    for (size_t i = 0; i < QuorateCluster::kServers; ++i) {
      auto view = ask_status(cluster_.port(i));
      there_[i] = view.ok();
      if (view.ok()) views_[i] = *view;
    }
    const Going going = measured() ? Going::kMeasured : other() ? Going::kOther : Going::kNothing;
    const uint64_t now = now_ns();
    // What began between two looks, or ended, belongs to what went on.
    if (last_look_ns_ != 0)
      spans_.push_back({last_look_ns_, now, std::max(going, last_going_, more_telling)});
    last_look_ns_ = now;
    last_going_ = going;
  }

  bool any_checkpointing() const {
    return std::any_of(views_.begin(), views_.end(),
                       [](const ServerView& view) { return view.checkpointing; });
  }
  bool all_there() const {
    return std::all_of(there_.begin(), there_.end(), [](bool there) { return there; });
  }
  const ServerView& view(size_t server) const { return views_[server]; }
  bool there(size_t server) const { return there_[server]; }
  size_t leader() const { return leader_; }
  QuorateCluster& cluster() { return cluster_; }

  // The figures, with the least unquiet of the others where there were too few.
  Result<Disturbance> finish() {
    (void)cluster_.stop();
    std::sort(unquiet_.begin(), unquiet_.end(),
              [](const DisturbedPair& a, const DisturbedPair& b) { return a.plains_ratio < b.plains_ratio; });
    for (size_t i = 0; !complete() && i < unquiet_.size(); ++i) {
      figures_.unquiet = true;
      figures_.pairs.push_back(unquiet_[i]);
    }
    if (!complete())
      return Error{ErrorCode::kTimeout, "there were too few times in which nothing else went on"};
    return std::move(figures_);
  }

 private:
  static bool more_telling(Going a, Going b) {
    const auto rank = [](Going going) {
      return going == Going::kMeasured ? 2 : going == Going::kOther ? 1 : 0;
    };
    return rank(a) < rank(b);
  }

  // Anew before each load: a disk that stood still may have deposed the one before.
  Status find_leader() {
    auto leader = cluster_.wait_until_level();
    if (!leader.ok()) return leader.error();
    leader_ = *leader;
    return {};
  }

  LoadOptions options(Work work, Shape shape) const {
    LoadOptions load;
    load.connect = to_loopback({cluster_.port(leader_)});
    load.conversation = [](uint32_t number) { return std::make_unique<NativeConversation>(number); };
    load.shape = shape;
    load.work = work;
    load.keys = static_cast<uint32_t>(figures_.nodes);
    return load;
  }

  void take(const DisturbedPair& pair) {
    if (complete()) return;
    const bool quiet = pair.plains_ratio <= kPlainsApartMax;
    char line[160];
    std::snprintf(line, sizeof(line),
                  "p99 %.2f ms plain, %.2f ms during %.0f ms: ratio %.2f; two plain ones %.2f%s",
                  pair.plain_p99_us / 1e3, pair.during_p99_us / 1e3, pair.during_ms, pair.ratio(),
                  pair.plains_ratio, quiet ? "" : " (again)");
    progress_(line);
    if (!quiet) ++figures_.repeated;
    (quiet ? figures_.pairs : unquiet_).push_back(pair);
  }

  QuorateCluster cluster_;
  const Progress& progress_;
  size_t leader_ = 0;
  Disturbance figures_;
  std::vector<DisturbedPair> unquiet_;
  std::array<ServerView, QuorateCluster::kServers> views_;
  std::array<bool, QuorateCluster::kServers> there_{};
  std::vector<Span> spans_;
  uint64_t last_look_ns_ = 0;
  Going last_going_ = Going::kNothing;
};

Result<QuorateCluster> start(const std::string& quorated, const std::string& folder,
                             const std::vector<std::string>& options, const Progress& progress) {
  if (::mkdir(folder.c_str(), 0777) != 0 && errno != EEXIST) return errno_error("making " + folder);
  progress("starting three servers");
  return QuorateCluster::start(quorated, folder, options);
}

Error too_slow(const char* what) { return {ErrorCode::kTimeout, std::string(what) + " within two minutes"}; }

// One more pair. `free_from_ns`: when the log is not kept for the snapshot before any more.
Status play_snapshot(Scene& scene, size_t follower, uint64_t& free_from_ns) {
  const auto receiving = [&] { return scene.there(follower) && scene.view(follower).receiving; };
  const auto other = [&] {
    return !scene.all_there() || scene.any_checkpointing() ||
           scene.view(follower).applied + kBehindEntries < scene.view(scene.leader()).applied;
  };
  // `condition` holds, for as long as that.
  const auto wait = [&](auto condition, uint64_t for_ns) {
    const uint64_t until = now_ns() + kLagMaxNs;
    for (uint64_t since = now_ns(); now_ns() < until;) {
      scene.look(receiving, other);
      if (!condition()) {
        since = now_ns();
      } else if (now_ns() - since >= for_ns) {
        return true;
      }
    }
    return false;
  };
  if (!wait([&] { return !other() && !receiving(); }, kPlainMinNs + 2 * kSettleNs))
    return too_slow("the servers did not come to rest");
  const uint64_t last = scene.view(scene.leader()).last_index;
  scene.cluster().process(follower).kill_now();
  if (!wait([&] { return now_ns() >= free_from_ns; }, 0)) return too_slow("the log was not free to be cut");
  const uint64_t behind = std::max(scene.view(scene.leader()).checkpoint, last + kBehindEntries);
  if (!wait([&] { return scene.view(scene.leader()).checkpoint > behind; }, 0))
    return too_slow("no checkpoint was made");
  if (Status status = scene.cluster().restart(follower); !status.ok()) return status;
  if (!wait(receiving, 0)) return too_slow("the server that was behind got no snapshot");
  if (!wait([&] { return scene.there(follower) && !receiving(); }, 0))
    return too_slow("the snapshot did not end");
  free_from_ns = now_ns() + kSnapshotHeldNs;
  return {};
}

}  // namespace

double Disturbance::ratio() const {
  std::vector<double> ratios;
  for (const DisturbedPair& pair : pairs) ratios.push_back(pair.ratio());
  return median(std::move(ratios));
}

double Disturbance::plains_ratio() const {
  std::vector<double> ratios;
  for (const DisturbedPair& pair : pairs) ratios.push_back(pair.plains_ratio);
  return median(std::move(ratios));
}

Result<Disturbance> measure_checkpoints(const std::string& quorated, const std::string& folder,
                                        const Progress& progress) {
  auto cluster = start(quorated, folder,
                       {"--checkpoint-dirty-bytes", "1GiB", "--checkpoint-log-bytes", "64MiB"}, progress);
  if (!cluster.ok()) return cluster.error();
  Scene scene(std::move(*cluster), progress);
  if (Status status = scene.prepare(kCheckpointNodes); !status.ok()) return status.error();
  for (int run = 0; run < kRunsMax && !scene.complete(); ++run) {
    const Status status = scene.run([&]() -> Status {
      const size_t leader = scene.leader();
      scene.look([] { return false; }, [] { return true; });
      uint64_t seen = scene.view(leader).checkpoint;
      uint64_t until = now_ns() + kLagMaxNs;
      // The first one has no plain time before it, and the last is cut.
      for (size_t count = 0; count < scene.missing() + 2;) {
        if (now_ns() > until) return too_slow("no checkpoint was made");
        scene.look([&] { return scene.any_checkpointing(); }, [&] { return !scene.all_there(); });
        if (scene.view(leader).checkpoint == seen) continue;
        seen = scene.view(leader).checkpoint;
        until = now_ns() + kLagMaxNs;
        ++count;
      }
      return {};
    });
    if (!status.ok()) return status.error();
  }
  return scene.finish();
}

Result<Disturbance> measure_snapshots(const std::string& quorated, const std::string& folder,
                                      const Progress& progress) {
  // With half of that log, at 30,000 writes/s one of the servers was always making a checkpoint.
  auto cluster = start(
      quorated, folder,
      {"--checkpoint-dirty-bytes", "1GiB", "--checkpoint-log-bytes", "64MiB", "--log-kept-bytes", "1MiB"},
      progress);
  if (!cluster.ok()) return cluster.error();
  Scene scene(std::move(*cluster), progress);
  if (Status status = scene.prepare(kSnapshotNodes); !status.ok()) return status.error();
  uint64_t free_from_ns = 0;
  for (int run = 0; run < kRunsMax && !scene.complete(); ++run) {
    const Status status = scene.run([&]() -> Status {
      for (size_t round = 0; round < scene.missing(); ++round) {
        progress("a server falls behind, " + std::to_string(round + 1) + " of " +
                 std::to_string(scene.missing()));
        const size_t follower = (scene.leader() + 1) % QuorateCluster::kServers;
        if (Status played = play_snapshot(scene, follower, free_from_ns); !played.ok()) return played;
      }
      // So that the last one is seen to have ended.
      scene.look([] { return false; }, [] { return true; });
      scene.look([] { return false; }, [] { return true; });
      return {};
    });
    if (!status.ok()) return status.error();
  }
  return scene.finish();
}

}  // namespace quorate::bench
