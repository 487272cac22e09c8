#include "server/shell/four_letter_words.h"

#include <fmt/format.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <climits>
#include <filesystem>
#include <utility>

#include "server/replica_zookeeper_words.h"

namespace quorate::server {
namespace {

// The version of ZooKeeper whose protocol and formats these are, in the form that kazoo and monitoring agents
// parse.
constexpr std::string_view kVersion = "3.8.0-quorate-" QUORATE_VERSION ", built on 2026-01-01 00:00 UTC";

// Those of ZooKeeper that change nothing; others it has are refused as words that are not allowed are.
constexpr std::array<std::string_view, 9> kWords = {"conf", "envi", "gtmk", "isro", "mntr",
                                                    "ruok", "srvr", "stat", "wchs"};
// Words of ZooKeeper that there are no answers for here.
constexpr std::array<std::string_view, 8> kOthers = {"cons", "crst", "dirs", "dump",
                                                     "hash", "srst", "wchc", "wchp"};

template <size_t kCount>
bool holds(const std::array<std::string_view, kCount>& words, std::string_view word) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

bool serves(const ServerStatus& status) { return status.leader != ServerId() && !status.receiving; }

std::string_view mode(const ServerStatus& status) {
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

std::string srvr(const ServerStatus& status, const ListenerFigures& figures, bool clients) {
  const ZookeeperFigures& served = status.zookeeper;
  std::string text = fmt::format("Zookeeper version: {}\n", kVersion);
  if (clients) text += "Clients:\n\n";
  text += fmt::format("Latency min/avg/max: {}/{:.4f}/{}\n", served.latency_min_ms, served.latency_avg_ms(),
                      served.latency_max_ms);
  text += fmt::format("Received: {}\nSent: {}\nConnections: {}\nOutstanding: {}\n", figures.received,
                      figures.sent, status.connections, served.outstanding);
  text += fmt::format("Zxid: 0x{:x}\nMode: {}\nNode count: {}\n", status.zxid.value(), mode(status),
                      status.nodes + kReservedNodes);
  return text;
}

std::string mntr(const ServerStatus& status, const ListenerFigures& figures) {
  const ZookeeperFigures& served = status.zookeeper;
  std::string text;
  const auto line = [&text](std::string_view key, const auto& value) {
    text += fmt::format("zk_{}\t{}\n", key, value);
  };
  line("version", kVersion);
  line("server_state", mode(status));
  line("peer_state", mode(status) == "leader" ? "leading - broadcast" : "following - broadcast");
  line("avg_latency", fmt::format("{:.4f}", served.latency_avg_ms()));
  line("max_latency", served.latency_max_ms);
  line("min_latency", served.latency_min_ms);
  line("packets_received", figures.received);
  line("packets_sent", figures.sent);
  line("num_alive_connections", status.connections);
  line("outstanding_requests", served.outstanding);
  line("znode_count", status.nodes + kReservedNodes);
  line("watch_count", status.watches);
  line("ephemerals_count", status.ephemerals);
  line("approximate_data_size", status.data_bytes);
  line("global_sessions", status.sessions);
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
  return text;
}

std::string envi() {
  char host[HOST_NAME_MAX + 1] = {};
  if (gethostname(host, sizeof(host) - 1) != 0) host[0] = '\0';
  utsname system{};
  (void)uname(&system);
  return fmt::format(
      "Environment:\nzookeeper.version={}\nhost.name={}\nquorate.version={}\nos.name={}\nos.arch={}\n"
      "os.version={}\n",
      kVersion, host, QUORATE_VERSION, system.sysname, system.machine, system.release);
}

class FourLetterConversation final : public Conversation {
 public:
  FourLetterConversation(const ConversationOptions& options, const ListenerFigures& figures)
      : options_(options), figures_(figures) {}

  Result<size_t> frame_size(std::string_view bytes) const override {
    return bytes.size() < kGreetingBytes ? size_t{0} : kGreetingBytes;
  }
  Result<Taken> take(std::string_view frame) override {
    word_ = frame;
    return Taken(ClientRequest{options_.connection, 0, StatusRequest{}});
  }
  void encode(const ClientMessage& message, OutputQueue& out) override {
    const auto* reply = std::get_if<ClientReply>(&message.body);
    const auto* status = reply == nullptr ? nullptr : std::get_if<ServerStatus>(&reply->body);
    if (status == nullptr) return;
    const bool allowed = options_.words != nullptr && options_.words->contains(word_);
    out.copy(allowed ? answer_word(word_, *status, figures_)
                     : word_ + " is not executed because it is not in the whitelist.\n");
  }
  bool ended() const override { return !word_.empty(); }

 private:
  const ConversationOptions options_;
  const ListenerFigures& figures_;
  std::string word_;
};

}  // namespace

Result<std::set<std::string>> parse_four_letter_words(const std::string& text) {
  std::set<std::string> words;
  if (text == "*") return std::set<std::string>(kWords.begin(), kWords.end());
  for (size_t begin = 0; begin <= text.size();) {
    const size_t comma = std::min(text.find(',', begin), text.size());
    const std::string word = text.substr(begin, comma - begin);
    if (!holds(kWords, word)) {
      return {
          ErrorCode::kBadConfiguration,
          fmt::format("'{}' is no word that is answered: choose of {}, or *", word, fmt::join(kWords, ", "))};
    }
    words.insert(word);
    begin = comma + 1;
  }
  return words;
}

bool is_four_letter_word(std::string_view bytes) { return holds(kWords, bytes) || holds(kOthers, bytes); }

std::string answer_word(std::string_view word, const ServerStatus& status, const ListenerFigures& figures) {
  if (word == "ruok") return "imok";
  if (word == "envi") return envi();
  if (word == "gtmk") return "0";
  if (word == "isro" && serves(status)) return "rw";
  if (!serves(status)) return "This ZooKeeper instance is not currently serving requests\n";
  if (word == "mntr") return mntr(status, figures);
  if (word == "wchs") {
    return fmt::format("{} connections watching {} paths\nTotal watches:{}\n", status.connections,
                       status.watches, status.watches);
  }
  if (word == "conf") {
    const std::string port = figures.address.substr(figures.address.rfind(':') + 1);
    return fmt::format("clientPort={}\nserverId={}\n", port, status.id.value());
  }
  return srvr(status, figures, word == "stat");
}

std::unique_ptr<Conversation> four_letter_conversation(const ConversationOptions& options,
                                                       const ListenerFigures& figures) {
  return std::make_unique<FourLetterConversation>(options, figures);
}

}  // namespace quorate::server
