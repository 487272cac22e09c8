#include "client/cli/top_report.h"

#include <algorithm>
#include <cstdio>
#include <utility>

#include <nlohmann/json.hpp>

namespace quorate::cli {

namespace {

using client::LatencyBucket;
using client::LockInfo;
using std::chrono::microseconds;
using Counts = std::map<microseconds, uint64_t>;

// What was counted between two looks; nothing if the later one counts less: the server was started anew.
std::optional<Counts> between(const std::vector<LatencyBucket>& before,
                              const std::vector<LatencyBucket>& now) {
  Counts counts;
  for (const LatencyBucket& bucket : now) counts[bucket.up_to] += bucket.count;
  for (const LatencyBucket& bucket : before) {
    uint64_t& count = counts[bucket.up_to];
    if (count < bucket.count) return std::nullopt;
    count -= bucket.count;
  }
  return counts;
}

uint64_t total(const Counts& counts) {
  uint64_t sum = 0;
  for (const auto& [up_to, count] : counts) sum += count;
  return sum;
}

// That `share` of the requests, or more, took no longer.
microseconds quantile(const Counts& counts, double share) {
  const double wanted = share * static_cast<double>(total(counts));
  uint64_t seen = 0;
  for (const auto& [up_to, count] : counts) {
    seen += count;
    if (count > 0 && static_cast<double>(seen) >= wanted) return up_to;
  }
  return {};
}

std::optional<Load::Latency> latency(const Counts& counts) {
  if (total(counts) == 0) return std::nullopt;
  return Load::Latency{quantile(counts, 0.5), quantile(counts, 0.99)};
}

struct Counted {
  Counts reads, writes;
  double seconds = 0;
};

std::optional<Counted> counted(const ClusterView& before, ServerId id, const client::ServerStatus& now) {
  const auto was = before.servers.find(id);
  if (was == before.servers.end() || !was->second.status || !was->second.status->served || !now.served)
    return std::nullopt;
  const client::RequestFigures& then = *was->second.status->served;
  auto reads = between(then.reads, now.served->reads);
  auto writes = between(then.writes, now.served->writes);
  const double seconds = std::chrono::duration<double>(now.served->at - then.at).count();
  if (!reads || !writes || seconds <= 0) return std::nullopt;
  return Counted{std::move(*reads), std::move(*writes), seconds};
}

Load load_of(const Counted& counted) {
  return {static_cast<double>(total(counted.reads)) / counted.seconds,
          static_cast<double>(total(counted.writes)) / counted.seconds, latency(counted.reads),
          latency(counted.writes)};
}

// Each server counts what it was asked itself, so they add up.
void add_paths(TopReport& report, const TopLook& now) {
  std::map<std::string, double> rates;
  for (const auto& [id, hot] : now.hot) {
    const double seconds = std::chrono::duration<double>(hot.window).count();
    report.hidden_paths = std::max(report.hidden_paths, hot.hidden);
    for (const client::HotPath& path : hot.paths)
      if (seconds > 0) rates[path.path] += static_cast<double>(path.count - path.surplus / 2) / seconds;
  }
  for (auto& [path, rate] : rates) report.paths.push_back({path, rate});
  std::stable_sort(report.paths.begin(), report.paths.end(), [](const auto& a, const auto& b) {
    return a.requests_per_second > b.requests_per_second;
  });
  if (report.paths.size() > kTopPaths) report.paths.resize(kTopPaths);
}

uint64_t waiters(const LockInfo& lock) { return lock.waiters.size() + lock.more; }

void add_locks(TopReport& report, const TopLook& now) {
  report.locks = now.locks;
  std::erase_if(report.locks, [](const LockInfo& lock) { return waiters(lock) == 0 || lock.unknown; });
  std::stable_sort(report.locks.begin(), report.locks.end(),
                   [](const LockInfo& a, const LockInfo& b) { return waiters(a) > waiters(b); });
  if (report.locks.size() > kTopLocks) report.locks.resize(kTopLocks);
}

std::string rate_text(double rate) {
  char text[32];
  std::snprintf(text, sizeof(text), rate < 100 ? "%.1f" : "%.0f", rate);
  return text;
}

std::string latency_text(microseconds latency) {
  const auto us = static_cast<double>(latency.count());
  char text[32];
  if (us < 1000)
    std::snprintf(text, sizeof(text), "%.0fus", us);
  else if (us < 1e6)
    std::snprintf(text, sizeof(text), us < 1e5 ? "%.1fms" : "%.0fms", us / 1e3);
  else
    std::snprintf(text, sizeof(text), "%.1fs", us / 1e6);
  return text;
}

void append_load(std::vector<std::string>& row, const std::optional<Load>& load) {
  const auto append = [&](double rate, const std::optional<Load::Latency>& took) {
    row.push_back(rate_text(rate));
    row.push_back(took ? latency_text(took->p50) : "-");
    row.push_back(took ? latency_text(took->p99) : "-");
  };
  if (!load) {
    row.insert(row.end(), 6, "-");
    return;
  }
  append(load->reads_per_second, load->read);
  append(load->writes_per_second, load->write);
}

nlohmann::json load_json(const Load& load) {
  const auto latency_json = [](const std::optional<Load::Latency>& took) {
    if (!took) return nlohmann::json();
    return nlohmann::json{{"p50", took->p50.count()}, {"p99", took->p99.count()}};
  };
  return {{"reads_per_second", load.reads_per_second},
          {"writes_per_second", load.writes_per_second},
          {"read_us", latency_json(load.read)},
          {"write_us", latency_json(load.write)}};
}

void append_table(std::vector<TopLine>& lines, const std::vector<std::vector<std::string>>& rows) {
  lines.push_back({"", false});
  bool heading = true;
  for (std::string& line : table_lines(rows))
    lines.push_back({std::move(line), std::exchange(heading, false)});
}

}  // namespace

TopReport top_report(const std::optional<TopLook>& before, const TopLook& now) {
  TopReport report;
  Counted all;
  size_t answer = 0;
  for (const auto& [id, server] : now.cluster.servers) {
    TopReport::Server& line = report.servers.emplace_back();
    line.id = id;
    line.address = server.address.empty() ? "-" : server.address;
    line.role = role_text(server);
    if (!server.status) continue;
    ++answer;
    if (!server.problem.empty())
      report.notes.push_back("server " + std::to_string(id.value()) + ": " + server.problem);
    line.connections = server.status->connections;
    if (!server.status->served)
      report.notes.push_back("server " + std::to_string(id.value()) +
                             " does not tell its figures: it is older than this program");
    if (!before) continue;
    const auto figures = counted(before->cluster, id, *server.status);
    if (!figures) continue;
    line.load = load_of(*figures);
    for (const auto& [up_to, count] : figures->reads) all.reads[up_to] += count;
    for (const auto& [up_to, count] : figures->writes) all.writes[up_to] += count;
    report.all.reads_per_second += line.load->reads_per_second;
    report.all.writes_per_second += line.load->writes_per_second;
  }
  report.all.read = latency(all.reads);
  report.all.write = latency(all.writes);
  report.summary = std::to_string(answer) + " of " + std::to_string(now.cluster.servers.size()) +
                   (now.cluster.servers.size() == 1 ? " server answers, " : " servers answer, ") +
                   (now.cluster.leader ? "server " + std::to_string(now.cluster.leader->value()) + " leads"
                                       : "no leader has a majority");
  add_paths(report, now);
  add_locks(report, now);
  report.notes.insert(report.notes.end(), now.notes.begin(), now.notes.end());
  if (report.hidden_paths > 0)
    report.notes.push_back("hotter paths are not shown: you may not read them (--credentials)");
  return report;
}

nlohmann::json top_json(const TopReport& report) {
  nlohmann::json out{{"summary", report.summary},
                     {"servers", nlohmann::json::array()},
                     {"all", load_json(report.all)},
                     {"paths", nlohmann::json::array()},
                     {"locks", nlohmann::json::array()},
                     {"hidden_paths", report.hidden_paths},
                     {"notes", report.notes}};
  for (const TopReport::Server& server : report.servers) {
    nlohmann::json each{{"id", server.id.value()},
                        {"address", server.address},
                        {"role", server.role},
                        {"connections", server.connections},
                        {"load", nullptr}};
    if (server.load) each["load"] = load_json(*server.load);
    out["servers"].push_back(std::move(each));
  }
  for (const TopReport::Path& path : report.paths)
    out["paths"].push_back({{"path", path.path}, {"requests_per_second", path.requests_per_second}});
  for (const LockInfo& lock : report.locks)
    out["locks"].push_back({{"path", lock.path},
                            {"waiters", waiters(lock)},
                            {"holder", lock.holder ? nlohmann::json(lock.holder->name) : nlohmann::json()}});
  return out;
}

std::vector<TopLine> top_lines(const TopReport& report) {
  std::vector<TopLine> lines{{report.summary, false}};
  for (const std::string& note : report.notes) lines.push_back({note, false});
  std::vector<std::vector<std::string>> rows{
      {"ID", "ADDRESS", "ROLE", "CONNECTIONS", "READS/S", "P50", "P99", "WRITES/S", "P50", "P99"}};
  for (const TopReport::Server& server : report.servers) {
    std::vector<std::string>& row = rows.emplace_back();
    row = {std::to_string(server.id.value()), server.address, server.role,
           std::to_string(server.connections)};
    append_load(row, server.load);
  }
  if (report.servers.size() > 1) {
    uint64_t connections = 0;
    for (const TopReport::Server& server : report.servers) connections += server.connections;
    append_load(rows.emplace_back(std::vector<std::string>{"all", "", "", std::to_string(connections)}),
                report.all);
  }
  append_table(lines, rows);
  rows = {{"REQUESTS/S", "PATH"}};
  for (const TopReport::Path& path : report.paths)
    rows.push_back({rate_text(path.requests_per_second), path.path});
  if (rows.size() > 1) append_table(lines, rows);
  rows = {{"WAITERS", "LOCK", "SINCE", "HOLDER"}};
  for (const LockInfo& lock : report.locks) {
    rows.push_back({std::to_string(waiters(lock)), lock.path,
                    lock.holder ? age_text(lock.holder->since_ms) : "-",
                    lock.holder ? lock.holder->name : "-"});
  }
  if (rows.size() > 1) append_table(lines, rows);
  return lines;
}

}  // namespace quorate::cli
