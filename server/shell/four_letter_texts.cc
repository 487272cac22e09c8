// What ZooKeeper's four-letter words are answered, in the format of its 3.8.
#include <fmt/format.h>
#include <pwd.h>
#include <sys/resource.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <climits>
#include <filesystem>
#include <map>
#include <set>
#include <vector>

#include "server/replica_zookeeper_words.h"
#include "server/shell/four_letter_words.h"

namespace quorate::server {
namespace {

// The version of ZooKeeper whose protocol and formats these are, in the form that kazoo and monitoring agents
// parse.
constexpr std::string_view kVersion = "3.8.0-quorate-" QUORATE_VERSION ", built on 2026-01-01 00:00 UTC";
constexpr std::string_view kNotServing = "This ZooKeeper instance is not currently serving requests\n";
const std::string kCut = "... there is more than is listed here\n";

bool serves(const ServerStatus& status) {
  return !status.receiving && !status.stuck && (status.leader != ServerId() || status.read_only);
}

std::string_view mode(const ServerStatus& status) {
  if (status.read_only) return "read-only";
  if (status.role == raft::RoleName::kLeader) return status.members.size() == 1 ? "standalone" : "leader";
  return "follower";
}

size_t open_files() {
  std::error_code ignored;
  std::filesystem::directory_iterator files("/proc/self/fd", ignored);
  if (ignored) return 0;
  return static_cast<size_t>(std::distance(begin(files), end(files)));
}

uint64_t open_files_max() {
  rlimit limit{};
  return getrlimit(RLIMIT_NOFILE, &limit) == 0 ? limit.rlim_cur : 0;
}

uint64_t folder_bytes(const std::string& folder) {
  uint64_t bytes = 0;
  std::error_code error;
  for (std::filesystem::recursive_directory_iterator at(folder, error), end; !error && at != end;
       at.increment(error)) {
    std::error_code gone;
    const uint64_t size = at->is_regular_file(gone) ? at->file_size(gone) : 0;
    if (!gone) bytes += size;
  }
  return bytes;
}

// As Java prints a number that was rounded to four decimals: no zeros at the end but the first.
std::string decimal(double value) {
  std::string text = fmt::format("{:.4f}", value);
  text.erase(std::max(text.find_last_not_of('0'), text.find('.') + 1) + 1);
  return text;
}

// ---- clients

std::string shown_address(const std::string& address) { return "/" + address; }

// `brief`: as stat has them.
std::string connections(const StatusDetail& detail, const ListenerFigures& figures, bool brief) {
  std::map<ConnectionId, const StatusDetail::Connection*> open;
  for (const auto& connection : detail.connections) open[connection.id] = &connection;
  std::string text;
  for (const auto& [id, shown] : figures.connections) {
    const auto found = open.find(id);
    const StatusDetail::Connection* known = found == open.end() ? nullptr : found->second;
    // A connection that asks for a word is not read from any more; all others are.
    text += fmt::format(" {}[{}](queued={},recved={},sent={}", shown_address(shown->address),
                        known == nullptr ? 0 : 1, known == nullptr ? 0 : known->outstanding, shown->received,
                        shown->sent);
    if (!brief && known != nullptr && known->session != SessionId()) {
      const ZookeeperConnectionFigures& last = known->figures;
      text += fmt::format(",sid=0x{:x},lop={},est={},to={}", known->session.value(), last.last_operation,
                          shown->since_ms, known->timeout_ms);
      if (last.last_xid >= 0) text += fmt::format(",lcxid=0x{:x}", last.last_xid);
      text += fmt::format(",lzxid=0x{:x},lresp={},llat={},minlat={},avglat={},maxlat={}",
                          static_cast<uint64_t>(last.last_zxid), last.last_answer_ms, last.latency.last_ms,
                          last.latency.min_ms,
                          last.latency.count == 0 ? 0 : last.latency.sum_ms / last.latency.count,
                          last.latency.max_ms);
    }
    text += ")\n";
  }
  if (detail.cut) text += kCut;
  return text + "\n";
}

std::string srvr(const ServerStatus& status, const ListenerFigures& figures, bool clients) {
  const ZookeeperFigures& served = status.zookeeper;
  std::string text = fmt::format("Zookeeper version: {}\n", kVersion);
  if (status.read_only) text += "READ-ONLY mode; serving only read-only clients\n";
  if (clients) text += "Clients:\n" + connections(*status.detail, figures, true);
  text += fmt::format("Latency min/avg/max: {}/{}/{}\n", served.latency.min_ms,
                      decimal(served.latency.avg_ms()), served.latency.max_ms);
  text += fmt::format("Received: {}\nSent: {}\nConnections: {}\nOutstanding: {}\n", figures.received,
                      figures.sent, status.connections, served.outstanding);
  text += fmt::format("Zxid: 0x{:x}\nMode: {}\nNode count: {}\n", status.zxid.value(), mode(status),
                      status.nodes + kReservedNodes);
  // ZooKeeper's before there was any: sizes of proposals are not kept.
  if (mode(status) == "leader") text += "Proposal sizes last/min/max: -1/-1/-1\n";
  return text;
}

// ---- mntr

std::string mntr(const ServerStatus& status, const ListenerFigures& figures) {
  const ZookeeperFigures& served = status.zookeeper;
  std::string text;
  const auto line = [&text](std::string_view key, const auto& value) {
    text += fmt::format("zk_{}\t{}\n", key, value);
  };
  line("version", kVersion);
  line("server_state", mode(status));
  if (status.members.size() > 1)
    line("peer_state", mode(status) == "leader" ? "leading - broadcast" : "following - broadcast");
  line("avg_latency", decimal(served.latency.avg_ms()));
  line("max_latency", served.latency.max_ms);
  line("min_latency", served.latency.min_ms);
  line("packets_received", figures.received);
  line("packets_sent", figures.sent);
  line("num_alive_connections", status.connections);
  line("outstanding_requests", served.outstanding);
  line("znode_count", status.nodes + kReservedNodes);
  line("watch_count", status.watches);
  line("ephemerals_count", status.ephemerals);
  line("approximate_data_size", status.data_bytes);
  line("global_sessions", status.sessions);
  line("local_sessions", 0);
  line("open_file_descriptor_count", open_files());
  line("max_file_descriptor_count", open_files_max());
  if (mode(status) != "leader") return text;
  size_t learners = 0;
  size_t synced = 0;
  size_t voters = 0;
  for (const MemberStatus& member : status.members) {
    if (member.id == status.id) continue;
    ++learners;
    voters += member.role == raft::MemberRole::kVoter ? 1U : 0U;
    // Those that have all that is committed.
    synced += member.match && *member.match >= status.committed ? 1U : 0U;
  }
  line("learners", learners);
  line("followers", learners);  // as versions before 3.6 call them
  line("synced_followers", synced);
  line("synced_non_voting_followers", 0);
  line("synced_observers", learners - voters);
  line("pending_syncs", 0);
  line("quorum_size", voters + 1);
  return text;
}

// ---- the server

std::string envi() {
  char host[HOST_NAME_MAX + 1] = {};
  if (gethostname(host, sizeof(host) - 1) != 0) host[0] = '\0';
  utsname system{};
  (void)uname(&system);
  const passwd* user = getpwuid(geteuid());
  struct sysinfo memory {};
  (void)sysinfo(&memory);
  const auto megabytes = [&memory](uint64_t units) { return units * memory.mem_unit >> 20; };
  std::error_code ignored;
  return fmt::format(
      "Environment:\nzookeeper.version={}\nhost.name={}\nquorate.version={}\nos.name={}\nos.arch={}\n"
      "os.version={}\nuser.name={}\nuser.home={}\nuser.dir={}\nos.memory.free={}MB\nos.memory.max={}MB\n"
      "os.memory.total={}MB\n",
      kVersion, host, QUORATE_VERSION, system.sysname, system.machine, system.release,
      user == nullptr ? "" : user->pw_name, user == nullptr ? "" : user->pw_dir,
      std::filesystem::current_path(ignored).string(), megabytes(memory.freeram), megabytes(memory.totalram),
      megabytes(memory.totalram));
}

std::string port_of(const std::string& address) { return address.substr(address.rfind(':') + 1); }

// One port between servers stands where ZooKeeper has two; a tick is what makes two of them the shortest
// timeout, as in ZooKeeper.
std::string conf(const ServerStatus& status, const ListenerFigures& figures, const ServerFacts& facts) {
  std::string text = fmt::format(
      "clientPort={}\nsecureClientPort=-1\ndataDir={}\ndataDirSize={}\ndataLogDir={}\ndataLogSize={}\n"
      "tickTime={}\nmaxClientCnxns={}\nminSessionTimeout={}\nmaxSessionTimeout={}\n"
      "clientPortListenBacklog=-1\nserverId={}\n",
      port_of(figures.address), facts.state_folder, folder_bytes(facts.state_folder), facts.log_folder,
      folder_bytes(facts.log_folder), facts.session_timeout_min_ms / 2, facts.connections_per_address_max,
      facts.session_timeout_min_ms, facts.session_timeout_max_ms, status.id.value());
  if (status.members.size() < 2) return text;
  raft::Configuration configuration;
  ClientAddresses addresses;
  for (const MemberStatus& member : status.members) {
    const std::string port = port_of(member.peer_address);
    const bool voter = member.role == raft::MemberRole::kVoter;
    if (member.id == status.id)
      text += fmt::format("electionPort={}\nquorumPort={}\npeerType={}\n", port, port, voter ? 0 : 1);
    configuration.members.push_back({member.id, {}, member.role, member.peer_address});
    if (!member.client_address.empty()) addresses[member.id] = member.client_address;
  }
  return text + "membership: \n" + config_text(configuration, addresses) + "\n";
}

// ---- watches and sessions

std::string wchs(const StatusDetail& detail) {
  std::set<SessionId> sessions;
  std::set<std::string_view> paths;
  for (const auto& watch : detail.watches) {
    sessions.insert(watch.session);
    paths.insert(watch.path);
  }
  return fmt::format("{} connections watching {} paths\nTotal watches:{}\n", sessions.size(), paths.size(),
                     detail.watches.size()) +
         (detail.cut ? kCut : std::string());
}

std::string wchc(const StatusDetail& detail) {
  std::string text;
  SessionId last;
  for (const auto& watch : detail.watches) {
    if (text.empty() || watch.session != last) text += fmt::format("0x{:x}\n", watch.session.value());
    last = watch.session;
    text += fmt::format("\t{}\n", watch.path);
  }
  return text + (detail.cut ? kCut : std::string("\n"));
}

std::string wchp(const StatusDetail& detail) {
  std::map<std::string_view, std::vector<SessionId>> sessions;
  for (const auto& watch : detail.watches) sessions[watch.path].push_back(watch.session);
  std::string text;
  for (const auto& [path, watching] : sessions) {
    text += fmt::format("{}\n", path);
    for (const SessionId session : watching) text += fmt::format("\t0x{:x}\n", session.value());
  }
  return text + (detail.cut ? kCut : std::string("\n"));
}

// As a follower of ZooKeeper tells it: a leader's list of the times at which sessions would end says nothing
// that holds a moment later.
std::string dump(const StatusDetail& detail, const ListenerFigures& figures) {
  std::string text = fmt::format("SessionTracker dump:\nGlobal Sessions({}):\n", detail.sessions.size());
  std::string ephemerals;
  size_t owners = 0;
  for (const auto& session : detail.sessions) {
    text += fmt::format("0x{:x}\t{}ms\n", session.id.value(), session.timeout_ms);
    if (session.ephemerals.empty()) continue;
    ++owners;
    ephemerals += fmt::format("0x{:x}:\n", session.id.value());
    for (const std::string& path : session.ephemerals) ephemerals += fmt::format("\t{}\n", path);
  }
  text += fmt::format("ephemeral nodes dump:\nSessions with Ephemerals ({}):\n{}", owners, ephemerals);
  text += "Connections dump:\n";
  std::map<ConnectionId, SessionId> of;
  for (const auto& connection : detail.connections) of[connection.id] = connection.session;
  for (const auto& [id, connection] : figures.connections) {
    const auto found = of.find(id);
    const uint64_t session = found == of.end() ? 0 : found->second.value();
    text += fmt::format("\tip: {} sessionId: 0x{:x}\n", shown_address(connection->address), session);
  }
  return text + (detail.cut ? kCut : std::string());
}

}  // namespace

std::string answer_word(std::string_view word, const ServerStatus& status, const ListenerFigures& figures,
                        const ServerFacts& facts) {
  if (word == "ruok") return "imok";
  if (word == "envi") return envi();
  if (word == "gtmk") return "0";  // nothing is traced
  if (word == "isro") return !serves(status) ? "null" : status.read_only ? "ro" : "rw";
  if (!serves(status)) return std::string(kNotServing);
  if (word == "mntr") return mntr(status, figures);
  if (word == "cons") return connections(*status.detail, figures, false);
  if (word == "wchs") return wchs(*status.detail);
  if (word == "wchc") return wchc(*status.detail);
  if (word == "wchp") return wchp(*status.detail);
  if (word == "dump") return dump(*status.detail, figures);
  if (word == "conf") return conf(status, figures, facts);
  if (word == "srst") return "Server stats reset.\n";
  if (word == "crst") return "Connection stats reset.\n";
  if (word == "dirs") {
    return fmt::format("datadir_size: {}\nlogdir_size: {}\n", folder_bytes(facts.state_folder),
                       folder_bytes(facts.log_folder));
  }
  return srvr(status, figures, word == "stat");
}

}  // namespace quorate::server
